"""A container whose dags/ the startup script may not write to, with or without a sudo that allows it.

Where the tests run as root, the script runs as root too, but without a root's capabilities, and the folder belongs to
another user: the kernel refuses to write there, as it does for MWAA's user `airflow`. A process with all rights runs
the commands of this sudo.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from tests.requirements.support import SimpleContainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.requirements.support import LocalAws

OTHER_USER = 65534
_WITHOUT_RIGHTS = (shutil.which("setpriv") or "", "--bounding-set=-all", "--inh-caps=-all")
# `sudo -n COMMAND`: sends the command and standard input to a process that has all rights.
_SUDO = """#!{python}
import json, socket, sys
assert sys.argv[1] == "-n"
with socket.socket(socket.AF_UNIX) as root:
    root.connect("{socket}")
    root.sendall(json.dumps([sys.argv[2:], sys.stdin.read()]).encode())
    root.shutdown(socket.SHUT_WR)
    status, errors = json.loads(root.makefile().read())
sys.stderr.write(errors)
sys.exit(status)
"""


class _Root(StreamRequestHandler):
    def handle(self) -> None:
        command, given = json.loads(self.rfile.read())
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        self.wfile.write(json.dumps([done.returncode, done.stderr]).encode())


@contextmanager
def container_of_another_user(aws: LocalAws, root: Path, sudo: str) -> Iterator[SimpleContainer]:
    """Build a container whose dags/ belongs to another user.

    :param sudo: "works", "needs a password", "hangs" or "none".
    """
    if os.geteuid() or not _WITHOUT_RIGHTS[0]:
        pytest.skip("only root can give a folder away")
    container = SimpleContainer(root / "of-another", aws, user=_WITHOUT_RIGHTS)
    container.provide("sleep")
    (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
    (container.airflow_home / "dags").mkdir()
    for folder in (container.airflow_home, container.airflow_home / "dags"):
        os.chown(folder, OTHER_USER, OTHER_USER)
    with ThreadingUnixStreamServer(str(root / "root"), _Root) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        sudos = {
            "works": _SUDO.format(python=sys.executable, socket=root / "root"),
            "needs a password": "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
            "hangs": "#!/bin/sh\nexec sleep 60\n",
        }
        if sudo in sudos:
            (container.programs / "sudo").write_text(sudos[sudo])
            (container.programs / "sudo").chmod(0o755)
        try:
            yield container
        finally:
            server.shutdown()
            thread.join()
