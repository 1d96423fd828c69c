"""A thin runner of the AWS CLI: a list of arguments in, JSON out, each failure as one sentence."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from infra.cli.console import say, waiting
from infra.cli.program import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

_READING = ("describe-", "get-", "head-", "list-")
_API_ERROR = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: (?P<message>.*)",
    re.DOTALL,
)
# Transient errors: those that botocore retries (retries/standard.py), and no answer at all.
_TRANSIENT_CODE = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|BandwidthLimitExceeded|SlowDown|RequestTimeout"
    r"|Internal(Error|Failure|Server)|ServiceUnavailable|^50[0234]$"
)
_NO_ANSWER = re.compile(
    r"Could not connect to the endpoint|[Cc]onnect timeout|Read timeout|Name or service not known"
    r"|Connection was closed|Connection reset"
)

# The first pattern that is found in "code: message" wins; {operation} and {message} are filled in.
_SENTENCES = {
    r"Unable to locate credentials|Partial credentials": (
        "No AWS credentials were found: run `aws configure`, or set AWS_PROFILE in .env."
    ),
    r"config profile \(.*\) could not be found": (
        "{message}: set AWS_PROFILE to the name of a profile in ~/.aws/config or ~/.aws/credentials."
    ),
    r"^ExpiredToken|^RequestExpired|Token has expired|session associated with this profile has expired": (
        "The AWS credentials have expired: sign in again (with single sign-on: `aws sso login` of the AWS CLI v2) and "
        "repeat the command."
    ),
    r"^(InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidAccessKeyId|AuthFailure):": (
        "AWS does not accept the credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID and sign in again."
    ),
    r"^(AccessDenied\w*|UnauthorizedOperation|Forbidden|403):": (
        "AWS denied {operation} ({message}): allow this action for the identity that deploys, or use another one."
    ),
    r"^(BucketAlreadyExists|BucketAlreadyOwnedByYou):": (
        "The bucket name is taken, and bucket names are unique in all of S3: choose another BUCKET_NAME in .env."
    ),
    _NO_ANSWER.pattern: (
        "AWS cannot be reached for {operation} ({message}): check AWS_REGION, the network and AWS_ENDPOINT_URL."
    ),
}


class AwsError(CommandError):
    """A failed AWS call.

    :param sentence: what failed, why, and what to do.
    :param operation: the API operation or CLI command.
    :param code: AWS's error code, empty where the CLI itself failed.
    """

    def __init__(self, sentence: str, *, operation: str, code: str = "") -> None:
        super().__init__(sentence)
        self.operation, self.code = operation, code

    @property
    def passing(self) -> bool:
        """Return whether the same command may succeed a moment later: after throttling, an outage, no answer."""
        return bool(_TRANSIENT_CODE.search(self.code) if self.code else _NO_ANSWER.search(str(self)))


class Aws:
    """Run AWS CLI commands in one Region.

    :param region: the AWS Region.
    :param environ: the environment of the CLI: PATH, credentials, AWS_ENDPOINT_URL.
    """

    def __init__(self, region: str, environ: Mapping[str, str]) -> None:
        # The default retry mode is silent for up to half a minute if nothing answers.
        defaults = {"AWS_RETRY_MODE": "standard"}
        self._environ = {**defaults, **environ, "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json"}
        self.region = region

    @property
    def endpoint_url(self) -> str:
        """Return the endpoint URL of all services, empty for AWS's own endpoints."""
        return self._environ.get("AWS_ENDPOINT_URL", "")

    def call(self, *arguments: str) -> Any:
        """Run a command and return its output, parsed; None if it prints nothing.

        :param arguments: service, operation and options.
        :raises AwsError: if it fails.
        """
        with waiting(f"aws {arguments[0]} {arguments[1]}"):
            output = self.finish(self.start(*arguments))
        return json.loads(output) if output.strip() else None

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, and print it if it changes anything.

        :param arguments: service, operation and options.
        :raises AwsError: if the AWS CLI is not installed.
        """
        command = ["aws", *arguments, "--region", self.region]
        if not arguments[1].startswith(_READING) and "GET" not in arguments:  # of InvokeRestApi's methods
            say(f"$ {shlex.join(command)}")
        try:
            return subprocess.Popen(
                command, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
            )
        except FileNotFoundError:
            sentence = "The AWS CLI (`aws`) is not on PATH: run `make setup`, which installs it."
            raise AwsError(sentence, operation=" ".join(arguments[:2])) from None

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Wait for a started command and return its output.

        :param process: returned by start.
        :raises AwsError: if it fails.
        """
        output, errors = process.communicate()
        if process.returncode:
            arguments = process.args if isinstance(process.args, list) else []
            raise failure(" ".join(map(str, arguments[1:3])), errors)
        return output


def failure(command: str, errors: str) -> AwsError:
    """Return the error for the AWS CLI's error output.

    :param command: service and operation; used if the output names no API operation.
    :param errors: the CLI's stderr.
    """
    found = _API_ERROR.search(errors)
    code, operation = (found["code"], found["operation"]) if found else ("", f"`aws {command}`")
    message = " ".join((found["message"] if found else errors).split()).rstrip(".")
    for pattern, sentence in _SENTENCES.items():
        if re.search(pattern, f"{code}: {message}" if code else message):
            return AwsError(sentence.format(operation=operation, message=message), operation=operation, code=code)
    detail = f"{code}: {message}" if code else message or "no message"
    return AwsError(f"{operation} failed: {detail}.", operation=operation, code=code)
