"""The status page on Airflow 3: a FastAPI application, mounted below the API server's."""

from __future__ import annotations

from airflow import __version__
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from mwaa_codeartifact.settings import REFRESH_DAG
from mwaa_codeartifact.ui import render

# Airflow 3.0 reads its login from the Authorization header only, which a browser does not send by itself.
_READS_COOKIES = not __version__.startswith("3.0.")


def may_see_the_refresh_dag(request: Request, user: GetUserDep) -> None:
    """Check that the user may see the refresh DAG; otherwise the response is 401 or 403."""
    request.path_params["dag_id"] = REFRESH_DAG
    requires_access_dag("GET")(request, user)


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
guarded = APIRouter(dependencies=[Depends(may_see_the_refresh_dag)])


def _response(answer: render.Answer) -> Response:
    return Response(answer.body, answer.status.value, answer.headers)


@guarded.get("/facts")
def facts() -> Response:
    """Return the part of the page that changes."""
    return _response(render.facts())


@guarded.get("/status.json")
def status_json() -> Response:
    """Return the facts as JSON, for monitors."""
    return _response(render.status_json())


if _READS_COOKIES:

    @guarded.get("/")
    def page() -> Response:
        """Return the whole page."""
        return _response(render.page())

else:

    @app.get("/")
    def shell() -> Response:
        """Return a page without facts; its script fetches them with the login."""
        return _response(render.shell(home="../"))


app.include_router(guarded)
