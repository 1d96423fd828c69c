"""The startup script's refresher: see that pip finds a live index-url before it runs.

Thin, and free of Airflow: looks at a copy of the container's index-url file, else lets the refresh protocol run with
the container's role; where S3 is of no use, on that copy alone. requirements/startup.sh puts the copy in place.
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
from mwaa_codeartifact.core.index_url import LineFacts, Token, format_time
from mwaa_codeartifact.core.policy import STARTUP_MIN_REMAINING, is_fresh
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import read_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mwaa_codeartifact.core.refresh import RefreshResult
    from mwaa_codeartifact.core.target import Target

# Both S3 and CodeArtifact may hang and yet it ends by itself, before the script's 17 s are over.
_CLIENT_CONFIG = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
_http_get = partial(http_get, tries=2, patience=2)
_INDEX_URL = re.compile(r"^\s*(?:-i|--index-url)[\s=]+(\S+)", re.MULTILINE)


def ensure_index_url(environ: Mapping[str, str]) -> str:
    """See that pip finds a live line, and return what was done in one sentence, without the token.

    The startup script goes by how it begins: "index-url alive", "fetched", "refreshed" or "not refreshed".

    :param environ: environment variables: AIRFLOW_HOME, in which dags/codeartifact.txt may be written, and
        AIRFLOW__CODEARTIFACT__DOMAIN and the like; those of boto3 count as the process has them.
    """
    path = Path(environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    try:
        target = read_target(
            lambda name: environ.get(f"AIRFLOW__CODEARTIFACT__{name.upper()}"), named="codeartifact.{}".format
        )
        return _look(path, target) or _mend(path, target)
    except (CodeArtifactError, OSError) as error:
        left = "the line that is there is kept" if path.exists() else "there is no line"
        return f"index-url not refreshed, {left}: {error}"


def _look(path: Path, target: Target) -> str | None:
    """Return why the container's copy counts as alive; None when it does not."""
    body = path.read_text(errors="replace") if path.exists() else ""
    facts = LineFacts.from_body(body)
    if not facts:
        return "index-url alive, the repository answers to it" if _answers(body) else None
    if is_fresh(facts, target.repository, min_remaining=STARTUP_MIN_REMAINING, now=datetime.now(UTC)):
        return f"index-url alive, {_life(facts)}"
    return None


def _answers(body: str) -> bool:
    """Ask the repository about a line that does not tell its own expiry: an older tool or a person wrote it."""
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


def _mend(path: Path, target: Target) -> str:
    """Run the protocol on S3 and fetch what stands there then; where S3 is of no use, run it on the copy alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connections = BotoConnections(boto3.Session().client, config=_CLIENT_CONFIG, http_get=_http_get)
    try:
        result = _refresh(target, connections)
        _fetch(connections, target, path)
    except DestinationError as error:
        result = _refresh(replace(target, destination=path.as_uri()), connections)
        return f"index-url refreshed in this container only, {_life(result.facts)}: {error}"
    except (MintError, VerifyError):
        # What stands there may still have its last minutes; and where there is no file at all, pip does not even begin.
        with suppress(DestinationError):
            _fetch(connections, target, path)
        raise
    return f"index-url {'refreshed' if result.state == 'published' else 'fetched'}, {_life(result.facts)}"


def _refresh(target: Target, connections: BotoConnections) -> RefreshResult:
    return refresh(target, refresher="startup", min_remaining=STARTUP_MIN_REMAINING, connections=connections)


def _fetch(connections: BotoConnections, target: Target, path: Path) -> None:
    """Do what the 30-second sync would do, now: copy the file from S3, mode 0600, replaced atomically."""
    location = S3Location.parse(target.destination)
    if not location:
        raise DestinationError("fetch the index-url", target.destination, "give an s3:// URI as the destination")
    with aws_errors(DestinationError, attempt="fetch the index-url", subject=target.destination, action="s3:GetObject"):
        body = connections.s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
    with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
        temporary.write(body)
    Path(temporary.name).replace(path)


def _life(facts: LineFacts) -> str:
    return f"lives until {format_time(facts.token_expires_at)} (refreshed by {facts.refreshed_by})"
