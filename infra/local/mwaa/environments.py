"""All environments: what they find around them, and what creates, changes and deletes them after MWAA's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from moto.core import DEFAULT_ACCOUNT_ID

from infra.local.moto import iam
from infra.local.mwaa import rules
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.environment import Environment
from infra.local.mwaa.rules import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.moto.vpc import Vpc

    # Subnets and security groups.
    Ids = tuple[str, ...]

# Not one on which MWAA is at work, nor one that was never there.
_CHANGEABLE = {"AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Hold what every environment is given: AWS, the network, this machine."""

    folder: Path
    endpoint_url: Callable[[], str]
    client: Callable[[str], Any]  # the administrator's boto3 client of a service
    say: Callable[[str], None]  # told every line of progress
    region: str
    # Given role ARN, action, resource and condition keys: whether the role's policies allow it.
    role_may: Callable[[str, str, str, Mapping[str, str]], bool]
    # Given subnets and security groups: what is reached from there, and through which proxy, if any.
    network: Callable[[Ids, Ids], Vpc]
    proxy_url: Callable[[Ids, Ids], str | None]
    port: int = 0  # of an environment's UI on 127.0.0.1
    # In the scheduler's process on SQLite, or in each worker, on PostgreSQL and SQS, as on MWAA.
    executor: Literal["local", "celery"] = "local"
    graceful_seconds: float = 25  # up to 12 hours on MWAA
    # MWAA tells AVAILABLE after a roll-back, and CloudFormation takes that for success; the API reference knows
    # UPDATE_FAILED too ("restored to its previous state … and is ready to use").
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


class Environments(dict[str, Environment]):
    """Keep environments by name.

    :param around: what is around them.
    :param run_airflow: False: there are rules, statuses and the checks of MWAA's agents, and no pip and no Airflow.
    """

    def __init__(self, around: Surroundings, *, run_airflow: bool = True) -> None:
        super().__init__()
        self._around, self._run_airflow = around, run_airflow

    def create(self, properties: dict[str, Any]) -> Environment:
        """Begin to create an environment with the properties of AWS::MWAA::Environment.

        :raises ValidationError: when MWAA refuses at once.
        """
        configuration = Configuration(properties)
        name = str(configuration.get("Name"))
        if name in self:
            raise ValidationError(f"Invalid request provided: An environment with the name {name} already exists.")
        rules.check(configuration, None, self._around)
        self[name] = Environment(configuration, self._around, run_airflow=self._run_airflow)
        return self[name]

    def update(self, name: str, properties: dict[str, Any]) -> Environment:  # type: ignore[override]
        """Begin to update an environment, whose properties are to be these and no others.

        :raises ValidationError: when MWAA refuses at once.
        """
        environment, before = self[name], self[name].configuration
        if environment.status not in _CHANGEABLE:
            raise ValidationError(f"Environment {name} cannot be updated in status {environment.status}.")
        configuration = Configuration({"AirflowVersion": before["AirflowVersion"], **properties})
        rules.check(configuration, before, self._around)
        environment.update(configuration)
        return environment

    def delete(self, name: str) -> None:
        """Delete an environment."""
        self[name].delete()
        del self[name]

    def stop(self) -> None:
        """Stop all of them."""
        for environment in self.values():
            environment.stop()
