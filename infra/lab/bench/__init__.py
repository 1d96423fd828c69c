"""Measurements of the time that the plugin and the refresh DAG cost Airflow, on every version."""
