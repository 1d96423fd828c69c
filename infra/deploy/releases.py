"""What the environment was given, release by release: the way back for `make rollback`.

A release is a pair of object versions. The list stands in the bucket, beside what it names.
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
VERSIONS = ("PluginsS3ObjectVersion", "RequirementsS3ObjectVersion")
_KEPT = 50


def released(parameters: Mapping[str, str]) -> dict[str, str]:
    """Pick the release out of the parameters of the environment's stack.

    :param parameters: by name; empty where there is no stack yet.
    """
    return {name: parameters[name] for name in VERSIONS if name in parameters}


def previous(aws: Aws, bucket: str, current: Mapping[str, str]) -> dict[str, str] | None:
    """Give the release before the current one; None where none is known.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param current: the current release.
    """
    entries = [released(entry) for entry in _read(aws, bucket)]
    place = _last(entries, current)
    return entries[place - 1] if place else None


def record(aws: Aws, bucket: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Put a release after the one that it replaced; those that were rolled back before it are forgotten.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param before: the release until now, empty for a new environment.
    :param after: the release from now on.
    """
    entries = _read(aws, bucket)
    place = _last([released(entry) for entry in entries], before)
    if place is not None:
        entries = entries[: place + 1]
    elif before:
        entries.append(dict(before))
    entries.append({**after, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, KEY)
        body.write_text(json.dumps(entries[-_KEPT:], indent=2) + "\n", encoding="utf-8")
        options = ["--key", KEY, "--body", str(body), "--content-type", "application/json"]
        aws.call("s3api", "put-object", "--bucket", bucket, *options)


def _read(aws: Aws, bucket: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder, KEY)
        try:
            aws.call("s3api", "get-object", "--bucket", bucket, "--key", KEY, str(body))
        except AwsError as error:
            if error.code != "NoSuchKey":
                raise
            return []
        entries: list[dict[str, Any]] = json.loads(body.read_text(encoding="utf-8"))
        return entries


def _last(entries: list[dict[str, str]], wanted: Mapping[str, str]) -> int | None:
    found = [place for place, entry in enumerate(entries) if entry == wanted]
    return found[-1] if found else None
