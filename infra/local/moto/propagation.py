"""IAM's propagation: what a new role may do counts only some seconds after the role has been made.

Source: IAM guide, "Troubleshooting IAM": changes that I make are not always immediately visible.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from moto.core.utils import utcnow
from moto.iam.access_control import AssumedRoleAccessKey

if TYPE_CHECKING:
    from moto.iam.models import Role

_collect = AssumedRoleAccessKey.collect_policies


def install() -> None:
    """Let policies of roles count late by LOCAL_IAM_PROPAGATION_SECONDS (default: at once)."""
    wait = timedelta(seconds=float(os.environ.get("LOCAL_IAM_PROPAGATION_SECONDS", "0")))

    def collect(key: AssumedRoleAccessKey) -> list[str]:
        role: Role = key.backend.get_role(key._owner_role_name)
        # What a service does with a role at once, such as Lambda's check of a queue, is retried by the service.
        late = key._session_name != "service" and utcnow() - role.create_date.replace(tzinfo=None) < wait
        return [] if late else _collect(key)

    AssumedRoleAccessKey.collect_policies = collect
