"""What the plugin and the refresh DAG cost Airflow, measured on every version."""
