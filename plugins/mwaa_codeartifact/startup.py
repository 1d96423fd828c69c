"""The startup script's refresher: see that pip finds a live index-url before it runs.

Thin, and free of Airflow: looks at a copy of the container's index-url file, else lets the refresh protocol run with
the container's role; where S3 is of no use, on that copy alone. requirements/startup.sh puts the copy in place.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mwaa_codeartifact.core.codeartifact import verify
from mwaa_codeartifact.core.connections import Clients, http_get
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError, MintError, VerifyError
from mwaa_codeartifact.core.index_url import LineFacts, Token, format_time
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mwaa_codeartifact.core.refresh import RefreshResult

# MWAA gives pip 9 minutes: the token must outlive them.
_MIN_REMAINING = timedelta(minutes=10)
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
        target = Target.from_settings(
            {field.name: environ.get(f"AIRFLOW__CODEARTIFACT__{field.name.upper()}") for field in fields(Target)},
            named="codeartifact.{}".format,
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
    if facts.repository == target.repository_id and facts.token_expires_at - datetime.now(UTC) >= _MIN_REMAINING:
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
    session = boto3.Session()
    clients = Clients(
        codeartifact=session.client("codeartifact", region_name=target.region, config=_CLIENT_CONFIG),
        s3=session.client("s3", config=_CLIENT_CONFIG),
        http_get=_http_get,
    )
    try:
        result = _refresh(target, clients)
        _fetch(clients, target, path)
    except DestinationError as error:
        result = _refresh(replace(target, destination=path.as_uri()), clients)
        return f"index-url refreshed in this container only, {_life(result.facts)}: {error}"
    except (MintError, VerifyError):
        # What stands there may still have its last minutes; and where there is no file at all, pip does not even begin.
        with suppress(DestinationError):
            _fetch(clients, target, path)
        raise
    return f"index-url {'refreshed' if result.state == 'published' else 'fetched'}, {_life(result.facts)}"


def _refresh(target: Target, clients: Clients) -> RefreshResult:
    return refresh(target, refresher="startup", min_remaining=_MIN_REMAINING, clients=clients)


def _fetch(clients: Clients, target: Target, path: Path) -> None:
    """Do what the 30-second sync would do, now: copy the file from S3, mode 0600, replaced atomically."""
    place = urlsplit(target.destination)
    try:
        body = clients.s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise DestinationError.from_aws(
            error, attempt="fetch the index-url", subject=target.destination, action="s3:GetObject"
        ) from error
    with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
        temporary.write(body)
    Path(temporary.name).replace(path)


def _life(facts: LineFacts) -> str:
    return f"lives until {format_time(facts.token_expires_at)} (refreshed by {facts.refreshed_by})"
