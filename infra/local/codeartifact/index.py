"""The package index that pip and twine speak (PEP 503, legacy upload API), open to unexpired tokens only."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from flask import Flask, abort, render_template, request
from packaging.utils import canonicalize_name
from werkzeug.wrappers import Response

from infra.local.codeartifact.errors import ResourceNotFoundError
from infra.local.codeartifact.hosted import Hosted, holds, project_of
from infra.local.codeartifact.package_groups import OriginType
from infra.local.codeartifact.resources import Origin, Repository
from infra.local.codeartifact.upstream import Upstream, UpstreamError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from pypi_simple import DistributionPackage

    from infra.local.codeartifact.store import CodeArtifact

log = logging.getLogger(__name__)

USER_NAME = "aws"
CHUNK_BYTES = 64 * 1024
COPIED_HEADERS = ("Content-Type", "Content-Length", "ETag", "Last-Modified")


def index(state: CodeArtifact, upstream: Upstream) -> WSGIApplication:
    """Build the application that serves every repository below ``/<domain>-<owner>/pypi/<repository>/``.

    It never redirects to another host: what comes from the public index passes through.

    :param state: what exists, and which tokens are good
    :param upstream: the public index, for repositories with an external connection
    """
    app = Flask(__name__)
    views = _Views(state, upstream)
    root = "/<host>/pypi/<repository>/"
    app.add_url_rule(root, endpoint="publish", view_func=views.publish, methods=["POST"])
    app.add_url_rule(root + "simple/", endpoint="projects", view_func=views.hosted)
    app.add_url_rule(root + "simple/<project>/", endpoint="project", view_func=views.project)
    app.add_url_rule(root + "simple/<project>/<filename>", endpoint="file", view_func=views.file)
    app.add_url_rule(root + "packages/<path:filename>", endpoint="hosted", view_func=views.hosted)
    app.before_request(views.guard)
    app.register_error_handler(UpstreamError, _bad_gateway)
    return app


def _refuse(status: HTTPStatus, sentence: str) -> NoReturn:
    abort(Response(sentence + "\n", status, mimetype="text/plain"))


def _bad_gateway(error: UpstreamError) -> Response:
    return Response(f"{error}\n", HTTPStatus.BAD_GATEWAY, mimetype="text/plain")


class _Views:
    def __init__(self, state: CodeArtifact, upstream: Upstream) -> None:
        self._state = state
        self._upstream = upstream
        self._hosted = Hosted()

    def guard(self) -> Response | None:
        """Let a request through only with an unexpired token of the domain that the path names."""
        parts = request.view_args or {}
        name = self._domain_name(parts.get("host", ""))
        login = request.authorization
        if login is not None and login.username == USER_NAME and self._state.check(name, login.password or ""):
            if request.method != "POST":
                repository = self._repository(parts["host"], parts["repository"])
                self._authorize(repository, "codeartifact:ReadFromRepository", repository.arn)
            return None
        headers = {"WWW-Authenticate": 'Basic realm="CodeArtifact"'}
        sentence = "This needs the user name aws and an unexpired token of the domain as password.\n"
        return Response(sentence, HTTPStatus.UNAUTHORIZED, headers, mimetype="text/plain")

    def _authorize(self, repository: Repository, action: str, resource: str) -> None:
        """Let the request's token do what its minter may; one that nobody signed for may do everything."""
        token = (request.authorization and request.authorization.password) or ""
        minter = self._state.domain(repository.domain_name).minters.get(token)
        if minter and not minter.may(action, resource):
            _refuse(HTTPStatus.FORBIDDEN, f"The token's owner is not authorized to perform {action} on {resource}.")

    def _domain_name(self, host: str) -> str:
        return next((domain.name for domain in self._state.domains() if domain.host == host), "")

    def _repository(self, host: str, name: str) -> Repository:
        try:
            return self._state.repository(self._domain_name(host), name)
        except ResourceNotFoundError as error:
            _refuse(HTTPStatus.NOT_FOUND, str(error))

    def hosted(self, host: str, repository: str, filename: str = "") -> Response:
        """List or serve what was published in-house."""
        del filename  # part of the path, which is passed on whole
        return self._hosted.answer(self._repository(host, repository))

    def project(self, host: str, repository: str, project: str) -> Response:
        """List the files of one project."""
        found = self._repository(host, repository)
        name = canonicalize_name(project)
        if found.packages.get(name) is Origin.INTERNAL:
            return self._hosted.answer(found)
        files = self._upstream_files(found, name)
        if files is None:
            _refuse(HTTPStatus.NOT_FOUND, f"Repository {repository} and its upstream do not know {name}.")
        return Response(render_template("simple.html", project=name, files=files), mimetype="text/html")

    def file(self, host: str, repository: str, project: str, filename: str) -> Response:
        """Stream one file of the public index, which makes its project one that came from there."""
        found = self._repository(host, repository)
        name = canonicalize_name(project)
        files = self._upstream_files(found, name)
        wanted = next((file for file in files or [] if file.filename == filename), None)
        if wanted is None or found.packages.get(name) is Origin.INTERNAL:
            _refuse(HTTPStatus.NOT_FOUND, f"Repository {repository} has no upstream file {filename}.")
        source = self._upstream.open(wanted)
        with found.lock:
            found.packages.setdefault(name, Origin.EXTERNAL)
        response = Response(source.raw.stream(CHUNK_BYTES, decode_content=False))
        response.headers.update({key: source.headers[key] for key in COPIED_HEADERS if key in source.headers})
        response.call_on_close(source.close)
        return response

    def _upstream_files(self, repository: Repository, name: str) -> list[DistributionPackage] | None:
        """List the upstream's files, which are as good as not there where a package group blocks them."""
        if repository.external_connections and self._allows(repository, name, OriginType.EXTERNAL_UPSTREAM):
            return self._upstream.files(name)
        return None

    def _allows(self, repository: Repository, name: str, origin_type: OriginType) -> bool:
        return self._state.domain(repository.domain_name).package_groups.allow(name, origin_type)

    def publish(self, host: str, repository: str) -> Response:
        """Keep an uploaded file, unless a package group forbids it or its project came from the public index first.

        The same file again is no error; another one of that name is (CodeArtifact user guide: "Overwriting package
        assets").
        """
        found = self._repository(host, repository)
        body = request.get_data()  # before the form is parsed, so that pypiserver can parse it again
        upload = request.files.get("content")
        name = project_of(upload.filename or "") if upload else None
        if upload is None or name is None or request.form.get(":action") != "file_upload":
            _refuse(HTTPStatus.BAD_REQUEST, "An upload needs :action=file_upload and a wheel or sdist as content.")
        self._authorize(found, "codeartifact:PublishPackageVersion", found.package_arn(name))
        if not self._allows(found, name, OriginType.PUBLISH):
            _refuse(HTTPStatus.FORBIDDEN, f"The package group of {name} blocks its publication.")
        with found.lock:
            if holds(found, upload):
                return Response()
            if found.packages.get(name) is Origin.EXTERNAL:
                _refuse(HTTPStatus.CONFLICT, f"{name} was first ingested from upstream: it cannot be published.")
            response = self._hosted.answer(found, body)
            if response.status_code == HTTPStatus.OK:
                found.packages[name] = Origin.INTERNAL
                log.info("published %s in %s", name, found.arn)
        return response
