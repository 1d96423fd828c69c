from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# Airflow's own tests run where moto is not installed, and use none of these fixtures.
pytest_plugins = ["tests.fixtures"] if find_spec("moto") else []

# The AWS settings of the developer reach no test. boto3 looks for a profile, for example, when it is imported.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the demo first: it takes longest, and the others run next to it."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")
