"""Prove releases, step by step: publish, add packages, break the file, force it through, go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import ROOT
from infra.local.deployment import BUCKET, ENVIRONMENT, Deployment
from infra.local.steps import Steps, expect

if TYPE_CHECKING:
    from pathlib import Path

_SHIPPED = ROOT / "requirements" / "requirements.txt"
_IN_HOUSE = ROOT / "examples" / "acme-greeting"
_ADDED = "boltons\nacme-greeting"
_BROKEN = "boltons==999.0"
_DAG = "tell_imports"
_DAG_FILE = f'''"""An airflow dag that imports what was added."""
from datetime import datetime

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.compat_python import task

with DAG("{_DAG}", schedule=None, start_date=datetime(2024, 1, 1)):

    @task
    def tell():
        import acme_greeting
        import boltons

        return [acme_greeting.__file__, boltons.__file__]

    tell()
'''


def releases(deployment: Deployment, folder: Path) -> None:
    """Run every step.

    :param deployment: nothing deployed yet.
    :param folder: where the requirements files are written.
    :raises DemoError: saying what failed.
    """
    steps = _Releases(deployment, folder / "my-requirements.txt")
    steps.deploy()
    steps.publish()
    steps.add_packages()
    steps.change_nothing()
    steps.break_the_file()
    steps.force_it_through()
    steps.go_back()
    steps.publish_with_no_more_than_needed()
    deployment.make("destroy", "YES=1")
    steps.show("All of it holds.")


class _Releases(Steps):
    def __init__(self, deployment: Deployment, requirements: Path) -> None:
        super().__init__(deployment, "releases")
        self._requirements = requirements

    def deploy(self) -> None:
        self.title("Deploy")
        self._write()
        self._make("deploy")
        self._deployment.wait_until_available()
        self._deployment.client("s3").put_object(Bucket=BUCKET, Key=f"dags/{_DAG}.py", Body=_DAG_FILE.encode())

    def publish(self) -> None:
        self.title("Publish: an in-house package goes to the repository, once")
        self._make("publish", f"DIST={_IN_HOUSE}")
        expect(self.told("published acme-greeting 1.0.0"), "the package was not published")
        self._make("publish", f"DIST={_IN_HOUSE}")
        expect(self.told("nothing to do: acme-greeting 1.0.0"), "the same package was published twice")

    def add_packages(self) -> None:
        self.title("Add: packages are checked, uploaded, set, and there in a task")
        expect(not self._importable(), "the packages are there before they were asked for")
        self._write(_ADDED)
        self._make("requirements")
        expect(self.told("installed: acme-greeting-1.0.0, boltons-"), "the verdict does not name the packages")
        for path in self.returned_by(_DAG, "tell"):
            self.show(f"imported {path}")
            expect("/packages/" in path, f"{path} is not among the container's own packages")

    def change_nothing(self) -> None:
        self.title("Repeat: nothing changed, nothing is uploaded, nothing updated")
        before = self._state()
        self._make("requirements")
        self._make("plugins")
        expect(self._state() == before, "a release without a change did something")

    def break_the_file(self) -> None:
        self.title("Break: the preflight stops it, nothing is uploaded")
        before = self._state()
        self._write(_BROKEN)
        expect(not self._succeeds("requirements"), "the preflight let a broken file through")
        expect(self.told("Nothing was uploaded"), "the preflight does not say that nothing was uploaded")
        expect(self._state() == before, "a stopped release did something")

    def force_it_through(self) -> None:
        self.title("Force: pip fails on the container, and that is told")
        expect(not self._succeeds("requirements", "FORCE=1"), "a failed installation counts as a success")
        expect(self.told("pip failed on the containers"), "the failed installation is not told")
        expect(not self._importable(), "the packages are there although pip failed")

    def go_back(self) -> None:
        self.title("Roll back: the release before is there again")
        self._make("rollback")
        expect(self._importable(), "the packages are missing after the rollback")

    def publish_with_no_more_than_needed(self) -> None:
        self.title("Privileges: the publisher's role was refused nothing, and is granted nothing that nobody needs")
        self.expect_least_privilege("repository")

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
        """Tell whether the environment's container, in which tasks run, can import the packages."""
        container = self._deployment.server.environments[ENVIRONMENT].container
        return bool(self.imported(container, "boltons", "acme_greeting"))

    def _state(self) -> tuple[Any, ...]:
        versions = self._deployment.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
        updated = self._deployment.client("cloudformation").describe_stack_events(StackName=f"{ENVIRONMENT}-mwaa")
        objects = {each["VersionId"] for each in versions if not each["Key"].startswith("dags/")}
        return objects, len(updated["StackEvents"])
