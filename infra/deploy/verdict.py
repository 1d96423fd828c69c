"""Follow a change of the environment to MWAA's and pip's results, record the verdict, and fail if it is not good."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.console import say
from infra.cli.program import CommandError
from infra.deploy.environment import EnvironmentFailedError, follow, last_change, wait_until_idle
from infra.deploy.install_log import Installation, await_installation
from infra.deploy.pip_log import required_names
from infra.deploy.release_history import begin, conclude, last_release, read, released, verdict_of
from infra.deploy.stacks import StackError, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

# Parameters of the mwaa stack whose change restarts no container, as far as is known.
_WITHOUT_RESTART = frozenset(
    {"AlarmTopicArn", "LogRetentionDays", "MaxWorkers", "MinWorkers", "OwnLogGroups", "WorkerReplacementStrategy"}
)
_BACK = "`make rollback` goes back to the last release that worked."


class NotGoodError(CommandError):
    """A release that failed, or whose result is not known."""


@contextmanager
def released_and_judged(
    aws: Aws, settings: Settings, bucket: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[None]:
    """Record a release, run the block that updates the stacks, follow the environment to pip's verdict, and record it.

    The release is recorded first, because it may fail or be interrupted.

    :param aws: the runner.
    :param settings: the settings.
    :param bucket: the environment's bucket.
    :param before: the deployed versions; empty for a new environment.
    :param after: the new versions.
    :raises StackError: if a stack failed.
    :raises EnvironmentFailedError: if MWAA could not make the change.
    :raises NotGoodError: if pip failed or its result is not known.
    """
    new, stack = before != after, settings.stack_name("mwaa")
    known = verdict_of(read(aws, bucket), after)
    if new:
        begin(aws, bucket, before, after)
    change_before, parameters_before = last_change(aws, stack), parameters_of(aws, stack)
    if parameters_before:
        wait_until_idle(aws, settings.environment_name)
    if {**parameters_before, **settings.parameters}.get("WorkerReplacementStrategy") == "GRACEFUL":
        say("WORKER_REPLACEMENT_STRATEGY is GRACEFUL: an update waits for running tasks, for up to 12 hours")
    try:
        yield
    except StackError as error:
        if new:
            conclude(aws, bucket, after, "bad", str(error))
        raise
    began = last_change(aws, stack)
    if began is None or began == change_before:  # the environment did not change, or CloudFormation rolled it back
        if new:
            conclude(aws, bucket, after, *known)
        _take_up(aws, settings, bucket, after)
        return
    changed = {name for name, value in parameters_of(aws, stack).items() if parameters_before.get(name) != value}
    _follow_release(aws, settings.environment_name, bucket, after, began, restarts=bool(changed - _WITHOUT_RESTART))


def _take_up(aws: Aws, settings: Settings, bucket: str, release: Mapping[str, str]) -> None:
    """Follow the last release again if its result is not known.

    :raises CommandError: if it failed, now or before.
    """
    last = last_release(aws, bucket)
    if not last or last["verdict"] == "good" or released(last) != release:
        return
    if last["verdict"] == "bad":
        raise NotGoodError(
            f"This release of {last['at']} has failed: {last.get('reason')} Correct the files, release the same files "
            f"again with FORCE=1, or go back: {_BACK}"
        )
    began = last_change(aws, settings.stack_name("mwaa"))
    if began is not None:
        say(f"It is not known whether this release of {last['at']} worked: reading the logs again.")
        _follow_release(aws, settings.environment_name, bucket, release, began, restarts=True)


def _follow_release(
    aws: Aws, name: str, bucket: str, release: Mapping[str, str], began: int, *, restarts: bool
) -> None:
    """Follow the environment, print pip's verdict on the release, and record it.

    :param restarts: whether the change is known to restart every container; if not, a missing log is not an error.
    """
    try:
        environment = follow(aws, name)
    except EnvironmentFailedError as error:
        conclude(aws, bucket, release, "bad", str(error))
        raise EnvironmentFailedError(f"{error} {_BACK}") from error
    if environment.get("WebserverAccessMode") == "PRIVATE_ONLY":
        say(
            "The web server is PRIVATE_ONLY and cannot reach the index-url while it installs: its pip is not judged. "
            "Put packages that the UI itself needs into plugins.zip as wheels."
        )
    required = required_names(_requirements(aws, bucket, environment, release))
    found = await_installation(aws, environment, began, required)
    if not restarts and found.verdict != "bad":
        say("new containers have started, and none failed" if found.outcomes else "no new container has started")
        return
    conclude(aws, bucket, release, found.verdict, "" if found.verdict == "good" else found.reason)
    _print_verdict(found)


def _print_verdict(found: Installation) -> None:
    """Print pip's verdict.

    :raises NotGoodError: if it is not good.
    """
    if found.verdict == "good":
        say(f"installed: {', '.join(found.installed) or 'nothing new, the image has all of it'}")
        return
    for line in found.errors:
        say(f"  {line}")
    if found.verdict == "bad":
        raise NotGoodError(f"pip failed on the containers: {found.reason} {_BACK}")
    raise NotGoodError(
        f"No verdict: {found.reason}. It is not known whether the packages are installed: read these logs in "
        f"CloudWatch. The same command reads them again; {_BACK}"
    )


def _requirements(aws: Aws, bucket: str, environment: Mapping[str, Any], release: Mapping[str, str]) -> str:
    """Return the text of the release's requirements.txt."""
    if not (version := release.get("RequirementsS3ObjectVersion")):
        return ""
    place = ["--bucket", bucket, "--key", environment.get("RequirementsS3Path", "requirements.txt")]
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, "requirements.txt")
        aws.call("s3api", "get-object", *place, "--version-id", version, str(body))
        return body.read_text(encoding="utf-8", errors="replace")
