#!/bin/bash
# The last line of defence: on every container, before pip runs, make sure that dags/codeartifact.txt has a valid
# index-url.
#
# MWAA sources this file and keeps the environment variables of its shell; a container whose shell ends early is
# unhealthy. So: no `set -e`, no `exit`, no exported variable; everything runs in a subshell, ends within 20 seconds
# whatever hangs, and prints one line. You can add your own startup commands at the end.
#
# The program between the two PYTHON lines is written by `make build`, from plugins/mwaa_codeartifact/startup_alone.py.
(
    limit=()
    command -v timeout >/dev/null && limit=(timeout --kill-after=1 17)
    IFS= read -r -d '' program <<'PYTHON' || true
# Written by `make build`: edit the files that are named below, not this copy.
from __future__ import annotations


# From plugins/mwaa_codeartifact/core/policy.py
"""The thresholds of the project, each with its reason.

Everything else imports these. Only the template infra/cloudformation/refresher.yaml has a copy, which a test compares.
"""


from datetime import timedelta

# The longest lifetime that CodeArtifact grants (API reference, GetAuthorizationToken, durationSeconds).
TOKEN_LIFETIME = timedelta(hours=12)

# The schedule of the refresh DAG, @hourly.
DAG_INTERVAL = timedelta(hours=1)

# The DAG refreshes at nearly every run, so it is normally the only writer; 11 h always remain.
DAG_MIN_REMAINING = timedelta(hours=11, minutes=30)

# The Lambda runs every 30 minutes and writes only when the DAG has missed runs; 8 h remain on the Lambda alone.
LAMBDA_MIN_REMAINING = timedelta(hours=9)

# The startup script runs before pip, which MWAA stops after 9 minutes: the token must be valid for longer.
STARTUP_MIN_REMAINING = timedelta(minutes=10)

# The sensor's default: time for the tasks behind it to install their packages.
SENSOR_MIN_REMAINING = timedelta(minutes=30)

# A line in its last second counts as expired, whatever remaining lifetime is asked for.
SHORTEST_REMAINING = timedelta(seconds=1)

# A token may be valid for this much less than the caller needs before a warning: the mint and the clocks take time.
LIFETIME_TOLERANCE = timedelta(minutes=1)

# While the DAG's runs succeed, 11 h remain: less than this shows that it has missed a run.
DAG_MISSED_BELOW = timedelta(hours=10)

# After two intervals without a success, at least one run of the DAG is missing or has failed.
DAG_WITHOUT_SUCCESS = 2 * DAG_INTERVAL

# A busy scheduler may start a run late, and it schedules the next run some seconds after the last one has ended.
DAG_MAY_BE_LATE = timedelta(minutes=10)


def in_hours(duration: timedelta) -> str:
    """Return a duration in hours as text, such as ``11.5``.

    :param duration: the duration.
    """
    return f"{duration / timedelta(hours=1):g}"


# From plugins/mwaa_codeartifact/core/index_url.py
"""The index-url file, which pip, people and all refreshers read.

Body: a comment line with the facts, then ``--index-url https://aws:TOKEN@HOST/pypi/REPOSITORY/simple/``. The same facts
are in the S3 object's metadata, so the expiry can be read without the secret.
"""


import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


@dataclass(frozen=True)
class Token:
    """A CodeArtifact authorization token; its repr does not contain its value.

    :param value: the secret.
    :param expires_at: its expiry, UTC.
    """

    value: str = field(repr=False)
    expires_at: datetime

    @property
    def fingerprint(self) -> str:
        """Return the first 12 hex digits of its SHA-256, which identify the token without showing it."""
        return hashlib.sha256(self.value.encode()).hexdigest()[:12]

    def remaining(self, now: datetime) -> timedelta:
        """Return the remaining lifetime; negative after the expiry.

        :param now: UTC.
        """
        return self.expires_at - now


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """The facts of a published line, without the secret.

    :param token_expires_at: expiry of the token in the line, UTC.
    :param refreshed_at: when the line was published, UTC.
    :param refreshed_by: the refresher, ``dag``, ``lambda`` or ``startup``.
    :param token_fingerprint: see :attr:`Token.fingerprint`.
    :param repository: id of the repository that the line serves, see :attr:`Repository.id`.
    """

    token_expires_at: datetime
    refreshed_at: datetime
    refreshed_by: str
    token_fingerprint: str
    repository: str

    def remaining(self, now: datetime) -> timedelta:
        """Return the remaining lifetime of the line's token; negative after its expiry.

        :param now: UTC.
        """
        return self.token_expires_at - now

    def serves(self, repository_id: str) -> bool:
        """Return whether the line serves a repository; a line of another repository counts as stale.

        :param repository_id: the repository's id.
        """
        return self.repository == repository_id

    def to_metadata(self) -> dict[str, str]:
        """Return the facts as S3 object metadata."""
        return {
            "token-expires-at": format_time(self.token_expires_at),
            "refreshed-at": format_time(self.refreshed_at),
            "refreshed-by": self.refreshed_by,
            "token-fingerprint": self.token_fingerprint,
            "repository": self.repository,
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Parse S3 object metadata; return None if it is incomplete or invalid: such a line counts as stale."""
        try:
            return cls(
                token_expires_at=_parse_time(metadata["token-expires-at"]),
                refreshed_at=_parse_time(metadata["refreshed-at"]),
                refreshed_by=metadata["refreshed-by"],
                token_fingerprint=metadata["token-fingerprint"],
                repository=metadata["repository"],
            )
        except (KeyError, ValueError):
            return None

    @classmethod
    def from_body(cls, body: str) -> Self | None:
        """Parse the comment line, for destinations without object metadata; return None as above."""
        comment = body.partition("\n")[0]
        return cls.from_metadata(dict(re.findall(r"([a-z-]+)=([^\s,]+)", comment)))


@dataclass(frozen=True)
class IndexUrlFile:
    """The content of an index-url file; only the rendered bytes contain the secret.

    :param endpoint: the repository's endpoint, as CodeArtifact returns it.
    :param token: the token in the line.
    :param facts: the facts in the comment line.
    """

    endpoint: str
    token: Token
    facts: LineFacts

    def render(self) -> bytes:
        """Return the file's bytes. Store them in no variable: a traceback with locals would show it."""
        comment = ", ".join(f"{name}={value}" for name, value in self.facts.to_metadata().items())
        url = urlsplit(simple_url(self.endpoint))
        index_url = url._replace(netloc=f"aws:{quote(self.token.value, safe='')}@{url.netloc}").geturl()
        return f"# CodeArtifact index-url: {comment}\n--index-url {index_url}\n".encode()


def simple_url(endpoint: str) -> str:
    """Return the URL of the repository's simple index (PEP 503), without credentials."""
    return endpoint.rstrip("/") + "/simple/"


def format_time(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


# From plugins/mwaa_codeartifact/core/freshness.py
"""The rules of freshness, which every refresher, the sensor and the status page share."""


from datetime import timedelta
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from datetime import datetime

    from mwaa_codeartifact.core.index_url import LineFacts


def usable_lifetime(facts: LineFacts | None, repository_id: str, now: datetime) -> timedelta:
    """Return for how long pip can use a line: zero if it has expired, serves another repository or does not exist.

    :param facts: of the line, or None.
    :param repository_id: id of the repository that the line should serve.
    :param now: UTC.
    """
    if facts is None or not facts.serves(repository_id):
        return timedelta(0)
    return max(facts.remaining(now), timedelta(0))


def is_fresh(facts: LineFacts | None, repository_id: str, *, min_remaining: timedelta, now: datetime) -> bool:
    """Return whether pip can use a line for long enough.

    :param facts: of the line, or None.
    :param repository_id: id of the repository that the line should serve.
    :param min_remaining: the remaining lifetime that is enough; the last second never is.
    :param now: UTC.
    """
    return usable_lifetime(facts, repository_id, now) >= max(min_remaining, SHORTEST_REMAINING)


# From plugins/mwaa_codeartifact/startup_alone.py
"""The program in requirements/startup.sh: it checks the container's index-url before pip runs, and refreshes it.

`make build` pastes this file, and the core modules that it imports, into requirements/startup.sh. So the program also
works while the plugins are not unpacked. Edit it here, then run `make build`.
"""


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
PYTHON
    "${limit[@]}" python3 -c "$program" </dev/null
) || echo "startup: index-url not refreshed: python3 ended with status $? (124, 137: no answer in time)"
