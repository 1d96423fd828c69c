"""Import from where each supported Airflow, 2.10 to 3.3, keeps it without a deprecation warning."""

try:
    from airflow.sdk import DAG, Asset, BaseOperator, Param, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task
    from airflow.models import BaseOperator
    from airflow.models.param import Param

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow 2 and 3.0
    from airflow.exceptions import AirflowFailException

try:
    from airflow.sdk.log import mask_secret
except ImportError:
    try:
        from airflow.sdk.execution_time.secrets_masker import mask_secret
    except ImportError:  # Airflow 2
        from airflow.utils.log.secrets_masker import mask_secret

__all__ = ["DAG", "AirflowFailException", "Asset", "BaseOperator", "Param", "mask_secret", "task"]
