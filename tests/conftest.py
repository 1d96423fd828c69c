from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demo: it takes longest, and the others run beside it."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")
