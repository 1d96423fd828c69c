"""An Airflow without the Amazon provider, which MWAA has: one clear sentence names the package to install."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mwaa_codeartifact.packages import MissingPackageError, needs_amazon_provider
from tests.airflow.support import ROOT, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.airflow.support import AirflowHome

INSTALL = "install apache-airflow-providers-amazon (with Airflow's constraints) where Airflow runs, and restart Airflow"

# A process in which the imports of the packages fail, as if they were not installed.
WITHOUT = """
import json, os, sys
for name in ("boto3", "botocore", "airflow.providers.amazon.aws"):
    sys.modules[name] = None
sys.path[:0] = sys.argv[1:2]
os.environ |= json.loads(sys.argv[2])
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor
from mwaa_codeartifact.ui import render

def failure(task):
    try:
        task.execute({})
    except Exception as error:
        return type(error).__name__, str(error)

status = render.status_json()
print(json.dumps({
    "page": render.facts().body,
    "status": status.status,
    "json": json.loads(status.body),
    "operator": failure(CodeArtifactRefreshIndexUrlOperator(task_id="a")),
    "sensor": failure(CodeArtifactIndexUrlFreshSensor(task_id="b")),
}))
"""


def test_page_json_and_tasks_name_the_package_to_install(airflow_home: Callable[[], AirflowHome]) -> None:
    settings = json.dumps(section("s3://bucket/dags/codeartifact.txt"))
    ended = airflow_home().python("-c", WITHOUT, str(ROOT / "plugins"), settings)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert INSTALL in found["page"].replace("&#39;", "'")
    (target,) = found["json"]["targets"]
    assert (target["reason"], target["verdict"], found["status"]) == ("package missing", "unknown", 503)
    assert INSTALL in target["sentence"]
    for name, sentence in (found["operator"], found["sensor"]):
        assert (name, INSTALL in sentence) == ("AirflowFailException", True)


def test_another_import_that_fails_is_not_blamed_on_the_provider() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needs_amazon_provider():
        __import__("no_such_module")
    with pytest.raises(MissingPackageError, match="The Python module boto3 is missing"), needs_amazon_provider():
        raise ModuleNotFoundError(name="boto3")
