"""Measure in milliseconds the time that a file costs Airflow; runs alone inside Airflow's environment.

`python probe.py plugin FILE`: executing a plugin file, in a process that has loaded Airflow's plugin manager.
`python probe.py dag FILE`: parsing a DAG file and serializing its DAG, as the DAG processor's child does, in a process
that has imported the same modules.
"""

import importlib
import runpy
import sys
import time
import warnings

warnings.simplefilter("ignore")


def plugin(path: str) -> float:
    """Return the seconds that it takes to execute a plugin file."""
    importlib.import_module("airflow.plugins_manager")
    started = time.perf_counter()
    runpy.run_path(path)
    return time.perf_counter() - started


def dag(path: str) -> float:
    """Return the seconds that it takes to parse a DAG file and serialize its DAG."""
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
    print(seconds * 1000)  # noqa: T201  (the result)
