"""What environments find around them: AWS, the network, this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from moto.core import DEFAULT_ACCOUNT_ID

from infra.local.moto import iam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.moto.vpc import Vpc

    # Subnets and security groups.
    Ids = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Hold what every environment is given.

    :param folder: where environments live.
    :param endpoint_url: returns where AWS is.
    :param client: returns the administrator's boto3 client of a service.
    :param say: told every line of progress.
    :param role_may: given role ARN, action, resource and condition keys: whether the role's policies allow it.
    :param network: given subnets and security groups: what is reached from there.
    :param proxy_url: given the same: the proxy through which containers there reach AWS, if they need one.
    :param port: of an environment's UI on 127.0.0.1.
    :param executor: ``local`` runs tasks in the scheduler's process on SQLite, ``celery`` in each worker, on
        PostgreSQL and SQS, as MWAA does.
    :param graceful_seconds: how long a GRACEFUL update waits for running tasks; up to 12 hours on MWAA.
    :param rolls_back_to: status after a roll-back. MWAA tells AVAILABLE, and CloudFormation takes that for success;
        the API reference knows UPDATE_FAILED too ("restored to its previous state … and is ready to use").
    """

    folder: Path
    endpoint_url: Callable[[], str]
    client: Callable[[str], Any]
    say: Callable[[str], None]
    region: str
    role_may: Callable[[str, str, str, Mapping[str, str]], bool]
    network: Callable[[Ids, Ids], Vpc]
    proxy_url: Callable[[Ids, Ids], str | None]
    port: int = 0
    executor: Literal["local", "celery"] = "local"
    graceful_seconds: float = 25
    rolls_back_to: Literal["AVAILABLE", "UPDATE_FAILED"] = "AVAILABLE"

    def arn(self, name: str) -> str:
        """Return the ARN of an environment."""
        return f"arn:aws:airflow:{self.region}:{DEFAULT_ACCOUNT_ID}:environment/{name}"

    def credentials(self, role_arn: str, service: str, environment: str) -> dict[str, str]:
        """Let MWAA assume an execution role on behalf of an environment; return environment variables.

        :raises PermissionError: when the role does not trust the service.
        """
        # Guide, "Cross-service confused deputy prevention".
        context = {"aws:SourceAccount": DEFAULT_ACCOUNT_ID, "aws:SourceArn": self.arn(environment)}
        return iam.assume_role(role_arn, service, self.region, context)
