"""The environment's bucket, as its containers read it: with the execution role, through the environment's network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Bucket:
    """Read a bucket.

    :param aws: environment variables by which a container finds AWS and its role's credentials.
    """

    def __init__(self, name: str, aws: Mapping[str, str]) -> None:
        keys = (aws["AWS_ACCESS_KEY_ID"], aws["AWS_SECRET_ACCESS_KEY"], aws.get("AWS_SESSION_TOKEN"))
        session: Any = boto3.Session(*keys, region_name=aws["AWS_REGION"])
        config = Config(proxies={"http": aws["HTTP_PROXY"]} if "HTTP_PROXY" in aws else {})
        self._bucket = session.resource("s3", endpoint_url=aws["AWS_ENDPOINT_URL"], config=config).Bucket(name)

    def download(self, key: str, version: str, path: Path) -> None:
        """Write a version of an object, the latest for an empty id, to a file."""
        body = self._bucket.Object(key).get(**({"VersionId": version} if version else {}))["Body"].read()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(body)
        new.replace(path)

    def mirror(self, prefix: str, folder: Path) -> None:
        """Make a folder's files those below a prefix: what was written in the folder only does not outlive this."""
        found = [each for each in self._bucket.objects.filter(Prefix=f"{prefix}/") if not each.key.endswith("/")]
        objects = {folder / each.key.removeprefix(f"{prefix}/"): each for each in found}
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.rglob("*"):
            if path.is_file() and path.parent.name != "__pycache__" and path not in objects:
                path.unlink(missing_ok=True)
        for path, each in objects.items():
            # The ETag of what came in one part is its MD5 sum.
            if not path.is_file() or hashlib.md5(path.read_bytes()).hexdigest() != each.e_tag.strip('"'):  # noqa: S324
                self.download(each.key, "", path)
