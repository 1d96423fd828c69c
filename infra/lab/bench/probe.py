"""Tell in milliseconds what a file costs Airflow; runs inside Airflow's environment, on its own.

`python probe.py plugin FILE`: executing a plugin file, in a process that has loaded Airflow's plugin manager.
`python probe.py dag FILE`: what the DAG processor's child does with a DAG file, parse and serialize, in a process that
has imported what the processor has.
"""

import importlib
import runpy
import sys
import time
import warnings

warnings.simplefilter("ignore")


def plugin(path: str) -> float:
    """Execute a plugin file."""
    importlib.import_module("airflow.plugins_manager")
    started = time.perf_counter()
    runpy.run_path(path)
    return time.perf_counter() - started


def dag(path: str) -> float:
    """Parse a DAG file and serialize its DAG."""
    importlib.import_module("airflow.dag_processing.processor")
    try:
        bags = importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:  # before Airflow 3.2
        bags = importlib.import_module("airflow.models.dagbag")
    serialized = importlib.import_module("airflow.serialization.serialized_objects")
    serialize = getattr(serialized, "DagSerialization", serialized.SerializedDAG).to_dict
    started = time.perf_counter()
    (found,) = bags.DagBag(path).dags.values()
    serialize(found)
    return time.perf_counter() - started


if __name__ == "__main__":
    seconds = {"plugin": plugin, "dag": dag}[sys.argv[1]](sys.argv[2])
    print(seconds * 1000)  # noqa: T201  (the answer to who started it)
