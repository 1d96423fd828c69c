"""pip, uv and twine with the index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import Clock, PublicIndex

Pip = subprocess.CompletedProcess[str]


@pytest.fixture
def pip(index_url: str, state: CodeArtifact, tmp_path: Path) -> Callable[..., Pip]:
    """Run pip on an index-url file and a requirement, without this machine's settings."""
    token, _ = state.mint("data", duration_seconds=900)
    login_url = index_url.replace("http://", f"http://aws:{token}@")
    index_url_file = tmp_path / "codeartifact.txt"
    index_url_file.write_text(f"--index-url {login_url}simple/\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_NO_INPUT": "1"}

    def run(*arguments: str) -> Pip:
        command = [sys.executable, "-m", "pip", *arguments, "-r", str(index_url_file)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_pip_installs_an_upstream_package_through_the_index(
    pip: Callable[..., Pip], public_index: PublicIndex, tmp_path: Path
) -> None:
    public_index.add("tiny", "1.0", "ANSWER = 42\n")
    result = pip("install", "--target", str(tmp_path / "site"), "tiny")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "site" / "tiny.py").read_text() == "ANSWER = 42\n"


def test_pip_downloads_a_published_package_byte_for_byte(
    pip: Callable[..., Pip], index_url: str, state: CodeArtifact, tmp_path: Path
) -> None:
    name, content = wheel("mine", "1.0")
    form = {":action": "file_upload", "protocol_version": "1"}
    login = "aws", state.mint("data")[0]
    requests.post(index_url, data=form, files={"content": (name, content)}, auth=login, timeout=10)
    result = pip("download", "--dest", str(tmp_path / "downloads"), "mine==1.0")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "downloads" / name).read_bytes() == content


def test_pip_refuses_a_file_that_does_not_match_its_hash(
    pip: Callable[..., Pip], public_index: PublicIndex, tmp_path: Path
) -> None:
    public_index.add("tiny", "1.0")
    (public_index.folder / "files" / "tiny-1.0-py3-none-any.whl").write_bytes(b"tampered with")
    result = pip("download", "--dest", str(tmp_path / "downloads"), "tiny")
    assert result.returncode == 1
    assert "DO NOT MATCH THE HASHES" in result.stderr


def test_pip_gets_nothing_with_an_expired_token(
    pip: Callable[..., Pip], public_index: PublicIndex, clock: Clock, tmp_path: Path
) -> None:
    public_index.add("tiny", "1.0")
    clock.advance(seconds=900)
    result = pip("download", "--dest", str(tmp_path / "downloads"), "tiny")
    assert result.returncode == 1
    assert "401 Error, Credentials not correct" in result.stderr + result.stdout
    assert public_index.requests == []


@pytest.fixture
def uv(index_url: str, state: CodeArtifact, tmp_path: Path) -> Callable[..., Pip]:
    """Run `uv pip install` with the repository as its index."""
    login_url = index_url.replace("http://", f"http://aws:{state.mint('data')[0]}@")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    options = ["--no-config", "--no-cache", "--target", str(tmp_path / "site"), "--index-url", f"{login_url}simple/"]

    def run(*arguments: str) -> Pip:
        command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", sys.executable]
        return subprocess.run(
            [*command, *options, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_uv_installs_an_upstream_and_a_published_package(
    uv: Callable[..., Pip], index_url: str, state: CodeArtifact, public_index: PublicIndex, tmp_path: Path
) -> None:
    public_index.add("tiny", "1.0", "ANSWER = 42\n")
    form = {":action": "file_upload", "protocol_version": "1"}
    login = "aws", state.mint("data")[0]
    requests.post(index_url, data=form, files={"content": wheel("mine", "1.0")}, auth=login, timeout=10)
    result = uv("tiny", "mine")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "site" / "tiny.py").read_text() == "ANSWER = 42\n"
    assert (tmp_path / "site" / "mine.py").exists()


def test_uv_takes_a_404_for_a_bad_token_for_a_package_that_is_not_there(
    uv: Callable[..., Pip], state: CodeArtifact, clock: Clock, public_index: PublicIndex
) -> None:
    public_index.add("tiny", "1.0")
    state.hides_from_bad_tokens = True
    clock.advance(hours=12)
    result = uv("tiny")
    assert result.returncode == 1
    assert "tiny was not found in the package registry" in result.stderr


@pytest.mark.parametrize("life", [True, False])
def test_twine_uploads_only_with_a_valid_token(
    index_url: str, state: CodeArtifact, clock: Clock, tmp_path: Path, *, life: bool
) -> None:
    name, content = wheel("mine", "1.0")
    (tmp_path / name).write_bytes(content)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {"TWINE_USERNAME": "aws", "TWINE_PASSWORD": state.mint("data")[0]}
    clock.advance(hours=0 if life else 12)
    command = [sys.executable, "-m", "twine", "upload", "--repository-url", index_url, str(tmp_path / name)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    published = state.repository("data", "python").folder / name
    assert (result.returncode == 0, published.exists()) == (life, life), result.stdout
    assert published.read_bytes() == content if life else "401 Unauthorized" in result.stdout
