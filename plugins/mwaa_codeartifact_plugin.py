"""Register the plugin with Airflow.

Every Airflow process executes this file, so it imports nothing else: what Airflow asks for is imported when it asks.
Hooks, operators and sensors need no registration: the plugins folder is on the import path,
``from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator``.
"""

from functools import cached_property
from typing import Any

from airflow import __version__
from airflow.plugins_manager import AirflowPlugin

_NAME = "CodeArtifact index-url"


async def status_page(scope: Any, receive: Any, send: Any) -> None:
    """Serve the status page on Airflow 3 (ASGI); what it needs is imported at the first request."""
    from asyncio import to_thread
    from importlib import import_module

    # In a thread: meanwhile the server goes on serving.
    page = await to_thread(import_module, "mwaa_codeartifact.ui.fastapi_app")
    await page.app(scope, receive, send)


class MwaaCodeArtifactPlugin(AirflowPlugin):
    """Add the status page and the operator's links; show up in ``airflow plugins`` and under Admin → Plugins."""

    name = "mwaa_codeartifact"
    # Airflow 3.
    fastapi_apps = [{"app": status_page, "url_prefix": "/codeartifact", "name": _NAME}]  # noqa: RUF012  (Airflow's interface)
    # Airflow 3.1 and later: an entry in the navigation, and a tab on the pages of DAGs.
    external_views = [  # noqa: RUF012  (the same)
        {"name": _NAME, "href": "/codeartifact/", "destination": "nav", "url_route": "codeartifact"},
        {"name": _NAME, "href": "/codeartifact/", "destination": "dag", "url_route": "codeartifact-index-url"},
    ]

    @cached_property
    def appbuilder_views(self) -> list[Any]:  # type: ignore[override]  # Airflow only reads it
        """Give Airflow 2 its view; on Airflow 3 without the FAB provider any would end the API server."""
        if not __version__.startswith("2."):
            return []
        from mwaa_codeartifact.ui.flask_view import StatusPage

        return [{"name": _NAME, "category": "Browse", "view": StatusPage()}]

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]  # the same
        """Give Airflow 2 the links' classes, without which it drops them; Airflow 3 takes links from the operator."""
        if not __version__.startswith("2."):
            return []
        from mwaa_codeartifact.links import LINKS

        return [link() for link in LINKS]
