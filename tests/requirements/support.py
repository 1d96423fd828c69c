"""A folder with the files of a container, in which the startup script runs, and the AWS that it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from botocore.exceptions import ClientError

from infra import ROOT
from infra.local.server import REGION, Server
from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target
from tests.infra.local.codeartifact.support import OWNER

SCRIPT = ROOT / "requirements" / "startup.sh"
# As MWAA runs it, and also under `set -e`, which an earlier command may have left on.
_SOURCE = 'set -e; source "$1"; env -0 > "$2"'


@dataclass(frozen=True)
class Line:
    """An index-url file: its content and its metadata."""

    body: bytes
    metadata: dict[str, str]

    @property
    def refresher(self) -> str:
        return self.metadata["refreshed-by"]


@dataclass(frozen=True)
class LocalAws:
    server: Server
    connections: BotoConnections
    bucket: str
    key: str

    @property
    def s3(self) -> Any:
        return self.connections.s3

    @property
    def settings(self) -> dict[str, str]:
        destination = f"s3://{self.bucket}/{self.key}"
        names = {"domain": "data", "domain_owner": OWNER, "repository": "python", "region": REGION}
        return {**names, "destination": destination}

    def new_line(self, lifetime: timedelta = timedelta(hours=12)) -> Line:
        """Publish a new line as the Lambda does, after deleting the current one."""
        self.s3.delete_object(Bucket=self.bucket, Key=self.key)
        self.server.codeartifact.token_life_limit = lifetime
        target = Target.from_settings(self.settings)
        refresh(target, refresher="lambda", min_remaining=timedelta(0), connections=self.connections)
        self.server.codeartifact.token_life_limit = None
        return self.line

    def put(self, line: Line) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=line.body, Metadata=line.metadata)

    @property
    def line(self) -> Line:
        response = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        return Line(response["Body"].read(), response["Metadata"])

    @property
    def has_line(self) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=self.key)
        except ClientError:
            return False
        return True

    @property
    def minted(self) -> list[str]:
        return self.server.codeartifact.minted


def connections_to(server: Server) -> BotoConnections:
    return BotoConnections(lambda service, **_: server.client(service))


@dataclass
class SimpleContainer:
    """A container with only the programs that the startup script may rely on; bash runs the script in it.

    :param user: the command by which a program runs as another user.
    """

    root: Path
    aws: LocalAws
    environ: dict[str, str] = field(default_factory=dict)
    user: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.airflow_home = self.root / "airflow"
        self.airflow_home.mkdir(parents=True)
        self.programs = self.root / "bin"
        self.programs.mkdir()
        python = self.programs / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        self.provide("env", "timeout")
        self.environ = {
            "PATH": str(self.programs),
            "HOME": str(self.root),
            "AIRFLOW_HOME": str(self.airflow_home),
            **self.aws.server.environ,
            **{f"AIRFLOW__CODEARTIFACT__{name.upper()}": value for name, value in self.aws.settings.items()},
            **self.environ,
        }

    def provide(self, *programs: str) -> None:
        for program in programs:
            (self.programs / program).symlink_to(shutil.which(program) or program)

    @property
    def file(self) -> Path:
        return self.airflow_home / "dags" / "codeartifact.txt"

    def sync(self, line: Line) -> None:
        """Write the line in one step, as `aws s3 sync` does: s3transfer downloads the file, then renames it."""
        self.file.parent.mkdir(exist_ok=True)
        downloaded = self.root / "downloaded"
        downloaded.write_bytes(line.body)
        downloaded.replace(self.file)

    def start(self) -> str:
        """Run the script, check the rules of every start, and return its one line without "startup: "."""
        saved = self.root / "saved"
        command = [*self.user, "/bin/bash", "-c", _SOURCE, "bash", str(SCRIPT), str(saved)]
        started = time.monotonic()
        ended = subprocess.run(
            command, cwd=self.airflow_home, env=self.environ, capture_output=True, text=True, check=False
        )
        assert time.monotonic() - started < 20
        assert ended.returncode == 0, ended.stderr
        exported = dict(variable.split("=", 1) for variable in saved.read_text().split("\0") if variable)
        shells_own = {"_", "PWD", "OLDPWD", "SHLVL"}
        assert {name: value for name, value in exported.items() if name not in shells_own} == self.environ
        output = ended.stdout + ended.stderr
        assert not [token for token in self.aws.minted if token in output + saved.read_text()]
        assert output.startswith("startup: ")
        assert output.count("\n") == 1, output
        return output.removeprefix("startup: ").rstrip()

    def guards(self) -> list[Path]:
        """Return the /proc folders of the guard processes that still run."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cmdline").read_bytes().endswith(f"\0{self.file}\0".encode()):
                    found.append(process)
        return found

    def line_is_accepted(self) -> bool:
        """Return whether the repository accepts the line's token."""
        (url,) = [line.split()[1] for line in self.file.read_text().splitlines() if line.startswith("--index-url ")]
        login = "aws", str(urlsplit(url).password)
        status = requests.get(url.replace(f"{login[0]}:{login[1]}@", "") + "mine/", auth=login, timeout=10).status_code
        return {200: True, 401: False}[status]

    def pip_succeeds(self) -> bool:
        """Return whether pip can download the package with the file."""
        command = [sys.executable, "-m", "pip", "download", "--dest", str(self.root / "downloads")]
        environ = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
        environ |= {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        command += ["-r", str(self.file), "mine"]
        return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0
