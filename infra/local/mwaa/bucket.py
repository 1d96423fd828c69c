"""The environment's bucket, as its containers read it: with the execution role, through the environment's network."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Bucket:
    """Read a bucket.

    :param name: which.
    :param aws: environment variables by which a container finds AWS and its role's credentials.
    """

    def __init__(self, name: str, aws: Mapping[str, str]) -> None:
        proxy = aws.get("HTTP_PROXY")
        session: Any = boto3.Session(
            aws["AWS_ACCESS_KEY_ID"],
            aws["AWS_SECRET_ACCESS_KEY"],
            aws.get("AWS_SESSION_TOKEN"),
            region_name=aws["AWS_REGION"],
        )
        config = Config(proxies={"http": proxy} if proxy else {})
        self._s3 = session.client("s3", endpoint_url=aws["AWS_ENDPOINT_URL"], config=config)
        self._name = name

    def download(self, key: str, version: str, path: Path) -> None:
        """Write a version of an object to a file.

        :param version: its id; empty for the latest.
        """
        versioned = {"VersionId": version} if version else {}
        body = self._s3.get_object(Bucket=self._name, Key=key, **versioned)["Body"].read()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(body)
        new.replace(path)

    def mirror(self, prefix: str, folder: Path) -> None:
        """Make a folder's files those below a prefix: what was written in the folder only does not outlive this."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=f"{prefix}/")
        objects = {
            found["Key"].removeprefix(f"{prefix}/"): found for page in pages for found in page.get("Contents", [])
        }
        folder.mkdir(parents=True, exist_ok=True)
        for root, _, files in os.walk(folder):
            for path in (folder / root / file for file in files):
                if path.parent.name != "__pycache__" and str(path.relative_to(folder)) not in objects:
                    path.unlink(missing_ok=True)
        for name, found in objects.items():
            if not name.endswith("/") and not _is_the_same(folder / name, found["ETag"].strip('"'), found["Size"]):
                self.download(f"{prefix}/{name}", "", folder / name)


def _is_the_same(path: Path, etag: str, size: int) -> bool:
    if not path.is_file():
        return False
    # The ETag of what came in one part is its MD5 sum.
    return path.stat().st_size == size if "-" in etag else hashlib.md5(path.read_bytes()).hexdigest() == etag  # noqa: S324
