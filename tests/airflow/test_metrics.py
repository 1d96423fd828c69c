"""The metrics that real task processes send: Airflow's own, by its own statsd logger."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.airflow.support import ROOT, CannedAws, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.airflow.support import AirflowHome, ServedAws

pytestmark = pytest.mark.long

REFRESH = "refresh_codeartifact_index_url"


@pytest.fixture(scope="module")
def metrics(aws: ServedAws, airflow_home: Callable[[], AirflowHome]) -> list[str]:
    """Run the DAG twice, and one that fails; return the metrics of the index-url."""
    home = airflow_home()
    home = replace(home, dags=home.path / "dags")
    shutil.copytree(ROOT / "dags", home.dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("careless_dags.py"), home.dags)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, CannedAws().served() as broken:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.2)
        environ: dict[str, str | None] = {
            **aws.environ,
            **section(aws.bucket("metrics")),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(udp.getsockname()[1]),
        }
        home.commands(
            (environ, ["dags", "reserialize"]),
            (environ, ["dags", "test", REFRESH]),
            (environ, ["dags", "test", REFRESH]),
            (environ | {"AWS_ENDPOINT_URL_S3": broken.url}, ["dags", "test", "impatient"]),
        )
        received = []
        try:
            while True:
                received.append(udp.recv(4096).decode())
        except TimeoutError:
            return [metric for metric in received if "codeartifact" in metric]


def test_each_refresh_is_counted_by_its_state(metrics: list[str]) -> None:
    counted = [metric for metric in metrics if ".refreshes." in metric]
    assert counted[:2] == [
        "airflow.codeartifact.index_url.refreshes.published:1|c",
        "airflow.codeartifact.index_url.refreshes.fresh:1|c",
    ]
    assert set(counted[2:]) == {"airflow.codeartifact.index_url.refreshes.failed:1|c"}


def test_the_verdict_of_the_page_is_counted_after_each_refresh(metrics: list[str]) -> None:
    name = "airflow.codeartifact.index_url.verdicts."
    counted = [metric.removeprefix(name) for metric in metrics if metric.startswith(name)]
    assert counted[:2] == ["alive:1|c", "alive:1|c"]
    assert set(counted[2:]) == {"unknown:1|c"}  # S3 fails, so the state is unknown


def test_the_remaining_lifetime_is_sent_after_each_refresh_that_succeeds(metrics: list[str]) -> None:
    name = "airflow.codeartifact.index_url.remaining_seconds:"
    sent = [int(metric.removeprefix(name).removesuffix("|g")) for metric in metrics if metric.startswith(name)]
    assert len(sent) == 2
    assert all(11.9 * 3600 < seconds <= 12 * 3600 for seconds in sent)
