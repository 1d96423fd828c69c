"""The source of Airflow's constraints, and its name in the report."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from infra.preflight.constraints import airflow_constraints
from infra.preflight.container import Container
from infra.preflight.problems import CannotCheckError
from tests.infra.local.codeartifact.support import serve_folder
from tests.infra.preflight.support import NOWHERE

if TYPE_CHECKING:
    from pathlib import Path

OFFICIAL = '# Airflow\'s\napache-airflow-providers-x==1.0\ntiny==1.0  # good\nold==1.0 ; python_version < "3.12"\n'


@pytest.fixture
def container(root: Path) -> Container:
    return Container("3.0.6", root)


def publish(folder: Path, text: str) -> None:
    (folder / "constraints-3.0.6").mkdir(exist_ok=True)
    (folder / "constraints-3.0.6" / "constraints-3.12.txt").write_text(text)


def test_the_official_file_of_both_versions_is_downloaded_and_kept(tmp_path: Path, container: Container) -> None:
    publish(tmp_path, OFFICIAL)
    cache = tmp_path / "cache"
    with serve_folder(tmp_path) as web:
        url = f"{web.url}/constraints-{{airflow}}/constraints-{{python}}.txt"
        found = [airflow_constraints(container, None, cache, url) for _ in range(2)]
        assert web.paths() == ["/constraints-3.0.6/constraints-3.12.txt"]
    assert found[0] == found[1]
    assert found[0].source == "Airflow's official constraints-3.12.txt of 3.0.6"
    assert [str(pin) for pin in found[0].pins] == [
        "apache-airflow-providers-x==1.0 (line 2 of Airflow's official constraints)",
        "tiny==1.0 (line 3 of Airflow's official constraints)",
        "apache-airflow==3.0.6 (MWAA's image)",
    ]


def test_an_old_copy_is_used_without_the_internet_and_otherwise_replaced(tmp_path: Path, container: Container) -> None:
    publish(tmp_path, OFFICIAL)
    cache = tmp_path / "cache"
    with serve_folder(tmp_path) as web:
        url = f"{web.url}/constraints-{{airflow}}/constraints-{{python}}.txt"
        airflow_constraints(container, None, cache, url)
        (kept,) = cache.iterdir()
        yesterday = time.time() - 25 * 3600
        os.utime(kept, (yesterday, yesterday))
        assert len(airflow_constraints(container, None, cache, NOWHERE).pins) == 3
        airflow_constraints(container, None, cache, url)
        assert len(web.requests) == 2


@pytest.mark.parametrize("content", [None, "<html>Sign in to the network == </html>"])
def test_without_the_internet_the_projects_pins_are_used_and_named_as_the_source(
    tmp_path: Path, container: Container, content: str | None
) -> None:
    if content:
        publish(tmp_path, content)
    with serve_folder(tmp_path) as web:
        url = f"{web.url}/constraints-{{airflow}}/constraints-{{python}}.txt"
        found = airflow_constraints(container, None, tmp_path / "cache", url)
    assert found.source.startswith("requirements/constraints-3.0.6.txt, core packages only: Airflow's official")
    assert str(found.pins[0]) == "pinned==1.0 (line 2 of constraints-3.0.6.txt)"


def test_the_users_file_has_priority(tmp_path: Path, container: Container) -> None:
    own = tmp_path / "own.txt"
    own.write_text("tiny==2.0\n")
    found = airflow_constraints(container, own, tmp_path / "cache", NOWHERE)
    assert found.source == f"{own} (PREFLIGHT_CONSTRAINTS)"
    assert str(found.pins[0]) == "tiny==2.0 (line 1 of own.txt)"


def test_the_constraints_that_mwaa_always_applies_are_found_among_them(tmp_path: Path, container: Container) -> None:
    own = tmp_path / "own.txt"
    own.write_text("Flask==2.2.5\nFlask-Login==0.6.3\nflask-other==1\nSQLAlchemy==1.4.54\ncelery==5.5.2\nnumpy==1.0\n")
    found = airflow_constraints(container, own, tmp_path / "cache", NOWHERE)
    assert [pin.name for pin in found.essential] == ["flask", "flask-login", "sqlalchemy", "celery", "apache-airflow"]


def test_there_is_no_verdict_if_the_users_file_is_missing(tmp_path: Path, container: Container) -> None:
    with pytest.raises(CannotCheckError, match=r"gone.txt cannot be read .*set PREFLIGHT_CONSTRAINTS"):
        airflow_constraints(container, tmp_path / "gone.txt", tmp_path, NOWHERE)
