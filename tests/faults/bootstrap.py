"""Faults at the bootstrap that disappear by themselves; each row is a test of the Lambda, shown in docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.plugins.mwaa_codeartifact.core.support import answer, hang_up

if TYPE_CHECKING:
    from tests.plugins.mwaa_codeartifact.core.support import Fault


@dataclass(frozen=True)
class BootstrapRow:
    """A fault that a step of a custom resource's Create meets at first.

    :param name: the fault.
    :param step: the step, see RecordedAws.at.
    :param fault: the answer.
    :param sees: the part of the function's log that identifies it; the stack only takes longer.
    """

    name: str
    step: str
    fault: Fault
    sees: str


DENIED = answer(403, "AccessDeniedException")
_DENIED = "access denied: allow"
_REJECTED = "the repository rejects it: allow codeartifact:ReadFromRepository"

AT_THE_BOOTSTRAP = [
    BootstrapRow("HEAD: access denied", "head", answer(403), f"{_DENIED} s3:GetObject"),
    BootstrapRow("Endpoint: access denied", "endpoint", DENIED, f"{_DENIED} codeartifact:GetRepositoryEndpoint"),
    BootstrapRow("Mint: access denied", "mint", DENIED, f"{_DENIED} codeartifact:GetAuthorizationToken and sts:"),
    BootstrapRow("Verify: 401, the repository does not know the token yet", "verify", answer(401), _REJECTED),
    BootstrapRow("Verify: 403, access denied", "verify", answer(403), _REJECTED),
    BootstrapRow("Verify: 500 at every try", "verify", answer(500), "neither accepts nor rejects it: try again [500]"),
    BootstrapRow("Verify: connection closed at every try", "verify", hang_up, "no answer (ProtocolError)"),
    BootstrapRow("PUT: access denied", "put", answer(403, "AccessDenied"), f"{_DENIED} s3:PutObject"),
]
