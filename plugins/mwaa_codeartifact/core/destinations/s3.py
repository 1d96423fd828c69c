"""The index-url file as an object in the environment's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mwaa_codeartifact.core.destinations import ConflictError, StoredFile
from mwaa_codeartifact.core.errors import DestinationError, aws_code, aws_errors
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.index_url import IndexUrlFile

_ABSENT = {"404", "NoSuchKey"}
# 412; 409 in a race; 404 if the object of the If-Match header no longer exists (S3 user guide: conditional writes).
_CONFLICT = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


class S3Destination:
    """A destination that stores the index-url file as an S3 object.

    :param s3: the client.
    :param bucket: a versioned bucket.
    :param key: the object's key.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self.uri = f"s3://{bucket}/{key}"
        self._s3, self._bucket, self._key = s3, bucket, key
        _support_if_match(s3)

    def head(self) -> StoredFile | None:
        """HEAD the object."""
        with aws_errors(
            DestinationError,
            attempt="see how fresh the index-url is",
            subject=self.uri,
            action="s3:GetObject and, on the bucket, s3:ListBucket",
        ):
            try:
                answer = self._s3.head_object(Bucket=self._bucket, Key=self._key)
            except ClientError as error:
                if aws_code(error) in _ABSENT:
                    return None
                raise
        version_id = answer.get("VersionId", "null")
        return StoredFile(
            etag=answer["ETag"],
            facts=LineFacts.from_metadata(answer["Metadata"]),
            recoverable=version_id != "null",
            version_id=version_id,
        )

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> str | None:
        """PUT the object with If-Match or If-None-Match (S3 user guide: conditional writes)."""
        condition: dict[str, Any] = {"IfMatch": replacing.etag} if replacing else {"IfNoneMatch": "*"}
        with aws_errors(DestinationError, attempt="publish the index-url", subject=self.uri, action="s3:PutObject"):
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._key,
                    Body=file.render(),
                    ContentType="text/plain; charset=utf-8",
                    Metadata=file.facts.to_metadata(),
                    **condition,
                )
            except ClientError as error:
                if aws_code(error) in _CONFLICT:
                    raise ConflictError from error.with_traceback(None)
                raise
        return answer.get("VersionId")


def _support_if_match(s3: S3Client) -> None:
    """Add PutObject's parameter IfMatch to a botocore without it (before 1.35.69; MWAA 2.10.3 has 1.35.36)."""
    shape = s3.meta.service_model.operation_model("PutObject").input_shape
    if shape and "IfMatch" not in shape.members:
        events: Any = s3.meta.events
        events.register("provide-client-params.s3.PutObject", _take_if_match, unique_id="take-if-match")
        events.register("before-call.s3.PutObject", _send_if_match, unique_id="send-if-match")


def _take_if_match(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    context["if_match"] = params.get("IfMatch")
    return {name: value for name, value in params.items() if name != "IfMatch"}


def _send_if_match(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    if context["if_match"]:
        params["headers"]["If-Match"] = context["if_match"]
