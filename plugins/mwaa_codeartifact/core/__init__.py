"""The refresh protocol in pure boto3: imports no Airflow, takes its clients and its clock as arguments."""
