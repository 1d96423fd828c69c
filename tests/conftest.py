from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# Nothing that a developer has set for AWS reaches a test: a profile, say, which boto3 looks for when it is imported.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demo: it takes longest, and the others run beside it."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")
