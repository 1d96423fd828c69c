"""A short login to a CodeArtifact repository with the AWS CLI: its endpoint and a token."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.console import waiting

if TYPE_CHECKING:
    from infra.cli.aws import Aws

SHORTEST_SECONDS = "900"  # the shortest lifetime that CodeArtifact grants a token, and STS a session


@dataclass(frozen=True)
class RepositoryLogin:
    """An endpoint and a token for it; its repr does not contain the token.

    :param endpoint: the repository's endpoint.
    :param token: the secret.
    """

    endpoint: str
    token: str = field(repr=False)


def log_in(aws: Aws, domain: str, repository: str, owner: str = "") -> RepositoryLogin:
    """Mint a token that expires after 15 minutes, and ask for the repository's endpoint.

    :param aws: the runner, with the credentials of the identity that logs in.
    :param domain: the domain.
    :param repository: the repository.
    :param owner: the domain owner's account (default: the caller's).
    :raises AwsError: if AWS refuses.
    """
    place = ("--domain", domain, *(("--domain-owner", owner) if owner else ()))
    calls = [
        aws.start("codeartifact", "get-authorization-token", *place, "--duration-seconds", SHORTEST_SECONDS),
        aws.start("codeartifact", "get-repository-endpoint", *place, "--repository", repository, "--format", "pypi"),
    ]
    with calls[0], calls[1], waiting("asking CodeArtifact"):
        token, endpoint = [json.loads(aws.finish(call)) for call in calls]
    return RepositoryLogin(endpoint["repositoryEndpoint"], token["authorizationToken"])
