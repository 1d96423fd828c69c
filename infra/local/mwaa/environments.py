"""All environments: what creates, changes and deletes them, after MWAA's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.local.mwaa import rules
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.environment import Environment
from infra.local.mwaa.rules import ValidationError

if TYPE_CHECKING:
    from infra.local.mwaa.surroundings import Surroundings

# Not one on which MWAA is at work, nor one that was never there.
_CHANGEABLE = {"AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"}


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
