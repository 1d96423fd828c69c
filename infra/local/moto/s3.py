"""What moto's AWS::S3::Bucket lacks: versioning and the public access block from the template, and TLS in policies."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, s3_backends

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_create: Any = FakeBucket.create_from_cloudformation_json.__func__


def install() -> None:
    """Replace what is lacking."""
    FakeBucket.create_from_cloudformation_json = classmethod(_create_with_settings)
    FakeBucket.get_permission = _get_permission


def one_put_at_a_time(app: WSGIApplication) -> WSGIApplication:
    """Let S3 decide a conditional write at one moment: moto looks first and writes later.

    :param app: moto.
    """
    lock = threading.Lock()

    def serialized(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock if environ["REQUEST_METHOD"] == "PUT" else nullcontext():
            return app(environ, start_response)

    return serialized


def _create_with_settings(
    cls: type[FakeBucket],
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    *args: str,
    **kwargs: Any,
) -> FakeBucket:
    bucket: FakeBucket = _create(cls, resource_name, cloudformation_json, account_id, *args, **kwargs)
    properties, backend = cloudformation_json["Properties"], s3_backends[account_id]["aws"]
    if "VersioningConfiguration" in properties:
        backend.put_bucket_versioning(bucket.name, properties["VersioningConfiguration"]["Status"])
    if "PublicAccessBlockConfiguration" in properties:
        backend.put_public_access_block(bucket.name, properties["PublicAccessBlockConfiguration"])
    return bucket


def _get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """Evaluate the bucket's policy; the way to 127.0.0.1 counts as TLS, which moto does not look at."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    no_tls = {"Bool": {"aws:SecureTransport": "false"}}
    policy["Statement"] = [statement for statement in policy["Statement"] if statement.get("Condition") != no_tls]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)
