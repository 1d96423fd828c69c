"""Keep the CodeArtifact index-url of Apache Airflow's workers valid: on Amazon MWAA and elsewhere."""

# The one place of the version: wheel, zips, status page, `make help` and the templates' descriptions follow it.
__version__ = "0.2.0"
