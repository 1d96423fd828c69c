from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from infra.cli.aws import Aws
from infra.cli.templates import read_templates
from infra.deploy.parameters import fill
from infra.deploy.stacks import deploy_stack
from infra.local.server import REGION, Server
from tests.infra.local.codeartifact.support import serve_folder
from tests.infra.publish.support import Published

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.infra.local.codeartifact.support import PublicIndex


@pytest.fixture(scope="module")
def public_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicIndex]:
    """Serve the public index of the repository."""
    with serve_folder(tmp_path_factory.mktemp("public")) as served:
        yield served


@pytest.fixture(scope="module")
def server(public_index: PublicIndex, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("local") / "aws"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_INDEX_URL", f"{public_index.url}/simple/")
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        server = Server(folder, 0, 0, lambda _speaker, _line: None)
        server.__enter__()
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def published(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Deploy the repository stack with in-house names, by the deployer's own functions."""
    name = f"publish-{uuid.uuid4().hex[:8]}"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), **server.environ}
    published = Published(server, name, environ)
    template = read_templates()["repository"]
    parameters = fill(template, {}, published.parameters)
    deploy_stack(Aws(REGION, published.environ), f"{name}-repository", template, parameters, name)
    return published


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the source tree of a new in-house package, which builds without any download."""
    name = f"acme-{uuid.uuid4().hex[:8]}"
    package = tmp_path / name / "src" / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("ANSWER = 42\n")
    (tmp_path / name / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
    )
    return tmp_path / name
