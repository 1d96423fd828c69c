"""What status and refresh tell; the AWS CLI is real, AWS is moto's (which has no MWAA)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.aws import Aws, AwsError
from infra.cli.settings import Settings
from infra.deploy.stacks import StackError
from infra.deploy.verbs import freshness, refresh, status
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from collections.abc import Mapping


def metadata(life: timedelta) -> Mapping[str, str]:
    now = datetime.now(UTC)
    return LineFacts(
        token_expires_at=now + life,
        refreshed_at=now,
        refreshed_by="lambda",
        token_fingerprint="0123456789ab",
        repository="eu-central-1/123456789012/demo/demo",
    ).to_metadata()


def bucket(s3: Any, name: str, written: Mapping[str, str]) -> str:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=name, Key="dags/codeartifact.txt", Body=b"--index-url https://aws:canary@x", Metadata=written)
    return name


@pytest.mark.long
def test_status_tells_what_it_can_before_it_fails_and_reads_no_secret(
    environ: dict[str, str], s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = bucket(s3, "status-fresh", metadata(timedelta(hours=11.55)))
    aws = Aws("eu-central-1", {**environ, "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"})
    with pytest.raises(AwsError, match="GetEnvironment failed"):
        status(aws, Settings("eu-central-1", "nothing", {"BucketName": name}, {}))
    lines = capsys.readouterr().out
    assert "stack nothing-mwaa: not there\n" in lines
    assert "environment nothing: not known\n" in lines
    assert f"index-url file s3://{name}/dags/codeartifact.txt: 11.5 h left, token-expires-at " in lines
    assert "canary" not in lines


def test_an_expired_line_is_called_expired(aws: Aws, s3: Any) -> None:
    assert freshness(aws, bucket(s3, "status-expired", metadata(timedelta(hours=-1)))).startswith("EXPIRED, ")


def test_a_line_that_was_written_by_hand_counts_as_stale(aws: Aws, s3: Any) -> None:
    assert freshness(aws, bucket(s3, "status-by-hand", {})).startswith("stale: it was not written by a refresher")


def test_refresh_without_a_refresher_says_what_to_do_first(aws: Aws) -> None:
    with pytest.raises(StackError, match="nothing-refresher is not deployed: run `make deploy` first"):
        refresh(aws, Settings("eu-central-1", "nothing", {}, {}))
