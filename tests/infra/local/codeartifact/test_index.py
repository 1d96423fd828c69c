from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING

import pytest
import requests
from pypi_simple import PyPISimple

from infra.cli.pip_settings import PipSettings
from infra.local.codeartifact.index import index
from infra.local.codeartifact.upstream import Upstream
from tests.infra.local.codeartifact.support import OWNER, serve, wheel

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import Clock, PublicIndex


@pytest.fixture
def login(state: CodeArtifact) -> tuple[str, str]:
    return "aws", state.mint("data")[0]


def _get(url: str, login: tuple[str, str] | None = None) -> requests.Response:
    return requests.get(url, auth=login, timeout=10)


def _upload(index_url: str, login: tuple[str, str] | None, name: str, content: bytes) -> requests.Response:
    form = {":action": "file_upload", "protocol_version": "1"}
    return requests.post(index_url, data=form, files={"content": (name, content)}, auth=login, timeout=10)


def _files(index_url: str, login: tuple[str, str], name: str) -> list[DistributionPackage]:
    with PyPISimple(f"{index_url}simple/", auth=login) as client:
        return client.get_project_page(name).packages


@pytest.mark.parametrize("path", ["simple/", "simple/numpy/", "simple/numpy/numpy-1.0-py3-none-any.whl", "packages/x"])
def test_without_a_token_every_page_and_file_is_401(index_url: str, path: str) -> None:
    answer = _get(index_url + path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="CodeArtifact"'


def test_a_wrong_token_or_user_name_gets_401(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url}simple/numpy/", ("aws", "wrong")).status_code == 401
    assert _get(f"{index_url}simple/numpy/", ("someone", login[1])).status_code == 401


def test_an_expired_token_gets_401(index_url: str, state: CodeArtifact, clock: Clock) -> None:
    login = "aws", state.mint("data", duration_seconds=900)[0]
    assert _get(f"{index_url}simple/", login).status_code == 200
    clock.advance(seconds=900)
    assert _get(f"{index_url}simple/", login).status_code == 401


def test_a_token_of_another_domain_gets_401(index_url: str, state: CodeArtifact) -> None:
    login = "aws", state.mint("other")[0]
    assert _get(f"{index_url}simple/", login).status_code == 401
    assert _get(f"{index_url.replace('data-', 'other-')}simple/", login).status_code == 200


def test_an_unknown_domain_gets_401_and_an_unknown_repository_404(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url.replace('data-', 'nowhere-')}simple/", login).status_code == 401
    assert _get(f"{index_url.replace('/python/', '/nothing/')}simple/", login).status_code == 404


def test_a_name_that_nobody_knows_is_404(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url}simple/no-such-name/", login).status_code == 404


def test_an_upstream_page_keeps_hash_python_version_and_yanking(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    content = public_index.add("tiny", "1.0", attributes='data-requires-python="&gt;=3.8" data-yanked="bro&quot;ken"')
    newer_content = public_index.add("tiny", "2.0")
    old, new = _files(index_url, login, "Tiny")
    assert old.digests == {"sha256": hashlib.sha256(content).hexdigest()}
    assert new.digests == {"sha256": hashlib.sha256(newer_content).hexdigest()}
    assert (old.requires_python, old.is_yanked, old.yanked_reason) == (">=3.8", True, 'bro"ken')
    assert (new.requires_python, new.is_yanked) == (None, False)


def test_an_upstream_file_comes_through_this_host_only(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    content = public_index.add("tiny", "1.0")
    (file,) = _files(index_url, login, "tiny")
    assert file.url == f"{index_url}simple/tiny/tiny-1.0-py3-none-any.whl"
    answer = _get(file.url, login)
    assert (answer.content, answer.history) == (content, [])
    assert answer.headers["Content-Length"] == str(len(content))


def test_a_file_that_the_upstream_page_does_not_list_is_404(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    public_index.add("tiny", "1.0")
    assert _get(f"{index_url}simple/tiny/tiny-9.0-py3-none-any.whl", login).status_code == 404


def test_an_upstream_page_is_asked_for_once(index_url: str, login: tuple[str, str], public_index: PublicIndex) -> None:
    public_index.add("tiny", "1.0")
    for _ in range(3):
        _files(index_url, login, "tiny")
    assert public_index.paths() == ["/simple/tiny/"]


def test_an_uploaded_wheel_is_listed_with_its_hash_and_served(index_url: str, login: tuple[str, str]) -> None:
    name, content = wheel("mine", "1.0")
    assert _upload(index_url, login, name, content).status_code == 200
    (file,) = _files(index_url, login, "mine")
    assert file.digests == {"sha256": hashlib.sha256(content).hexdigest()}
    assert _get(file.url, login).content == content
    assert _get(file.url).status_code == 401
    assert '<a href="mine/">mine</a>' in _get(f"{index_url}simple/", login).text


def test_an_upload_needs_a_token(index_url: str, state: CodeArtifact) -> None:
    assert _upload(index_url, None, *wheel("mine", "1.0")).status_code == 401
    assert _upload(index_url, ("aws", "wrong"), *wheel("mine", "1.0")).status_code == 401
    assert list(state.repository("data", "python").folder.iterdir()) == []


def test_a_version_is_published_once(index_url: str, login: tuple[str, str]) -> None:
    name, content = wheel("mine", "1.0")
    assert _upload(index_url, login, name, content).status_code == 200
    assert _upload(index_url, login, name, b"another").status_code == 409
    assert _get(f"{index_url}packages/{name}", login).content == content


@pytest.mark.parametrize("name", ["mine.txt", "../mine-1.0.tar.gz", "mine-1.0-py3-none-../any.whl"])
def test_an_upload_that_is_no_wheel_or_sdist_is_400(
    index_url: str, login: tuple[str, str], state: CodeArtifact, name: str
) -> None:
    assert _upload(index_url, login, name, b"content").status_code == 400
    assert state.repository("data", "python").packages == {}


def test_repositories_do_not_share_packages(index_url: str, login: tuple[str, str], state: CodeArtifact) -> None:
    state.create_repository("data", "second")
    name, content = wheel("mine", "1.0")
    _upload(index_url, login, name, content)
    second = index_url.replace("/python/", "/second/")
    assert _get(f"{second}simple/mine/", login).status_code == 404
    assert _get(f"{second}packages/{name}", login).status_code == 404


def test_a_repository_without_an_external_connection_asks_no_upstream(
    index_url: str, login: tuple[str, str], state: CodeArtifact, public_index: PublicIndex
) -> None:
    state.create_repository("data", "closed")
    public_index.add("tiny", "1.0")
    closed = index_url.replace("/python/", "/closed/")
    assert _get(f"{closed}simple/tiny/", login).status_code == 404
    assert public_index.requests == []


def test_a_name_published_in_house_is_never_asked_for_upstream(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    public_index.add("mine", "9.0")
    _upload(index_url, login, *wheel("mine", "1.0"))
    assert [file.version for file in _files(index_url, login, "mine")] == ["1.0"]
    assert _get(f"{index_url}simple/mine/mine-9.0-py3-none-any.whl", login).status_code == 404
    assert "/simple/mine/index.html" not in public_index.paths()
    assert not any(path.startswith("/files/") for path in public_index.paths())


def test_a_name_ingested_from_upstream_cannot_be_published(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    content = public_index.add("tiny", "1.0")
    assert _get(f"{index_url}simple/tiny/tiny-1.0-py3-none-any.whl", login).content == content
    answer = _upload(index_url, login, *wheel("Tiny", "2.0"))
    assert answer.status_code == 409
    assert answer.text == "tiny was first ingested from upstream: it cannot be published.\n"


def test_an_unreachable_upstream_is_502_and_a_log_line_names_its_index_url(
    state: CodeArtifact, login: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = PipSettings(f"http://127.0.0.1:{port}/simple/", credentials=("reader", "canary-password"))
    with Upstream(settings) as upstream, serve(index(state, upstream)) as url:
        answer = _get(f"{url}/data-{OWNER}/pypi/python/simple/numpy/", login)
    assert answer.status_code == 502
    assert f"index-url http://127.0.0.1:{port}/simple/" in answer.text
    assert f"index-url http://127.0.0.1:{port}/simple/" in caplog.text
    assert "canary-password" not in answer.text + caplog.text


def test_no_log_line_holds_a_token(
    index_url: str, login: tuple[str, str], public_index: PublicIndex, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    public_index.add("tiny", "1.0")
    _files(index_url, login, "tiny")
    _upload(index_url, login, *wheel("mine", "1.0"))
    _files(index_url, login, "mine")
    assert any(record.name == "pypiserver._app" for record in caplog.records)
    assert not any(login[1] in f"{record.getMessage()} {record.args}" for record in caplog.records)
