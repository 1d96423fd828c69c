"""The operator's execute() in this process, against AWS or canned responses."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mwaa_codeartifact.compat import DAG, AirflowFailException, mask_secret
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError, MintError, TokenRejectedError
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor
from tests.airflow.support import DOMAIN, KEY, OWNER, REGION, REPOSITORY, section

if TYPE_CHECKING:
    from pathlib import Path

    from tests.airflow.support import CannedAws, ServedAws

DENIED: tuple[int, dict[str, object]] = (403, {"code": "AccessDeniedException", "message": "not authorized"})
TARGET = {"domain": DOMAIN, "domain_owner": OWNER, "repository": REPOSITORY, "region_name": REGION}


def operator(**arguments: Any) -> CodeArtifactRefreshIndexUrlOperator:
    return CodeArtifactRefreshIndexUrlOperator(**{"task_id": "refresh", "aws_conn_id": None} | arguments)


def refresh(**arguments: Any) -> dict[str, Any]:
    return operator(**arguments).execute({})


def test_the_operator_publishes_a_line_and_returns_its_facts_without_the_token(
    aws: ServedAws, bucket: str, configured: str
) -> None:
    result = refresh()
    (line,) = aws.versions(bucket)
    endpoint = aws.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    assert line.body.endswith(
        f"\n--index-url http://aws:{line.token}@{endpoint}/{DOMAIN}-{OWNER}.{REGION}/pypi/{REPOSITORY}/simple/\n"
    )
    assert line.metadata["refreshed-by"] == "dag"
    remaining = datetime.fromisoformat(line.metadata["token-expires-at"]) - datetime.now(UTC)
    assert timedelta(hours=11.9) < remaining <= timedelta(hours=12)
    assert result == {
        "state": "published",
        "destination": configured,
        "facts": {name.replace("-", "_"): value for name, value in line.metadata.items()},
        "version_id": line.version_id,
        "durations_seconds": result["durations_seconds"],
    }
    assert list(result["durations_seconds"]) == ["head", "mint", "verify", "publish"]
    assert len(line.token) > 500
    assert line.token not in json.dumps(result)


def test_a_fresh_line_costs_one_head_request_and_no_token(
    aws: ServedAws, bucket: str, configured: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_id = aws.put_line(bucket, lifetime=timedelta(hours=11.6))
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", canned_aws.url)
    result = refresh()
    assert (result["state"], result["version_id"]) == ("fresh", version_id)
    assert result["destination"] == configured
    assert [line.version_id for line in aws.versions(bucket)] == [version_id]
    assert canned_aws.requests == []


@pytest.mark.usefixtures("configured")
def test_min_remaining_hours_decides_when_a_line_is_stale(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=timedelta(hours=5))
    assert refresh(min_remaining_hours=4)["state"] == "fresh"
    assert refresh(min_remaining_hours="5.5")["state"] == "published"


def test_arguments_win_over_the_section(aws: ServedAws, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = section(
        "s3://elsewhere/dags/codeartifact.txt",
        domain="elsewhere",
        domain_owner="999999999999",
        repository="elsewhere",
        region="us-east-1",
    )
    for name, value in (aws.environ | elsewhere).items():
        monkeypatch.setenv(name, value)
    result = refresh(**TARGET, destination=f"s3://{bucket}/{KEY}")
    assert result["destination"] == f"s3://{bucket}/{KEY}"
    assert result["facts"]["repository"] == f"{REGION}/{OWNER}/{DOMAIN}/{REPOSITORY}"
    assert len(aws.versions(bucket)) == 1


@pytest.mark.usefixtures("configured")
def test_an_argument_that_renders_to_an_empty_string_is_read_from_the_section() -> None:
    task = operator(domain="{{ params.domain }}")
    task.render_template_fields({"params": {"domain": ""}})
    assert task.execute({})["state"] == "published"


def test_a_file_on_disk_is_a_destination_too(configured: str, tmp_path: Path) -> None:
    path = tmp_path / "codeartifact.txt"
    result = refresh(destination=path.as_uri())
    assert (result["state"], result["version_id"]) == ("published", None)
    assert "refreshed-by=dag" in path.read_text().splitlines()[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert configured != path.as_uri()


def test_every_setting_is_a_template() -> None:
    fields = ("domain", "domain_owner", "repository", "region_name", "destination", "min_remaining_hours")
    task = operator(**{field: f"{{{{ params.{field} }}}}" for field in fields}, aws_conn_id="{{ params.aws_conn_id }}")
    values = {field: f"rendered-{field}" for field in (*fields, "aws_conn_id")}
    task.render_template_fields({"params": values})
    assert {field: getattr(task, field) for field in values} == values
    assert sorted(task.template_fields) == sorted(values)


@pytest.mark.parametrize("kind", [CodeArtifactRefreshIndexUrlOperator, CodeArtifactIndexUrlFreshSensor])
def test_default_args_of_a_dag_reach_the_arguments_that_operator_and_sensor_share(kind: Any) -> None:
    shared = {"domain": "shared", "aws_conn_id": "shared", "verify": False, "botocore_config": {"read_timeout": 1}}
    with DAG("defaults", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), default_args=shared):
        task = kind(task_id="either")
    assert {name: getattr(task, name) for name in shared} == shared


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("domain", "", "[codeartifact] domain is not set: give 2 to 50 lower-case letters, digits or hyphens"),
        ("domain_owner", "", "[codeartifact] domain_owner is not set: give the 12 digits of an AWS account id"),
        ("domain_owner", "1234", "[codeartifact] domain_owner is '1234': give the 12 digits of an AWS account id"),
        ("repository", "a b", "[codeartifact] repository is 'a b': give 2 to 100 letters, digits"),
        ("region", "mars", "[codeartifact] region is 'mars': give an AWS region such as eu-west-1"),
        ("destination", "s3://bucket", "[codeartifact] destination is 's3://bucket': give s3://BUCKET/dags/code"),
    ],
)
def test_a_bad_setting_fails_without_a_retry_before_any_aws_call(
    option: str, value: str, sentence: str, configured: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configured
    monkeypatch.setenv(f"AIRFLOW__CODEARTIFACT__{option.upper()}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    with pytest.raises(AirflowFailException) as caught:
        refresh()
    assert str(caught.value).startswith("Could not read the settings (1 problem): ")
    assert sentence in str(caught.value)
    assert canned_aws.requests == []


def test_without_any_setting_one_sentence_names_all_of_them() -> None:
    with pytest.raises(AirflowFailException) as caught:
        refresh()
    assert str(caught.value).startswith("Could not read the settings (5 problems): ")
    for option in ("domain", "domain_owner", "repository", "region", "destination"):
        assert f"[codeartifact] {option} is not set" in str(caught.value)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("hours", ["never", "nan", "", -1, 12.5])
def test_invalid_hours_fail_without_a_retry(hours: float | str) -> None:
    with pytest.raises(AirflowFailException, match=r"min_remaining_hours is .*: give a number of hours from 0 to 12"):
        refresh(min_remaining_hours=hours)


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/v1/repository/endpoint", "allow codeartifact:GetRepositoryEndpoint in the role's policy"),
        ("/v1/authorization-token", "allow codeartifact:GetAuthorizationToken and sts:GetServiceBearerToken in the"),
    ],
)
@pytest.mark.usefixtures("configured")
def test_access_denied_by_codeartifact_names_the_action_and_can_be_retried(
    path: str, action: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", canned_aws.url)
    canned_aws.respond_with_token("canary", verdict=401)
    canned_aws.responses[path] = DENIED
    with pytest.raises(MintError, match=action) as caught:
        refresh()
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.code == "AccessDeniedException"


@pytest.mark.usefixtures("configured")
def test_access_denied_by_s3_names_the_action(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", canned_aws.url)
    canned_aws.default = DENIED
    allow = "allow s3:GetObject and, on the bucket, s3:ListBucket in the role's policy"
    with pytest.raises(DestinationError, match=f"access denied: {allow}"):
        refresh()


@pytest.mark.usefixtures("configured")
def test_an_unknown_domain_names_the_settings_to_check() -> None:
    with pytest.raises(MintError, match="not found: check the settings domain, domain_owner, repository and region"):
        refresh(domain="unknown")


@pytest.mark.usefixtures("configured")
def test_a_missing_bucket_names_the_setting_to_check() -> None:
    with pytest.raises(DestinationError, match="the bucket does not exist: check the setting destination"):
        refresh(destination="s3://nobody-made-this/dags/codeartifact.txt")


@pytest.mark.usefixtures("configured")
def test_without_credentials_one_sentence_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CodeArtifactError, match="no AWS credentials were found: run under a role, or name a connec"):
        refresh()


@pytest.mark.usefixtures("configured")
def test_a_failed_refresh_leaves_the_old_line_and_no_secret_in_its_error(
    aws: ServedAws, bucket: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_id = aws.put_line(bucket, lifetime=timedelta(minutes=5))
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", canned_aws.url)
    canned_aws.respond_with_token("canary-token", verdict=401)
    with pytest.raises(TokenRejectedError, match="allow codeartifact:ReadFromRepository") as caught:
        refresh()
    assert "canary" not in repr(caught.value)
    assert [(line.version_id, line.body) for line in aws.versions(bucket)] == [(version_id, "--index-url old\n")]


def test_airflow_masks_the_token_from_the_moment_it_exists(aws: ServedAws, bucket: str, configured: str) -> None:
    assert refresh()["destination"] == configured
    (line,) = aws.versions(bucket)
    masker = sys.modules[mask_secret.__module__]
    assert masker.redact(f"a task says {line.token} by mistake") == "a task says *** by mistake"


@pytest.mark.usefixtures("configured")
def test_the_connection_that_is_named_is_used(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "aws", "login": "key-of-the-connection", "password": "secret-of-it"}
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps(connection | {"extra": {"region_name": "eu-south-1"}}))
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    canned_aws.respond_with_token("canary", verdict=401)
    with pytest.raises(TokenRejectedError):
        refresh(aws_conn_id="elsewhere")
    s3, endpoint, token = (headers["Authorization"] for _, headers in canned_aws.requests[:3])
    assert "Credential=key-of-the-connection/" in s3
    assert "/eu-south-1/s3/" in s3
    assert all("Credential=key-of-the-connection/" in signed for signed in (endpoint, token))
    assert all(f"/{REGION}/codeartifact/" in signed for signed in (endpoint, token))


@pytest.mark.usefixtures("configured")
def test_the_default_connection_need_not_exist() -> None:
    assert "AIRFLOW_CONN_AWS_DEFAULT" not in os.environ
    assert CodeArtifactRefreshIndexUrlOperator(task_id="refresh").aws_conn_id == "aws_default"
    assert refresh(aws_conn_id="aws_default")["state"] == "published"


@pytest.mark.usefixtures("configured")
def test_botocore_config_reaches_every_client(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    canned_aws.respond_with_token("canary", verdict=401)
    with pytest.raises(TokenRejectedError):
        refresh(botocore_config={"user_agent_extra": "refresh/of-ours"})
    assert ["refresh/of-ours" in headers["User-Agent"] for _, headers in canned_aws.requests[:3]] == [True] * 3
