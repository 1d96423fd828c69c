"""What an environment is configured with: the properties of AWS::MWAA::Environment, and what follows from them."""

from __future__ import annotations

from typing import Any

from infra.mwaa_facts import CREATABLE_VERSIONS, LOG_COMPONENTS

# The property of LoggingConfiguration for each component.
LOG_MODULES = {component: component.replace("DAGProcessing", "DagProcessing") + "Logs" for component in LOG_COMPONENTS}
LOG_MODULES["WebServer"] = "WebserverLogs"
# API reference, CreateEnvironment: what an environment has that does not say otherwise.
_DEFAULTS = {
    "AirflowVersion": CREATABLE_VERSIONS[-1],
    "EnvironmentClass": "mw1.small",
    "MinWorkers": 1,
    "WebserverAccessMode": "PRIVATE_ONLY",
    "WorkerReplacementStrategy": "FORCED",
}
_NUMBERS = ("MinWorkers", "MaxWorkers", "Schedulers", "MinWebservers", "MaxWebservers")


class Configuration(dict[str, Any]):
    """Hold an environment's properties, with MWAA's defaults and types.

    :param properties: those of AWS::MWAA::Environment; a template's numbers and booleans may be text.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__(_DEFAULTS | properties)
        self.setdefault("MaxWorkers", 1 if self.is_micro else 10)
        self.update({name: int(self[name]) for name in _NUMBERS if name in self})
        logs = self.get("LoggingConfiguration", {}).items()
        logs = {name: {**log, "Enabled": str(log.get("Enabled")).lower() == "true"} for name, log in logs}
        self["LoggingConfiguration"] = logs

    @property
    def is_micro(self) -> bool:
        """Return whether scheduler and worker share a container. Guide, "Environment class": mw1.micro."""
        return bool(self["EnvironmentClass"] == "mw1.micro")

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return str(self["SourceBucketArn"]).rpartition(":")[2]

    @property
    def dags(self) -> str:
        """Return the folder of the DAGs in the bucket."""
        return str(self["DagS3Path"]).strip("/")

    def file(self, name: str) -> tuple[str, str] | None:
        """Return key and version id of a file in the bucket, if there is one.

        :param name: Plugins, Requirements or StartupScript.
        """
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
