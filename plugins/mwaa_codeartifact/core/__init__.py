"""The refresh protocol in pure boto3: it imports no Airflow; its connections and its clock are arguments."""
