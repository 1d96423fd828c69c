from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
import requests
from pypi_simple import PyPISimple

from infra.cli.pip_settings import PipSettings
from infra.local.codeartifact.index import index
from infra.local.codeartifact.upstream import Upstream
from tests.infra.local.codeartifact.support import OWNER, serve
from tests.wheels import wheel

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import Clock, PublicIndex

JSON = "application/vnd.pypi.simple.v1+json"
PIPS_ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


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


@pytest.mark.parametrize("path", ["simple/", "simple/numpy/", "simple/numpy/numpy-1.0-py3-none-any.whl"])
def test_without_a_token_every_page_and_file_is_401(index_url: str, path: str) -> None:
    answer = _get(index_url + path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_wrong_token_or_user_name_gets_401(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url}simple/numpy/", ("aws", "wrong")).status_code == 401
    assert _get(f"{index_url}simple/numpy/", ("someone", login[1])).status_code == 401


def test_an_expired_token_gets_401(index_url: str, state: CodeArtifact, clock: Clock) -> None:
    login = "aws", state.mint("data", duration_seconds=900)[0]
    assert _get(f"{index_url}simple/numpy/", login).status_code == 404
    clock.advance(seconds=900)
    assert _get(f"{index_url}simple/", login).status_code == 401


def test_a_token_of_another_domain_gets_401(index_url: str, state: CodeArtifact) -> None:
    login = "aws", state.mint("other")[0]
    assert _get(f"{index_url}simple/", login).status_code == 401
    assert _get(f"{index_url.replace('data-', 'other-')}simple/numpy/", login).status_code == 404


@pytest.mark.parametrize("place", [(OWNER, "us-east-1"), ("999999999999", "eu-west-1")], ids=["Region", "account"])
def test_a_token_opens_no_domain_of_the_same_name_elsewhere(
    index_url: str, login: tuple[str, str], state: CodeArtifact, place: tuple[str, str]
) -> None:
    elsewhere = state.of(*place)
    elsewhere.create_domain("data")
    elsewhere.create_repository("data", "python")
    other_url = index_url.replace(f"{OWNER}.eu-west-1", ".".join(place))
    other_login = "aws", elsewhere.mint("data")[0]
    _upload(other_url, other_login, *wheel("mine", "1.0")).raise_for_status()
    assert _get(f"{other_url}simple/mine/", other_login).status_code == 200
    assert _get(f"{other_url}simple/mine/", login).status_code == 401
    assert _get(f"{index_url}simple/mine/", other_login).status_code == 401
    assert _get(f"{index_url}simple/mine/", login).status_code == 404


def test_an_unknown_domain_gets_401_and_an_unknown_repository_404(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url.replace('data-', 'nowhere-')}simple/", login).status_code == 401
    assert _get(f"{index_url.replace('/python/', '/nothing/')}simple/", login).status_code == 404


def test_where_bad_tokens_get_404_a_good_one_and_an_anonymous_request_get_what_they_always_get(
    index_url: str, login: tuple[str, str], state: CodeArtifact, public_index: PublicIndex
) -> None:
    public_index.add("tiny", "1.0")
    state.hides_from_bad_tokens = True
    assert _get(f"{index_url}simple/tiny/", ("aws", "wrong")).status_code == 404
    assert _get(f"{index_url}simple/tiny/").status_code == 401
    assert _get(f"{index_url}simple/tiny/", login).status_code == 200


def test_there_is_no_list_of_all_projects(index_url: str, login: tuple[str, str]) -> None:
    assert _get(f"{index_url}simple/", login).status_code == 404


def test_a_bearer_token_is_no_login(index_url: str, login: tuple[str, str]) -> None:
    headers = {"Authorization": f"Bearer {login[1]}"}
    assert requests.get(f"{index_url}simple/", headers=headers, timeout=10).status_code == 401


def test_an_unknown_name_is_404(index_url: str, login: tuple[str, str]) -> None:
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


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        ("application/vnd.pypi.simple.v1+json", JSON),
        (PIPS_ACCEPT, JSON),
        ("application/vnd.pypi.simple.v1+json;q=0.1, text/html", "text/html"),
        ("application/vnd.pypi.simple.latest+html", "application/vnd.pypi.simple.v1+html"),
        ("application/vnd.pypi.simple.latest+json", JSON),
    ],
)
@pytest.mark.parametrize("project", ["mine", "tiny"])
def test_a_page_has_the_requested_media_type(
    index_url: str, login: tuple[str, str], public_index: PublicIndex, project: str, accept: str | None, kind: str
) -> None:
    public_index.add("tiny", "1.0")
    _upload(index_url, login, *wheel("mine", "1.0"))
    headers: dict[str, Any] = {"Accept": accept}
    answer = requests.get(f"{index_url}simple/{project}/", auth=login, headers=headers, timeout=10)
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    assert answer.headers["Vary"] == "Accept"


