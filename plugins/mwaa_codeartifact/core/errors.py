"""The exception tree.

CodeArtifactError
├── ConfigError         a setting is missing or malformed; no AWS call was made
├── MintError           CodeArtifact gave no token or no repository endpoint
├── VerifyError         the repository could not be asked, or answered something else than yes or no
│   └── TokenRejectedError  it was asked and said no
└── DestinationError    the index-url file could not be read or written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_FIXES = {
    "NoCredentialsError": "no AWS credentials were found: run under a role, or name a connection in aws_conn_id",
    # The answer to a HEAD has no body: S3 cannot say more.
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
    """Return the AWS error code, or the botocore exception's name where AWS did not answer."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__


class CodeArtifactError(Exception):
    """What was attempted, on what, and why it failed.

    :param attempt: what was attempted, an imperative ("mint a token").
    :param subject: on which target, destination or setting.
    :param reason: one clear sentence with the fix; never a secret.
    :param code: the AWS error code, or the botocore exception's name (default: none).
    """

    def __init__(self, attempt: str, subject: str, reason: str, *, code: str | None = None) -> None:
        super().__init__(f"Could not {attempt} ({subject}): {reason}" + (f" [{code}]" if code else ""))
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether it may pass within minutes: IAM's changes take a while to count everywhere.

        Source: IAM user guide, "Changes that I make are not always immediately visible".
        """
        return self.code in _ACCESS_DENIED

    @classmethod
    def from_aws(
        cls, error: BotoCoreError | ClientError, *, attempt: str, subject: str, action: str
    ) -> CodeArtifactError:
        """Translate what boto3 raised.

        :param error: the exception caught; its frames are forgotten, for they hold requests and answers with secrets.
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
    """A setting is missing or malformed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("read the settings", f"{len(problems)} to mend", "; ".join(problems))


class MintError(CodeArtifactError):
    """CodeArtifact gave no token or no repository endpoint."""


class VerifyError(CodeArtifactError):
    """The repository could not be asked whether it accepts the token."""

    @property
    def may_pass(self) -> bool:
        """Whether it may pass within minutes: a new repository may be slow, or not know the token or its rights yet."""
        return self.code is None or self.code in {"401", "403", "429"} or self.code.startswith("5")


class TokenRejectedError(VerifyError):
    """The repository does not accept the token just minted."""


class DestinationError(CodeArtifactError):
    """The index-url file could not be read or written."""
