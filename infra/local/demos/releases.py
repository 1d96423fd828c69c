"""The proof of releases, step by step: publish, add packages, break the file, force it through, go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import ROOT
from infra.acceptance.steps import expect
from infra.local.demos.demo import LocalProof

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.demos.deployment import Deployment

_SHIPPED = ROOT / "requirements" / "requirements.txt"
_IN_HOUSE = ROOT / "examples" / "acme-greeting"
# Neither is in MWAA's images.
_ADDED, _MODULES = "boltons\nacme-greeting", ("acme_greeting", "boltons")
_BROKEN = "boltons==999.0"


def releases(deployment: Deployment, folder: Path) -> None:
    """Take every step.

    :param deployment: nothing deployed yet.
    :param folder: where the requirements files are written.
    :raises ProofError: saying what failed.
    """
    steps = _Releases(deployment, folder / "my-requirements.txt")
    steps.deploy()
    steps.publish()
    steps.add_packages()
    steps.change_nothing()
    steps.break_the_file()
    steps.force_it_through()
    steps.go_back()
    steps.use_no_more_than_needed("repository")
    deployment.make("destroy", "YES=1")
    steps.show("All of it holds.")


class _Releases(LocalProof):
    def __init__(self, deployment: Deployment, requirements: Path) -> None:
        super().__init__(deployment, "releases")
        self._requirements = requirements

    def deploy(self) -> None:
        self.title("Deploy")
        self._write()
        with self.site.probe_uploaded_early():
            self._make("deploy")

    def publish(self) -> None:
        self.title("Publish: an in-house package goes to the repository, once")
        self._make("publish", f"DIST={_IN_HOUSE}")
        expect(self.site.told("published acme-greeting 1.0.0"), "the package was not published")
        self._make("publish", f"DIST={_IN_HOUSE}")
        expect(self.site.told("nothing to do: acme-greeting 1.0.0"), "the same package was published twice")

    def add_packages(self) -> None:
        self.title("Add: packages are checked, uploaded, set by one update, and there in a task")
        expect(not self._importable(), "the packages are there before they were asked for")
        self._write(_ADDED)
        self._make("release")
        expect(self.site.told("acme-greeting-1.0.0, boltons-"), "the verdict does not name the packages")
        for path in self.site.probe(modules=list(_MODULES))["imported"].values():
            self.show(f"imported {path}")
            expect(self.site.packages in path, f"{path} is not among the container's own packages")

    def change_nothing(self) -> None:
        self.title("Repeat: nothing changed, nothing is uploaded, nothing updated")
        before = self._state()
        self._make("release")
        expect(self._state() == before, "a release without a change did something")

    def break_the_file(self) -> None:
        self.title("Break: the preflight stops it, nothing is uploaded")
        before = self._state()
        self._write(_BROKEN)
        expect(not self._succeeds("release"), "the preflight let a broken file through")
        expect(self.site.told("Nothing was uploaded"), "the preflight does not say that nothing was uploaded")
        expect(self._state() == before, "a stopped release did something")

    def force_it_through(self) -> None:
        self.title("Force: pip fails on the containers, and the verdict says so, twice")
        for _ in range(2):
            expect(not self._succeeds("requirements", "FORCE=1"), "a failed installation counts as a success")
            expect(not self._importable(), "the packages are there although pip failed")
        expect(self.site.told("pip failed"), "the failed installation is not named")

    def go_back(self) -> None:
        self.title("Roll back: the last release that worked is there again, past two that did not")
        self._make("rollback")
        expect(self._importable(), "the packages are missing after the rollback")

    def _write(self, line: str = "") -> None:
        self._requirements.write_text(_SHIPPED.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")

    def _make(self, target: str, *arguments: str) -> None:
        self.site.make(target, f"REQUIREMENTS={self._requirements}", *arguments)

    def _succeeds(self, target: str, *arguments: str) -> bool:
        try:
            self._make(target, *arguments)
        except RuntimeError:
            return False
        return True

    def _importable(self) -> bool:
        """Check whether the environment's container, in which tasks run, can import the packages."""
        container = self.site.server.environments[self.site.name].container
        return bool(self.site.imported(container, *_MODULES))

    def _state(self) -> tuple[Any, ...]:
        """Return the uploaded versions, the release history apart, and how often the stack was worked on."""
        versions = self.site.client("s3").list_object_versions(Bucket=self.site.bucket)["Versions"]
        updated = self.site.client("cloudformation").describe_stack_events(StackName=f"{self.site.name}-mwaa")
        objects = {each["VersionId"] for each in versions if not each["Key"].startswith(("dags/", "releases.json"))}
        return objects, len(updated["StackEvents"])