def test_the_json_page_has_the_data_of_the_html_page_and_nothing_that_is_not_established(
    index_url: str, login: tuple[str, str], public_index: PublicIndex
) -> None:
    content = public_index.add("tiny", "1.0", attributes='data-requires-python="&gt;=3.8" data-yanked="broken"')
    answer = requests.get(f"{index_url}simple/tiny/", auth=login, headers={"Accept": JSON}, timeout=10)
    assert answer.json() == {
        "meta": {"api-version": "1.1"},
        "name": "tiny",
        "versions": ["1.0"],
        "files": [
            {
                "filename": "tiny-1.0-py3-none-any.whl",
                "url": "tiny-1.0-py3-none-any.whl",
                "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                "requires-python": ">=3.8",
                "yanked": "broken",
            }
        ],
    }


def test_the_json_page_of_a_hosted_project_has_its_files_with_their_hashes(
    index_url: str, login: tuple[str, str]
) -> None:
    name, content = wheel("mine", "1.0")
    _upload(index_url, login, name, content)
    headers = {"Accept": JSON}
    page = requests.get(f"{index_url}simple/mine/", auth=login, headers=headers, timeout=10).json()
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    assert page["files"] == [{"filename": name, "url": name, "hashes": hashes, "yanked": False, "size": len(content)}]


def test_an_unsupported_media_type_is_406(index_url: str, login: tuple[str, str]) -> None:
    _upload(index_url, login, *wheel("mine", "1.0"))
    headers = {"Accept": "image/png"}
    assert requests.get(f"{index_url}simple/mine/", auth=login, headers=headers, timeout=10).status_code == 406


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


def test_an_upload_needs_a_token(index_url: str, state: CodeArtifact) -> None:
    assert _upload(index_url, None, *wheel("mine", "1.0")).status_code == 401
    assert _upload(index_url, ("aws", "wrong"), *wheel("mine", "1.0")).status_code == 401
    assert list(state.repository("data", "python").folder.iterdir()) == []


def test_a_version_is_published_once(index_url: str, login: tuple[str, str]) -> None:
    name, content = wheel("mine", "1.0")
    assert _upload(index_url, login, name, content).status_code == 200
    assert _upload(index_url, login, name, b"another").status_code == 409
    assert _get(f"{index_url}simple/mine/{name}", login).content == content


@pytest.mark.parametrize("name", ["mine.txt", "../mine-1.0.tar.gz", "mine-1.0-py3-none-../any.whl"])
def test_an_upload_that_is_not_a_wheel_or_sdist_is_400(
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
    assert _get(f"{second}simple/mine/{name}", login).status_code == 404


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
        answer = _get(f"{url}/data-{OWNER}.eu-west-1/pypi/python/simple/numpy/", login)
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
    assert not any(login[1] in f"{record.getMessage()} {record.args}" for record in caplog.records)
