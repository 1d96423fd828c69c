"""The program in requirements/startup.sh: it checks the container's index-url before pip runs, and refreshes it.

`make build` pastes this file, and the core modules that it imports, into requirements/startup.sh. So the program also
works while the plugins are not unpacked. Edit it here, then run `make build`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.freshness import is_fresh
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, Token, format_time
from mwaa_codeartifact.core.policy import STARTUP_MIN_REMAINING, TOKEN_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Until pip has begun: MWAA gives the rest of the script and its own check of it 4 min 55 s each.
_GUARD_SECONDS = 600
# Runs as root: it writes standard input to a new file, gives that to the calling user and moves it to its place.
_REPLACE = """
folder=${1%/*} new=${1%/*}/.${1##*/}.new
mkdir -p "$folder" && umask 077 && cat >"$new" && chown "$2" "$new" && mv -f "$new" "$1" || { rm -f "$new"; false; }
"""


def main() -> None:
    """Check and if necessary refresh the container's index-url file; print the result in one line."""
    watchdog = threading.Timer(18, os._exit, [124])  # where the command `timeout` does not exist
    watchdog.daemon = True
    watchdog.start()
    logging.disable()  # the script prints one line only
    path = Path(os.environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    sys.path.append(os.environ["AIRFLOW_HOME"] + "/plugins")
    ensure, suffix = without_plugins, " (without the plugins)"
    with suppress(Exception):  # the plugins are not unpacked yet, or only in part
        from mwaa_codeartifact.startup import ensure_index_url

        ensure, suffix = ensure_index_url, ""
    try:
        message = _refresh(path, ensure)
    except Exception as error:  # noqa: BLE001  (the container must start, and the error's text may contain a secret)
        message = f"index-url not refreshed: {type(error).__name__}"
    print(f"startup: {message}{suffix}")  # noqa: T201  (the one line for the startup script's log)


def _refresh(path: Path, ensure: Callable[[Mapping[str, str]], str]) -> str:
    """Run a refresher on a copy of the file, in a temporary folder; then move the result to the file's place.

    :returns: one sentence about what was done.
    """
    before = _read(path)
    with TemporaryDirectory() as folder:
        copy = Path(folder, "dags", path.name)
        copy.parent.mkdir()
        if before is not None:
            copy.write_bytes(before)
        message = ensure({**os.environ, "AIRFLOW_HOME": folder})
        line = _read(copy)
    if line is None or line == before:
        return message
    try:
        with suppress(PermissionError):
            path.parent.mkdir(parents=True, exist_ok=True)
        message += _replace(path, line)
    except OSError as error:
        fix = f"let this user write to {path.parent}"
        if message.startswith(("index-url refreshed, ", "index-url fetched")):
            fix += ", or let `sleep 60` follow in startup.sh: the sync brings the line of S3 within 30 seconds"
            return f"index-url alive in S3, but not in this container: {error}: {fix}"
        return f"index-url not refreshed: {error}: {fix}; {message.partition(': ')[2]}".removesuffix("; ")
    if message.startswith("index-url refreshed"):
        _start_guard(path, line)
    return message


def without_plugins(environ: Mapping[str, str]) -> str:
    """Fetch the line from S3; if that line is stale too, mint a token for this container only.

    Only the refresh protocol replaces the line in S3; this function never does.

    :param environ: environment variables, see ``mwaa_codeartifact.startup.ensure_index_url``.
    :returns: one sentence about what was done.
    """
    import boto3
    from botocore.config import Config

    def setting(option: str) -> str:
        return environ["AIRFLOW__CODEARTIFACT__" + option.upper()]

    path = Path(environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    # In the form of Repository.id.
    repository = "/".join(map(setting, ("region", "domain_owner", "domain", "repository")))
    if outlives_pip(_read(path), repository):
        return "index-url alive"
    config = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
    bucket, _, key = setting("destination").removeprefix("s3://").partition("/")
    with suppress(Exception):  # a token for this container only works without S3
        s3 = boto3.client("s3", config=config)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    if outlives_pip(_read(path), repository):
        return "index-url fetched"
    codeartifact = boto3.client("codeartifact", region_name=setting("region"), config=config)
    domain, owner, name = setting("domain"), setting("domain_owner"), setting("repository")
    found = codeartifact.get_repository_endpoint(domain=domain, domainOwner=owner, repository=name, format="pypi")
    minted = codeartifact.get_authorization_token(
        domain=domain, domainOwner=owner, durationSeconds=int(TOKEN_LIFETIME.total_seconds())
    )
    token = Token(minted["authorizationToken"], minted["expiration"].replace(microsecond=0))
    path.write_bytes(new_file(found["repositoryEndpoint"], token, repository, datetime.now(UTC)).render())
    return f"index-url refreshed in this container only, valid until {format_time(token.expires_at)}"


def new_file(endpoint: str, token: Token, repository: str, now: datetime) -> IndexUrlFile:
    """Build an index-url file with all facts, so that the next refresher recognises it.

    :param endpoint: the repository's endpoint, from CodeArtifact.
    :param token: the token of the line.
    :param repository: the repository's id.
    :param now: the current time, UTC.
    """
    facts = LineFacts(
        token_expires_at=token.expires_at,
        refreshed_at=now,
        refreshed_by="startup",
        token_fingerprint=token.fingerprint,
        repository=repository,
    )
    return IndexUrlFile(endpoint, token, facts)


def outlives_pip(body: bytes | None, repository: str) -> bool:
    """Return whether a line serves the repository and its token outlives pip.

    :param body: the index-url file's content, or None if there is no file.
    :param repository: the repository's id.
    """
    facts = LineFacts.from_body((body or b"").decode(errors="replace"))
    return is_fresh(facts, repository, min_remaining=STARTUP_MIN_REMAINING, now=datetime.now(UTC))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # it does not exist, or this user cannot read it, and then pip cannot read it either
        return None


def _replace(path: Path, body: bytes) -> str:
    """Replace the file in one step, mode 0600; as root if this user cannot (MWAA's user `airflow` has sudo).

    :returns: an addition to the message.
    :raises OSError: if the file cannot be written.
    """
    try:
        with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
            temporary.write(body)
        Path(temporary.name).replace(path)
    except (PermissionError, FileNotFoundError) as error:
        refused = error
    else:
        return ""
    command = ["sudo", "-n", "sh", "-c", _REPLACE, "sh", str(path), f"{os.getuid()}:{os.getgid()}"]
    try:
        sudo = subprocess.run(command, input=body, capture_output=True, timeout=3, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OSError(f"{refused}, and sudo fails ({type(error).__name__})") from error
    if sudo.returncode:
        raise OSError(f"{refused}, and sudo fails ({sudo.stderr.decode(errors='replace').strip()})")
    return ", written with sudo"


def _start_guard(path: Path, line: bytes) -> None:
    """Start the guard in the background, because a sync before pip begins may copy the expired line from S3 again."""
    # orig_argv[2] is this program, in `python3 -c PROGRAM`.
    command = [sys.executable, "-c", sys.orig_argv[2], str(path)]
    guard = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    if guard.stdin:
        guard.stdin.write(line)
        guard.stdin.close()


def guard(path: Path, line: bytes) -> None:
    """Write the line again whenever a stale one replaces it; end after a fresh one, or after ten minutes.

    :param path: the container's index-url file.
    :param line: its content.
    """
    facts = LineFacts.from_body(line.decode())
    repository = facts.repository if facts else ""
    end = time.monotonic() + _GUARD_SECONDS
    while outlives_pip(line, repository) and time.monotonic() < end and path.parent.is_dir():
        found = _read(path)
        if found != line:
            if outlives_pip(found, repository):
                break
            _replace(path, line)
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:]:
        guard(Path(sys.argv[1]), sys.stdin.buffer.read())
    else:
        main()
