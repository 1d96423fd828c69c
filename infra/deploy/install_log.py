"""What pip said while the containers of an environment started: MWAA itself keeps that to its logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.cli.aws import AwsError

if TYPE_CHECKING:
    from infra.cli.aws import Aws

_COMPONENTS = ("Worker", "Scheduler")
_STREAMS = "requirements_install"
_INSTALLED = "Successfully installed "
# pip's own last words mislead: what is found first here is the cause, and its sentence the translation.
_CAUSES = {
    "401 Error, Credentials not correct": (
        "the containers started on a dead index-url token, whatever pip says of conflicting dependencies: run "
        "`make refresh`, then `make requirements FORCE=1`, which starts them anew."
    ),
    "Could not open requirements file": (
        "the index-url file was not there: see `make status`, run `make refresh`, then `make requirements FORCE=1`."
    ),
    "No matching distribution found": (
        "the repository has no such package or version: correct its line in requirements.txt, or publish it."
    ),
    "conflicting dependencies": (
        "two requirements, or a requirement and a constraint, exclude each other: `make preflight` names them."
    ),
}


@dataclass(frozen=True)
class Installation:
    """Tell how pip fared.

    :param installed: names with versions, such as numpy-1.26.4.
    :param errors: pip's error lines.
    :param told: whether there was any log to read.
    """

    installed: tuple[str, ...]
    errors: tuple[str, ...]
    told: bool

    @property
    def cause(self) -> str:
        """Say in one sentence what went wrong, in our words where pip's mislead."""
        said = "\n".join(self.errors)
        known = next((sentence for words, sentence in _CAUSES.items() if words in said), None)
        return known or f"pip says: {self.errors[-1]}"


def read_installation(aws: Aws, environment_name: str, since_milliseconds: int) -> Installation:
    """Read the requirements-install logs of the containers that started since then.

    :param aws: the runner.
    :param environment_name: whose.
    :param since_milliseconds: a moment of Unix time, as CloudWatch Logs counts it.
    """
    lines = [
        line
        for component in _COMPONENTS
        for line in _lines(aws, f"airflow-{environment_name}-{component}", since_milliseconds)
    ]
    installed = {
        name for line in lines if line.startswith(_INSTALLED) for name in line.removeprefix(_INSTALLED).split()
    }
    errors = [line for line in lines if re.match(r"ERROR: |WARNING: 401 Error", line)]
    return Installation(tuple(sorted(installed)), tuple(dict.fromkeys(errors)), told=bool(lines))


def _lines(aws: Aws, group: str, since: int) -> list[str]:
    named = ["--log-group-name", group]
    try:
        streams = aws.call("logs", "describe-log-streams", *named, "--log-stream-name-prefix", _STREAMS)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return []
    lines = []
    for stream in streams["logStreams"]:
        if stream["creationTime"] >= since:
            name = stream["logStreamName"]
            answer = aws.call("logs", "get-log-events", *named, "--log-stream-name", name, "--start-from-head")
            lines += [event["message"].strip() for event in answer["events"]]
    return lines
