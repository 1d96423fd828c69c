"""What environments find around them: AWS, the network, this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from infra.local.moto import iam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Network(Protocol):
    """Tell what is reached from an environment's subnets with its security groups."""

    def refusal(self, service: str) -> str | None:
        """Return why an endpoint service, such as sqs, cannot be reached; None if it can."""

    @property
    def has_way_out(self) -> bool:
        """Return whether the internet is reached."""

    @property
    def closed_to_itself(self) -> str | None:
        """Return why the environment's own parts do not reach one another; None if they do."""


class Open:
    """Be a network that closes nothing but the way to the internet."""

    has_way_out: bool = False
    closed_to_itself: str | None = None

    def refusal(self, service: str) -> str | None:
        """Return nothing: every service is reached."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Hold what every environment is given.

    :param folder: where environments live.
    :param endpoint_url: returns where AWS is.
    :param client: returns the administrator's boto3 client of a service.
    :param say: told every line of progress.
    :param region: of the environments.
    :param account: that owns them.
    :param port: of an environment's UI on 127.0.0.1.
    :param executor: ``local`` runs tasks in the scheduler's process on SQLite, ``celery`` in each worker, on
        PostgreSQL and SQS, as MWAA does.
    :param web_server_has_dags: whether dags/ reaches the web server too. That it does is not established.
    :param graceful_seconds: how long a GRACEFUL update waits for running tasks; up to 12 hours on MWAA.
    :param rolls_back_to: status after a roll-back. MWAA tells AVAILABLE, and CloudFormation takes that for success;
        the API reference knows UPDATE_FAILED too ("restored to its previous state … and is ready to use").
    :param assume_role: given role ARN, service principal and condition keys: credentials as environment variables.
    :param role_may: given role ARN, action, resource and condition keys: whether the role's policies allow it.
    :param network: given subnets and security groups: what is reached from there.
    :param proxy_url: given the same: the proxy through which containers there reach AWS; None for containers that
        reach everything.
    """

    folder: Path
    endpoint_url: Callable[[], str]
    client: Callable[[str], Any]
    say: Callable[[str], None]
    region: str
    account: str = "123456789012"  # moto's
    port: int = 0
    executor: Literal["local", "celery"] = "local"
    web_server_has_dags: bool = False
    graceful_seconds: float = 25
    rolls_back_to: Literal["AVAILABLE", "UPDATE_FAILED"] = "AVAILABLE"
    assume_role: Callable[[str, str, Mapping[str, str]], dict[str, str]] | None = None
    role_may: Callable[[str, str, str, Mapping[str, str]], bool] = lambda *_: True
    network: Callable[[tuple[str, ...], tuple[str, ...]], Network] = lambda *_: Open()
    proxy_url: Callable[[tuple[str, ...], tuple[str, ...]], str | None] = lambda *_: None

    def arn(self, name: str) -> str:
        """Return the ARN of an environment.

        :param name: the environment's.
        """
        return f"arn:aws:airflow:{self.region}:{self.account}:environment/{name}"

    def credentials(self, role_arn: str, service: str, environment: str) -> dict[str, str]:
        """Let MWAA assume an execution role on behalf of an environment; return environment variables.

        :raises PermissionError: when the role does not trust the service.
        """
        # Guide, "Cross-service confused deputy prevention".
        context = {"aws:SourceAccount": self.account, "aws:SourceArn": self.arn(environment)}
        if self.assume_role is not None:
            return self.assume_role(role_arn, service, context)
        return iam.assume_role(role_arn, service, self.region)
