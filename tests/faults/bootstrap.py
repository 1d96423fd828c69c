"""What a bootstrap meets that passes by itself. Each row is a test of the Lambda, and a line of docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.plugins.mwaa_codeartifact.core.support import answer, hang_up

if TYPE_CHECKING:
    from tests.plugins.mwaa_codeartifact.core.support import Fault


@dataclass(frozen=True)
class BootstrapRow:
    """State what a step of a custom resource's Create meets at first.

    :param sees: the part of the function's log that says so; the stack only sees that it takes longer.
    """

    name: str
    step: str
    fault: Fault
    sees: str


DENIED = answer(403, "AccessDeniedException")
_UNREAD = "the repository rejects it: allow codeartifact:ReadFromRepository"

AT_THE_BOOTSTRAP = [
    BootstrapRow("S3 denies the HEAD", "head", answer(403), "access denied: allow s3:GetObject"),
    BootstrapRow(
        "CodeArtifact denies the endpoint",
        "endpoint",
        DENIED,
        "access denied: allow codeartifact:GetRepositoryEndpoint",
    ),
    BootstrapRow(
        "CodeArtifact or STS denies the token", "mint", DENIED, "allow codeartifact:GetAuthorizationToken and"
    ),
    BootstrapRow(
        "The repository does not know the token (401)", "verify", answer(401), f"{_UNREAD} in the role's policy"
    ),
    BootstrapRow("The repository denies the token (403)", "verify", answer(403), f"{_UNREAD} in the role's policy"),
    BootstrapRow("The repository fails at every try (500)", "verify", answer(500), "try again [500]"),
    BootstrapRow("The repository closes the connection", "verify", hang_up, "no answer (ProtocolError)"),
    BootstrapRow("S3 denies the PUT", "put", answer(403, "AccessDenied"), "access denied: allow s3:PutObject"),
]
