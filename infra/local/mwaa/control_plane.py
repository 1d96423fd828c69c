"""The MWAA operations that boto3 and the AWS CLI speak here, and the environments behind them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from infra.local.mwaa.environments import Environments

# API reference, InvokeRestApi: the length of Path; what would stand behind a ? comes as QueryParameters.
_PATH_CHARACTERS = 64


def control_plane(environments: Environments) -> WSGIApplication:
    """Build the WSGI application.

    :param environments: the ones that CloudFormation creates and deletes.
    """
    app = Flask(__name__)

    @app.get("/environments")
    def list_environments() -> dict[str, Any]:
        return {"Environments": list(environments)}

    @app.get("/environments/<name>")
    def get_environment(name: str) -> Response:
        if name not in environments:
            return _error("ResourceNotFoundException", f"There is no environment {name}.", 404)
        return jsonify(Environment=environments[name].describe())

    @app.post("/restapi/<name>")
    def invoke_rest_api(name: str) -> Response:
        if name not in environments:
            return _error("ResourceNotFoundException", f"There is no environment {name}.", 404)
        airflow, asked = environments[name].airflow, request.get_json()
        if environments[name].status not in {"AVAILABLE", "UPDATE_FAILED"} or airflow is None:
            return _error("RestApiServerException", f"The environment {name} is not available.", 400)
        if len(asked["Path"]) > _PATH_CHARACTERS or "?" in asked["Path"]:
            reason = f"Path {asked['Path']} is longer than {_PATH_CHARACTERS} characters, or holds a query."
            return _error("ValidationException", reason, 400)
        query = asked.get("QueryParameters") or {}
        answer = airflow.request(asked["Method"], asked["Path"], asked.get("Body") or None, query)
        body = {"RestApiStatusCode": answer.status_code, "RestApiResponse": answer.json() if answer.content else {}}
        if answer.ok:
            return jsonify(body)
        failed = jsonify(body)
        failed.status_code = 400
        whose = "Server" if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
        failed.headers["x-amzn-errortype"] = f"RestApi{whose}Exception"
        return failed

    return app


def _error(code: str, message: str, status: int) -> Response:
    response = jsonify(message=message)
    response.status_code = status
    response.headers["x-amzn-errortype"] = code
    return response
