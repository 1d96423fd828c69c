from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mwaa_codeartifact.core

# It counts attempts, so that an import inside a try block counts as well.
IMPORT_ALL = """
import importlib, pkgutil, sys

class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            attempts.append(name)

attempts = []
sys.meta_path.insert(0, NoAirflow())
import mwaa_codeartifact.core
names = [module.name for module in pkgutil.walk_packages(mwaa_codeartifact.core.__path__, "mwaa_codeartifact.core.")]
for name in names:
    importlib.import_module(name)
print(len(names), attempts)
"""


def test_no_module_of_the_core_tries_to_import_airflow() -> None:
    core = Path(mwaa_codeartifact.core.__file__).parent
    modules = len(list(core.rglob("*.py"))) - 1  # its own face
    command = [sys.executable, "-c", IMPORT_ALL]
    process = subprocess.run(
        command, env={"PYTHONPATH": str(core.parents[1])}, capture_output=True, text=True, check=True
    )
    assert process.stdout == f"{modules} []\n"
