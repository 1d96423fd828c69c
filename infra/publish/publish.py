"""Upload one distribution as the publisher, whose token only twine receives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from infra.cli.aws import Aws
from infra.cli.console import say, waiting
from infra.cli.index_client import IndexClient, IndexClientError
from infra.cli.repository_login import SHORTEST_SECONDS, RepositoryLogin, log_in
from infra.deploy.stacks import outputs, parameters_of
from infra.publish.distribution import PublishError
from mwaa_codeartifact.core.index_url import simple_url

if TYPE_CHECKING:
    from infra.cli.settings import Settings
    from infra.publish.distribution import Distribution

_STATUS = re.compile(r"HTTPError: (\d{3})")


def publish(aws: Aws, settings: Settings, distribution: Distribution) -> None:
    """Publish a file, unless the identical file is published already.

    :param aws: the runner, with credentials that may assume the publisher's role.
    :param settings: the settings.
    :param distribution: the file.
    :raises PublishError: if the stack, the name or the version does not allow it.
    :raises AwsError: if AWS refuses.
    """
    stack = settings.stack_name("repository")
    deployed = outputs(aws, stack)
    if "PublisherRoleArn" not in deployed:
        raise PublishError(f"{stack} is not deployed, or is older than the publisher's role: run `make deploy` first.")
    _require_in_house(distribution.name, parameters_of(aws, stack)["InHousePackages"])
    publisher = _assume(aws, settings, deployed["PublisherRoleArn"])
    login = log_in(publisher, deployed["DomainName"], deployed["RepositoryName"], deployed["DomainOwner"])
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
    """Return whether a list of in-house names covers a name, as the template's package groups do.

    :param name: normalized.
    :param patterns: the value of InHousePackages, such as acme-*,other.
    """
    prefixes = (pattern.removesuffix("-*") for pattern in patterns.split(",") if pattern.endswith("-*"))
    return name in patterns.split(",") or any(f"{name}-".startswith(f"{prefix}-") for prefix in prefixes)


def _require_in_house(name: str, patterns: str) -> None:
    if not patterns.strip(","):
        say(f"IN_HOUSE_PACKAGES is empty: until {name} is published, a public package of that name can be installed.")
    elif not is_in_house(name, patterns):
        raise PublishError(
            f"{name} is not among the in-house packages ({patterns.strip(',')}), and all others come from the public "
            "index only: add it to IN_HOUSE_PACKAGES and run `make deploy`, or rename the package."
        )


def _assume(aws: Aws, settings: Settings, role_arn: str) -> Aws:
    session = ("--role-session-name", "publish", "--duration-seconds", SHORTEST_SECONDS)
    keys = aws.call("sts", "assume-role", "--role-arn", role_arn, *session)["Credentials"]
    credentials = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    return Aws(settings.region, {**settings.environ, **credentials})


def _published(login: RepositoryLogin, distribution: Distribution) -> str | None:
    """Return the SHA-256 of the published file of that name; None if there is none, or the index does not state it."""
    try:
        with IndexClient(simple_url(login.endpoint), ("aws", login.token)) as client:
            files = client.files(distribution.name) or []
    except IndexClientError as error:
        raise PublishError(
            f"The repository {login.endpoint} did not list the published files of {distribution.name} "
            f"({error.reason}): check the network to it."
        ) from error
    same_name = (file for file in files if file.filename == distribution.path.name)
    return next((file.digests["sha256"] for file in same_name if "sha256" in file.digests), None)


def _upload(login: RepositoryLogin, distribution: Distribution) -> None:
    """Run twine, with the token in its environment only.

    twine does not support `--skip-existing` for CodeArtifact, which answers 200 to the same file and 409 to another.
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
    output = ended.stdout.replace(login.token, "****")
    status = _STATUS.search(output)
    if status and status[1] == "409":
        raise PublishError(_another_content(distribution))
    for line in output.splitlines():
        say(f"  {line.rstrip()}")
    if status and status[1] == "403":
        raise PublishError(
            f"CodeArtifact refuses {distribution.name} (403, see above): a package group blocks its publication, or a "
            "policy denies it to the publisher."
        )
    raise PublishError(f"twine could not upload {distribution.path.name}, see above.")


def _another_content(distribution: Distribution) -> str:
    return (
        f"{distribution.name} {distribution.version} is published already, and {distribution.path.name} is not that "
        "file: raise the version and publish again (a published file never changes)."
    )
