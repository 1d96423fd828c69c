"""Register the plugin with Airflow.

Every Airflow process executes this file, so it imports nothing else; the rest is imported on use.
Hooks, operators and sensors need no registration: the plugins folder is on the import path,
``from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator``.
"""

from functools import cached_property
from typing import Any

from airflow import __version__
from airflow.plugins_manager import AirflowPlugin

_NAME = "CodeArtifact index-url"
# Airflow's navigation cuts longer names.
_SHORT_NAME = "index-url"
_PAGE = "/codeartifact"


async def status_page(scope: Any, receive: Any, send: Any) -> None:
    """Serve the status page on Airflow 3 (ASGI); its modules are imported at the first request."""
    from asyncio import to_thread
    from importlib import import_module

    # In a thread, so that the server is not blocked.
    page = await to_thread(import_module, "mwaa_codeartifact.ui.fastapi_app")
    await page.app(scope, receive, send)


class SlashAtTheEnd:
    """Redirect from the page's address without the final slash to the page (ASGI middleware).

    The application handles all other requests, and checks who may see the page.

    :param app: Airflow's API server.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Redirect, or pass the request to the application."""
        # Behind a proxy, the path may include the prefix of Airflow's address, or not.
        if scope["type"] != "http" or scope["path"] not in {_PAGE, scope.get("root_path", "") + _PAGE}:
            await self._app(scope, receive, send)
            return
        query = scope.get("query_string") or b""
        # Relative, so that it is correct below every prefix.
        location = _PAGE.lstrip("/").encode() + b"/" + (b"?" + query if query else b"")
        await send({"type": "http.response.start", "status": 307, "headers": [(b"location", location)]})
        await send({"type": "http.response.body", "body": b""})


class MwaaCodeArtifactPlugin(AirflowPlugin):
    """The plugin: the status page and the operator's links; listed by ``airflow plugins`` and under Admin → Plugins."""

    name = "mwaa_codeartifact"
    # Airflow 3.
    fastapi_apps = [{"app": status_page, "url_prefix": _PAGE, "name": _NAME}]  # noqa: RUF012  (Airflow's interface)
    fastapi_root_middlewares = [{"middleware": SlashAtTheEnd, "name": _NAME}]  # noqa: RUF012  (the same)
    # Airflow 3.1 and later: an entry in the navigation, and a tab on the pages of DAGs.
    external_views = [  # noqa: RUF012  (the same)
        {"name": _SHORT_NAME, "href": f"{_PAGE}/", "destination": "nav", "url_route": "codeartifact"},
        {"name": _SHORT_NAME, "href": f"{_PAGE}/", "destination": "dag", "url_route": "codeartifact-index-url"},
    ]

    @cached_property
    def appbuilder_views(self) -> list[Any]:  # type: ignore[override]  # Airflow only reads it
        """Return the view for Airflow 2; on Airflow 3 without the FAB provider any view would stop the API server."""
        if not __version__.startswith("2."):
            return []
        from mwaa_codeartifact.ui.flask_view import StatusPage

        return [{"name": _NAME, "category": "Browse", "view": StatusPage()}]

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]  # the same
        """Return the links for Airflow 2, which shows only registered ones; Airflow 3 reads them from the operator."""
        if not __version__.startswith("2."):
            return []
        from mwaa_codeartifact.links import LINKS

        return [link() for link in LINKS]
