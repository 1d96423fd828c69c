"""The kept versions of the index-url file, without the secret in any of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mwaa_codeartifact.core.errors import DestinationError, aws_code, aws_errors
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_s3 import S3Client

# Two days of hourly refreshes are 48 versions; with more versions, a shorter time is shown.
_MAX_VERSIONS = 150
_HEADS_AT_ONCE = 8
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """One kept version of the index-url file.

    :param stored_at: when it was written to the destination, UTC.
    :param facts: from its metadata; None if no refresher wrote it, and for a deletion.
    :param is_deletion: whether it is a deletion of the file (default: False).
    """

    stored_at: datetime
    facts: LineFacts | None
    is_deletion: bool = False


class S3History:
    """The versions of an S3 object; each gets one HEAD, because a version never changes.

    :param s3: client in the bucket's region.
    :param bucket: a versioned bucket.
    :param key: the object's key.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._facts: dict[str, LineFacts | None] = {}

    def versions(self, since: datetime) -> list[Version]:
        """Return the version that was current at a moment, and all later ones, the oldest first.

        :param since: the moment, UTC.
        :raises DestinationError: if the versions could not be read.
        """
        with aws_errors(
            DestinationError,
            attempt="list the versions of the index-url file",
            subject=f"s3://{self._bucket}/{self._key}",
            action="s3:GetObjectVersion and, on the bucket, s3:ListBucketVersions",
        ):
            listed = self._list(since)
            self._read_facts([entry["VersionId"] for entry in listed if not _is_deletion(entry)])
        versions: list[Version] = []
        for entry in listed:
            stored_at = entry["LastModified"]
            if _is_deletion(entry):
                versions.insert(0, Version(stored_at=stored_at, facts=None, is_deletion=True))
            elif entry["VersionId"] in self._facts:
                versions.insert(0, Version(stored_at=stored_at, facts=self._facts[entry["VersionId"]]))
            else:
                break  # it has been removed since the listing, like all older versions
        return versions

    def _list(self, since: datetime) -> list[Any]:
        """List versions and delete markers, the newest first, back to the one that was current at that moment."""
        # The first page has the newest thousand (API: ListObjectVersions).
        answer = self._s3.list_object_versions(Bucket=self._bucket, Prefix=self._key)
        entries = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        entries = [entry for entry in entries if entry["Key"] == self._key]
        entries.sort(key=lambda entry: (entry["LastModified"], entry["IsLatest"]), reverse=True)
        newer = sum(entry["LastModified"] > since for entry in entries)
        return entries[: min(newer + 1, _MAX_VERSIONS)]

    def _read_facts(self, ids: list[str]) -> None:
        """HEAD each version that is not known yet; remove the others from memory."""
        # "null" is the only version in a bucket that keeps no versions, and it changes.
        known = {name: facts for name, facts in self._facts.items() if name in ids and name != "null"}
        missing = [name for name in ids if name not in known]
        if missing:
            with ThreadPoolExecutor(_HEADS_AT_ONCE) as pool:
                for answer in pool.map(self._head, missing):
                    known |= answer
        self._facts = known

    def _head(self, version_id: str) -> dict[str, LineFacts | None]:
        try:
            answer = self._s3.head_object(Bucket=self._bucket, Key=self._key, VersionId=version_id)
        except ClientError as error:
            if aws_code(error) in _ABSENT:
                return {}
            raise
        return {version_id: LineFacts.from_metadata(answer["Metadata"])}


def _is_deletion(entry: Any) -> bool:
    return "Size" not in entry
