"""The exception tree.

CodeArtifactError
├── ConfigError         a setting is missing or malformed; no AWS call was made
├── MintError           CodeArtifact returned no token or no repository endpoint
├── VerifyError         the repository did not respond, or neither accepted nor rejected the token
│   └── TokenRejectedError  the repository rejected the token
└── DestinationError    the index-url file could not be read or written
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import BotoCoreError, ClientError

_FIXES = {
    "NoCredentialsError": "no AWS credentials were found: run under a role, or name a connection in aws_conn_id",
    # The response to a HEAD has no body, so S3 cannot give a reason.
    "400": "S3 gives no reason; most likely the AWS credentials have expired: renew them",
    "EndpointConnectionError": "AWS could not be reached: check the VPC endpoint of the service and the region",
    "ConnectTimeoutError": "AWS could not be reached in time: check the VPC endpoint's security group",
    "ExpiredToken": "the AWS credentials have expired: renew them",
    "ExpiredTokenException": "the AWS credentials have expired: renew them",
    "NoSuchBucket": "the bucket does not exist: check the setting destination",
    "ResourceNotFoundException": "not found: check the settings domain, domain_owner, repository and region",
}
_ACCESS_DENIED = {"AccessDenied", "AccessDeniedException", "403"}


def aws_code(error: BotoCoreError | ClientError) -> str:
    """Return the AWS error code, or the botocore exception's name if AWS did not respond."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__


class CodeArtifactError(Exception):
    """A failure: the attempt, its subject, and the reason.

    :param attempt: what was attempted, an imperative ("mint a token").
    :param subject: the target, destination or setting.
    :param reason: one clear sentence with the fix; never a secret.
    :param code: the AWS error code, or the botocore exception's name (default: none).
    """

    def __init__(self, attempt: str, subject: str, reason: str, *, code: str | None = None) -> None:
        super().__init__(f"Could not {attempt} ({subject}): {reason}" + (f" [{code}]" if code else ""))
        self.attempt, self.subject, self.reason, self.code = attempt, subject, reason, code

    @property
    def may_pass(self) -> bool:
        """Return whether the error may disappear within minutes: changes in IAM take effect with a delay.

        Source: IAM user guide, "Changes that I make are not always immediately visible".
        """
        return self.code in _ACCESS_DENIED

    def about(self, subject: str) -> Self:
        """Return the same error about another subject.

        :param subject: see the class.
        """
        return type(self)(self.attempt, subject, self.reason, code=self.code)

    @classmethod
    def from_aws(cls, error: BotoCoreError | ClientError, *, attempt: str, subject: str, action: str) -> Self:
        """Return the error for an exception of boto3.

        :param error: the exception; its frames are dropped, because they contain requests and responses with secrets.
        :param attempt: see the class.
        :param subject: see the class.
        :param action: the IAM action that the call needs, for the advice on access denied.
        """
        code = aws_code(error)
        error.__traceback__ = None
        if code in _ACCESS_DENIED and "kms:" in str(error).lower():
            reason = "access denied: allow kms:GenerateDataKey and kms:Decrypt on the bucket's key in the role's policy"
        elif code in _ACCESS_DENIED:
            reason = f"access denied: allow {action} in the role's policy"
        else:
            reason = _FIXES.get(code, str(error))
        return cls(attempt, subject, reason, code=code)


class ConfigError(CodeArtifactError):
    """A setting is missing or malformed.

    :param problems: one clause a setting, with the fix.
    """

    def __init__(self, problems: list[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        super().__init__("read the settings", count, "; ".join(problems))


class MintError(CodeArtifactError):
    """CodeArtifact returned no token or no repository endpoint."""


class VerifyError(CodeArtifactError):
    """The repository did not show whether it accepts the token."""

    @property
    def may_pass(self) -> bool:
        """Return whether it may disappear within minutes: a new repository may be slow, or not know a new token."""
        return self.code is None or self.code in {"401", "403", "429"} or self.code.startswith("5")


class TokenRejectedError(VerifyError):
    """The repository does not accept the token that was just minted."""


class DestinationError(CodeArtifactError):
    """The index-url file could not be read or written."""


@contextmanager
def aws_errors(kind: type[CodeArtifactError], *, attempt: str, subject: str, action: str) -> Iterator[None]:
    """Raise boto3's exceptions as an error of this tree.

    :param kind: the error's class.
    :param attempt: see :class:`CodeArtifactError`.
    :param subject: see :class:`CodeArtifactError`.
    :param action: see :meth:`CodeArtifactError.from_aws`.
    :raises CodeArtifactError: an instance of the class.
    """
    # Imported here: the settings are checked, and their errors shown, where botocore is not installed or too slow.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise kind.from_aws(error, attempt=attempt, subject=subject, action=action) from error
