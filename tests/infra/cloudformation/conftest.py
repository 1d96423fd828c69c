from __future__ import annotations

from typing import Any

import pytest

from tests.infra.cloudformation.support import STACKS, load


@pytest.fixture(scope="session")
def templates() -> dict[str, dict[str, Any]]:
    return {stack: load(stack) for stack in STACKS}


@pytest.fixture(scope="session")
def network(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["network"]


@pytest.fixture(scope="session")
def repository(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["repository"]


@pytest.fixture(scope="session")
def refresher(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["refresher"]


@pytest.fixture(scope="session")
def mwaa(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["mwaa"]
