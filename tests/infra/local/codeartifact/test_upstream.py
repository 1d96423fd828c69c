from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.cli.pip_settings import PipSettingsError, read_pip_settings
from infra.local.codeartifact.upstream import Upstream, UpstreamError
from tests.infra.local.codeartifact.support import PublicIndex, serve_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def pip_conf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Make a text the only configuration of pip."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)

    def write(text: str) -> None:
        (tmp_path / "pip.conf").write_text(text)
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))

    return write


def test_the_default_index_is_the_one_that_pip_names_in_its_help(
    monkeypatch: pytest.MonkeyPatch, pip_conf: Callable[[str], None]
) -> None:
    pip_conf("")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    help_text = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--help"], capture_output=True, text=True, check=True
    ).stdout
    settings = read_pip_settings()
    assert f"(default {settings.index_url.removesuffix('/')})" in " ".join(help_text.split())
    assert settings.credentials is None


def test_index_url_certificates_and_timeout_come_from_pip_conf(pip_conf: Callable[[str], None]) -> None:
    pip_conf("[global]\nindex-url = https://example.test/simple\ncert = /etc/ca.pem\ntimeout = 7\n")
    settings = read_pip_settings()
    assert (settings.index_url, settings.ca_bundle, settings.timeout) == (
        "https://example.test/simple/",
        "/etc/ca.pem",
        7.0,
    )


def test_the_environment_wins_over_pip_conf(monkeypatch: pytest.MonkeyPatch, pip_conf: Callable[[str], None]) -> None:
    pip_conf("[global]\nindex-url = https://example.test/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://second.test/root/simple/")
    assert read_pip_settings().index_url == "https://second.test/root/simple/"


def test_credentials_are_kept_apart_from_the_index_url(pip_conf: Callable[[str], None]) -> None:
    pip_conf("[install]\nindex-url = https://reader:canary%40pass@example.test:8443/simple\n")
    settings = read_pip_settings()
    assert settings.index_url == "https://example.test:8443/simple/"
    assert settings.credentials == ("reader", "canary@pass")
    assert "canary" not in repr(settings)


def test_an_index_url_that_is_not_http_is_refused(pip_conf: Callable[[str], None]) -> None:
    pip_conf("[global]\nindex-url = file:///srv/simple\n")
    with pytest.raises(PipSettingsError, match="only an http or https index"):
        read_pip_settings()


def test_credentials_go_to_the_index_and_to_no_other_host(
    pip_conf: Callable[[str], None], public_index: PublicIndex, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tiny-1.0-py3-none-any.whl").write_bytes(b"content")
    with serve_folder(tmp_path / "files") as file_host:
        page = public_index.folder / "simple" / "tiny" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="{file_host.url}/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>')
        pip_conf(f"[global]\nindex-url = {public_index.url.replace('//', '//reader:canary@')}/simple\n")
        with Upstream(read_pip_settings()) as upstream:
            (file,) = upstream.files("tiny") or []
            with upstream.open(file) as response:
                assert response.content == b"content"
    assert public_index.requests == [("/simple/tiny/", "Basic cmVhZGVyOmNhbmFyeQ==")]
    assert file_host.requests == [("/tiny-1.0-py3-none-any.whl", None)]


def test_a_page_is_asked_for_again_when_its_time_is_over(
    pip_conf: Callable[[str], None], public_index: PublicIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_index.add("tiny", "1.0")
    pip_conf(f"[global]\nindex-url = {public_index.url}/simple\n")
    monkeypatch.setattr("infra.local.codeartifact.upstream.PAGE_SECONDS", 0)
    with Upstream(read_pip_settings()) as upstream:
        assert len(upstream.files("tiny") or []) == 1
        public_index.add("tiny", "2.0")
        assert len(upstream.files("tiny") or []) == 2


def test_a_file_that_is_gone_upstream_is_an_upstream_error(
    pip_conf: Callable[[str], None], public_index: PublicIndex
) -> None:
    public_index.add("tiny", "1.0")
    (public_index.folder / "files" / "tiny-1.0-py3-none-any.whl").unlink()
    pip_conf(f"[global]\nindex-url = {public_index.url}/simple\n")
    with Upstream(read_pip_settings()) as upstream:
        (file,) = upstream.files("tiny") or []
        with pytest.raises(UpstreamError, match="no usable response for tiny"):
            upstream.open(file)
