"""The status page on Airflow 3: an application of its own below the API server's."""

from __future__ import annotations

from airflow import __version__
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from mwaa_codeartifact.settings import REFRESH_DAG
from mwaa_codeartifact.ui import render

# Airflow 3.0 takes its login from the Authorization header only, which a browser does not send by itself.
_READS_COOKIES = not __version__.startswith("3.0.")


def may_see_the_refresh_dag(request: Request, user: GetUserDep) -> None:
    """Let those through who may see the refresh DAG; the others get 401 or 403."""
    request.path_params["dag_id"] = REFRESH_DAG
    requires_access_dag("GET")(request, user)


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
guarded = APIRouter(dependencies=[Depends(may_see_the_refresh_dag)])


def _response(answer: render.Answer) -> Response:
    return Response(answer.body, answer.status.value, answer.headers)


@guarded.get("/facts")
def facts() -> Response:
    """Answer with the part of the page that changes."""
    return _response(render.facts())


@guarded.get("/status.json")
def status_json() -> Response:
    """Answer a monitor."""
    return _response(render.status_json())


if _READS_COOKIES:

    @guarded.get("/")
    def page() -> Response:
        """Answer with the whole page."""
        return _response(render.page())

else:

    @app.get("/")
    def shell() -> Response:
        """Answer with a page without a fact; its script fetches them with the login."""
        return _response(render.shell(home="../"))


app.include_router(guarded)
