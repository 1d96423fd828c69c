"""Who has sent the request that is being carried out, and whether they may do what a service does in their name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.moto.iam import caller_of_request

if TYPE_CHECKING:
    from collections.abc import Mapping


def require(action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
    """Check that the caller may do something.

    :raises PermissionError: in IAM's words.
    """
    caller = caller_of_request.get()
    if caller and not caller.may(action, resource, context):
        raise PermissionError(
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because no "
            f"identity-based policy allows the {action} action"
        )
