"""The status page: one HTML for every Airflow, and the same facts as JSON."""
