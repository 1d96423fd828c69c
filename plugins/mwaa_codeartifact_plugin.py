"""Register the plugin with Airflow.

Every Airflow process executes this file, so it imports nothing else. Hooks and operators need no registration: the
plugins folder is on the import path, ``from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator``.
"""

from airflow.plugins_manager import AirflowPlugin


class MwaaCodeArtifactPlugin(AirflowPlugin):
    """Show up in ``airflow plugins`` and in the UI under Admin → Plugins."""

    name = "mwaa_codeartifact"
