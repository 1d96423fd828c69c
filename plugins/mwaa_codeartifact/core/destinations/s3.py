"""The index-url file as an object in the environment's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from mwaa_codeartifact.core.destinations import ConflictError, Standing
from mwaa_codeartifact.core.errors import DestinationError, aws_code
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.index_url import IndexUrlFile

_ABSENT = {"404", "NoSuchKey"}
# 412; 409 under a race; 404 when the object that If-Match named is gone (S3 user guide: conditional writes).
_CONFLICT = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


class S3Destination:
    """Keep the index-url file as an S3 object.

    :param s3: the client.
    :param bucket: a versioned bucket.
    :param key: the object's key.
    """

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self.uri = f"s3://{bucket}/{key}"
        self._s3, self._bucket, self._key = s3, bucket, key
        _teach_if_match(s3)

    def head(self) -> Standing | None:
        """HEAD the object."""
        try:
            answer = self._s3.head_object(Bucket=self._bucket, Key=self._key)
        except (BotoCoreError, ClientError) as error:
            if aws_code(error) in _ABSENT:
                return None
            raise DestinationError.from_aws(
                error,
                attempt="see how fresh the index-url is",
                subject=self.uri,
                action="s3:GetObject and, on the bucket, s3:ListBucket",
            ) from error
        version_id = answer.get("VersionId", "null")
        return Standing(
            etag=answer["ETag"],
            facts=LineFacts.from_metadata(answer["Metadata"]),
            recoverable=version_id != "null",
            version_id=version_id,
        )

    def put(self, file: IndexUrlFile, *, replacing: Standing | None) -> str | None:
        """PUT the object with If-Match or If-None-Match (S3 user guide: conditional writes)."""
        condition: dict[str, Any] = {"IfMatch": replacing.etag} if replacing else {"IfNoneMatch": "*"}
        try:
            answer = self._s3.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=file.render(),
                ContentType="text/plain; charset=utf-8",
                Metadata=file.facts.to_metadata(),
                **condition,
            )
        except (BotoCoreError, ClientError) as error:
            if aws_code(error) in _CONFLICT:
                raise ConflictError from error.with_traceback(None)
            raise DestinationError.from_aws(
                error, attempt="publish the index-url", subject=self.uri, action="s3:PutObject"
            ) from error
        return answer.get("VersionId")


def _teach_if_match(s3: S3Client) -> None:
    """Let PutObject take IfMatch where botocore does not know it yet (before 1.35.69; MWAA 2.10.3 has 1.35.36)."""
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
