from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.mwaa.airflow import Airflow
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container
from infra.local.mwaa.image import Image

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = Configuration(
    name="environment",
    airflow_version="3.0.6",
    role_arn="arn:aws:iam::123456789012:role/execution",
    bucket="bucket",
    dags="dags",
    plugins=("plugins.zip", "1"),
    requirements=("requirements.txt", "1"),
    startup_script=None,
    options={},
)


# A random password begins with a dash once in 64 times.
@pytest.mark.long
def test_the_administrators_password_may_begin_with_a_dash(tmp_path: Path) -> None:
    container = Container(tmp_path / "container", Image("3.0.6"), CONFIGURATION, {}, lambda _line: None)
    airflow = Airflow(container, tmp_path / "database", 0, "-not-a-secret")
    try:
        status = airflow.prepare_database().wait()
    finally:
        airflow.stop()
    assert status == 0, (container.root / "logs" / "database.log").read_text()
