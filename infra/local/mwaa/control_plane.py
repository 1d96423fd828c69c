"""The MWAA operations that boto3 and the AWS CLI speak here, and the environments behind them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from infra.local.mwaa.environments import Environments

    Answer = tuple[dict[str, Any], int, dict[str, str]]

# API reference, InvokeRestApi: the length of Path; what would stand behind a ? comes as QueryParameters.
_PATH_CHARACTERS = 64


def control_plane(environments: Environments) -> WSGIApplication:
    """Build the WSGI application for the environments that CloudFormation creates and deletes."""
    app = Flask(__name__)

    @app.get("/environments")
    def list_environments() -> dict[str, Any]:
        return {"Environments": list(environments)}

    @app.get("/environments/<name>")
    def get_environment(name: str) -> dict[str, Any] | Answer:
        return {"Environment": environments[name].describe()} if name in environments else _not_found(name)

    @app.post("/restapi/<name>")
    def invoke_rest_api(name: str) -> dict[str, Any] | Answer:
        if name not in environments:
            return _not_found(name)
        airflow, asked = environments[name].airflow, request.get_json()
        if environments[name].status not in {"AVAILABLE", "UPDATE_FAILED"} or airflow is None:
            return _error("RestApiServerException", {"message": f"The environment {name} is not available."})
        if len(asked["Path"]) > _PATH_CHARACTERS or "?" in asked["Path"]:
            reason = f"Path {asked['Path']} is longer than {_PATH_CHARACTERS} characters, or holds a query."
            return _error("ValidationException", {"message": reason})
        query = asked.get("QueryParameters") or {}
        answer = airflow.request(asked["Method"], asked["Path"], asked.get("Body") or None, query)
        body = {"RestApiStatusCode": answer.status_code, "RestApiResponse": answer.json() if answer.content else {}}
        whose = "Server" if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
        return body if answer.ok else _error(f"RestApi{whose}Exception", body)

    return app


def _not_found(name: str) -> Answer:
    return _error("ResourceNotFoundException", {"message": f"There is no environment {name}."}, 404)


def _error(code: str, body: dict[str, Any], status: int = 400) -> Answer:
    return body, status, {"x-amzn-errortype": code}
