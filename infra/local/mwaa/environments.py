"""All environments: their creation, update and deletion by MWAA's rules, and the API operations that the CLI calls."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from infra.local.mwaa import rules
from infra.local.mwaa.configuration import Configuration, Surroundings
from infra.local.mwaa.environment import Environment
from infra.local.mwaa.rules import ValidationError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Answer = tuple[dict[str, Any], int, dict[str, str]]

# Not the busy statuses, and not those of an environment that was never created.
_CHANGEABLE = {"AVAILABLE", "UPDATE_FAILED", "UNAVAILABLE"}
# API reference, InvokeRestApi: the length of Path; the query is not part of it, but in QueryParameters.
_PATH_CHARACTERS = 64


class Environments(dict[str, Environment]):
    """Environments by name; without `run_airflow` they have rules, statuses and agents, but no containers."""

    def __init__(self, around: Surroundings, *, run_airflow: bool = True) -> None:
        super().__init__()
        self._around, self._run_airflow = around, run_airflow

    def create(self, properties: dict[str, Any]) -> Environment:
        """Start to create an environment with these properties; raise a ValidationError if MWAA refuses them."""
        configuration = Configuration(properties)
        name = str(configuration.get("Name"))
        if name in self:
            raise ValidationError(f"Invalid request provided: An environment with the name {name} already exists.")
        rules.check(configuration, None, self._around)
        self[name] = Environment(configuration, self._around, run_airflow=self._run_airflow)
        return self[name]

    def update(self, name: str, properties: dict[str, Any]) -> Environment:  # type: ignore[override]
        """Start to replace an environment's properties by these; raise a ValidationError if MWAA refuses them."""
        environment, before = self[name], self[name].configuration
        if environment.status not in _CHANGEABLE:
            raise ValidationError(f"Environment {name} cannot be updated in status {environment.status}.")
        configuration = Configuration({"AirflowVersion": before["AirflowVersion"], **properties})
        rules.check(configuration, before, self._around)
        environment.update(configuration)
        return environment

    def delete(self, name: str) -> None:
        """Delete an environment."""
        self[name].delete()
        del self[name]

    def stop(self) -> None:
        """Stop all environments."""
        for environment in self.values():
            environment.stop()


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
        airflow, call = environments[name].airflow, request.get_json()
        if environments[name].status not in {"AVAILABLE", "UPDATE_FAILED"} or airflow is None:
            return _error("RestApiServerException", {"message": f"The environment {name} is not available."})
        if len(call["Path"]) > _PATH_CHARACTERS or "?" in call["Path"]:
            reason = f"Path {call['Path']} is longer than {_PATH_CHARACTERS} characters, or contains a query."
            return _error("ValidationException", {"message": reason})
        query = call.get("QueryParameters") or {}
        answer = airflow.request(call["Method"], call["Path"], call.get("Body") or None, query)
        body = {"RestApiStatusCode": answer.status_code, "RestApiResponse": answer.json() if answer.content else {}}
        whose = "Server" if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
        return body if answer.ok else _error(f"RestApi{whose}Exception", body)

    return app


def _not_found(name: str) -> Answer:
    return _error("ResourceNotFoundException", {"message": f"There is no environment {name}."}, 404)


def _error(code: str, body: dict[str, Any], status: int = 400) -> Answer:
    return body, status, {"x-amzn-errortype": code}
