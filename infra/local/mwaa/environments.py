"""All environments: what creates, changes and deletes them, after MWAA's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from infra.local.mwaa import rules
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.environment import Environment
from infra.local.mwaa.rules import ValidationError

if TYPE_CHECKING:
    from infra.local.mwaa.surroundings import Surroundings

# Not one on which MWAA is at work, nor one that was never there.
_CHANGEABLE = {"AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"}


class Environments(Mapping[str, Environment]):
    """Keep environments by name.

    :param around: what is around them.
    :param run_airflow: False: there are rules, statuses and the checks of MWAA's agents, and no pip and no Airflow.
    """

    def __init__(self, around: Surroundings, *, run_airflow: bool = True) -> None:
        self._around, self._run_airflow = around, run_airflow
        self._known: dict[str, Environment] = {}

    def __getitem__(self, name: str) -> Environment:
        """Return an environment."""
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(list(self._known))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def create(self, properties: dict[str, Any]) -> Environment:
        """Begin to create an environment with the properties of AWS::MWAA::Environment.

        :raises ValidationError: when MWAA refuses at once.
        """
        configuration = Configuration(properties)
        name = str(configuration.get("Name"))
        if name in self._known:
            raise ValidationError(f"Invalid request provided: An environment with the name {name} already exists.")
        rules.check(configuration, None, self._around)
        self._known[name] = Environment(configuration, self._around, run_airflow=self._run_airflow)
        return self._known[name]

    def update(self, name: str, properties: dict[str, Any]) -> Environment:
        """Begin to update an environment; its properties are all of those that it is to have.

        :raises ValidationError: when MWAA refuses at once.
        """
        environment = self._known[name]
        before = environment.configuration
        if environment.status not in _CHANGEABLE:
            raise ValidationError(f"Environment {name} cannot be updated in status {environment.status}.")
        configuration = Configuration({"AirflowVersion": before["AirflowVersion"], **properties})
        rules.check(configuration, before, self._around)
        environment.update(configuration)
        return environment

    def delete(self, name: str) -> None:
        """Delete an environment."""
        self._known[name].delete()
        del self._known[name]

    def stop(self) -> None:
        """Stop all of them."""
        for environment in self._known.values():
            environment.stop()
