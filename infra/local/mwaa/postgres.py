"""A PostgreSQL server of an environment's own, where one is installed."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from infra.local.mwaa.processes import end, start

_START_SECONDS = 30


class Postgres:
    """Run PostgreSQL on a free port of 127.0.0.1, in a temporary folder.

    It refuses to run as root: there it runs as the user postgres or nobody.
    """

    def start(self) -> str:
        """Start the server with an empty database, and return ``user:password@host:port/database``.

        :raises RuntimeError: when there is none here, or it does not start.
        """
        programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="mwaa-postgres-"))
        password, port = secrets.token_hex(), _free_port()
        (self._folder / "password").write_text(password)
        how = _user()
        if how:
            for path in (self._folder, self._folder / "password"):
                shutil.chown(path, how["user"])
        data = str(self._folder / "data")
        make = [f"{programs}/initdb", "-D", data, "-U", "airflow", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]
        make += ["--locale=C", f"--pwfile={self._folder}/password"]
        subprocess.run(make, check=True, capture_output=True, cwd=self._folder, **how)
        serve = [f"{programs}/postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", str(self._folder)]
        log = (self._folder / "log").open("wb")
        with log:
            self._process = start([*serve, "-c", "fsync=off"], cwd=self._folder, stdout=log, stderr=log, **how)
        environ = {"PGPASSWORD": password, "PATH": os.defpath}
        create = [f"{programs}/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow"]
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(create, env=environ, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.2)
        return f"airflow:{password}@127.0.0.1:{port}/airflow"

    def stop(self) -> None:
        """Stop the server, if it was started, and delete its data."""
        if hasattr(self, "_process"):
            end(self._process)
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder, ignore_errors=True)


def _programs() -> Path:
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise RuntimeError("PostgreSQL is not installed here: install it, or put its initdb on PATH")
    return found[-1]


def _user() -> dict[str, Any]:
    if os.geteuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
