"""The package index for pip, uv and twine (PEP 503, PEP 691, legacy upload API); it requires an unexpired token.

A project's page is HTML or JSON of version 1.1, as `Accept` prefers, and there is no list of all projects (CodeArtifact
user guide, "Python compatibility"). Anonymous requests get `401` with `WWW-Authenticate: Bearer`, but Basic is accepted
(pex-tool/pex #3224, #3225). It is not established whether CodeArtifact has upload times (optional in PEP 700), metadata
files (PEP 658) or range requests, so this index has none.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, g, render_template, request, send_file
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response

from infra.local.codeartifact import errors
from infra.local.codeartifact.package_groups import OriginType
from infra.local.codeartifact.store import Origin

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from packaging.utils import NormalizedName
    from pypi_simple import DistributionPackage

    from infra.local.codeartifact.store import CodeArtifact, StoredRepository
    from infra.local.codeartifact.upstream import Upstream

# The media types that Accept may name; the first is the default.
_FORMS = ("v1+json", "v1+html", "latest+json", "latest+html")
_ANSWERED = ("text/html", *(f"application/vnd.pypi.simple.{form}" for form in _FORMS))


def index(state: CodeArtifact, upstream: Upstream) -> WSGIApplication:
    """Build the application that serves every repository below ``/<domain>-<owner>.<region>/pypi/<repository>/``.

    It never redirects to another host: files of the public index are streamed through it.
    """
    app = Flask(__name__)
    views = _Views(state, upstream)
    root = "/<host>/pypi/<repository>/"
    app.add_url_rule(root, view_func=views.publish, methods=["POST"])
    no_list = errors.ResourceNotFoundError("There is no list of projects at /simple/; request /simple/PROJECT/.")
    app.add_url_rule(f"{root}simple/", "projects", lambda: _refuse(no_list))
    app.add_url_rule(f"{root}simple/<project>/", view_func=views.project)
    app.add_url_rule(f"{root}simple/<project>/<filename>", view_func=views.file)
    app.before_request(views.guard)
    app.register_error_handler(errors.ApiError, _refuse)
    return app


def _refuse(error: errors.ApiError) -> Response:
    return Response(f"{error}\n", error.status, mimetype="text/plain")


def _page(project: str, files: list[DistributionPackage]) -> Response:
    """Render a project's page in the form that the request prefers (PEP 691, "Version + Format Selection")."""
    kind = request.accept_mimetypes.best_match(_ANSWERED) if request.accept_mimetypes else _ANSWERED[0]
    if kind is None:
        raise NotAcceptable(f"Accept may name {', '.join(_ANSWERED)}.")
    if kind.endswith("json"):
        versions = sorted({file.version for file in files if file.version})
        page = {"meta": {"api-version": "1.1"}, "name": project, "versions": versions}
        text = json.dumps(page | {"files": [_file_as_json(file) for file in files]})
    else:
        text = render_template("simple.html", project=project, files=files)
    return Response(text, content_type=kind.replace(".latest+", ".v1+"), headers={"Vary": "Accept"})


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
    """The views. The guard puts the repository and the token's minter into ``g`` for the others."""

    def __init__(self, state: CodeArtifact, upstream: Upstream) -> None:
        self._state, self._upstream = state, upstream

    def guard(self) -> Response | None:
        """Refuse a request without an unexpired token of the domain in its path."""
        parts = request.view_args or {}
        host, name = parts.pop("host", ""), parts.pop("repository", "")  # the views take the other arguments
        domain = next((each for each in list(self._state.domains.values()) if each.host == host), None)
        login = request.authorization
        token = (login and login.username == "aws" and login.password) or ""
        view = self._state.of(domain.owner, domain.region) if domain else None
        if domain and view and view.check(domain.name, token):
            g.repository = view.repository(domain.name, name)
            g.minter = domain.minters.get(token)
            if request.method != "POST":
                _authorize("codeartifact:ReadFromRepository", g.repository.arn)
            return None
        if login is not None and self._state.hides_from_bad_tokens:
            raise errors.ResourceNotFoundError("Not found.")
        sentence = "Log in with the user name aws and an unexpired token of the domain as the password.\n"
        return Response(sentence, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")

    def project(self, project: str) -> Response:
        name = canonicalize_name(project)
        return _page(name, self._files(name))

    def file(self, project: str, filename: str) -> Response:
        """Send one file. A file of the public index is streamed, and marks its project as external."""
        repository: StoredRepository = g.repository
        name = canonicalize_name(project)
        wanted = next((file for file in self._files(name) if file.filename == filename), None)
        if wanted is None:
            raise errors.ResourceNotFoundError(f"Repository {repository.name} has no file {filename}.")
        if (kept := repository.folder / filename).exists():
            return send_file(kept.resolve(), mimetype="application/octet-stream")
        source = self._upstream.open(wanted)
        with repository.lock:
            repository.packages.setdefault(name, Origin.EXTERNAL)
        copied = ("Content-Type", "Content-Length", "ETag", "Last-Modified")
        headers = {key: source.headers[key] for key in copied if key in source.headers}
        response = Response(source.raw.stream(decode_content=False), headers=headers)
        response.call_on_close(source.close)
        return response

    def _files(self, name: str) -> list[DistributionPackage]:
        """Return a project's files, without the upstream's if a package group blocks them."""
        repository: StoredRepository = g.repository
        if repository.packages.get(name) is Origin.INTERNAL:
            return repository.published.get(name, [])
        files, groups = None, repository.domain.package_groups
        if repository.external_connections and groups.allow(name, OriginType.EXTERNAL_UPSTREAM):
            files = self._upstream.files(name)
        if files is None:
            raise errors.ResourceNotFoundError(f"Repository {repository.name} and its upstream have no project {name}.")
        return files

    def publish(self) -> Response:
        repository: StoredRepository = g.repository
        upload = request.files.get("content")
        filename = (upload and upload.filename) or ""
        name = None if "/" in filename else _project_of(filename)
        if upload is None or name is None or request.form.get(":action") != "file_upload":
            raise errors.ValidationError("Send :action=file_upload and a wheel or sdist as content.")
        # Service Authorization Reference: package resources; pypi packages have no namespace.
        package_arn = f"{repository.arn.replace(':repository/', ':package/', 1)}/pypi//{name}"
        _authorize("codeartifact:PublishPackageVersion", package_arn)
        if not repository.domain.package_groups.allow(name, OriginType.PUBLISH):
            raise errors.AccessDeniedError(f"The package group of {name} blocks its publication.")
        repository.publish(name, filename, upload.stream.read())
        return Response()


def _authorize(action: str, resource: str) -> None:
    """Refuse what the token's minter may not do; a token without a minter may do everything."""
    if g.minter and not g.minter.may(action, resource):
        raise errors.AccessDeniedError(f"The token's owner is not authorized to perform {action} on {resource}.")


def _project_of(filename: str) -> NormalizedName | None:
    """Return the normalized project name in the file name of a wheel or sdist, or None for other files."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[0]
        return canonicalize_name(parse_sdist_filename(filename)[0], validate=True)
    except ValueError:
        return None
