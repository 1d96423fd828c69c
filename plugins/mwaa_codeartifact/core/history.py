"""What stood at the destination before: the kept versions of the index-url file, without the secret in any of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from mwaa_codeartifact.core.errors import DestinationError, aws_code
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_s3 import S3Client

# Two days of hourly refreshes are 48; whoever publishes more often sees a shorter past, not a slower page.
_MAX_VERSIONS = 150
_HEADS_AT_ONCE = 8
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """Describe one kept version of the index-url file.

    :param stored_at: when the destination got it, UTC.
    :param facts: what its metadata says; None when no refresher wrote it, and for a deletion.
    :param is_deletion: whether the file was deleted then: a delete marker (default: False).
    """

    stored_at: datetime
    facts: LineFacts | None
    is_deletion: bool = False


class S3History:
    """List an object's versions and HEAD each of them once: a version never changes.

    :param s3: client in the bucket's region.
    :param bucket: a versioned bucket.
    :param key: the object's key.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._facts: dict[str, LineFacts | None] = {}

    def versions(self, since: datetime) -> list[Version]:
        """Give what stood there at a moment and ever since, the oldest first.

        :param since: the moment, UTC.
        :raises DestinationError: when that cannot be told.
        """
        try:
            listed = self._listed(since)
            wanted = [entry["VersionId"] for entry in listed if "Size" in entry]
            # S3 calls every version of a bucket without versions "null": that one does change.
            known = {name: facts for name, facts in self._facts.items() if name in wanted and name != "null"}
            with ThreadPoolExecutor(_HEADS_AT_ONCE) as pool:
                missing = [name for name in wanted if name not in known]
                known |= {name: facts for name, facts in zip(missing, pool.map(self._head, missing), strict=True) if facts}
        except (BotoCoreError, ClientError) as error:
            raise DestinationError.from_aws(
                error,
                attempt="list the versions of the index-url file",
                subject=f"s3://{self._bucket}/{self._key}",
                action="s3:GetObjectVersion and, on the bucket, s3:ListBucketVersions",
            ) from error
        self._facts = known
        return known
