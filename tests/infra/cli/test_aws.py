"""Failures of the AWS CLI become one sentence with the fix."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from infra.cli.aws import Aws, AwsError, failure

if TYPE_CHECKING:
    from pathlib import Path


def test_the_error_of_a_missing_cli_names_the_fix(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AwsError, match="is not on PATH: run `make setup`"):
        Aws("eu-central-1", {**environ, "PATH": str(tmp_path)}).call("sts", "get-caller-identity")


def test_the_error_of_missing_credentials_names_the_fix(environ: dict[str, str]) -> None:
    nobody = {**environ, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.raises(AwsError, match="No AWS credentials were found: run `aws configure`"):
        Aws("eu-central-1", nobody).call("sts", "get-caller-identity")


def test_an_endpoint_that_does_not_respond_is_named(environ: dict[str, str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(AwsError, match=f"cannot be reached .*{url}.*check AWS_REGION"):
            Aws("eu-central-1", {**environ, "AWS_ENDPOINT_URL": url}).call("sts", "get-caller-identity")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "The AWS credentials have expired: sign in again"),
        ("ExpiredTokenException", "The AWS credentials have expired: sign in again"),
        ("InvalidClientTokenId", "AWS does not accept the credentials: check AWS_PROFILE"),
        ("AccessDenied", "AWS denied CreateBucket (the reason): allow this action"),
        ("AccessDeniedException", "AWS denied CreateBucket (the reason): allow this action"),
        ("403", "AWS denied CreateBucket (the reason): allow this action"),
        ("BucketAlreadyExists", "The bucket name is taken, and bucket names are unique in all of S3: choose another"),
        ("SomethingElse", "CreateBucket failed: SomethingElse: the reason."),
    ],
)
def test_an_api_error_names_the_fix_and_keeps_its_code_and_operation(code: str, sentence: str) -> None:
    error = failure(
        "s3api create-bucket", f"\nAn error occurred ({code}) when calling the CreateBucket operation: the reason\n"
    )
    assert str(error).startswith(sentence)
    assert (error.operation, error.code) == ("CreateBucket", code)


def test_an_error_after_retries_is_understood_too() -> None:
    text = "An error occurred (Throttling) when calling the GetObject operation (reached max retries: 2): Slow down"
    assert str(failure("s3api get-object", text)) == "GetObject failed: Throttling: Slow down."


def test_an_expired_sign_in_of_the_cli_itself_is_understood() -> None:
    text = "Error when retrieving token from sso: Token has expired and refresh failed"
    assert "sign in again" in str(failure("s3api list-buckets", text))


@pytest.mark.parametrize(
    "text",
    [
        "Error when retrieving token from sso: Token has expired and refresh failed",
        "The config profile (nosuch) could not be found",
    ],
)
def test_advice_that_needs_the_newer_cli_names_its_version(text: str) -> None:
    advice = str(failure("s3api list-buckets", text))
    assert "list-profiles" not in advice
    assert ("aws sso login" in advice) == ("CLI v2" in advice)


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("An error occurred (ThrottlingException) when calling the GetEnvironment operation: Rate exceeded", True),
        ("An error occurred (RequestLimitExceeded) when calling the DescribeStacks operation: Too fast", True),
        ("An error occurred (503) when calling the HeadObject operation: Service Unavailable", True),
        ('Could not connect to the endpoint URL: "https://airflow.eu-central-1.amazonaws.com/"', True),
        ("An error occurred (AccessDenied) when calling the DescribeStacks operation: Could not connect", False),
        ("An error occurred (ExpiredToken) when calling the DescribeStacks operation: expired", False),
        ("Unable to locate credentials", False),
    ],
)
def test_only_errors_that_may_disappear_by_themselves_are_passing(text: str, *, passing: bool) -> None:
    assert failure("any command", text).passing is passing


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("sqs", "list-queues"), False),
        (("mwaa", "invoke-rest-api", "--name", "e", "--method", "GET", "--path", "/dags"), False),
        (("mwaa", "invoke-rest-api", "--name", "e", "--method", "POST", "--path", "/dags"), True),
        (("sqs", "delete-queue", "--queue-url", "q"), True),
    ],
)
def test_only_commands_that_change_something_are_printed(
    *,
    arguments: tuple[str, ...],
    shown: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cli = tmp_path / "aws"
    cli.write_text("#!/bin/sh\n")
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    Aws("eu-central-1", {"PATH": f"{tmp_path}:/bin"}).call(*arguments)
    assert (f"$ aws {' '.join(arguments)}" in capfd.readouterr().out) is shown
