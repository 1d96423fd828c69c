"""The startup script's refresher: pip must find a valid index-url when it runs.

It imports no Airflow. It checks a copy of the container's index-url file. If the line in it is not fresh, it runs the
refresh protocol with the container's role: on S3, or on the copy only if S3 cannot be used. Afterwards,
requirements/startup.sh moves the copy to its place.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config

from mwaa_codeartifact.core.codeartifact import verify
from mwaa_codeartifact.core.connections import BotoConnections, http_get
from mwaa_codeartifact.core.destinations import S3Location
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError, MintError, VerifyError, aws_errors
from mwaa_codeartifact.core.freshness import is_fresh
from mwaa_codeartifact.core.index_url import LineFacts, Token, format_time
from mwaa_codeartifact.core.policy import STARTUP_MIN_REMAINING
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import read_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mwaa_codeartifact.core.refresh import RefreshResult
    from mwaa_codeartifact.core.target import Target

# Even if both S3 and CodeArtifact hang, these limits end the refresh before the script's timeout of 17 s.
_CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
_http_get = partial(http_get, tries=2, patience=2)
_INDEX_URL = re.compile(r"^\s*(?:-i|--index-url)[\s=]+(\S+)", re.MULTILINE)


def ensure_index_url(environ: Mapping[str, str]) -> str:
    """Check the container's line, and refresh it if it is not fresh.

    :param environ: environment variables: AIRFLOW_HOME, in which dags/codeartifact.txt may be written, and
        AIRFLOW__CODEARTIFACT__DOMAIN etc. boto3 reads its own variables from the process.
    :returns: one sentence about what was done, without the token. The startup script reads its first words:
        "index-url alive", "index-url fetched", "index-url refreshed" or "index-url not refreshed".
    """
    path = Path(environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    try:
        target = read_target(
            lambda name: environ.get(f"AIRFLOW__CODEARTIFACT__{name.upper()}"), named="codeartifact.{}".format
        )
        return _why_fresh(path, target) or _refresh_copy(path, target)
    except (CodeArtifactError, OSError) as error:
        left = "the line that is there is kept" if path.exists() else "there is no line"
        return f"index-url not refreshed, {left}: {error}"


def _why_fresh(path: Path, target: Target) -> str | None:
    """Return one sentence that says why the container's line counts as fresh, or None if it does not."""
    body = path.read_text(errors="replace") if path.exists() else ""
    facts = LineFacts.from_body(body)
    if not facts:
        return "index-url alive, the repository answers to it" if _is_accepted(body) else None
    if is_fresh(facts, target.repository.id, min_remaining=STARTUP_MIN_REMAINING, now=datetime.now(UTC)):
        return f"index-url alive, {_validity(facts)}"
    return None


def _is_accepted(body: str) -> bool:
    """Return whether the repository accepts the token of a line without facts (an older tool or a person wrote it)."""
    found = _INDEX_URL.search(body)
    try:
        url = urlsplit(found[1] if found else "")
        token = Token(unquote(url.password or ""), expires_at=datetime.now(UTC))
        index = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
        if not token.value:
            return False
        verify(partial(_http_get, tries=1), index.rstrip("/").removesuffix("/simple"), token)
    except (ValueError, VerifyError):
        return False
    return True


def _refresh_copy(path: Path, target: Target) -> str:
    """Refresh the line in S3 and copy it from there; if S3 cannot be used, refresh the copy only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connections = BotoConnections(boto3.Session().client, config=_CLIENT_CONFIG, http_get=_http_get)
    try:
        result = _refresh(target, connections)
        _fetch(connections, target, path)
    except DestinationError as error:
        result = _refresh(replace(target, destination=path.as_uri()), connections)
        return f"index-url refreshed in this container only, {_validity(result.facts)}: {error}"
    except (MintError, VerifyError):
        # The line in S3 may still be valid for some minutes; and without any file, pip does not even begin.
        with suppress(DestinationError):
            _fetch(connections, target, path)
        raise
    return f"index-url {'refreshed' if result.state == 'published' else 'fetched'}, {_validity(result.facts)}"


def _refresh(target: Target, connections: BotoConnections) -> RefreshResult:
    return refresh(target, refresher="startup", min_remaining=STARTUP_MIN_REMAINING, connections=connections)


def _fetch(connections: BotoConnections, target: Target, path: Path) -> None:
    """Copy the file from S3 (mode 0600, replaced in one step) without waiting for the 30-second sync."""
    location = S3Location.parse(target.destination)
    if not location:
        raise DestinationError("fetch the index-url", target.destination, "give an s3:// URI as the destination")
    with aws_errors(DestinationError, attempt="fetch the index-url", subject=target.destination, action="s3:GetObject"):
        body = connections.s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
    with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
        temporary.write(body)
    Path(temporary.name).replace(path)


def _validity(facts: LineFacts) -> str:
    return f"valid until {format_time(facts.token_expires_at)} (refreshed by {facts.refreshed_by})"
