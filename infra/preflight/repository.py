"""The CodeArtifact repository as an index, opened with the deployer's credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from infra.cli.aws import AwsError
from infra.cli.console import waiting
from infra.preflight.index import Index
from infra.preflight.problems import CannotCheckError
from mwaa_codeartifact.core.index_url import simple_url

if TYPE_CHECKING:
    import subprocess

    from infra.preflight.settings import Repository

_LIFETIME = "900"  # seconds, the shortest that CodeArtifact grants


def open_repository(repository: Repository, ca_bundle: str | None) -> tuple[Index, frozenset[str] | None]:
    """Open the repository with a fresh token; list the packages that are published in it only, if AWS tells.

    :param repository: which.
    :param ca_bundle: path of the CA certificates.
    :raises CannotCheckError: if it cannot be opened.
    """
    domain = ("--domain", repository.domain)
    place = (*domain, "--repository", repository.name, "--format", "pypi")
    calls = [
        repository.aws.start("codeartifact", "get-authorization-token", *domain, "--duration-seconds", _LIFETIME),
        repository.aws.start("codeartifact", "get-repository-endpoint", *place),
        # First published here: upstream is blocked (CodeArtifact user guide: package origin controls).
        repository.aws.start("codeartifact", "list-packages", *place, "--upstream", "BLOCK"),
    ]
    with waiting("asking CodeArtifact"):
        token, endpoint, packages = [_answer(repository, call) for call in calls]
    for answer in (token, endpoint):
        if isinstance(answer, AwsError):
            raise CannotCheckError(_sentence(repository, answer)) from answer
    url = simple_url(endpoint["repositoryEndpoint"])
    index = Index(url, ("aws", token["authorizationToken"]), ca_bundle)
    return index, None if isinstance(packages, AwsError) else frozenset(
        map(_name, filter(_in_house, packages["packages"]))
    )


def _answer(repository: Repository, call: subprocess.Popen[str]) -> Any:
    try:
        return json.loads(repository.aws.finish(call))
    except AwsError as error:
        return error


def _sentence(repository: Repository, error: AwsError) -> str:
    if error.code == "ResourceNotFoundException":
        return (
            f"The repository {repository.name} of the domain {repository.domain} is not there: run `make deploy`, "
            "which makes it, or set PREFLIGHT_INDEX_URL to another index."
        )
    return str(error)


def _in_house(package: dict[str, Any]) -> bool:
    restrictions: dict[str, str] = package["originConfiguration"]["restrictions"]
    return restrictions["upstream"] == "BLOCK"


def _name(package: dict[str, Any]) -> str:
    return canonicalize_name(package["package"])
