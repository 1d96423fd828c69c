"""Who has sent the request that is being carried out and may what a service does in their name, and what may not yet.

Source: IAM guide, "Troubleshooting IAM": changes that I make are not always immediately visible.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from moto.core.utils import utcnow
from moto.iam.access_control import AssumedRoleAccessKey

from infra.local.moto.iam import caller_of_request

if TYPE_CHECKING:
    from collections.abc import Mapping

_collect = AssumedRoleAccessKey.collect_policies


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


def install() -> None:
    """Let policies of roles count late by LOCAL_IAM_PROPAGATION_SECONDS (default: at once)."""
    wait = timedelta(seconds=float(os.environ.get("LOCAL_IAM_PROPAGATION_SECONDS", "0")))

    def collect(key: AssumedRoleAccessKey) -> list[str]:
        age = utcnow() - key.backend.get_role(key._owner_role_name).create_date.replace(tzinfo=None)
        # What a service does with a role at once, such as Lambda's check of a queue, is retried by the service.
        return [] if key._session_name != "service" and age < wait else _collect(key)

    AssumedRoleAccessKey.collect_policies = collect
