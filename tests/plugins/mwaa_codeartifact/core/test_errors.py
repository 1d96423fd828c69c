"""The error for each refusal by AWS: one sentence with the action, setting or place to check."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.errors import (
    CodeArtifactError,
    ConfigError,
    DestinationError,
    MintError,
    TokenRejectedError,
    VerifyError,
)
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REGION, REPOSITORY, REPOSITORY_ID, answer

if TYPE_CHECKING:
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, Clock, RecordedAws

ONE_TRY = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})


def _failure(target: Target, connections: BotoConnections, clock: Clock) -> CodeArtifactError:
    with pytest.raises(CodeArtifactError) as caught:
        refresh(target, refresher="dag", min_remaining=timedelta(hours=8), connections=connections, now=clock)
    return caught.value


def test_every_error_is_a_code_artifact_error() -> None:
    for kind in (ConfigError, MintError, VerifyError, TokenRejectedError, DestinationError):
        assert issubclass(kind, CodeArtifactError)


def test_a_rejected_token_is_a_failed_verification() -> None:
    assert issubclass(TokenRejectedError, VerifyError)


def test_an_error_contains_attempt_subject_reason_and_code() -> None:
    error = MintError("mint a token", REPOSITORY_ID, "the reason", code="Code")
    assert (str(error), error.code) == (f"Could not mint a token ({REPOSITORY_ID}): the reason [Code]", "Code")
    assert str(MintError("mint a token", REPOSITORY_ID, "the reason")).endswith(": the reason")


@pytest.mark.parametrize(
    ("step", "attempt", "action"),
    [
        ("mint", "mint a token", "codeartifact:GetAuthorizationToken and sts:GetServiceBearerToken"),
        ("endpoint", "get the repository's endpoint", "codeartifact:GetRepositoryEndpoint"),
    ],
)
def test_access_denied_by_codeartifact_names_the_action_to_allow(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, step: str, attempt: str, action: str
) -> None:
    aws.at(step, answer(403, "AccessDeniedException"))
    error = _failure(target, connections, clock)
    assert isinstance(error, MintError)
    reason = f"access denied: allow {action} in the role's policy"
    assert str(error) == f"Could not {attempt} ({REPOSITORY_ID}): {reason} [AccessDeniedException]"


def test_access_denied_to_the_put_names_the_action_to_allow(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws
) -> None:
    aws.at("put", answer(403, "AccessDenied"))
    error = _failure(target, connections, clock)
    assert isinstance(error, DestinationError)
    reason = "access denied: allow s3:PutObject in the role's policy"
    assert str(error) == f"Could not publish the index-url ({target.destination}): {reason} [AccessDenied]"


def test_the_cause_is_kept_without_its_frames_which_contain_requests(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws
) -> None:
    aws.at("put", answer(403, "AccessDenied"))
    cause = _failure(target, connections, clock).__cause__
    assert isinstance(cause, ClientError)
    assert cause.__traceback__ is None


def test_access_denied_to_the_head_names_both_actions_that_it_takes(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws
) -> None:
    # S3 answers 403, not 404, to the HEAD of an absent object if s3:ListBucket is not allowed.
    aws.at("head", answer(403))
    error = _failure(target, connections, clock)
    assert isinstance(error, DestinationError)
    assert "access denied: allow s3:GetObject" in str(error)
    assert "s3:ListBucket" in str(error)


@pytest.mark.parametrize(
    ("setting", "value"), [("domain", "nowhere"), ("repository", "nothing"), ("domain_owner", "210987654321")]
)
def test_an_unknown_domain_or_repository_names_the_settings_to_check(
    target: Target, connections: BotoConnections, clock: Clock, setting: str, value: str
) -> None:
    settings = {"domain": DOMAIN, "domain_owner": OWNER, "repository": REPOSITORY, "region": REGION}
    wrong = Target.from_settings(settings | {"destination": target.destination, setting: value})
    error = _failure(wrong, connections, clock)
    assert isinstance(error, MintError)
    assert "not found: check the settings domain, domain_owner, repository and region" in str(error)
    assert wrong.repository.id in str(error)


def test_a_missing_bucket_names_the_setting_to_check(
    target: Target, connections: BotoConnections, clock: Clock
) -> None:
    missing = replace(target, destination="s3://no-such-bucket/dags/codeartifact.txt")
    error = _failure(missing, connections, clock)
    assert isinstance(error, DestinationError)
    assert str(error) == (
        f"Could not publish the index-url ({missing.destination}): "
        "the bucket does not exist: check the setting destination [NoSuchBucket]"
    )


def test_the_error_without_credentials_names_their_sources(target: Target, aws: RecordedAws, clock: Clock) -> None:
    session = boto3.Session(region_name=REGION)
    with closing(BotoConnections(partial(session.client, endpoint_url=aws.url))) as connections:
        error = _failure(target, connections, clock)
    assert str(error) == (
        f"Could not see how fresh the index-url is ({target.destination}): no AWS credentials were found: "
        "run under a role, or name a connection in aws_conn_id [NoCredentialsError]"
    )
    assert aws.seen == []


@pytest.mark.parametrize(("step", "code"), [("mint", "ExpiredTokenException"), ("put", "ExpiredToken")])
def test_the_error_for_expired_credentials_names_them(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, step: str, code: str
) -> None:
    aws.at(step, answer(400, code))
    assert "the AWS credentials have expired: renew them" in str(_failure(target, connections, clock))


def test_the_error_for_a_bare_400_to_the_head_names_expired_credentials(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws
) -> None:
    # A response to a HEAD has no body, so S3 cannot name ExpiredToken. botocore requests the bucket's region in between
    aws.at("head", *[answer(400, x_amz_bucket_region=REGION)] * 2)
    assert "the AWS credentials have expired" in str(_failure(target, connections, clock))


def test_aws_out_of_reach_names_the_vpc_endpoint(
    target: Target, local_session: boto3.Session, closed_port: int, clock: Clock
) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    with closing(BotoConnections(partial(local_session.client, endpoint_url=url), config=ONE_TRY)) as connections:
        error = _failure(target, connections, clock)
    assert "AWS could not be reached: check the VPC endpoint of the service and the region" in str(error)


def test_a_service_that_is_down_gets_3_requests_and_is_one_line(
    target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, bucket: Bucket
) -> None:
    aws.at("mint", *[answer(503, "ServiceUnavailableException")] * 3)
    error = _failure(target, connections, clock)
    assert isinstance(error, MintError)
    assert re.fullmatch(r"Could not mint a token \([^\n]+ \[ServiceUnavailableException\]", str(error))
    assert aws.steps == ["head", "endpoint", "mint", "mint", "mint"]
    assert OWNER in str(error)
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0
