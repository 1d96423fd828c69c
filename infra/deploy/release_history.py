"""The record of releases and their verdicts, from which `make rollback` chooses.

A release is a set of object versions. The record is in the same bucket as the objects, the newest release last; a
rollback is a release, too. Entries from before verdicts were recorded have two versions and no verdict.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.aws import Aws

KEY = "releases.json"
VERSIONS = (
    "PluginsS3ObjectVersion",
    "RequirementsS3ObjectVersion",
    "StartupScriptS3ObjectVersion",
    "RefresherS3ObjectVersion",
)
_KEPT = 50


def released(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the release that parameters or a recorded entry contain.

    :param parameters: by name; empty if there is no stack yet.
    """
    return {name: parameters[name] for name in VERSIONS if name in parameters}


def last_release(aws: Aws, bucket: str) -> dict[str, Any] | None:
    """Return the newest release, or None if there is none.

    Its keys are the versions, `at` (UTC), `verdict` ("good", "bad", or "none": pip's result is not known) and, if the
    verdict is not good, `reason`.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    """
    entries = read(aws, bucket)
    return {"verdict": "none", **entries[-1]} if entries else None


def begin(aws: Aws, bucket: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Record a release before it is set, because it may fail or be interrupted.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param before: the deployed release; empty for a new environment.
    :param after: the new release.
    """
    entries = read(aws, bucket)
    if before and not any(_same(entry, before) for entry in entries):
        entries.append(dict(before))  # it was set by other means, so its verdict is not known
    entries.append({**after, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "verdict": "none"})
    _write(aws, bucket, entries)


def conclude(aws: Aws, bucket: str, release: Mapping[str, str], verdict: str, reason: str = "") -> None:
    """Record a release's verdict.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param release: its versions.
    :param verdict: good, bad or none.
    :param reason: one sentence, if the verdict is not good (default: none).
    """
    entries = read(aws, bucket)
    if not entries or not _same(entries[-1], release):
        entries.append({**release, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    entries[-1].pop("reason", None)
    entries[-1] |= {"verdict": verdict, **({"reason": reason} if reason else {})}
    _write(aws, bucket, entries)


def way_back(entries: list[dict[str, Any]], current: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the last release before the newest one that worked, or None if none is known.

    If none has a good verdict, the last one without a verdict is returned. A release that was set again by a rollback
    counts at its first position, so each further rollback goes further back.

    :param entries: the recorded releases.
    :param current: the environment's versions.
    """
    known = any(_same(entry, current) for entry in entries)
    first = next(place for place, entry in enumerate(entries) if _same(entry, entries[-1])) if known else len(entries)
    others = [entry for entry in entries[:first] if entry.get("verdict") != "bad"]
    return next((entry for entry in reversed(others) if entry.get("verdict") == "good"), others[-1] if others else None)


def verdict_of(entries: list[dict[str, Any]], release: Mapping[str, str]) -> tuple[str, str]:
    """Return a release's recorded verdict and reason; its refresher.zip is not compared.

    :param entries: the recorded releases.
    :param release: its versions.
    """
    wanted = {name: version for name, version in released(release).items() if name != "RefresherS3ObjectVersion"}
    same = (entry for entry in reversed(entries) if wanted and wanted.items() <= entry.items())
    known: dict[str, Any] = next(same, {})
    return known.get("verdict", "none"), known.get("reason", "")


def read(aws: Aws, bucket: str) -> list[dict[str, Any]]:
    """Return all recorded releases, the newest last.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    """
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, KEY)
        try:
            aws.call("s3api", "get-object", "--bucket", bucket, "--key", KEY, str(body))
        except AwsError as error:
            if error.code not in {"NoSuchKey", "NoSuchBucket"}:
                raise
            return []
        entries: list[dict[str, Any]] = json.loads(body.read_text(encoding="utf-8"))
        return entries


def _write(aws: Aws, bucket: str, entries: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, KEY)
        body.write_text(json.dumps(entries[-_KEPT:], indent=2) + "\n", encoding="utf-8")
        options = ["--key", KEY, "--body", str(body), "--content-type", "application/json"]
        aws.call("s3api", "put-object", "--bucket", bucket, *options)


def _same(entry: Mapping[str, Any], release: Mapping[str, str]) -> bool:
    """Return whether an entry and a release are the same; an old entry has fewer versions."""
    shared = released(entry).keys() & released(release).keys()
    return bool(shared) and all(entry[name] == release[name] for name in shared)
