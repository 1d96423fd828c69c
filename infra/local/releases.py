"""Prove releases, step by step: add a package, break the file, force it through, go back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from infra.build import ROOT
from infra.local.demo import DemoError
from infra.local.deployment import BUCKET, ENVIRONMENT, Deployment

if TYPE_CHECKING:
    from pathlib import Path

_SHIPPED = ROOT / "requirements" / "requirements.txt"
_ADDED = "humanize"
_BROKEN = "humanize==999.0"


def releases(deployment: Deployment, folder: Path) -> None:
    """Run every step.

    :param deployment: nothing deployed yet.
    :param folder: where the requirements files are written.
    :raises DemoError: saying what failed.
    """
    steps = _Steps(deployment, folder / "my-requirements.txt")
    steps.deploy()
    steps.add_a_package()
    steps.change_nothing()
    steps.break_the_file()
    steps.force_it_through()
    steps.go_back()
    deployment.make("destroy", "YES=1")
    deployment.console.say("releases", "All of it holds.")


class _Steps:
    def __init__(self, deployment: Deployment, requirements: Path) -> None:
        self._deployment, self._requirements = deployment, requirements

    def _title(self, title: str) -> None:
        self._deployment.console.say("releases", f"== {title}")

    def deploy(self) -> None:
        self._title("Deploy")
        self._write()
        self._make("deploy")
        self._deployment.wait_until_available()
        _expect(not self._importable(), f"{_ADDED} is there before it was asked for")

    def add_a_package(self) -> None:
        self._title("Add: a package is checked, uploaded, set, and there")
        self._write(_ADDED)
        self._make("requirements")
        _expect(self._told(f"installed: {_ADDED}-"), "the verdict does not name the package")
        _expect(self._importable(), f"{_ADDED} cannot be imported on the container")

    def change_nothing(self) -> None:
        self._title("Repeat: nothing changed, nothing is uploaded, nothing updated")
        before = self._state()
        self._make("requirements")
        self._make("plugins")
        _expect(self._state() == before, "a release without a change did something")

    def break_the_file(self) -> None:
        self._title("Break: the preflight stops it, nothing is uploaded")
        before = self._state()
        self._write(_BROKEN)
        _expect(not self._succeeds("requirements"), "the preflight let a broken file through")
        _expect(self._told("Nothing was uploaded"), "the preflight does not say that nothing was uploaded")
        _expect(self._state() == before, "a stopped release did something")

    def force_it_through(self) -> None:
        self._title("Force: pip fails on the container, and that is told")
        _expect(not self._succeeds("requirements", "FORCE=1"), "a failed installation counts as a success")
        _expect(self._told("pip failed on the containers"), "the failed installation is not told")
        _expect(not self._importable(), f"{_ADDED} is there although pip failed")

    def go_back(self) -> None:
        self._title("Roll back: the release before is there again")
        self._make("rollback")
        _expect(self._importable(), f"{_ADDED} is missing after the rollback")

    def _write(self, line: str = "") -> None:
        self._requirements.write_text(_SHIPPED.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")

    def _make(self, target: str, *arguments: str) -> None:
        self._deployment.make(target, f"REQUIREMENTS={self._requirements}", *arguments)

    def _succeeds(self, target: str, *arguments: str) -> bool:
        try:
            self._make(target, *arguments)
        except RuntimeError:
            return False
        return True

    def _importable(self) -> bool:
        """Tell whether the environment's container, in which tasks run, can import the package."""
        container = self._deployment.server.environments[ENVIRONMENT].container
        command = [str(container.programs / "python"), "-c", f"import {_ADDED}"]
        return subprocess.run(command, env=container.environ, capture_output=True, check=False).returncode == 0

    def _state(self) -> tuple[Any, ...]:
        versions = self._deployment.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
        updated = self._deployment.client("cloudformation").describe_stack_events(StackName=f"{ENVIRONMENT}-mwaa")
        objects = {each["VersionId"] for each in versions if not each["Key"].startswith("dags/")}
        return objects, len(updated["StackEvents"])

    def _told(self, text: str) -> bool:
        return any(text in line for line in self._deployment.console.lines)


def _expect(holds: object, failure: str) -> None:
    if not holds:
        raise DemoError(failure)
