"""Settings are checked by the templates' own rules, and every problem is a sentence with its fix."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.cli.settings import Settings, SettingsError, load, settable
from infra.cli.templates import read_templates
from infra.mwaa_facts import PYTHON_VERSIONS, access_modes
from tests.infra.cli.support import GOOD, write

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = read_templates()


def problems(env_file: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(env_file, environ, TEMPLATES)
    return raised.value.problems


def test_good_settings_become_the_parameters_of_the_same_name(tmp_path: Path) -> None:
    settings = load(write(tmp_path, PRIVATE_SUBNET1_CIDR="10.1.0.0/24"), {}, TEMPLATES)
    assert settings.region == "eu-central-1"
    assert settings.stack_name("network") == "demo-network"
    assert settings.parameters == {
        "EnvironmentName": "demo",
        "BucketName": "demo-bucket",
        "DomainName": "demo-domain",
        "RepositoryName": "demo-repository",
        "PrivateSubnet1Cidr": "10.1.0.0/24",
    }


def test_the_process_environment_wins_over_the_file(tmp_path: Path) -> None:
    env_file = write(tmp_path, AIRFLOW_VERSION="3.3.1", AWS_PROFILE="of-the-file")
    settings = load(env_file, {"AIRFLOW_VERSION": "3.2.1", "AWS_PROFILE": "of-the-shell"}, TEMPLATES)
    assert settings.parameters["AirflowVersion"] == "3.2.1"
    assert settings.environ["AWS_PROFILE"] == "of-the-shell"


def test_credentials_are_in_no_repr(tmp_path: Path) -> None:
    settings = load(write(tmp_path), {"AWS_SECRET_ACCESS_KEY": "canary"}, TEMPLATES)
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("AWS_REGION", "Frankfurt", "must be a Region that has MWAA and CodeArtifact: ap-northeast-1, ap-south-1"),
        ("AWS_REGION", "ca-central-1", "must be a Region that has MWAA and CodeArtifact: ap-northeast-1, ap-south-1"),
        ("ENVIRONMENT_NAME", "1st", "must start with a letter and have at most 50 letters, digits and hyphens"),
        ("ENVIRONMENT_NAME", "e" * 51, "must start with a letter and have at most 50 letters, digits and hyphens"),
        ("BUCKET_NAME", "My_Bucket", "must be 3 to 63 lower-case letters, digits and hyphens"),
        ("DOMAIN_NAME", "x", "must be 2 to 50 lower-case letters, digits and hyphens"),
        ("REPOSITORY_NAME", "-", "must be 2 to 100 letters, digits, dots, underscores and hyphens"),
        ("AIRFLOW_VERSION", "2.7.2", "must be one of 2.10.3, 2.11.2, 3.0.6, 3.2.1, 3.3.1"),
        ("MAX_WORKERS", "many", "must be a number from 1 to 25"),
        ("MAX_WORKERS", "26", "must be a number from 1 to 25"),
        ("PERMISSIONS_BOUNDARY", "admin", "must be empty or the ARN of a managed IAM policy"),
        ("ADDITIONAL_ENDPOINTS", "sts,s3", "must be names of AWS services separated by commas"),
        ("ADDITIONAL_ENDPOINTS", "codeartifact.api", "must be names of AWS services separated by commas"),
        ("ADDITIONAL_ENDPOINTS", "sts, ssm", "must be names of AWS services separated by commas"),
        ("ADDITIONAL_ENDPOINTS", "sts,ssm,", "must not contain an empty member"),
        ("ADDITIONAL_ENDPOINTS", "sts,ssm,sts", "must not name sts twice"),
        ("IN_HOUSE_PACKAGES", "a,a", "must not name a twice"),
        ("IN_HOUSE_PACKAGES", "acme,acme-*", "must not name both acme and acme-*"),
        ("IN_HOUSE_PACKAGES", "acme_tool", "must be empty, or names separated by commas"),
        ("IN_HOUSE_PACKAGES", "mwaa-codeartifact-probe", "must be empty, or names separated by commas"),
    ],
)
def test_a_bad_value_is_named_with_its_rule_and_where_to_change_it(
    tmp_path: Path, name: str, value: str, rule: str
) -> None:
    (problem,) = problems(write(tmp_path, **{name: value}))
    assert problem.startswith(f'{name} is "{value}" but {rule}')
    assert problem.endswith(": change it in .env.")


def test_a_bad_value_from_the_shell_must_be_changed_there(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path), AIRFLOW_VERSION="1.10")
    assert problem.endswith(": change it in the environment, which wins over .env.")


def test_zones_must_be_in_the_region(tmp_path: Path) -> None:
    found = problems(write(tmp_path, AVAILABILITY_ZONE1="eu-west-1a", AVAILABILITY_ZONE2="eu-central-1b"))
    assert found == [
        'AVAILABILITY_ZONE1 is "eu-west-1a" but must be a zone of AWS_REGION eu-central-1: change it in .env.'
    ]


@pytest.mark.parametrize(
    ("settings", "values", "reason"),
    [
        (
            {"AIRFLOW_VERSION": "3.3.1", "WEBSERVER_ACCESS_MODE": "PUBLIC_ONLY"},
            'AIRFLOW_VERSION is "3.3.1" and WEBSERVER_ACCESS_MODE is "PUBLIC_ONLY"',
            "so WEBSERVER_ACCESS_MODE must be PUBLIC_AND_PRIVATE or PRIVATE_ONLY, or AIRFLOW_VERSION 2.11.2",
        ),
        (
            {"AIRFLOW_VERSION": "2.10.3"},
            'AIRFLOW_VERSION is "2.10.3" and WEBSERVER_ACCESS_MODE is "PUBLIC_AND_PRIVATE" (its default)',
            "so WEBSERVER_ACCESS_MODE must be PUBLIC_ONLY or PRIVATE_ONLY, or AIRFLOW_VERSION 3.2.1 or 3.3.1",
        ),
        (
            {"ENVIRONMENT_CLASS": "mw1.micro"},
            'ENVIRONMENT_CLASS is "mw1.micro" and MAX_WORKERS is "2" (its default)',
            "runs one worker, so MAX_WORKERS must be 1",
        ),
        (
            {"MIN_WORKERS": "9"},
            'MIN_WORKERS is "9" and MAX_WORKERS is "2" (its default)',
            "the minimum must not be greater than the maximum",
        ),
        (
            {"AVAILABILITY_ZONE1": "eu-central-1a"},
            'AVAILABILITY_ZONE1 is "eu-central-1a" and AVAILABILITY_ZONE2 is "" (its default)',
            "AVAILABILITY_ZONE1 and AVAILABILITY_ZONE2 must be two different zones, or both empty",
        ),
    ],
)
def test_incompatible_values_are_refused(tmp_path: Path, settings: dict[str, str], values: str, reason: str) -> None:
    (problem,) = problems(write(tmp_path, **settings))
    assert problem.startswith(f"{values}: ")
    assert problem.endswith(f"{reason}. Change it in .env.")


def test_the_preflight_may_try_a_version_that_is_not_deployed(tmp_path: Path) -> None:
    settings = load(write(tmp_path), {"AIRFLOW_VERSION": "2.10.3"}, TEMPLATES, to_deploy=False)
    assert settings.parameters["AirflowVersion"] == "2.10.3"


@pytest.mark.parametrize("version", PYTHON_VERSIONS)
def test_a_version_and_an_access_mode_are_accepted_exactly_if_tasks_run(tmp_path: Path, version: str) -> None:
    accepted = set()
    for mode in ("PUBLIC_ONLY", "PRIVATE_ONLY", "PUBLIC_AND_PRIVATE"):
        with contextlib.suppress(SettingsError):
            load(write(tmp_path, AIRFLOW_VERSION=version, WEBSERVER_ACCESS_MODE=mode), {}, TEMPLATES)
            accepted.add(mode)
    assert accepted == set(access_modes(version))


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_setting_is_named_with_its_meaning(tmp_path: Path, name: str) -> None:
    (problem,) = problems(write(tmp_path, **{name: ""}))
    assert problem.startswith(f"{name} is not set: add it to .env (")


def test_a_misspelt_setting_is_not_silently_ignored(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, ENVIROMENT_CLASS="mw1.large"))
    assert problem == (
        "ENVIROMENT_CLASS in .env is not a setting of this project: write ENVIRONMENT_CLASS if that is meant."
    )


def test_an_output_of_an_earlier_stack_is_not_a_setting(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, DOMAIN_OWNER="210987654321"))
    assert problem.startswith("DOMAIN_OWNER in .env is not a setting of this project")


def test_all_problems_are_reported_at_once_and_a_missing_file_first(tmp_path: Path) -> None:
    found = problems(tmp_path / ".env", BUCKET_NAME="My_Bucket")
    assert found[0] == "There is no .env: copy .env.example to .env and fill it in."
    assert [problem.split()[0] for problem in found[1:]] == [
        "AWS_REGION", "ENVIRONMENT_NAME", "DOMAIN_NAME", "REPOSITORY_NAME", "BUCKET_NAME"
    ]  # fmt: skip


def test_a_missing_file_is_no_problem_if_none_is_needed(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / ".env", **GOOD | {"BUCKET_NAME": "My_Bucket"})
    assert problem.startswith("BUCKET_NAME is")


def test_the_example_file_names_every_setting_with_its_default(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    for parameter in settable(TEMPLATES).values():
        assert (
            f"\n{'# ' if parameter.default is not None else ''}{parameter.setting}={parameter.default or ''}\n"
            in example
        )
    filled = tmp_path / ".env"
    filled.write_text(example + "\n".join(f"{name}={value}" for name, value in GOOD.items()))
    assert isinstance(load(filled, {}, TEMPLATES), Settings)


def test_bad_settings_end_the_program_with_status_2_before_any_aws_call() -> None:
    environ = {**GOOD, "AWS_REGION": "Frankfurt", "PATH": "", "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    command = [sys.executable, "-m", "infra.deploy", "deploy"]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert 'AWS_REGION is "Frankfurt"' in ended.stderr
