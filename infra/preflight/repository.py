"""The CodeArtifact repository as an index, opened with the deployer's credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from infra.cli.aws import AwsError
from infra.cli.repository_login import log_in
from infra.preflight.index import Index
from infra.preflight.problems import CannotCheckError
from mwaa_codeartifact.core.index_url import simple_url

if TYPE_CHECKING:
    import subprocess

    from infra.preflight.settings import Repository


def open_repository(repository: Repository, ca_bundle: str | None) -> tuple[Index, frozenset[str] | None]:
    """Open the repository with a token of its own.

    :param repository: which.
    :param ca_bundle: path of the CA certificates.
    :returns: the index, and the names that are published in the repository itself; None if AWS does not list them.
    :raises CannotCheckError: if it cannot be opened.
    """
    place = ("--domain", repository.domain, "--repository", repository.name, "--format", "pypi")
    # Packages whose first version was published here: upstream is blocked (user guide, "Package origin controls").
    with repository.aws.start("codeartifact", "list-packages", *place, "--upstream", "BLOCK") as listing:
        try:
            login = log_in(repository.aws, repository.domain, repository.name)
        except AwsError as error:
            raise CannotCheckError(_sentence(repository, error)) from error
        index = Index(simple_url(login.endpoint), ("aws", login.token), ca_bundle)
        return index, _in_house(repository, listing)


def _in_house(repository: Repository, listing: subprocess.Popen[str]) -> frozenset[str] | None:
    try:
        packages = json.loads(repository.aws.finish(listing))["packages"]
    except AwsError:
        return None
    blocked = [each for each in packages if each["originConfiguration"]["restrictions"]["upstream"] == "BLOCK"]
    return frozenset(str(canonicalize_name(each["package"])) for each in blocked)


def _sentence(repository: Repository, error: AwsError) -> str:
    if error.code == "ResourceNotFoundException":
        return (
            f"The repository {repository.name} of the domain {repository.domain} does not exist: run `make deploy`, "
            "which creates it, or set PREFLIGHT_INDEX_URL to another index."
        )
    return str(error)
