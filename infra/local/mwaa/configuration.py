"""What an environment is configured with: the properties of AWS::MWAA::Environment that matter on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Configuration:
    """Hold an environment's properties.

    :param name: the environment's name.
    :param airflow_version: such as 3.0.6.
    :param role_arn: its execution role.
    :param bucket: its bucket.
    :param dags: folder of the DAGs in the bucket.
    :param plugins: key and version id of plugins.zip.
    :param requirements: key and version id of requirements.txt.
    :param startup_script: key and version id of the startup script; None for an environment without one.
    :param options: Airflow configuration options, ``section.option`` to value.
    """

    name: str
    airflow_version: str
    role_arn: str
    bucket: str
    dags: str
    plugins: tuple[str, str]
    requirements: tuple[str, str]
    startup_script: tuple[str, str] | None
    options: dict[str, str]

    @classmethod
    def from_properties(cls, properties: dict[str, Any]) -> Self:
        """Read a CloudFormation resource's properties."""
        return cls(
            name=properties["Name"],
            airflow_version=properties["AirflowVersion"],
            role_arn=properties["ExecutionRoleArn"],
            bucket=properties["SourceBucketArn"].rpartition(":")[2],
            dags=properties["DagS3Path"],
            plugins=(properties["PluginsS3Path"], properties["PluginsS3ObjectVersion"]),
            requirements=(properties["RequirementsS3Path"], properties["RequirementsS3ObjectVersion"]),
            startup_script=(properties["StartupScriptS3Path"], properties["StartupScriptS3ObjectVersion"])
            if "StartupScriptS3Path" in properties
            else None,
            options=properties.get("AirflowConfigurationOptions", {}),
        )

    def airflow_variables(self) -> dict[str, str]:
        """Give the options as Airflow's environment variables: ``foo.user`` → ``AIRFLOW__FOO__USER``."""
        return {
            "AIRFLOW__" + option.replace(".", "__", 1).upper(): str(value) for option, value in self.options.items()
        }
