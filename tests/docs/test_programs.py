"""The programs that the documentation shows, run as their users run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from infra import ROOT
from tests.docs.pages import DOCS
from tests.infra.local.codeartifact.support import serve_folder
from tests.infra.preflight.support import Shelf
from tests.serving import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run(program: str, *arguments: str, **environ: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "examples" / program), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/plugins{os.pathsep}{ROOT}", **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, ended.stdout + ended.stderr


@contextmanager
def airflow(status: int, content: dict[str, Any]) -> Iterator[str]:
    """Serve one response at the address of the JSON, to callers with the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer good" and self.path == "/codeartifact/status.json"
            self.send_response(status if known else 403)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode() if known else b"")

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@pytest.fixture
def documented() -> dict[str, Any]:
    """Return the JSON that the page about the status page shows."""
    (block,) = re.findall(r"```json\n(.*?)```", (DOCS / "status-page.md").read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    return found


@pytest.mark.parametrize(("status", "kept", "code"), [(200, True, 0), (200, None, 0), (200, False, 1), (503, False, 2)])
def test_the_exit_status_of_the_monitor_depends_on_the_verdict_and_on_the_dag(
    status: int, kept: object, code: int, documented: dict[str, Any]
) -> None:
    documented["targets"][0]["dag_keeps_it"] = kept
    with airflow(status, documented) as url:
        ended, printed = run("monitor.py", AIRFLOW_URL=url, AIRFLOW_TOKEN="good")
    assert (ended, printed.startswith("alive: s3://BUCKET/dags/codeartifact.txt: ")) == (code, True), printed


def test_the_monitor_reports_a_token_that_is_refused(documented: dict[str, Any]) -> None:
    with airflow(200, documented) as url:
        ended, printed = run("monitor.py", AIRFLOW_URL=url, AIRFLOW_TOKEN="bad")
    assert (ended, "answers 403" in printed) == (1, True)


@pytest.mark.parametrize(("package", "code"), [("good", 0), ("misspelt", 1)])
def test_the_preflight_runs_from_python(package: str, code: int, tmp_path: Path) -> None:
    constraints, requirements = tmp_path / "constraints.txt", tmp_path / "requirements.txt"
    constraints.write_text("pinned==1.0\n")
    requirements.write_text(f"-r ${{AIRFLOW_HOME}}/dags/codeartifact.txt\n{package}\n")
    (tmp_path / "public").mkdir()
    with serve_folder(tmp_path / "public") as public:
        shelf = Shelf(public)
        shelf.wheel("good", "1.0")
        shelf.wheel("pip", "1.0")
        given = {"PREFLIGHT_INDEX_URL": shelf.url, "PREFLIGHT_CONSTRAINTS": str(constraints)}
        ended, printed = run("preflight_check.py", str(requirements), **given)
    assert (ended, "misspelt is not known" in printed) == (code, package == "misspelt"), printed
