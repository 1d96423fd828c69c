"""The CodeArtifact API for boto3 and the AWS CLI (REST-JSON): only the operations that this project uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from infra.local.codeartifact.errors import AccessDeniedError, ApiError, ValidationError
from infra.local.codeartifact.store import CALLER, MAX_TOKEN_SECONDS, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from infra.local.codeartifact.store import CodeArtifact, StoredDomain, StoredRepository

_Json = dict[str, Any]
# API: PackageOriginRestrictions.
_RESTRICTIONS = {
    Origin.INTERNAL: {"publish": "ALLOW", "upstream": "BLOCK"},
    Origin.EXTERNAL: {"publish": "BLOCK", "upstream": "ALLOW"},
}


def control_plane(state: CodeArtifact, index_url_base: Callable[[], str]) -> WSGIApplication:
    """Build the application that serves the CodeArtifact API below ``/v1/``.

    :param index_url_base: returns the URL of ``index(state, …)``, which is known when the server runs
    """
    app = Flask(__name__)
    app.register_error_handler(ApiError, _error)
    app.register_error_handler(HTTPException, _error)

    def domain() -> StoredDomain:
        return _view(state).domain(request.args["domain"])

    def repository() -> StoredRepository:
        return _view(state).repository(request.args["domain"], request.args["repository"])

    @app.before_request
    def authorize() -> None:
        if request.endpoint and CALLER in request.environ:
            named = repository() if "repository" in request.args else domain() if "domain" in request.args else None
            _authorize(request.endpoint, named.arn if named else "*")

    @app.post("/v1/authorization-token", endpoint="GetAuthorizationToken")
    def mint() -> _Json:
        duration = int(request.args.get("duration", MAX_TOKEN_SECONDS))
        token, expires_at = _view(state).mint(request.args["domain"], duration_seconds=duration)
        domain().minters[token] = request.environ.get(CALLER)
        return {"authorizationToken": token, "expiration": expires_at.timestamp()}

    @app.get("/v1/repository/endpoint", endpoint="GetRepositoryEndpoint")
    def endpoint() -> _Json:
        if request.args["format"] != "pypi":
            raise ValidationError("This stand-in has endpoints of the format pypi only.")
        return {"repositoryEndpoint": f"{index_url_base()}/{domain().host}/pypi/{repository().name}/"}

    @app.post("/v1/domains", endpoint="ListDomains")
    def domains() -> _Json:
        here = _view(state)
        found = [each for key, each in state.domains.copy().items() if key[:2] == (here.region, here.account)]
        return {"domains": [{"name": each.name, "owner": each.owner, "arn": each.arn} for each in found]}

    @app.post("/v1/packages", endpoint="ListPackages")
    def packages() -> _Json:
        ways = {way: request.args[way] for way in ("publish", "upstream") if way in request.args}
        return {
            "packages": [
                {"format": "pypi", "package": name, "originConfiguration": {"restrictions": _RESTRICTIONS[origin]}}
                for name, origin in sorted(repository().packages.copy().items())
                if ways.items() <= _RESTRICTIONS[origin].items()
            ]
        }

    return app


def _view(state: CodeArtifact) -> CodeArtifact:
    """Return the view of the request's account and Region.

    The account is domainOwner or, by default, the caller's (API). The Region is in the signature's credential scope:
    key/date/region/service/aws4_request (IAM guide, "Elements of an AWS API request signature").
    """
    caller, signature = request.environ.get(CALLER), request.authorization
    account = request.args.get("domain-owner") or (caller.arn.split(":")[4] if caller else state.account)
    scope = signature and signature.get("Credential")
    return state.of(account, scope.split("/")[2] if scope else state.region)


def _authorize(operation: str, resource: str) -> None:
    caller = request.environ[CALLER]
    allowed = caller.may(f"codeartifact:{operation}", resource)
    if operation == "GetAuthorizationToken":
        service = {"sts:AWSServiceName": "codeartifact.amazonaws.com"}
        allowed = allowed and caller.may("sts:GetServiceBearerToken", "*", service)
    if not allowed:
        raise AccessDeniedError(f"{caller.arn} is not authorized to perform: codeartifact:{operation} on {resource}")


def _error(error: Exception) -> tuple[_Json, int, dict[str, str]]:
    if isinstance(error, ApiError):
        return {"message": str(error)}, error.status, {"x-amzn-errortype": error.code}
    message = f"This stand-in does not serve {request.method} {request.path}."
    return {"message": message}, getattr(error, "code", None) or 500, {"x-amzn-errortype": "UnknownOperationException"}
