"""The promises of docs/compatibility.md to DAG authors and monitors, on this Airflow."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dagbag import DagBag

from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.settings import target_settings
from mwaa_codeartifact.ui import render
from tests.airflow.support import ROOT
from tests.docs.public_interfaces import public_interfaces

if TYPE_CHECKING:
    from tests.airflow.support import ServedAws

PUBLIC = public_interfaces()


def named(interface: str) -> Any:
    (path,) = PUBLIC[interface]
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("interface", ["operator", "sensor"])
def test_a_task_accepts_the_promised_arguments_by_name_and_needs_none(interface: str) -> None:
    task = named(interface)
    # Airflow wraps __init__; the signature is that of the wrapped function. The base class has most of the arguments.
    own = [
        each for each in task.__mro__ if each.__module__.startswith("mwaa_codeartifact.") and "__init__" in vars(each)
    ]
    parameters = {
        name: parameter
        for each in own
        for name, parameter in inspect.signature(inspect.unwrap(vars(each)["__init__"])).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert set(parameters) == set(PUBLIC[f"{interface}: its arguments"])
    assert all(parameter.default is not parameter.empty for parameter in parameters.values())
    assert task(task_id="without_any_argument").task_id == "without_any_argument"


def test_the_hook_is_a_hook_of_codeartifact() -> None:
    assert named("hook")(aws_conn_id=None, region_name="eu-west-1").client_type == "codeartifact"


@pytest.mark.usefixtures("database")
def test_the_dag_has_its_id_and_its_parameter() -> None:
    (dag_id,) = PUBLIC["DAG"]
    dag = DagBag(dag_folder=str(ROOT / "dags")).dags[dag_id]
    assert list(dag.params) == PUBLIC["DAG: its parameter"]


@pytest.mark.parametrize("option", PUBLIC["configuration options, section `codeartifact`"])
def test_an_option_of_the_section_reaches_the_target(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__CODEARTIFACT__{option.upper()}", "as set")
    assert target_settings()[option] == "as set"


def test_the_plugin_has_its_name() -> None:
    plugin = import_module("mwaa_codeartifact_plugin").MwaaCodeArtifactPlugin
    assert [plugin.name] == PUBLIC["plugin"]


@pytest.mark.usefixtures("configured")
def test_the_operators_result_has_the_promised_keys(aws: ServedAws, bucket: str) -> None:
    result = CodeArtifactRefreshIndexUrlOperator(task_id="refresh", aws_conn_id=None).execute({})
    assert set(result) == set(PUBLIC["operator: its result (XCom)"])
    assert set(aws.versions(bucket)[-1].metadata) == set(PUBLIC["metadata of the index-url file, and its comment line"])


@pytest.mark.usefixtures("configured")
def test_the_json_has_the_promised_keys(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=timedelta(hours=11))
    status = json.loads(render.status_json().body)
    (target,) = status["targets"]
    assert set(status) == set(PUBLIC["JSON of the status page"])
    assert set(target) == set(PUBLIC["JSON of a target"])
    assert set(target["line"]) == set(PUBLIC["JSON of a line"])
