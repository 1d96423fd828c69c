"""MWAA environments by name, as CloudFormation and the API create, update and delete them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_POLL_SECONDS = 0.2


class Environments(dict[str, Environment]):
    """Keep environments.

    :param folder: where they live.
    :param endpoint_url: where AWS is.
    :param proxy_url: returns the way to AWS of what runs in these subnets and groups.
    :param airflow_port: of an environment's UI.
    :param say: told every line of an environment's progress.
    """

    def __init__(
        self,
        folder: Path,
        endpoint_url: Callable[[], str],
        proxy_url: Callable[[list[str], list[str]], str],
        airflow_port: int,
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._folder, self._endpoint_url, self._airflow_port, self._say = folder, endpoint_url, airflow_port, say
        self._proxy_url = proxy_url

    def create(self, properties: dict[str, Any]) -> _Waiting:
        """Begin to create an environment."""
        configuration = Configuration.from_properties(properties)
        arn = f"arn:aws:airflow:eu-west-1:123456789012:environment/{configuration.name}"
        network = properties["NetworkConfiguration"]
        proxy_url = self._proxy_url(network["SubnetIds"], network["SecurityGroupIds"])
        made = _Waiting(
            configuration, arn, self._folder, self._endpoint_url(), proxy_url, self._airflow_port, self._say
        )
        self[configuration.name] = made
        return made

    def update_one(self, name: str, properties: dict[str, Any]) -> Environment:
        """Begin to update an environment."""
        self[name].update(Configuration.from_properties(properties))
        return self[name]

    update = update_one  # type: ignore[assignment]

    def delete(self, name: str) -> None:
        """Delete an environment."""
        self.pop(name).stop()


class _Waiting(Environment):
    def wait(self, seconds: float) -> None:
        """Return when nothing is under way."""
        deadline = time.monotonic() + seconds
        while self.status.endswith("ING") and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
