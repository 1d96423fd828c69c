"""An environment's configuration, which is the properties of AWS::MWAA::Environment, and its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.local.moto import iam
from infra.mwaa_facts import CREATABLE_VERSIONS, LOG_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.moto.vpc import Vpc

    # Subnets and security groups.
    Ids = tuple[str, ...]

# The property of LoggingConfiguration for each component.
LOG_MODULES = {component: component.replace("DAGProcessing", "DagProcessing") + "Logs" for component in LOG_COMPONENTS}
LOG_MODULES["WebServer"] = "WebserverLogs"
# API reference, CreateEnvironment.
_DEFAULTS = {
    "AirflowVersion": CREATABLE_VERSIONS[-1],
    "EnvironmentClass": "mw1.small",
    "MinWorkers": 1,
    "WebserverAccessMode": "PRIVATE_ONLY",
    "WorkerReplacementStrategy": "FORCED",
}
_NUMBERS = ("MinWorkers", "MaxWorkers", "Schedulers", "MinWebservers", "MaxWebservers")


class Configuration(dict[str, Any]):
    """An environment's properties, with MWAA's defaults and types: a template's numbers may be strings."""

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__(_DEFAULTS | properties)
        self.bucket = str(self.get("SourceBucketArn")).rpartition(":")[2]
        self.dags = str(self.get("DagS3Path")).strip("/")  # the folder in the bucket
        # Guide, "Environment class": in mw1.micro, scheduler and worker share a container.
        self.is_micro = self["EnvironmentClass"] == "mw1.micro"
        self.setdefault("MaxWorkers", 1 if self.is_micro else 10)
        self.update({name: int(self[name]) for name in _NUMBERS if name in self})
        logs = self.get("LoggingConfiguration", {}).items()
        logs = {name: {**log, "Enabled": str(log.get("Enabled")).lower() == "true"} for name, log in logs}
        self["LoggingConfiguration"] = logs

    def file(self, name: str) -> tuple[str, str] | None:
        """Return key and version id of Plugins, Requirements or StartupScript in the bucket, if there is one."""
        path = self.get(f"{name}S3Path")
        return (path, self.get(f"{name}S3ObjectVersion", "")) if path else None

    @property
    def network(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ids of the subnets and of the security groups."""
        network = self["NetworkConfiguration"]
        return tuple(network["SubnetIds"]), tuple(network["SecurityGroupIds"])

    @property
    def log_levels(self) -> dict[str, str]:
        """Return the log level of each component that logs."""
        logs = [(component, self["LoggingConfiguration"].get(name, {})) for component, name in LOG_MODULES.items()]
        return {component: log["LogLevel"] for component, log in logs if log.get("Enabled")}

    @property
    def components(self) -> tuple[str, ...]:
        """Return each container's component: as many workers as the environment may scale to, two at most."""
        if self.is_micro:
            return ("Hybrid", "WebServer")
        return ("Scheduler", *["Worker"] * min(self["MaxWorkers"], 2), "WebServer")

    def airflow_variables(self) -> dict[str, str]:
        """Return the options as Airflow's environment variables: ``foo.user`` → ``AIRFLOW__FOO__USER``."""
        options = self.get("AirflowConfigurationOptions", {})
        return {"AIRFLOW__" + option.replace(".", "__", 1).upper(): str(value) for option, value in options.items()}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The surroundings of every environment: AWS, the network, this machine."""

    folder: Path
    endpoint_url: Callable[[], str]
    client: Callable[[str], Any]  # the administrator's boto3 client of a service
    say: Callable[[str], None]  # called with every line of progress
    region: str
    # Given role ARN, action, resource and condition keys: whether the role's policies allow it.
    role_may: Callable[[str, str, str, Mapping[str, str]], bool]
    # Given subnets and security groups: their network, and the URL of their proxy, if any.
    network: Callable[[Ids, Ids], Vpc]
    proxy_url: Callable[[Ids, Ids], str | None]
    port: int = 0  # of an environment's UI on 127.0.0.1
    # In the scheduler's process on SQLite, or in each worker, on PostgreSQL and SQS, as on MWAA.
    executor: Literal["local", "celery"] = "local"
    graceful_seconds: float = 25  # up to 12 hours on MWAA
    # MWAA reports AVAILABLE after a roll-back, and CloudFormation takes that for success; the API reference has
    # UPDATE_FAILED too ("restored to its previous state … and is ready to use").
    rolls_back_to: Literal["AVAILABLE", "UPDATE_FAILED"] = "AVAILABLE"

    def arn(self, name: str) -> str:
        """Return the ARN of an environment."""
        return f"arn:aws:airflow:{self.region}:{DEFAULT_ACCOUNT_ID}:environment/{name}"

    def credentials(self, role_arn: str, service: str, environment: str) -> dict[str, str]:
        """Assume an execution role as MWAA does for an environment; return the environment variables.

        :raises PermissionError: if the role does not trust the service.
        """
        # Guide, "Cross-service confused deputy prevention".
        context = {"aws:SourceAccount": DEFAULT_ACCOUNT_ID, "aws:SourceArn": self.arn(environment)}
        return iam.assume_role(role_arn, service, self.region, context)
