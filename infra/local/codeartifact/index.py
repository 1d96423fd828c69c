"""The package index that pip, uv and twine speak (PEP 503, PEP 691, legacy upload API), open to unexpired tokens only.

A project's page comes as HTML or as JSON of version 1.1, as `Accept` prefers, and there is no list of all projects
(CodeArtifact user guide, "Python compatibility"). Anonymous requests get `401` with `WWW-Authenticate: Bearer`, and
Basic is accepted all the same (pex-tool/pex #3224, #3225). Whether there are upload times, which PEP 700 does not ask
for, metadata files (PEP 658) or ranges is not established, so this index has none.
"""

from __future__ import annotations

import json
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from flask import Flask, abort, render_template, request, send_file
from packaging.utils import canonicalize_name
from werkzeug.wrappers import Response

from infra.local.codeartifact.errors import ResourceNotFoundError
from infra.local.codeartifact.hosted import hosted_files, project_of
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
# What Accept may name; the first is for those who do not care.
_HTML = "text/html"
_JSON = "application/vnd.pypi.simple.v1+json"
_ANSWERED = {
    _HTML: _HTML,
    _JSON: _JSON,
    "application/vnd.pypi.simple.v1+html": "application/vnd.pypi.simple.v1+html",
    "application/vnd.pypi.simple.latest+json": _JSON,
    "application/vnd.pypi.simple.latest+html": "application/vnd.pypi.simple.v1+html",
}


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
    app.add_url_rule(root + "simple/", endpoint="projects", view_func=views.projects)
    app.add_url_rule(root + "simple/<project>/", endpoint="project", view_func=views.project)
    app.add_url_rule(root + "simple/<project>/<filename>", endpoint="file", view_func=views.file)
    app.before_request(views.guard)
    app.register_error_handler(UpstreamError, _bad_gateway)
    return app


def _refuse(status: HTTPStatus, sentence: str) -> NoReturn:
    abort(Response(sentence + "\n", status, mimetype="text/plain"))


def _bad_gateway(error: UpstreamError) -> Response:
    return Response(f"{error}\n", HTTPStatus.BAD_GATEWAY, mimetype="text/plain")


def _page(project: str, files: list[DistributionPackage]) -> Response:
    """Render a project's page in the form that the request prefers (PEP 691, "Version + Format Selection")."""
    kind = request.accept_mimetypes.best_match(list(_ANSWERED)) if request.accept_mimetypes else _HTML
    if kind is None:
        _refuse(HTTPStatus.NOT_ACCEPTABLE, f"Accept may name {', '.join(_ANSWERED)}.")
    if _ANSWERED[kind] == _JSON:
        versions = sorted({file.version for file in files if file.version})
        page = {"meta": {"api-version": "1.1"}, "name": project, "versions": versions}
        text = json.dumps(page | {"files": [_file_as_json(file) for file in files]})
    else:
        text = render_template("simple.html", project=project, files=files)
    return Response(text, content_type=_ANSWERED[kind], headers={"Vary": "Accept"})


def _file_as_json(file: DistributionPackage) -> dict[str, Any]:
    known = {"requires-python": file.requires_python, "size": file.size}
    return {
        "filename": file.filename,
        "url": quote(file.filename),
        "hashes": file.digests,
        "yanked": (file.yanked_reason or True) if file.is_yanked else False,
        **{key: value for key, value in known.items() if value is not None},
    }


class _Views:
    def __init__(self, state: CodeArtifact, upstream: Upstream) -> None:
        self._state = state
        self._upstream = upstream

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
        if login is not None and self._state.hides_from_bad_tokens:
            _refuse(HTTPStatus.NOT_FOUND, "Not found.")
        headers = {"WWW-Authenticate": "Bearer"}
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

    def projects(self, host: str, repository: str) -> Response:
        """Refuse to list all projects."""
        self._repository(host, repository)
        _refuse(HTTPStatus.NOT_FOUND, "There is no /simple/ here, only /simple/PROJECT/.")

    def project(self, host: str, repository: str, project: str) -> Response:
        """List the files of one project."""
        found = self._repository(host, repository)
        name = canonicalize_name(project)
        internal = found.packages.get(name) is Origin.INTERNAL
        files = hosted_files(found.folder, name) if internal else self._upstream_files(found, name)
        if files is None:
            _refuse(HTTPStatus.NOT_FOUND, f"Repository {repository} and its upstream do not know {name}.")
        return _page(name, files)

    def file(self, host: str, repository: str, project: str, filename: str) -> Response:
        """Send one file; one of the public index is streamed, and its project is one that came from there."""
        found = self._repository(host, repository)
        name = canonicalize_name(project)
        if found.packages.get(name) is Origin.INTERNAL:
            if filename not in [file.filename for file in hosted_files(found.folder, name)]:
                _refuse(HTTPStatus.NOT_FOUND, f"Repository {repository} has no file {filename}.")
            return send_file((found.folder / filename).resolve(), mimetype="application/octet-stream")
        files = self._upstream_files(found, name)
        wanted = next((file for file in files or [] if file.filename == filename), None)
        if wanted is None:
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
            self._pull(repository, name)
            return self._upstream.files(name)
        return None

    def _pull(self, repository: Repository, name: str) -> None:
        """Wait for the upstream where the repository has never seen the name, or fail (astral-sh/uv #8957)."""
        with repository.lock:
            since, asked = repository.pulls.get(name, (time.monotonic(), 0))
            repository.pulls[name] = since, asked + 1
        time.sleep(max(0.0, since + self._state.first_pull_seconds - time.monotonic()))
        if asked < self._state.first_pull_failures:
            _refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.")

    def _allows(self, repository: Repository, name: str, origin_type: OriginType) -> bool:
        return self._state.domain(repository.domain_name).package_groups.allow(name, origin_type)

    def publish(self, host: str, repository: str) -> Response:
        """Keep an uploaded file, unless a package group forbids it or its project came from the public index first.

        The same file again is no error; another one of that name is (CodeArtifact user guide: "Overwriting package
        assets").
        """
        found = self._repository(host, repository)
        upload = request.files.get("content")
        filename = (upload and upload.filename) or ""
        name = project_of(filename)
        if upload is None or name is None or request.form.get(":action") != "file_upload":
            _refuse(HTTPStatus.BAD_REQUEST, "An upload needs :action=file_upload and a wheel or sdist as content.")
        self._authorize(found, "codeartifact:PublishPackageVersion", found.package_arn(name))
        if not self._allows(found, name, OriginType.PUBLISH):
            _refuse(HTTPStatus.FORBIDDEN, f"The package group of {name} blocks its publication.")
        kept, content = found.folder / filename, upload.stream.read()
        with found.lock:
            if kept.exists() and kept.read_bytes() == content:
                return Response()
            if found.packages.get(name) is Origin.EXTERNAL:
                _refuse(HTTPStatus.CONFLICT, f"{name} was first ingested from upstream: it cannot be published.")
            if kept.exists():
                _refuse(HTTPStatus.CONFLICT, f"{filename} is there already, and is another file.")
            kept.write_bytes(content)
            found.packages[name] = Origin.INTERNAL
        log.info("published %s in %s", name, found.arn)
        return Response()
