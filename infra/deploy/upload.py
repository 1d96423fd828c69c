"""Upload the files that the environment reads, each only if its content has changed."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from infra.build import sources, write_startup_script
from infra.cli.aws import AwsError
from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from infra.cli.aws import Aws

DAGS = "dags/"
INDEX_URL_KEY = "dags/codeartifact.txt"
REFRESHER_KEY = "lambda/refresher.zip"
# The objects that MWAA and Lambda read by version: key, and the parameter that takes the version.
PARTS = {
    "plugins.zip": "PluginsS3ObjectVersion",
    "requirements.txt": "RequirementsS3ObjectVersion",
    "startup.sh": "StartupScriptS3ObjectVersion",
    REFRESHER_KEY: "RefresherS3ObjectVersion",
}


class Stored(NamedTuple):
    """The object version that contains a file's content.

    :param version_id: the version.
    :param changed: whether it is new.
    """

    version_id: str
    changed: bool


def upload(aws: Aws, bucket: str, requirements: Path, root: Path) -> tuple[dict[str, str], bool]:
    """Upload everything; return the parameters for later stacks, and whether anything was new.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param requirements: the file to upload as requirements.txt.
    :param root: the project's directory.
    :raises AwsError: if the bucket is missing or not versioned.
    """
    require_versioned(aws, bucket)
    dags_changed = upload_dags(aws, bucket, root / "dags")
    stored = upload_parts(aws, bucket, PARTS, requirements, root)
    parameters = {PARTS[key]: each.version_id for key, each in stored.items()}
    parameters["RefresherS3Key"] = REFRESHER_KEY
    return parameters, dags_changed or any(each.changed for each in stored.values())


def upload_parts(
    aws: Aws, bucket: str, keys: Collection[str], requirements: Path, root: Path, *, always: Collection[str] = ()
) -> dict[str, Stored]:
    """Upload some of PARTS, and return their object versions by key; startup.sh always with its current program.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param keys: of PARTS.
    :param requirements: the file to upload as requirements.txt.
    :param root: the project's directory.
    :param always: keys that get a new version even if their content is the same (default: none).
    """
    if "startup.sh" in keys:
        write_startup_script(root)
    files = {
        "plugins.zip": root / "build" / "plugins.zip",
        "requirements.txt": requirements,
        "startup.sh": root / "requirements" / "startup.sh",
        REFRESHER_KEY: root / "build" / "refresher.zip",
    }
    stored = {key: put_if_changed(aws, bucket, key, files[key], always=key in always) for key in keys}
    for key, each in stored.items():
        say(f"{key}: {'uploaded' if each.changed else 'unchanged'}")
    return stored


def upload_dags(aws: Aws, bucket: str, folder: Path) -> bool:
    """Upload the DAGs, leave other files in the bucket alone, and return whether anything was new.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    :param folder: the local dags folder.
    """
    local = {DAGS + file.relative_to(folder).as_posix(): file for file in sources(folder)}
    local.pop(INDEX_URL_KEY, None)
    listing = aws.call("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", DAGS) or {}
    there = {item["Key"] for item in listing.get("Contents") or []}
    others = sorted(key for key in there - local.keys() - {INDEX_URL_KEY} if not key.endswith("/"))
    if others:
        say(f"left alone in the bucket, not in {folder.name}/ here: {', '.join(others)}")
    new = [key for key, path in local.items() if put_if_changed(aws, bucket, key, path).changed]
    say(f"{DAGS}: {len(new)} of {len(local)} files uploaded" if new else f"{DAGS}: {len(local)} files unchanged")
    return bool(new)


def put_if_changed(aws: Aws, bucket: str, key: str, path: Path, *, always: bool = False) -> Stored:
    """Upload a file unless the object has its content already, and return the object's version.

    :param aws: the runner.
    :param bucket: the bucket.
    :param key: the object's key; never the index-url file's, which belongs to the refreshers.
    :param path: the file.
    :param always: whether to upload even if the content is the same (default: no).
    """
    if key == INDEX_URL_KEY:
        raise ValueError(f"{key} is written by refreshers only")
    digest = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    place = ["--bucket", bucket, "--key", key]
    try:
        there = aws.call("s3api", "head-object", *place, "--checksum-mode", "ENABLED")
    except AwsError as error:
        if error.code not in {"404", "NoSuchKey"}:
            raise
        there = {}
    if not always and there.get("ChecksumSHA256") == digest and there.get("VersionId", "null") != "null":
        return Stored(there["VersionId"], changed=False)
    # S3 stores the checksum with the object (S3 user guide: checking object integrity).
    answer = aws.call("s3api", "put-object", *place, "--body", str(path), "--checksum-algorithm", "SHA256")
    return Stored(answer["VersionId"], changed=True)


def require_versioned(aws: Aws, bucket: str) -> None:
    """Raise an error if a bucket does not keep versions: MWAA and Lambda read objects by version.

    :param aws: the runner.
    :param bucket: the bucket.
    :raises AwsError: if the bucket is missing or not versioned.
    """
    operation = "GetBucketVersioning"
    try:
        answer = aws.call("s3api", "get-bucket-versioning", "--bucket", bucket) or {}
    except AwsError as error:
        if error.code != "NoSuchBucket":
            raise
        sentence = (
            f'The bucket "{bucket}" (BUCKET_NAME) does not exist: run `make deploy`, whose repository stack creates it.'
        )
        raise AwsError(sentence, operation=operation, code=error.code) from error
    if answer.get("Status") != "Enabled":
        sentence = (
            f'The bucket "{bucket}" (BUCKET_NAME) keeps no versions: turn versioning on, as the repository stack does.'
        )
        raise AwsError(sentence, operation=operation)
