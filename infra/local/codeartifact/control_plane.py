"""The CodeArtifact API as boto3 and the AWS CLI speak it: REST-JSON, the operations that this project needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from infra.local.codeartifact.errors import AccessDeniedError, CodeArtifactError, ValidationError
from infra.local.codeartifact.resources import CALLER, Domain, Origin, Repository
from infra.local.codeartifact.store import MAX_TOKEN_SECONDS, CodeArtifact

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from infra.local.codeartifact.resources import Caller


def control_plane(state: CodeArtifact, index_url_base: Callable[[], str]) -> WSGIApplication:
    """Build the application that answers the CodeArtifact API below ``/v1/``.

    :param state: what exists
    :param index_url_base: scheme, host and port where ``index(state, …)`` is reached, without a slash at the
        end; asked at every request, because a port may be known only once the server runs
    """
    app = Flask(__name__)
    operations = _Operations(state, index_url_base)
    for method, path, view in (
        ("POST", "/v1/authorization-token", operations.get_authorization_token),
        ("GET", "/v1/repository/endpoint", operations.get_repository_endpoint),
        ("POST", "/v1/domains", operations.list_domains),
        ("POST", "/v1/packages", operations.list_packages),
    ):
        app.add_url_rule(path, endpoint=f"{method} {path}", view_func=view, methods=[method])
    app.before_request(operations.authorize)
    app.register_error_handler(CodeArtifactError, _error)
    app.register_error_handler(HTTPException, _unknown_operation)
    return app


def _error(error: CodeArtifactError) -> Response:
    return _error_response(error.code, str(error), error.status)


def _unknown_operation(error: HTTPException) -> Response:
    message = f"This stand-in does not answer {request.method} {request.path}."
    return _error_response("UnknownOperationException", message, error.code or 500)


def _error_response(code: str, message: str, status: int) -> Response:
    response = jsonify(message=message)
    response.status_code = status
    response.headers["x-amzn-errortype"] = code
    return response


def _parameter(name: str) -> str:
    value = request.args.get(name)
    if not value:
        raise ValidationError(f"Parameter {name} is missing.")
    return value


class _Operations:
    def __init__(self, state: CodeArtifact, index_url_base: Callable[[], str]) -> None:
        self._state = state
        self._index_url_base = index_url_base

    def authorize(self) -> None:
        """Ask the policies of the caller, where the server in front has made out who that is."""
        caller: Caller | None = request.environ.get(CALLER)
        view = current_app.view_functions.get(request.endpoint or "")
        if caller is None or view is None:
            return
        action = view.__name__.title().replace("_", "")
        resource = "*"
        if "repository" in request.args:
            resource = self._repository().arn
        elif "domain" in request.args:
            resource = self._domain().arn
        allowed = caller.may(f"codeartifact:{action}", resource)
        if action == "GetAuthorizationToken":
            service = {"sts:AWSServiceName": "codeartifact.amazonaws.com"}
            allowed = allowed and caller.may("sts:GetServiceBearerToken", "*", service)
        if not allowed:
            raise AccessDeniedError(f"{caller.arn} is not authorized to perform: codeartifact:{action} on {resource}")

    def _domain(self) -> Domain:
        return self._state.domain(_parameter("domain"), request.args.get("domain-owner"))

    def _repository(self) -> Repository:
        return self._state.repository(_parameter("domain"), _parameter("repository"), request.args.get("domain-owner"))

    def get_authorization_token(self) -> dict[str, Any]:
        duration = request.args.get("duration", str(MAX_TOKEN_SECONDS))
        if not duration.isdecimal():
            raise ValidationError(f"duration must be a number of seconds, but is {duration!r}.")
        token, expires_at = self._state.mint(_parameter("domain"), request.args.get("domain-owner"), int(duration))
        if CALLER in request.environ:
            self._domain().minters[token] = request.environ[CALLER]
        return {"authorizationToken": token, "expiration": expires_at.timestamp()}

    def get_repository_endpoint(self) -> dict[str, Any]:
        if _parameter("format") != "pypi":
            raise ValidationError("This stand-in has endpoints of the format pypi only.")
        repository = self._repository()
        host = f"{repository.domain_name}-{repository.domain_owner}"
        return {"repositoryEndpoint": f"{self._index_url_base()}/{host}/pypi/{repository.name}/"}

    def list_domains(self) -> dict[str, Any]:
        return {"domains": [_domain_summary(domain) for domain in self._state.domains()]}

    def list_packages(self) -> dict[str, Any]:
        repository = self._repository()
        with repository.lock:
            packages = sorted(repository.packages.items())
        found = [_package_summary(name, origin) for name, origin in packages]
        # API: ListPackages, publish and upstream.
        asked = {way: request.args[way] for way in ("publish", "upstream") if way in request.args}
        return {"packages": [item for item in found if asked.items() <= _restrictions(item).items()]}


def _domain_summary(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "owner": domain.owner,
        "arn": domain.arn,
        "status": "Active",
        "createdTime": domain.created.timestamp(),
    }


def _package_summary(name: str, origin: Origin) -> dict[str, Any]:
    internal = origin is Origin.INTERNAL
    restrictions = {
        "publish": "ALLOW" if internal else "BLOCK",
        "upstream": "BLOCK" if internal else "ALLOW",
    }
    return {"format": "pypi", "package": name, "originConfiguration": {"restrictions": restrictions}}


def _restrictions(package: dict[str, Any]) -> dict[str, str]:
    restrictions: dict[str, str] = package["originConfiguration"]["restrictions"]
    return restrictions
