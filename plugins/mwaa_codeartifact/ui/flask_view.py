"""The status page on Airflow 2: a view of the web server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.www.auth import has_access_dag
from flask import Response
from flask_appbuilder import BaseView, expose

from mwaa_codeartifact.settings import REFRESH_DAG, STATUS_PAGE
from mwaa_codeartifact.ui import render

if TYPE_CHECKING:
    from collections.abc import Callable


@has_access_dag("GET")
def _answer(rendered: Callable[[], render.Answer], *, dag_id: str) -> Response:
    del dag_id  # the decorator checks access to this DAG
    answer = rendered()
    return Response(answer.body, answer.status.value, answer.headers)


class StatusPage(BaseView):
    """The page, for users who may see the refresh DAG; others are redirected to the login or to Airflow's home page."""

    route_base = STATUS_PAGE.rstrip("/")
    default_view = "page"

    @expose("/")
    def page(self) -> Any:
        """Return the whole page."""
        return _answer(lambda: render.page(home="../"), dag_id=REFRESH_DAG)

    @expose("/facts")
    def facts(self) -> Any:
        """Return the part of the page that changes."""
        return _answer(render.facts, dag_id=REFRESH_DAG)

    @expose("/status.json")
    def status_json(self) -> Any:
        """Return the facts as JSON, for monitors."""
        return _answer(render.status_json, dag_id=REFRESH_DAG)
