"""The same names for DAGs with Python tasks; a separate module, because these imports are slow."""

try:
    from airflow.providers.standard.operators.python import PythonVirtualenvOperator
    from airflow.sdk import task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.operators.python import PythonVirtualenvOperator

__all__ = ["PythonVirtualenvOperator", "task"]
