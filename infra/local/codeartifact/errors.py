"""Errors of the CodeArtifact API, under the names and HTTP statuses that its service model gives them."""

from __future__ import annotations

from http import HTTPStatus


class ApiError(Exception):
    """CodeArtifact answers with an error."""

    code, status = "InternalServerException", HTTPStatus.INTERNAL_SERVER_ERROR


class ResourceNotFoundError(ApiError):
    """What is asked for does not exist."""

    code, status = "ResourceNotFoundException", HTTPStatus.NOT_FOUND


class ValidationError(ApiError):
    """A parameter is missing or malformed."""

    code, status = "ValidationException", HTTPStatus.BAD_REQUEST


class ConflictError(ApiError):
    """The request does not fit the state that the resource is in."""

    code, status = "ConflictException", HTTPStatus.CONFLICT


class AccessDeniedError(ApiError):
    """The caller's policies, or a package group, do not allow it."""

    code, status = "AccessDeniedException", HTTPStatus.FORBIDDEN
