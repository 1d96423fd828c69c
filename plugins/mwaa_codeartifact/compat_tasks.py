"""The same for DAGs with Python tasks: apart, because importing these costs what a DAG without them should not pay."""

try:
    from airflow.providers.standard.operators.python import PythonVirtualenvOperator
    from airflow.sdk import task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.operators.python import PythonVirtualenvOperator

__all__ = ["PythonVirtualenvOperator", "task"]
