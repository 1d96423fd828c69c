#!/bin/bash
# The last line of defence: on every container, before pip, see that dags/codeartifact.txt holds a live index-url.
#
# MWAA sources this file in the shell whose environment variables it then keeps, and a container whose shell ends early
# is unhealthy. So: no `set -e`, no `exit`, nothing exported, all of it in a subshell, an end within 20 seconds whatever
# hangs, and one line in the log. Your own startup commands may follow below.
(
    limit=()
    command -v timeout >/dev/null && limit=(timeout --kill-after=1 17)
    IFS= read -r -d '' program <<'PYTHON' || true
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

# Until pip has begun: MWAA gives the rest of this script and its own check of it 4 min 55 s each.
GUARDED_SECONDS = 600
# As root: the line comes through standard input, is moved into place at once, and belongs to the user who asks.
REPLACE = """
folder=${1%/*} new=${1%/*}/.${1##*/}.new
mkdir -p "$folder" && umask 077 && cat >"$new" && chown "$2" "$new" && mv -f "$new" "$1" || { rm -f "$new"; false; }
"""


def main():
    watchdog = threading.Timer(18, os._exit, [124])  # where there is no `timeout`
    watchdog.daemon = True
    watchdog.start()
    import logging

    logging.disable()  # one line tells all
    path = Path(os.environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    sys.path.append(os.environ["AIRFLOW_HOME"] + "/plugins")
    try:
        from mwaa_codeartifact.startup import ensure_index_url
    except Exception:  # not unpacked yet, or half
        ensure_index_url = without_plugins
    try:
        said = refresh(path, ensure_index_url)
    except Exception as error:  # nobody promises that its text holds no secret; AWS's refusals are named by their class
        said = f"index-url not refreshed: {type(error).__name__}"
    print(f"startup: {said}" + (" (without the plugins)" if ensure_index_url is without_plugins else ""))


def refresh(path, ensure_index_url):
    """Let a copy of the file be seen to where it can be written for certain, then put it in place."""
    before = read(path)
    with TemporaryDirectory() as folder:
        copy = Path(folder, "dags", path.name)
        copy.parent.mkdir()
        if before is not None:
            copy.write_bytes(before)
        said = ensure_index_url({**os.environ, "AIRFLOW_HOME": folder})
        line = read(copy)
    if line in (None, before):
        return said
    try:
        with suppress(PermissionError):
            path.parent.mkdir(parents=True, exist_ok=True)
        said += put(path, line)
    except OSError as error:
        remedy = f"let this user write to {path.parent}"
        if said.startswith(("index-url refreshed, ", "index-url fetched")):
            remedy += ", or let `sleep 60` follow in startup.sh: the sync brings the line of S3 within 30 seconds"
            return f"index-url alive in S3, but not in this container: {error}: {remedy}"
        return f"index-url not refreshed: {error}: {remedy}; {said.partition(': ')[2]}".removesuffix("; ")
    if said.startswith("index-url refreshed"):
        start_guard(path, line)
    return said


def alive(body):
    found = re.search(rb"token-expires-at=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", body or b"")
    return bool(found) and datetime.fromisoformat(found[1].decode()) - datetime.now(UTC) > timedelta(minutes=10)


def read(path):
    try:
        return path.read_bytes()
    except OSError:  # not there, or not for this user, and so not for pip
        return None


def put(path, body):
    """Replace the file at once, mode 0600; as root where this user may not (MWAA's `airflow` has sudo)."""
    try:
        with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
            temporary.write(body)
        Path(temporary.name).replace(path)
        return ""
    except (PermissionError, FileNotFoundError) as error:
        refused = error
    command = ["sudo", "-n", "sh", "-c", REPLACE, "sh", str(path), f"{os.getuid()}:{os.getgid()}"]
    try:
        sudo = subprocess.run(command, input=body, capture_output=True, timeout=3, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OSError(f"{refused}, and sudo fails ({type(error).__name__})") from error
    if sudo.returncode:
        raise OSError(f"{refused}, and sudo fails ({sudo.stderr.decode(errors='replace').strip()})")
    return ", written with sudo"


def start_guard(path, line):
    """Leave a process behind that nobody waits for: a sync in the seconds before pip may bring S3's dead line back."""
    command = [sys.executable, "-c", sys.orig_argv[2], str(path)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", "start_new_session": True}
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, **quiet)
    guard.stdin.write(line)
    guard.stdin.close()


def guard(path, line):
    """Put the line back where another replaces it, until a live one does."""
    end = time.monotonic() + GUARDED_SECONDS
    while alive(line) and time.monotonic() < end and path.parent.is_dir():
        there = read(path)
        if there != line:
            if alive(there):
                break
            put(path, line)
        time.sleep(0.05)


def without_plugins(environ):
    """Do the least while the plugins are not there: fetch the line; if it is dead, mint one for this container only.

    What stands in S3 is for the refresh protocol to replace, never for this.
    """
    from urllib.parse import quote, urlsplit

    import boto3
    from botocore.config import Config

    def setting(option):
        return environ["AIRFLOW__CODEARTIFACT__" + option.upper()]

    path = Path(environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    if alive(read(path)):
        return "index-url alive"
    config = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
    place = urlsplit(setting("destination"))
    try:
        s3 = boto3.client("s3", config=config)
        path.write_bytes(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read())
    except Exception:
        pass  # whatever it is, a token of one's own helps as well
    if alive(read(path)):
        return "index-url fetched"
    domain = {"domain": setting("domain"), "domainOwner": setting("domain_owner")}
    codeartifact = boto3.client("codeartifact", region_name=setting("region"), config=config)
    answer = codeartifact.get_repository_endpoint(**domain, repository=setting("repository"), format="pypi")
    token = codeartifact.get_authorization_token(**domain, durationSeconds=43200)
    url = urlsplit(answer["repositoryEndpoint"].rstrip("/") + "/simple/")
    url = url._replace(netloc=f"aws:{quote(token['authorizationToken'], safe='')}@{url.netloc}")
    expiry = token["expiration"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_bytes(f"# CodeArtifact index-url: token-expires-at={expiry}\n--index-url {url.geturl()}\n".encode())
    return f"index-url refreshed in this container only, lives until {expiry}"


if sys.argv[1:]:
    guard(Path(sys.argv[1]), sys.stdin.buffer.read())
else:
    main()
PYTHON
    "${limit[@]}" python3 -c "$program" </dev/null
) || echo "startup: index-url not refreshed: python3 ended with status $? (124, 137: no answer in time)"
