from __future__ import annotations

from typing import Any

import pytest

from tests.infra.cloudformation.support import STACKS, load


@pytest.fixture(scope="session")
def templates() -> dict[str, dict[str, Any]]:
    return {stack: load(stack) for stack in STACKS}
