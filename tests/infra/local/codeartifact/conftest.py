from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.cli.pip_settings import PipSettings
from infra.local.codeartifact.index import index
from infra.local.codeartifact.store import CodeArtifact
from infra.local.codeartifact.upstream import Upstream
from tests.infra.local.codeartifact.support import OWNER, Clock, serve, serve_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.infra.local.codeartifact.support import PublicIndex


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock, tmp_path: Path) -> CodeArtifact:
    """Return a domain `data` with a connected repository `python`, and a second domain `other`."""
    state = CodeArtifact(now=clock, packages_dir=tmp_path / "packages")
    for domain in ("data", "other"):
        state.create_domain(domain)
        state.create_repository(domain, "python", external_connections=("public:pypi",))
    return state


@pytest.fixture
def public_index(tmp_path: Path) -> Iterator[PublicIndex]:
    folder = tmp_path / "public"
    folder.mkdir()
    with serve_folder(folder) as served:
        yield served


@pytest.fixture
def index_url(state: CodeArtifact, public_index: PublicIndex) -> Iterator[str]:
    """Serve the index in front of the public one; return the URL of the repository `python` of `data`."""
    with Upstream(PipSettings(f"{public_index.url}/simple/")) as upstream, serve(index(state, upstream)) as url:
        yield f"{url}/data-{OWNER}.eu-west-1/pypi/python/"
