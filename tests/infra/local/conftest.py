from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve AWS for one test module; moto's state belongs to the process, so each test uses names of its own."""
    with Server(tmp_path_factory.mktemp("local") / "aws", 0, 0, lambda _speaker, _line: None) as server:
        yield server
