"""What an environment is configured with: the properties of AWS::MWAA::Environment that matter on one machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from infra.mwaa_facts import LOG_COMPONENTS

# The property of LoggingConfiguration for each component.
LOG_MODULES = {component: component.replace("DAGProcessing", "DagProcessing") + "Logs" for component in LOG_COMPONENTS}
LOG_MODULES["WebServer"] = "WebserverLogs"
# API reference, CreateEnvironment: what an environment has that does not say otherwise.
_CLASS, _MIN_WORKERS, _MAX_WORKERS, _ACCESS_MODE, _STRATEGY = "mw1.small", 1, 10, "PRIVATE_ONLY", "FORCED"


@dataclass(frozen=True)
class Configuration:
    """Hold an environment's properties.

    :param name: the environment's name.
    :param airflow_version: such as 3.0.6.
    :param role_arn: its execution role.
    :param bucket: its bucket.
    :param dags: folder of the DAGs in the bucket.
    :param plugins: key and version id of plugins.zip; None for an environment without one, as the next two.
    :param requirements: key and version id of requirements.txt.
    :param startup_script: key and version id of the startup script.
    :param options: Airflow configuration options, ``section.option`` to value.
    :param environment_class: such as mw1.small.
    :param min_workers: number of workers that always run.
    :param max_workers: number of workers up to which it scales.
    :param access_mode: of the web server.
    :param strategy: how an update replaces workers, FORCED or GRACEFUL.
    :param subnets: ids of its subnets.
    :param groups: ids of its security groups.
    :param kms_key: its own key; None: MWAA's.
    :param log_levels: level by component (``Worker``); a component that is missing logs nothing.
    """

    name: str
    airflow_version: str
    role_arn: str
    bucket: str
    dags: str
    plugins: tuple[str, str] | None
    requirements: tuple[str, str] | None
    startup_script: tuple[str, str] | None
    options: dict[str, str]
    environment_class: str = _CLASS
    min_workers: int = _MIN_WORKERS
    max_workers: int = _MAX_WORKERS
    access_mode: str = _ACCESS_MODE
    strategy: str = _STRATEGY
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kms_key: str | None = None
    log_levels: dict[str, str] = field(default_factory=lambda: dict.fromkeys(LOG_COMPONENTS, "INFO"))

    @classmethod
    def from_properties(cls, properties: dict[str, Any]) -> Self:
        """Read a CloudFormation resource's properties, whose types are right already (see rules.typed)."""
        network, logs = properties["NetworkConfiguration"], properties.get("LoggingConfiguration", {})

        def file(name: str) -> tuple[str, str] | None:
            path = properties.get(f"{name}S3Path")
            return (path, properties.get(f"{name}S3ObjectVersion", "")) if path else None

        return cls(
            name=properties["Name"],
            airflow_version=properties["AirflowVersion"],
            role_arn=properties["ExecutionRoleArn"],
            bucket=properties["SourceBucketArn"].rpartition(":")[2],
            dags=properties["DagS3Path"].strip("/"),
            plugins=file("Plugins"),
            requirements=file("Requirements"),
            startup_script=file("StartupScript"),
            options=properties.get("AirflowConfigurationOptions", {}),
            environment_class=properties.get("EnvironmentClass", _CLASS),
            min_workers=properties.get("MinWorkers", _MIN_WORKERS),
            max_workers=properties.get("MaxWorkers", _MAX_WORKERS),
            access_mode=properties.get("WebserverAccessMode", _ACCESS_MODE),
            strategy=properties.get("WorkerReplacementStrategy", _STRATEGY),
            subnets=tuple(network["SubnetIds"]),
            groups=tuple(network["SecurityGroupIds"]),
            kms_key=properties.get("KmsKey"),
            log_levels={
                component: logs[name]["LogLevel"]
                for component, name in LOG_MODULES.items()
                if logs.get(name, {}).get("Enabled")
            },
        )

    @property
    def components(self) -> tuple[str, ...]:
        """Return the component of each container. Guide: mw1.micro has one container for scheduler and worker.

        There are as many workers as the environment may scale to, two at most.
        """
        if self.environment_class == "mw1.micro":
            return ("Hybrid", "WebServer")
        return ("Scheduler", *["Worker"] * min(self.max_workers, 2), "WebServer")

    def airflow_variables(self) -> dict[str, str]:
        """Return the options as Airflow's environment variables: ``foo.user`` → ``AIRFLOW__FOO__USER``."""
        return {
            "AIRFLOW__" + option.replace(".", "__", 1).upper(): str(value) for option, value in self.options.items()
        }
