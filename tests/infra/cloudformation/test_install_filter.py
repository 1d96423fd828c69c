"""The filter of the installation alarm, applied to the output of real runs of pip."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.infra.cloudformation.support import Stack
from tests.infra.cloudformation.test_mwaa import GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def terms() -> list[str]:
    """Return the phrases, one of which a line must contain.

    The pattern has at most 1,024 characters, and only terms with a question mark, because CloudWatch ignores those next
    to other terms (CloudWatch Logs user guide: Filter pattern syntax; API: PutMetricFilter).
    """
    (pattern,) = {each["FilterPattern"] for each in Stack("mwaa", **GIVEN).of("AWS::Logs::MetricFilter").values()}
    assert re.fullmatch(r'\?"[^"]+"( \?"[^"]+")*', pattern)
    assert len(pattern) <= 1024
    return re.findall(r'\?"([^"]+)"', pattern)


def counted(terms: list[str], lines: list[str]) -> list[str]:
    return [line for line in lines if any(term in line for term in terms)]


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """Serve an index that rejects every password."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if self.path.endswith(".whl") else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def wheel(folder: Path, version: str = "1", tag: str = "py3-none-any", metadata: str = "") -> Path:
    path = folder / f"tiny-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = f"tiny-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n{metadata}")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return a folder with a package of two versions, a foreign wheel, one for a later Python, and a broken source."""
    later = tmp_path / "later"
    source = tmp_path / "source"
    later.mkdir()
    source.mkdir()
    wheel(tmp_path, "1")
    wheel(tmp_path, "2")
    wheel(later, "3", metadata="Requires-Python: >=99\n")
    wheel(later, "1", tag="py3-none-win32")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "broken"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "9"\n'
    )
    (source / "broken.py").write_text("raise SystemExit('broken')\n")
    return tmp_path


def pip(shelf: Path, requirements: str) -> tuple[int, list[str]]:
    """Run pip; return its status and its lines, as MWAA writes them."""
    (shelf / "requirements.txt").write_text(requirements)
    (shelf / "constraints.txt").write_text("tiny==2\n" if "tiny==1 #" in requirements else "")
    command = [sys.executable, "-m", "pip", "install", "--isolated", "--disable-pip-version-check", "--dry-run"]
    command += ["--retries", "0", "--no-input", "--find-links", str(shelf), "-r", "requirements.txt"]
    command += ["--constraint", "constraints.txt", *([] if "--index-url" in requirements else ["--no-index"])]
    environ = {"PATH": os.environ["PATH"], "HOME": str(shelf), "PIP_CONFIG_FILE": os.devnull}
    ended = subprocess.run(command, cwd=shelf, env=environ, capture_output=True, text=True, check=False)
    return ended.returncode, [f"[INFO] - {line}" for line in (ended.stdout + ended.stderr).splitlines()]


DIGEST = hashlib.sha256(b"another file").hexdigest()


FAILING = ["nothere", "tiny==1 # the constraint says 2", "-r codeartifact.txt"]
# Two seconds each: `make test` has no time for all of them.
FAILING_TOO = [
    "two words",
    f"tiny==1 --hash=sha256:{DIGEST}",
    "./later/tiny-3-py3-none-any.whl",
    "./later/tiny-1-py3-none-win32.whl",
    "./source",
    "http://INDEX/tiny-1-py3-none-any.whl",
]


@pytest.mark.parametrize(
    "requirements", [*FAILING, *(pytest.param(each, marks=pytest.mark.long) for each in FAILING_TOO)]
)
def test_an_installation_that_fails_is_counted(shelf: Path, index: str, terms: list[str], requirements: str) -> None:
    status, lines = pip(shelf, requirements.replace("INDEX", index))
    assert status
    assert counted(terms, lines), lines


def test_an_expired_token_is_counted_by_its_own_line(shelf: Path, index: str, terms: list[str]) -> None:
    _, lines = pip(shelf, f"--index-url http://aws:expired@{index}/simple/\nnothere")
    assert [line for line in counted(terms, lines) if line.startswith("[INFO] - WARNING: 401 Error")]


def test_an_installation_that_succeeds_is_not_counted(shelf: Path, terms: list[str]) -> None:
    status, lines = pip(shelf, "tiny")
    assert not status
    assert not counted(terms, lines)


@pytest.mark.parametrize(
    "line",
    [
        "[INFO] - ERROR: pip's dependency resolver does not currently take into account all the packages that are",
        "[INFO] - apache-airflow 3.3.1 requires tiny>=2, but you have tiny 1 which is incompatible.",
        "[ERROR] - Collecting numpy",
        "[INFO] - ERROR: the vault is sealed",
        "[2026-11-24 06:00:00,000: ERROR/ForkPoolWorker-1] Task failed",
    ],
)
def test_lines_that_are_no_failed_installation_are_not_counted(terms: list[str], line: str) -> None:
    assert not counted(terms, [line])
