"""The first lines of a program: which AWS it acts on, and which settings come from the shell instead of .env."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra import ROOT
from infra.cli.console import say
from infra.cli.program import CommandError
from infra.cli.settings import pascal, settable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.aws import Aws
    from infra.cli.templates import Template

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CONNECT_SECONDS = 3


class AnnouncementError(CommandError):
    """The shell points to a local AWS that does not answer."""


def env_file(shell: Mapping[str, str]) -> Path:
    """Return the settings file: .env, or the file that ENV_FILE names (with `make local`, an empty one).

    :param shell: the process environment.
    """
    return Path(shell.get("ENV_FILE") or ROOT / ".env")


def announce(aws: Aws, shell: Mapping[str, str], templates: Mapping[str, Template]) -> None:
    """Print the AWS that the program acts on, and the settings of the shell, if any.

    :param aws: the runner that the program uses.
    :param shell: the process environment.
    :param templates: all templates.
    :raises AnnouncementError: if the shell points to a local AWS that does not answer.
    :raises AwsError: if AWS does not accept the credentials.
    """
    if urlsplit(aws.endpoint_url).hostname in _LOOPBACK:
        _require_answer(aws.endpoint_url)
        not_read = "; .env is not read" if "ENV_FILE" in shell else ""
        say(f"acting on the local AWS at {aws.endpoint_url} (AWS_ENDPOINT_URL{not_read})")
    else:
        where = f"at {aws.endpoint_url} (AWS_ENDPOINT_URL)" if aws.endpoint_url else f"in {aws.region}"
        say(f"acting on the AWS account {aws.call('sts', 'get-caller-identity')['Account']} {where}")
    known = settable(templates)
    names = sorted(name for name in shell if shell[name] and (name.startswith("AWS_") or pascal(name) in known))
    if names and "ENV_FILE" not in shell:
        say(f"settings from the shell, which win over .env: {', '.join(names)}")


def _require_answer(endpoint_url: str) -> None:
    parts = urlsplit(endpoint_url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_SECONDS).close()
    except OSError as error:
        raise AnnouncementError(
            f"AWS_ENDPOINT_URL of this shell points to a local AWS that does not run ({endpoint_url}): open a new "
            "shell to act on AWS, or run `make local` and source .local/aws.env again."
        ) from error
