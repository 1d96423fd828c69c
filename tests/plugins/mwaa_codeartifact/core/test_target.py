from __future__ import annotations

from datetime import timedelta

import pytest

from mwaa_codeartifact.core.errors import ConfigError
from mwaa_codeartifact.core.target import Domain, Repository, Target, min_remaining_from_hours, read_target

GOOD = {
    "domain": "data",
    "domain_owner": "123456789012",
    "repository": "python",
    "region": "eu-west-1",
    "destination": "s3://bucket/dags/codeartifact.txt",
}
MEANINGS = {
    "domain": "2 to 50 lower-case letters, digits or hyphens",
    "domain_owner": "the 12 digits of an AWS account id",
    "repository": "2 to 100 letters, digits, dots, hyphens or underscores",
    "region": "an AWS region such as eu-west-1",
    "destination": "s3://BUCKET/dags/codeartifact.txt, or file:///ABSOLUTE/PATH outside AWS",
}


def _environment_name(setting: str) -> str:
    return f"CODEARTIFACT_{setting.upper()}"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("domain", "my-domain-1"),
        ("domain", "d" * 50),
        ("repository", "My.Repository_1-2"),
        ("repository", "r" * 100),
        ("region", "us-gov-west-1"),
        ("region", "cn-north-1"),
        ("region", "ap-southeast-10"),
        ("destination", "s3://my.bucket-1/any/other key.txt"),
        ("destination", "file:///opt/airflow/dags/codeartifact.txt"),
        ("destination", "file:///opt/air%20flow/codeartifact.txt"),
    ],
)
def test_a_valid_setting_is_kept_unchanged(setting: str, value: str) -> None:
    target = Target.from_settings(GOOD | {setting: value})
    domain = target.repository.domain
    values = (domain.name, domain.owner, target.repository.name, domain.region, target.destination)
    assert dict(zip(GOOD, values, strict=True)) == GOOD | {setting: value}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("domain", "d"),
        ("domain", "Data"),
        ("domain", "1data"),
        ("domain", "data-"),
        ("domain", "d" * 51),
        ("domain", "data\n"),
        ("domain_owner", "12345678901"),
        ("domain_owner", "1234567890123"),
        ("domain_owner", "1234-5678-9012"),
        ("domain_owner", "\N{ARABIC-INDIC DIGIT ONE}" * 12),
        ("repository", "p"),
        ("repository", "-python"),
        ("repository", "a/b"),
        ("repository", "r" * 101),
        ("region", "eu-west"),
        ("region", "Ireland"),
        ("region", "eu-west-1a"),
        ("destination", "dags/codeartifact.txt"),
        ("destination", "bucket/dags/codeartifact.txt"),
        ("destination", "s3://bucket"),
        ("destination", "s3://bucket/"),
        ("destination", "s3://bucket/dags/"),
        ("destination", "s3://Bucket/dags/codeartifact.txt"),
        ("destination", "s3://b/dags/codeartifact.txt"),
        ("destination", "https://bucket.s3.amazonaws.com/dags/codeartifact.txt"),
        ("destination", "file://dags/codeartifact.txt"),
        ("destination", "file:///"),
        ("destination", "/opt/airflow/dags/codeartifact.txt"),
    ],
)
def test_a_bad_setting_is_one_sentence_with_its_name_value_and_meaning(setting: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Target.from_settings(GOOD | {setting: value}, named=_environment_name)
    expected = f"CODEARTIFACT_{setting.upper()} is {value!r}: give {MEANINGS[setting]}"
    assert str(caught.value) == f"Could not read the settings (1 problem): {expected}"


@pytest.mark.parametrize("destination", ["s3://bucket/dags/codeartifact.txt\n", "s3://bucket/dags/codeartifact.txt "])
def test_white_space_at_the_end_of_a_destination_is_refused_before_it_becomes_another_file(destination: str) -> None:
    with pytest.raises(ConfigError, match="destination is "):
        Target.from_settings(GOOD | {"destination": destination})


@pytest.mark.parametrize(
    "destination", ["s3://bucket/dags/a?b.txt", "s3://bucket/dags/a#b.txt", "file:///dags/a#b.txt"]
)
def test_a_destination_that_would_be_cut_short_as_a_url_is_refused(destination: str) -> None:
    with pytest.raises(ConfigError, match="destination is "):
        Target.from_settings(GOOD | {"destination": destination})


@pytest.mark.parametrize("value", ["", None])
@pytest.mark.parametrize("setting", GOOD)
def test_a_setting_that_is_not_set_is_named_with_its_meaning(setting: str, value: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        Target.from_settings({**GOOD, setting: value}, named=lambda name: f"[codeartifact] {name}")
    expected = f"[codeartifact] {setting} is not set: give {MEANINGS[setting]}"
    assert str(caught.value) == f"Could not read the settings (1 problem): {expected}"


def test_all_bad_settings_are_in_one_error() -> None:
    with pytest.raises(ConfigError) as caught:
        Target.from_settings({"domain": "Data", "region": "eu-west-1"}, named=_environment_name)
    prefix, _, problems = str(caught.value).partition(": ")
    assert prefix == "Could not read the settings (4 problems)"
    assert [problem.split()[0] for problem in problems.split("; ")] == [
        "CODEARTIFACT_DOMAIN",
        "CODEARTIFACT_DOMAIN_OWNER",
        "CODEARTIFACT_REPOSITORY",
        "CODEARTIFACT_DESTINATION",
    ]


def test_unknown_settings_are_ignored() -> None:
    assert Target.from_settings(GOOD | {"min_remaining_hours": "8"}) == Target.from_settings(GOOD)


def test_a_target_made_directly_obeys_the_same_rules() -> None:
    with pytest.raises(ConfigError, match="domain_owner is '42': give the 12 digits of an AWS account id"):
        Domain(region="eu-west-1", owner="42", name="data")
    domain = Domain(region="eu-west-1", owner="123456789012", name="data")
    with pytest.raises(ConfigError, match="repository is not set"):
        Repository(domain=domain, name="")
    with pytest.raises(ConfigError, match=r"destination is 'c\.txt': give s3://BUCKET"):
        Target(repository=Repository(domain=domain, name="python"), destination="c.txt")


def test_a_repository_id_names_region_owner_domain_and_repository() -> None:
    assert Target.from_settings(GOOD).repository.id == "eu-west-1/123456789012/data/python"


def test_a_repository_id_is_parsed_back() -> None:
    repository = Target.from_settings(GOOD).repository
    assert Repository.parse(repository.id) == repository


@pytest.mark.parametrize(
    "text", ["", "python", "eu-west-1/123456789012/data", "eu-west-1/123456789012/data/python/more"]
)
def test_a_repository_id_of_other_parts_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"repository id is .*: give REGION/OWNER/DOMAIN/REPOSITORY"):
        Repository.parse(text)


def test_a_repository_id_with_a_bad_part_is_refused() -> None:
    with pytest.raises(ConfigError, match="domain_owner is 'me'"):
        Repository.parse("eu-west-1/me/data/python")


def test_the_five_settings_are_looked_up_by_their_names() -> None:
    variables = {_environment_name(name): value for name, value in GOOD.items()}
    target = read_target(lambda name: variables.get(_environment_name(name)), named=_environment_name)
    assert target == Target.from_settings(GOOD)


@pytest.mark.parametrize(("hours", "seconds"), [("8", 28_800), (0, 0), ("0.5", 1_800), (12, 43_200), (" 11 ", 39_600)])
def test_a_minimum_is_read_in_hours(hours: str | float, seconds: int) -> None:
    assert min_remaining_from_hours(hours) == timedelta(seconds=seconds)


@pytest.mark.parametrize("hours", ["", "eight", "-1", "12.5", "nan", "inf", "1e400", -0.001])
def test_a_bad_minimum_is_one_sentence_with_its_name_and_value(hours: str | float) -> None:
    with pytest.raises(ConfigError) as caught:
        min_remaining_from_hours(hours, named="CODEARTIFACT_MIN_REMAINING_HOURS")
    assert str(caught.value) == (
        "Could not read the settings (1 problem): "
        f"CODEARTIFACT_MIN_REMAINING_HOURS is {hours!r}: give a number of hours from 0 to 12"
    )
