"""What moto's AWS::S3::Bucket lacks: versioning and the public access block from the template, and one evaluation."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import PermissionResult
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
    if "LifecycleConfiguration" in properties:
        rules = [{"ID": rule.get("Id"), **rule} for rule in properties["LifecycleConfiguration"]["Rules"]]
        backend.put_bucket_lifecycle_configuration(bucket.name, rules)
    return bucket


def _get_permission(*_: Any) -> PermissionResult:
    """Leave the bucket's policy to Iam.guard, which has asked already, and evaluates conditions and principals."""
    return PermissionResult.NEUTRAL
