"""Environments are made in a root of their own, with the real uv; the interpreters are stand-ins on a PATH of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from infra import ROOT, pythons, setup
from infra.cli.pip_settings import PipSettings
from infra.mwaa_facts import PYTHON_VERSIONS

_NOBODY = 65534
OWN = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build a project that installs nothing for Airflow 3.3.1, whose image has this test's own Python."""
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    for name in ("airflow.in", "airflow-test.in", "constraints-3.3.1.txt", "lambda-runtime.txt"):
        (requirements / name).touch()
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "_REQUIREMENTS", requirements)
    monkeypatch.setattr(setup, "read_pip_settings", lambda: PipSettings("http://127.0.0.1:9/"))
    monkeypatch.setitem(PYTHON_VERSIONS, "3.3.1", OWN)
    return tmp_path


def interpreter(path: Path, version: str) -> str:
    """Write a program that answers the probe like a Python of that version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def test_an_airflow_that_has_no_pins_is_refused_with_those_that_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main("airflow", "2.9.0") == 1
    versions = "2.10.3, 2.11.2, 3.0.6, 3.2.1, 3.3.1"
    assert capsys.readouterr().err == f"AIRFLOW_VERSION is '2.9.0': set it to one of {versions}\n"


def test_setup_runs_before_any_package_is_installed() -> None:
    code = "import infra.setup"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)


def test_both_environments_are_made_once_and_then_left_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main("airflow", "3.3.1") == 0
    for name in ("image", "airflow"):
        assert pythons.version_of_environment(root / ".local" / f"{name}-3.3.1") == OWN
    capsys.readouterr()
    assert setup.main("airflow", "3.3.1") == 0
    assert capsys.readouterr().out == ""


def test_the_checkers_have_an_environment_of_their_own_which_is_made_once(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "requirements" / "checkers.txt").touch()
    assert setup.build_checkers() == root / ".local" / "checkers" / "bin"
    assert pythons.version_of_environment(root / ".local" / "checkers") == OWN
    capsys.readouterr()
    setup.build_checkers()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("gone", ["version", pytest.param("interpreter", marks=pytest.mark.long)])
def test_an_environment_of_another_python_or_of_none_is_made_again(root: Path, gone: str) -> None:
    setup.main("airflow", "3.3.1")
    image = root / ".local" / "image-3.3.1"
    if gone == "version":
        config = image / "pyvenv.cfg"
        config.write_text(config.read_text().replace(f"version_info = {OWN}", "version_info = 3.9"))
    else:
        (image / "bin" / "python").unlink()
        (image / "bin" / "python").symlink_to(root / "removed")
    (image / "left-over").touch()
    assert setup.main("airflow", "3.3.1") == 0
    assert pythons.version_of_environment(image) == OWN
    assert not (image / "left-over").exists()


@pytest.mark.long
def test_what_a_linked_environment_points_to_is_not_cleared(root: Path) -> None:
    shared = root / "shared"
    shared.mkdir()
    (shared / "mine").touch()
    (root / ".local").mkdir()
    (root / ".local" / "image-3.3.1").symlink_to(shared)
    assert setup.main("airflow", "3.3.1") == 0
    assert (shared / "mine").exists()
    assert not (root / ".local" / "image-3.3.1").is_symlink()


def test_a_python_on_path_is_found_past_one_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = Path(interpreter(tmp_path / "shims" / "python3.99", "3.99"))
    shim.write_text("#!/bin/sh\nexit 127\n")  # as pyenv's are for versions that it has not selected
    good = interpreter(tmp_path / "bin" / "python3.99", "3.99")
    monkeypatch.setenv("PATH", f"{shim.parent}:{Path(good).parent}")
    assert pythons.find("3.99") == good


def test_the_newest_python_in_pyenvs_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in ("1", "2"):
        newest = interpreter(tmp_path / "versions" / f"3.99.{patch}" / "bin" / "python", "3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.find("3.99") == newest


def test_a_python_of_uvs_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = Path(interpreter(tmp_path / "uv", str(tmp_path / "python")))
    own = interpreter(tmp_path / "python", "3.99")
    monkeypatch.setattr(pythons, "_UV", uv)
    assert pythons.find("3.99") == own


def test_a_name_that_promises_another_version_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(interpreter(tmp_path / "python3.99", "3.98")).parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.find("3.99") is None


def test_the_nearest_python_is_taken_with_one_line_that_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PYTHON_VERSIONS, "2.10.3", OWN)
    monkeypatch.setitem(PYTHON_VERSIONS, "3.3.1", "3.99")
    assert setup.main("airflow", "3.3.1") == 0
    said = capsys.readouterr().out
    assert f"Airflow 3.3.1 has Python 3.99 on MWAA; none was found here, so it gets {OWN}\n" in said
    assert pythons.version_of_environment(root / ".local" / "image-3.3.1") == OWN


def test_a_full_disk_is_told_before_anything_else(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uv = Path(interpreter(tmp_path / "uv", ""))
    uv.write_text("#!/bin/sh\necho 'error: failed to copy file: No space left on device (os error 28)' >&2\nexit 2\n")
    monkeypatch.setattr(setup, "_UV", uv)
    assert setup.main("airflow", "3.3.1") == 1
    assert capsys.readouterr().err.startswith(
        "Could not install Airflow 3.3.1, as in the image (No space left on device): make room on the disk"
    )
    assert root.exists()


def make(folder: Path, verb: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    # Not as a part of the make that may run the tests.
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return subprocess.run(
        ["make", verb], cwd=folder, env=environ, user=user, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("verb", ["local", "demo", "demo-releases", "test", "setup", "test-matrix", "bench"])
def test_a_folder_whose_path_holds_a_space_is_refused_before_anything_is_installed(tmp_path: Path, verb: str) -> None:
    folder = tmp_path / "My Projects"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    ended = make(folder, verb)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"The path of this folder contains a space ({folder}), and pip cannot ")
    assert not (folder / ".venv").exists()


def test_a_folder_that_cannot_be_written_is_refused_with_the_fix() -> None:
    folder = Path(tempfile.mkdtemp())  # below no folder that others may not enter
    try:
        shutil.copy(ROOT / "Makefile", folder)
        folder.chmod(0o555)
        ended = make(folder, "tools", user=_NOBODY if os.geteuid() == 0 else None)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"This folder is not writable ({folder}): copy it to a folder that you may write to")
