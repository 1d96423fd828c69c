"""A deployed repository, and `python -m infra.publish` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra import ROOT
from infra.local.demos.privileges import calls_of

if TYPE_CHECKING:
    from infra.local.moto.iam import Call
    from infra.local.server import Server

IN_HOUSE = "acme-*,other"


@dataclass
class Published:
    """A deployed repository; its domain, repository and bucket have one name, and settings are variables."""

    server: Server
    name: str
    environ: dict[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        self.environ["PATH"] = f"{Path(sys.executable).parent}:{self.environ['PATH']}"

    @property
    def parameters(self) -> dict[str, str]:
        names = dict.fromkeys(["DomainName", "RepositoryName", "BucketName"], self.name)
        return {**names, "InHousePackages": IN_HOUSE}

    @property
    def role(self) -> str:
        """Return the name of the publisher's role."""
        found = self.server.client("cloudformation").describe_stack_resource(
            StackName=f"{self.name}-repository", LogicalResourceId="PublisherRole"
        )
        role: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return role

    def calls(self) -> list[Call]:
        """Return the publisher's calls so far."""
        return calls_of(self.role, self.server.iam.calls)

    def start(self, dist: object) -> subprocess.Popen[str]:
        names = ("ENVIRONMENT_NAME", "BUCKET_NAME", "DOMAIN_NAME", "REPOSITORY_NAME")
        environ = {**self.environ, **dict.fromkeys(names, self.name), "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}"}
        return subprocess.Popen(
            [sys.executable, "-m", "infra.publish", str(dist)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish(self, dist: object) -> tuple[int, str, str]:
        """Return the exit status, stdout and stderr."""
        with self.start(dist) as process:
            output, errors = process.communicate()
        return process.returncode, output, errors

    def files(self) -> list[str]:
        """Return the published files."""
        return sorted(path.name for path in self.server.codeartifact.repository(self.name, self.name).folder.iterdir())
