"""What every demonstration is made of: steps that are told, acts on the deployment, and what is expected of them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from infra.local.deployment import ENVIRONMENT
from infra.local.privileges import judge

if TYPE_CHECKING:
    from infra.local.deployment import Deployment
    from infra.local.mwaa.container import Container


class DemoError(Exception):
    """What was to be shown did not show."""


def expect(holds: object, failure: str) -> None:
    """Go on only if something holds.

    :raises DemoError: saying what failed.
    """
    if not holds:
        raise DemoError(failure)


class Steps:
    """Tell and try; every demonstration adds its own steps.

    :param deployment: what they act on.
    :param name: what its lines begin with.
    """

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment, self._name = deployment, name

    def title(self, title: str) -> None:
        """Tell that a step begins."""
        self.show(f"== {title}")

    def show(self, line: str) -> None:
        """Tell what a step has found."""
        self._deployment.console.say(self._name, line)

    def told(self, text: str) -> bool:
        """Tell whether anything has said this so far."""
        return any(text in line for line in self._deployment.console.lines)

    def returned_by(self, dag: str, task: str) -> Any:
        """Run a DAG, and give what one of its tasks returns."""
        run = self._deployment.run_dag(dag)
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value?stringify=false"
        return self._deployment.airflow("GET", path)["value"]

    def imported(self, container: Container, *modules: str) -> list[str]:
        """Import modules as a task on a container would, and give their paths; none when one is missing."""
        paths = ", ".join(f"{module}.__file__" for module in modules)
        program = f"import {', '.join(modules)}; print({paths}, sep='\\n')"
        command = [str(container.programs / "python"), "-c", program]
        ended = subprocess.run(command, env=container.environ, capture_output=True, text=True, check=False)
        return ended.stdout.splitlines()

    def expect_least_privilege(self, *stacks: str) -> None:
        """Expect that the roles of these stacks were refused nothing, and are granted nothing that nobody needs."""
        for stack in stacks:
            roles = self._deployment.roles(f"{ENVIRONMENT}-{stack}")
            for told, problems in judge(roles, self._deployment.server.iam.calls):
                self.show(told)
                expect(not problems, "; ".join(problems))
