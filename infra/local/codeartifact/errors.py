"""Errors of the CodeArtifact API, with the names and HTTP statuses of its service model."""

from __future__ import annotations

from http import HTTPStatus


class ApiError(Exception):
    """CodeArtifact responds with an error."""

    code, status = "InternalServerException", HTTPStatus.INTERNAL_SERVER_ERROR


class ResourceNotFoundError(ApiError):
    """The requested resource does not exist."""

    code, status = "ResourceNotFoundException", HTTPStatus.NOT_FOUND


class ValidationError(ApiError):
    """A parameter is missing or malformed."""

    code, status = "ValidationException", HTTPStatus.BAD_REQUEST


class ConflictError(ApiError):
    """The request conflicts with the state of the resource."""

    code, status = "ConflictException", HTTPStatus.CONFLICT


class AccessDeniedError(ApiError):
    """The caller's policies or a package group do not allow the request."""

    code, status = "AccessDeniedException", HTTPStatus.FORBIDDEN
