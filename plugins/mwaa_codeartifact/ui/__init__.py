"""The status page: one HTML page for every Airflow, and the same facts as JSON."""
