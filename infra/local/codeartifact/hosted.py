"""Packages published in-house: pypiserver, one instance with a folder of its own for each repository."""

from __future__ import annotations

import sys
import threading
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import request
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from werkzeug.wrappers import Response

with warnings.catch_warnings():
    # Its copy of bottle imports cgi, which Python 3.11 and 3.12 call deprecated, and leaves an import hook of
    # the old kind behind, which would turn every later ImportError of the process into an ImportWarning first.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", ImportWarning)
    import pypiserver  # type: ignore[import-untyped]  # it brings no types

    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication
    from werkzeug.datastructures import FileStorage

    from infra.local.codeartifact.resources import Repository


def project_of(filename: str) -> str | None:
    """Read the normalized project name from a wheel's or sdist's file name; None if it is neither.

    :param filename: without a folder
    """
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[0]
        return canonicalize_name(parse_sdist_filename(filename)[0], validate=True)
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None


def holds(repository: Repository, upload: FileStorage) -> bool:
    """Tell whether the very same file has been published already."""
    kept = repository.folder / (upload.filename or "")
    same = kept.is_file() and kept.read_bytes() == upload.stream.read()
    upload.stream.seek(0)
    return same


class Hosted:
    """Pass requests on to the pypiserver of a repository."""

    def __init__(self) -> None:
        """Start without an instance."""
        self._apps: dict[Path, WSGIApplication] = {}
        self._lock = threading.Lock()

    def answer(self, repository: Repository, body: bytes | None = None) -> Response:
        """Let pypiserver answer the current request, with the path from the repository on.

        :param body: what the request held, if it has been read already
        """
        environ = dict(request.environ)
        # Whoever gets here has been let in; pypiserver logs its environment, so the token ends here.
        environ.pop("HTTP_AUTHORIZATION", None)
        prefix = f"/{repository.domain_name}-{repository.domain_owner}/pypi/{repository.name}"
        environ["SCRIPT_NAME"] += prefix
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
        if body is not None:
            environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return Response.from_app(self._app(repository.folder), environ)

    def _app(self, folder: Path) -> WSGIApplication:
        # pypiserver builds an instance by mutating its module, so two must not be built at once.
        with self._lock:
            if folder not in self._apps:
                settings: dict[str, Any] = {"roots": [folder], "hash_algo": "sha256", "disable_fallback": True}
                # It would answer 403 to a wrong password where CodeArtifact answers 401: index.py guards it.
                settings |= {"authenticate": [], "password_file": "."}
                self._apps[folder] = pypiserver.app(**settings)
            return self._apps[folder]
