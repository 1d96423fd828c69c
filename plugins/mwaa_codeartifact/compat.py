"""The names whose place differs between the supported versions of Airflow, 2.10 to 3.3; no import is deprecated."""

from importlib.util import find_spec
from typing import Any

try:
    from airflow.sdk import DAG, Asset, BaseOperator, BaseOperatorLink, BaseSensorOperator, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.models import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.models.param import Param
    from airflow.sensors.base import BaseSensorOperator

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # Airflow 2 and 3.0
    from airflow.exceptions import AirflowException, AirflowFailException

try:
    from airflow.sdk.log import mask_secret
except ImportError:
    try:
        from airflow.sdk.execution_time.secrets_masker import mask_secret
    except ImportError:  # Airflow 2
        from airflow.utils.log.secrets_masker import mask_secret

__all__ = [
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "Asset",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Param",
    "mask_secret",
    "returned_by",
    "stats",
]


def stats() -> Any:
    """Return the object that emits Airflow's metrics; a function, because only a running task should import it."""
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 2 and 3.0
        from airflow.stats import Stats
    return Stats


def returned_by(ti_key: Any) -> Any:
    """Return the return value of a task instance in Airflow 2's web server; None in Airflow 3.

    :param ti_key: key of the task instance.
    """
    if find_spec("airflow.sdk"):
        return None
    from airflow.models import XCom

    return XCom.get_value(ti_key=ti_key, key="return_value")
