"""The package index that pip on this machine is configured with."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from infra.cli.program import CommandError

# pip's own option parser merges defaults, configuration files and environment, so none of its rules is repeated here.
# It runs in a process of its own, because pip does not support imports of its modules.
_PRINT_SETTINGS = """
import json
from pip._internal.commands import create_command
options, _ = create_command("install").parse_args([])
print(json.dumps([options.index_url, options.cert, options.timeout]))
"""


class PipSettingsError(CommandError):
    """pip cannot be asked for its index, or the index cannot be used."""


@dataclass(frozen=True)
class PipSettings:
    """pip's index and how to reach it.

    :param index_url: the simple API, without credentials, with a slash at the end.
    :param credentials: user name and password in the index-url (default: none).
    :param ca_bundle: path of the CA certificates for it (default: those of requests).
    :param timeout: seconds.
    """

    index_url: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    timeout: float = 15.0


def read_pip_settings() -> PipSettings:
    """Return the index-url, CA certificates and timeout that this interpreter's pip uses.

    :raises PipSettingsError: if pip fails, or its index-url is not http or https.
    """
    # The output may contain a password, so no exception may contain the output.
    answer = subprocess.run(  # noqa: PLW1510  (the return code is checked below)
        [sys.executable, "-c", _PRINT_SETTINGS], capture_output=True, text=True
    )
    if answer.returncode:
        raise PipSettingsError(
            f"pip of {sys.executable} did not return its settings: "
            f"check that `{sys.executable} -m pip config list` works."
        )
    index_url, ca_bundle, timeout = json.loads(answer.stdout)
    parts = urlsplit(index_url)
    if parts.scheme not in {"http", "https"}:
        raise PipSettingsError(
            f"pip's index-url has the scheme {parts.scheme!r}, but only an http or https index can be pulled "
            "through: set PIP_INDEX_URL to one."
        )
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    netloc = parts.netloc.rpartition("@")[2]
    bare = parts._replace(netloc=netloc, path=parts.path.rstrip("/") + "/").geturl()
    return PipSettings(bare, credentials, ca_bundle, timeout)
