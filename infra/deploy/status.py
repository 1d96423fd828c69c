"""`make status`: the stacks, the environment, the last release, and the index-url judged as on the status page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.cli.program import CommandError
from infra.cli.templates import STACKS
from infra.deploy import release_history
from infra.deploy.refresh_dag import refresh_dag
from infra.deploy.stacks import describe
from infra.deploy.upload import INDEX_URL_KEY
from mwaa_codeartifact.core.destinations import StoredFile
from mwaa_codeartifact.core.index_url import LineFacts, format_time
from mwaa_codeartifact.core.target import Domain, Repository, Target
from mwaa_codeartifact.status.verdict import USABLE, Judgement, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

_RELEASES = {
    "good": "good, pip installed it",
    "bad": "bad, pip or the update failed: packages are missing; fix it and `make release`, or `make rollback`",
    "none": "no verdict, pip's end was not seen: read the log streams requirements_install_… of the environment",
}


class StatusError(CommandError):
    """pip cannot install with the index-url, or it is not known whether it can."""


def status(aws: Aws, settings: Settings) -> None:
    """Print the state of the stacks, the environment, its last release and the index-url.

    :param aws: the runner.
    :param settings: the settings.
    :raises AwsError: if a part is not known; raised after all parts are printed.
    :raises StatusError: if the verdict on the index-url is stale or unknown.
    """
    found = {stack: describe(aws, settings.stack_name(stack)) for stack in STACKS}
    for stack, described in found.items():
        say(f"stack {settings.stack_name(stack)}: {described['StackStatus'] if described else 'not there'}")
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for described in found.values()
        for output in (described or {}).get("Outputs") or []
    }
    name, bucket = settings.environment_name, outputs.get("BucketName", settings.parameters["BucketName"])
    target = _target(settings.region, bucket, outputs)
    verdicts: list[Judgement] = []
    errors = [
        _show(f"environment {name}", lambda: _environment(aws, name)),
        _show(f"last release of {name}", lambda: _release(aws, bucket)),
        _show(
            f"index-url {target.destination if target else 'file'}",
            lambda: _index_url(aws, name, bucket, target, verdicts),
        ),
    ]
    first = next(filter(None, errors), None)
    if first:
        raise first
    if verdicts[0].verdict not in USABLE:
        raise StatusError(f"The index-url is {verdicts[0].verdict}: {verdicts[0].sentence}")


def _show(subject: str, look: Callable[[], str]) -> AwsError | None:
    """Print the result, or return the error so that the remaining parts are still printed."""
    try:
        say(f"{subject}: {look()}")
    except AwsError as error:
        say(f"{subject}: not known")
        return error
    return None


def _environment(aws: Aws, name: str) -> str:
    try:
        environment = aws.call("mwaa", "get-environment", "--name", name)["Environment"]
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return "not there"
    found = f"{environment['Status']}, Airflow {environment['AirflowVersion']}, {environment.get('WebserverUrl', '')}"
    update = environment.get("LastUpdate", {})
    # After a failed update MWAA returns to the last good configuration and is AVAILABLE (API: LastUpdate).
    if update.get("Status") == "FAILED" or update.get("Error"):
        reason = update.get("Error", {}).get("ErrorMessage", "MWAA gives no reason")
        found += f"\n  its LAST UPDATE FAILED, and it runs on with what it had before: {reason}"
    return found


def _release(aws: Aws, bucket: str) -> str:
    """Return the last release's time, verdict and reason."""
    release = release_history.last_release(aws, bucket)
    if not release:
        return "none is recorded"
    words = f"{release.get('at', 'at an unknown time')}, {_RELEASES[release['verdict']]}"
    return f"{words}\n  {release['reason']}" if release.get("reason") else words


def _target(region: str, bucket: str, outputs: dict[str, str]) -> Target | None:
    """Build the target from the stacks' outputs; None if there is no repository yet."""
    if not {"DomainName", "DomainOwner", "RepositoryName"} <= outputs.keys():
        return None
    domain = Domain(region=region, owner=outputs["DomainOwner"], name=outputs["DomainName"])
    return Target(
        repository=Repository(domain=domain, name=outputs["RepositoryName"]),
        destination=outputs.get("IndexUrlDestination", f"s3://{bucket}/{INDEX_URL_KEY}"),
    )


def _index_url(aws: Aws, environment: str, bucket: str, target: Target | None, verdicts: list[Judgement]) -> str:
    """Judge the line as the status page does, add the judgement to the verdicts, and return it in words."""
    if target is None:
        judgement = Judgement.unknown("settings missing", "The repository is not deployed: run `make deploy` first.")
        verdicts.append(judgement)
        return f"{judgement.verdict}: {judgement.sentence}"
    stored = _stored_file(aws, bucket)
    dag, problem = refresh_dag(aws, environment)
    now = datetime.now(UTC)
    judgement = judge(target, stored, dag, now)
    verdicts.append(judgement)
    lines = [f"{judgement.verdict}: {judgement.sentence}"]
    if stored and stored.facts:
        lines.append(_facts(stored.facts, now))
    if problem:
        lines.append(f"the refresh DAG: not known, Airflow could not be asked: {problem}")
    return "\n  ".join(lines)


def _stored_file(aws: Aws, bucket: str) -> StoredFile | None:
    """Return the file's ETag and facts (HEAD, so the secret is not read), or None if there is no file."""
    try:
        answer = aws.call("s3api", "head-object", "--bucket", bucket, "--key", INDEX_URL_KEY)
    except AwsError as error:
        if error.code != "404":
            raise
        return None
    facts = LineFacts.from_metadata(answer["Metadata"])
    return StoredFile(answer["ETag"], facts, recoverable="VersionId" in answer, version_id=answer.get("VersionId"))


def _facts(facts: LineFacts, now: datetime) -> str:
    hours = facts.remaining(now) / timedelta(hours=1)
    return (
        f"{f'{hours:.1f} h left' if hours > 0 else 'EXPIRED'}, token-expires-at {format_time(facts.token_expires_at)}, "
        f"refreshed-at {format_time(facts.refreshed_at)}, refreshed-by {facts.refreshed_by}"
    )
