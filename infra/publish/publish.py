"""Upload one distribution as the publisher, whose tokens go nowhere else than to twine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError

from infra.cli.aws import Aws
from infra.cli.console import say, waiting
from infra.deploy.stacks import outputs, parameters_of
from infra.publish.distribution import PublishError
from mwaa_codeartifact.core.index_url import simple_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.settings import Settings
    from infra.publish.distribution import Distribution

_LIFETIME = "900"  # seconds, of the session and of the token: the shortest that both STS and CodeArtifact grant
_PAGE_SECONDS = 30
_STATUS = re.compile(r"HTTPError: (\d{3})")


class _Login(NamedTuple):
    """Hold what twine needs; a tuple's repr would show the token."""

    endpoint: str
    token: str

    def __repr__(self) -> str:
        return f"_Login({self.endpoint!r})"


def publish(aws: Aws, settings: Settings, distribution: Distribution) -> None:
    """Publish a file, unless the very same one is published already.

    :param aws: the runner, with the credentials of somebody who may assume the publisher's role.
    :param settings: the settings.
    :param distribution: what.
    :raises PublishError: if the stack, the name or the version does not allow it.
    :raises AwsError: if AWS does not.
    """
    stack = settings.stack_name("repository")
    deployed = outputs(aws, stack)
    if "PublisherRoleArn" not in deployed:
        raise PublishError(f"{stack} is not deployed, or from before there was a publisher: run `make deploy` first.")
    _require_in_house(distribution.name, parameters_of(aws, stack)["InHousePackages"])
    login = _login(_assume(aws, settings, deployed["PublisherRoleArn"]), deployed)
    what = f"{distribution.name} {distribution.version} ({distribution.path.name})"
    published = _published(login, distribution)
    if published == distribution.sha256:
        say(f"nothing to do: {what} is published already, byte for byte")
        return
    if published:
        raise PublishError(_another_content(distribution))
    _upload(login, distribution)
    say(f"published {what} in {deployed['DomainName']}/{deployed['RepositoryName']}")


def is_in_house(name: str, patterns: str) -> bool:
    """Tell whether a list of in-house names covers a name, as the template makes package groups of it.

    :param name: normalized.
    :param patterns: the value of InHousePackages, such as acme-*,other.
    """
    prefixes = (pattern.removesuffix("-*") for pattern in patterns.split(",") if pattern.endswith("-*"))
    return name in patterns.split(",") or any(f"{name}-".startswith(f"{prefix}-") for prefix in prefixes)


def _require_in_house(name: str, patterns: str) -> None:
    if not patterns.strip(","):
        say(
            f"IN_HOUSE_PACKAGES is empty: until {name} is published, the public index could give a package of its name."
        )
    elif not is_in_house(name, patterns):
        raise PublishError(
            f"{name} is not among the in-house packages ({patterns.strip(',')}), all others come from the public index "
            "only: add it to IN_HOUSE_PACKAGES and run `make deploy`, or rename the package."
        )


def _assume(aws: Aws, settings: Settings, role_arn: str) -> Aws:
    session = ("--role-session-name", "publish", "--duration-seconds", _LIFETIME)
    keys = aws.call("sts", "assume-role", "--role-arn", role_arn, *session)["Credentials"]
    credentials = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    return Aws(settings.region, {**settings.environ, **credentials})


def _login(publisher: Aws, deployed: Mapping[str, str]) -> _Login:
    domain = ("--domain", deployed["DomainName"], "--domain-owner", deployed["DomainOwner"])
    repository = ("--repository", deployed["RepositoryName"], "--format", "pypi")
    calls = [
        publisher.start("codeartifact", "get-authorization-token", *domain, "--duration-seconds", _LIFETIME),
        publisher.start("codeartifact", "get-repository-endpoint", *domain, *repository),
    ]
    with waiting("asking CodeArtifact"):
        token, endpoint = [json.loads(publisher.finish(call)) for call in calls]
    return _Login(endpoint["repositoryEndpoint"], token["authorizationToken"])


def _published(login: _Login, distribution: Distribution) -> str | None:
    """Give the digest of the published file of that name; None if there is none, or the repository does not tell."""
    with PyPISimple(simple_url(login.endpoint), auth=("aws", login.token)) as client:
        try:
            files = client.get_project_page(distribution.name, timeout=_PAGE_SECONDS).packages
        except NoSuchProjectError:
            return None
        except (requests.RequestException, ValueError, UnsupportedRepoVersionError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            raise PublishError(
                f"The repository {login.endpoint} does not tell what is published of {distribution.name} "
                f"({status or type(error).__name__}): check the network to it."
            ) from error
    same_name = (file for file in files if file.filename == distribution.path.name)
    return next((file.digests["sha256"] for file in same_name if "sha256" in file.digests), None)


def _upload(login: _Login, distribution: Distribution) -> None:
    """Run twine, with the token in its environment only.

    Its `--skip-existing` is refused for CodeArtifact, which answers 200 to the same file and 409 to another one.
    """
    command = [
        sys.executable,
        "-m",
        "twine",
        "--no-color",
        "upload",
        "--non-interactive",
        "--disable-progress-bar",
        "--verbose",
    ]
    command += ["--repository-url", login.endpoint, str(distribution.path)]
    # Twine breaks its lines at the terminal's width.
    environ = {**os.environ, "TWINE_USERNAME": "aws", "TWINE_PASSWORD": login.token, "COLUMNS": "500"}
    with waiting(f"uploading {distribution.path.name}"):
        ended = subprocess.run(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if not ended.returncode:
        return
    told = ended.stdout.replace(login.token, "****")
    status = _STATUS.search(told)
    if status and status[1] == "409":
        raise PublishError(_another_content(distribution))
    for line in told.splitlines():
        say(f"  {line.rstrip()}")
    if status and status[1] == "403":
        raise PublishError(
            f"CodeArtifact refuses {distribution.name} (403, see above): a package group blocks its publication, or a "
            "policy denies it to the publisher."
        )
    raise PublishError(f"twine could not upload {distribution.path.name}: see above.")


def _another_content(distribution: Distribution) -> str:
    return (
        f"{distribution.name} {distribution.version} is published already, and {distribution.path.name} is not that "
        "file: raise the version and publish again (a published file never changes)."
    )
