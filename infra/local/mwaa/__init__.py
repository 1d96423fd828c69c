"""Amazon MWAA on one machine: what a container does at start, in MWAA's order, and a real Airflow at the end."""
