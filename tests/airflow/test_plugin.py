"""The plugins folder in Airflow, and the cost of the plugin and the DAG files in each process that loads them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    from tests.airflow.support import AirflowHome

pytestmark = pytest.mark.long

PLUGIN = "plugins/mwaa_codeartifact_plugin.py"
DAG_FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "dags").glob("*.py"))

# Runs each file alone, then loads all plugins as every Airflow process does, and records the loaded modules after
# each. The whole package comes last, because each Airflow can import only its own page.
LOAD = """
import contextlib, importlib, json, pkgutil, runpy, sys, warnings
import airflow.plugins_manager
folder, *files = sys.argv[1:]
loaded = {}
recording = warnings.catch_warnings(record=True)
caught = recording.__enter__()
warnings.simplefilter("always")
for file in files:
    runpy.run_path(file)
    loaded[file] = sorted(sys.modules)
for name in [name for name in sys.modules if name.startswith("mwaa_codeartifact")]:
    del sys.modules[name]
airflow.plugins_manager.get_plugin_info()
within = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
executed = sorted(name for name, file in within.items() if file.startswith(folder) and "." not in name)
import mwaa_codeartifact
for module in pkgutil.walk_packages(mwaa_codeartifact.__path__, "mwaa_codeartifact."):
    with contextlib.suppress(ImportError):
        importlib.import_module(module.name)
print(json.dumps({
    "loaded": loaded,
    "warnings": [str(warning) for warning in caught if warning.filename.startswith((folder, *files))],
    "executed": executed,
}))
"""


@pytest.fixture(scope="module")
def outputs(airflow_home: Callable[[], AirflowHome]) -> tuple[CompletedProcess[str], CompletedProcess[str]]:
    """Run `airflow plugins` and LOAD, each in a process, in parallel."""
    home = airflow_home()
    files = [str(home.path / PLUGIN), *(str(ROOT / file) for file in DAG_FILES)]
    with ThreadPoolExecutor() as pool:
        listing = pool.submit(home.python, "-m", "airflow", "plugins", "--output", "json")
        loading = pool.submit(home.python, "-c", LOAD, str(home.path / "plugins"), *files)
        return listing.result(), loading.result()


@pytest.fixture(scope="module")
def listing(outputs: tuple[CompletedProcess[str], CompletedProcess[str]]) -> CompletedProcess[str]:
    return outputs[0]


@pytest.fixture(scope="module")
def modules(outputs: tuple[CompletedProcess[str], CompletedProcess[str]]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outputs[1].stdout.splitlines()[-1])
    found["loaded"] = dict(zip([PLUGIN, *DAG_FILES], found["loaded"].values(), strict=True))
    return found


def test_airflow_plugins_shows_the_plugin(listing: CompletedProcess[str]) -> None:
    (plugin,) = json.loads(listing.stdout.splitlines()[-1])
    assert plugin["name"] == "mwaa_codeartifact"
    assert plugin["source"] == "$PLUGINS_FOLDER/mwaa_codeartifact_plugin.py"


def test_the_plugins_folder_loads_without_an_error(listing: CompletedProcess[str]) -> None:
    output = (listing.stdout + listing.stderr).lower()
    assert "failed to import plugin" not in output
    assert "traceback" not in output


def test_no_file_of_this_project_causes_a_warning(modules: dict[str, Any]) -> None:
    assert modules["warnings"] == []


def test_no_module_of_the_package_is_executed_as_a_plugin(modules: dict[str, Any]) -> None:
    # Airflow executes every file that .airflowignore does not exclude, by its stem: errors.py would be `errors`.
    assert set(modules["executed"]) - {"mwaa_codeartifact"} == {"mwaa_codeartifact_plugin"}


@pytest.mark.parametrize("file", [PLUGIN, *DAG_FILES])
@pytest.mark.parametrize(
    "heavy", ["boto3", "botocore", "airflow.providers.amazon.aws", "mwaa_codeartifact.core.connections"]
)
def test_loading_a_file_imports_nothing_that_only_a_running_task_needs(
    file: str, heavy: str, modules: dict[str, Any]
) -> None:
    assert [name for name in modules["loaded"][file] if f"{name}.".startswith(f"{heavy}.")] == []


def test_the_plugin_file_imports_nothing_of_the_package(modules: dict[str, Any]) -> None:
    assert [name for name in modules["loaded"][PLUGIN] if name.startswith("mwaa_codeartifact")] == []
