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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.local.mwaa.processes import end, start

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 30


@contextmanager
def postgres() -> Iterator[str]:
    """Run PostgreSQL with an empty database while the context is entered; return ``user:password@host:port/database``.

    It refuses to run as root: there it runs as the user postgres or nobody.

    :raises RuntimeError: when there is none here, or it does not start.
    """
    programs, password, port, user = _programs(), secrets.token_hex(), _free_port()
    names = {entry.pw_name for entry in pwd.getpwall()}
    user: dict[str, Any] = {} if os.geteuid() else {"user": "postgres" if "postgres" in names else "nobody"}
    with tempfile.TemporaryDirectory(prefix="mwaa-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password") if user else ():
            shutil.chown(path, user["user"])
        make = [f"{programs}/initdb", "-D", f"{folder}/data", "-U", "airflow", "-A", "scram-sha-256", "-E", "UTF8"]
        make += ["--no-sync", "--locale=C", f"--pwfile={folder}/password"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **user)
        serve = [f"{programs}/postgres", "-D", f"{folder}/data", "-h", "127.0.0.1", "-p", str(port), "-k", name]
        with (folder / "log").open("wb") as log:
            process = start([*serve, "-c", "fsync=off"], cwd=folder, stdout=log, stderr=log, **user)
        try:
            environ = {"PGPASSWORD": password, "PATH": os.defpath}
            create = [f"{programs}/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow"]
            deadline = time.monotonic() + _START_SECONDS
            while subprocess.run(create, env=environ, capture_output=True, check=False).returncode:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
                time.sleep(0.2)
            yield f"airflow:{password}@127.0.0.1:{port}/airflow"
        finally:
            end(process)


def _programs() -> Path:
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise RuntimeError("PostgreSQL is not installed here: install it, or put its initdb on PATH")
    return found[-1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
