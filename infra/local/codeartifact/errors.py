"""Errors of the CodeArtifact API, under the names and HTTP statuses that its service model gives them."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar


class CodeArtifactError(Exception):
    """An answer of the CodeArtifact API that is an error."""

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]


class ResourceNotFoundError(CodeArtifactError):
    """The domain or repository does not exist."""

    code = "ResourceNotFoundException"
    status = HTTPStatus.NOT_FOUND


class ValidationError(CodeArtifactError):
    """A parameter is missing or malformed."""

    code = "ValidationException"
    status = HTTPStatus.BAD_REQUEST


class ConflictError(CodeArtifactError):
    """The request does not fit the state that the resource is in."""

    code = "ConflictException"
    status = HTTPStatus.CONFLICT


class AccessDeniedError(CodeArtifactError):
    """The caller's policies do not allow it."""

    code, status = "AccessDeniedException", HTTPStatus.FORBIDDEN
