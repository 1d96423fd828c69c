"""Against the CodeArtifact stand-in, opened by the real AWS CLI: origins, and a token that stays a secret."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from infra.cli.aws import Aws, AwsError
from infra.cli.pip_settings import PipSettings
from infra.local.codeartifact.control_plane import control_plane
from infra.local.codeartifact.index import index
from infra.local.codeartifact.store import CodeArtifact
from infra.local.codeartifact.upstream import Upstream
from infra.preflight import CannotCheckError, PreflightSettings, Repository, check
from tests.infra.local.codeartifact.support import OWNER, serve
from tests.infra.preflight.support import NOWHERE, wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.infra.preflight.support import Shelf

pytestmark = pytest.mark.long


@dataclass
class Service:
    """CodeArtifact at one URL; it reads the process list at each request for a package."""

    state: CodeArtifact
    api: WSGIApplication
    pypi: WSGIApplication
    url: str = ""
    refused: frozenset[str] = frozenset()
    process_list: list[bytes] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in self.refused:
            start_response("403 Forbidden", [("x-amzn-errortype", "AccessDeniedException")])
            return [b'{"message": "not allowed"}']
        if path.startswith("/v1/"):
            return self.api(environ, start_response)
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.process_list.append(process.read_bytes())
            except OSError:
                continue
        return self.pypi(environ, start_response)


@pytest.fixture
def service(tmp_path: Path, shelf: Shelf) -> Iterator[tuple[Service, str]]:
    state = CodeArtifact(now=lambda: datetime.now(UTC), packages_dir=tmp_path / "packages")
    state.create_domain("data")
    state.create_repository("data", "python", external_connections=("public:pypi",))
    with Upstream(PipSettings(shelf.url)) as upstream:
        codeartifact = Service(state, control_plane(state, lambda: codeartifact.url), index(state, upstream))
        with serve(codeartifact) as url:
            codeartifact.url = url
            yield codeartifact, url


@pytest.fixture
def settings(service: tuple[Service, str], root: Path) -> PreflightSettings:
    environ = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(root),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": service[1],
    }
    return PreflightSettings(
        "3.0.6", Repository(Aws("eu-west-1", environ), "data", "python"), root=root, official_url=NOWHERE
    )


def requirements(root: Path, *lines: str) -> Path:
    path = root / "requirements.txt"
    path.write_text("\n".join(["-r ${AIRFLOW_HOME}/dags/codeartifact.txt", *lines, ""]))
    return path


def publish(service: tuple[Service, str], name: str, version: str) -> None:
    filename, content = wheel(name, version)
    response = requests.post(
        f"{service[1]}/data-{OWNER}.eu-west-1/pypi/python/",
        data={":action": "file_upload", "protocol_version": "1"},
        files={"content": (filename, content)},
        auth=("aws", service[0].state.mint("data")[0]),
        timeout=10,
    )
    assert response.status_code == 200


def test_in_house_packages_are_distinguished_from_those_of_upstream(
    shelf: Shelf, root: Path, service: tuple[Service, str], settings: PreflightSettings
) -> None:
    shelf.wheel("tiny", "1.0")
    publish(service, "our_own", "2.0")
    report = check(requirements(root, "tiny", "our-own"), settings)
    assert report.problems == []
    assert [(row.package.name, row.origin) for row in report.rows] == [("our-own", "in-house"), ("tiny", "upstream")]
    assert all(row.package.size for row in report.rows)
    assert "CodeArtifact repository data/python" in str(report)


def test_the_token_is_in_no_process_list_no_file_and_no_output(
    shelf: Shelf,
    root: Path,
    service: tuple[Service, str],
    settings: PreflightSettings,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shelf.wheel("tiny", "1.0")
    report = check(requirements(root, "tiny", "gone"), settings)
    assert len(report.problems) == 1
    ((token,), listing) = service[0].state.minted, b"\n".join(service[0].process_list)
    assert b"pip\0compile" in listing
    assert token.encode() not in listing
    kept = [file for file in root.rglob("*") if file.is_file()]
    assert any("uv" in file.parts for file in kept)
    assert not [file for file in kept if token.encode() in file.read_bytes()]
    output = capfd.readouterr()
    assert token not in f"{report}{report!r}{settings!r}{output.out}{output.err}"


def test_a_check_changes_the_repository_only_by_the_packages_from_upstream(
    shelf: Shelf, root: Path, service: tuple[Service, str], settings: PreflightSettings
) -> None:
    shelf.wheel("tiny", "1.0")
    check(requirements(root, "tiny"), settings)
    assert list(service[0].state.repository("data", "python").packages) == ["tiny"]
    assert list(service[0].state.repository("data", "python").folder.iterdir()) == []


def test_a_check_that_may_not_read_origins_continues_and_reports_it(
    shelf: Shelf, root: Path, service: tuple[Service, str], settings: PreflightSettings
) -> None:
    shelf.wheel("tiny", "1.0")
    service[0].refused = frozenset({"/v1/packages"})
    report = check(requirements(root, "tiny"), settings)
    assert [row.origin for row in report.rows] == ["index"]
    assert "allow codeartifact:ListPackages" in str(report)


def test_there_is_no_verdict_if_the_repository_does_not_exist(
    root: Path, service: tuple[Service, str], settings: PreflightSettings
) -> None:
    service[0].state.delete_repository("data", "python")
    with pytest.raises(CannotCheckError, match="The repository python of the domain data does not exist: run `make d"):
        check(requirements(root, "tiny"), settings)


def test_there_is_no_verdict_if_the_credentials_may_not_mint(
    root: Path, service: tuple[Service, str], settings: PreflightSettings
) -> None:
    service[0].refused = frozenset({"/v1/authorization-token"})
    with pytest.raises(CannotCheckError, match="AWS denied GetAuthorizationToken") as raised:
        check(requirements(root, "tiny"), settings)
    assert isinstance(raised.value.__cause__, AwsError)
