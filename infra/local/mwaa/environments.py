"""All environments: what creates, changes and deletes them, after MWAA's rules."""

from __future__ import annotations

from typing import Any

from infra.local.mwaa import rules
from infra.local.mwaa.configuration import Configuration, Surroundings
from infra.local.mwaa.environment import Environment
from infra.local.mwaa.rules import ValidationError

# Not one on which MWAA is at work, nor one that was never there.
_CHANGEABLE = {"AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"}


class Environments(dict[str, Environment]):
    """Keep environments by name; without `run_airflow` they have rules, statuses and agents, and no containers."""

    def __init__(self, around: Surroundings, *, run_airflow: bool = True) -> None:
        super().__init__()
        self._around, self._run_airflow = around, run_airflow

    def create(self, properties: dict[str, Any]) -> Environment:
        """Begin to create an environment with these properties, or raise what MWAA refuses at once."""
        configuration = Configuration(properties)
        name = str(configuration.get("Name"))
        if name in self:
            raise ValidationError(f"Invalid request provided: An environment with the name {name} already exists.")
        rules.check(configuration, None, self._around)
        self[name] = Environment(configuration, self._around, run_airflow=self._run_airflow)
        return self[name]

    def update(self, name: str, properties: dict[str, Any]) -> Environment:  # type: ignore[override]
        """Begin to give an environment these properties and no others, or raise what MWAA refuses at once."""
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
