"""Errors of the CodeArtifact API, under the names and HTTP statuses that its service model gives them."""

from __future__ import annotations

from http import HTTPStatus


class CodeArtifactError(Exception):
    """CodeArtifact answers with an error."""

    code, status = "InternalServerException", HTTPStatus.INTERNAL_SERVER_ERROR


class ResourceNotFoundError(CodeArtifactError):
    """What is asked for does not exist."""

    code, status = "ResourceNotFoundException", HTTPStatus.NOT_FOUND


class ValidationError(CodeArtifactError):
    """A parameter is missing or malformed."""

    code, status = "ValidationException", HTTPStatus.BAD_REQUEST


class ConflictError(CodeArtifactError):
    """The request does not fit the state that the resource is in."""

    code, status = "ConflictException", HTTPStatus.CONFLICT


class AccessDeniedError(CodeArtifactError):
    """The caller's policies, or a package group, do not allow it."""

    code, status = "AccessDeniedException", HTTPStatus.FORBIDDEN
