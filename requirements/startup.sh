#!/bin/bash
# The last line of defence: on every container, before pip, see that dags/codeartifact.txt holds a live index-url.
#
# MWAA sources this file in the shell whose environment variables it then keeps, and a container whose shell ends early
# is unhealthy. So: no `set -e`, no `exit`, nothing exported, all of it in a subshell, an end within 20 seconds whatever
# hangs, and one line in the log. Your own startup commands may follow below.
(
    limit=()
    command -v timeout >/dev/null && limit=(timeout --kill-after=1 17)
    "${limit[@]}" python3 - <<'PYTHON'
import logging
import os
import sys
import threading

watchdog = threading.Timer(18, os._exit, [124])  # where there is no `timeout`
watchdog.daemon = True
watchdog.start()
logging.disable()  # one line tells all


def without_plugins(environ):
    """Do the least while the plugins are not there: fetch the line; if it is dead, mint one for this container only.

    What stands in S3 is for the refresh protocol to replace, never for this.
    """
    import re
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from tempfile import NamedTemporaryFile
    from urllib.parse import quote, urlsplit

    import boto3
    from botocore.config import Config

    def alive():
        text = path.read_text(errors="replace") if path.exists() else ""
        found = re.search(r"token-expires-at=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", text)
        return found and datetime.fromisoformat(found[1]) - datetime.now(UTC) > timedelta(minutes=10)

    def write(body):
        with NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as temporary:
            temporary.write(body)
        Path(temporary.name).replace(path)

    def setting(option):
        return environ["AIRFLOW__CODEARTIFACT__" + option.upper()]

    path = Path(environ["AIRFLOW_HOME"], "dags", "codeartifact.txt")
    if alive():
        return "index-url alive"
    path.parent.mkdir(parents=True, exist_ok=True)
    config = Config(connect_timeout=2, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
    place = urlsplit(setting("destination"))
    try:
        s3 = boto3.client("s3", config=config)
        write(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read())
    except Exception:
        pass  # whatever it is, a token of one's own helps as well
    if alive():
        return "index-url fetched"
    domain = {"domain": setting("domain"), "domainOwner": setting("domain_owner")}
    codeartifact = boto3.client("codeartifact", region_name=setting("region"), config=config)
    answer = codeartifact.get_repository_endpoint(**domain, repository=setting("repository"), format="pypi")
    token = codeartifact.get_authorization_token(**domain, durationSeconds=43200)
    url = urlsplit(answer["repositoryEndpoint"].rstrip("/") + "/simple/")
    url = url._replace(netloc=f"aws:{quote(token['authorizationToken'], safe='')}@{url.netloc}")
    expiry = token["expiration"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write(f"# CodeArtifact index-url: token-expires-at={expiry}\n--index-url {url.geturl()}\n".encode())
    return f"index-url refreshed in this container only, lives until {expiry}"


sys.path.append(os.environ["AIRFLOW_HOME"] + "/plugins")
try:
    from mwaa_codeartifact.startup import ensure_index_url
except Exception:  # not unpacked yet, or half
    ensure_index_url = without_plugins
try:
    said = ensure_index_url(os.environ)
except Exception as error:  # nobody promises that its text holds no secret; AWS's refusals are named by their class
    said = f"index-url not refreshed: {type(error).__name__}"
note = " (without the plugins)" if ensure_index_url is without_plugins else ""
print(f"startup: {said}{note}")
PYTHON
) || echo "startup: index-url not refreshed: python3 ended with status $? (124, 137: no answer in time)"
