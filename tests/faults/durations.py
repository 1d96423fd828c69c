"""How long a refresh takes at most, with every try of every call at its timeout."""

from __future__ import annotations

from typing import Any, cast

from mwaa_codeartifact.core.connections import _RETRIES, _TIMEOUT, CLIENT_CONFIG
from mwaa_codeartifact.core.refresh import _PUBLISH_ATTEMPTS

TRIES: int = cast("Any", CLIENT_CONFIG).retries["total_max_attempts"]


def longest_refresh(*, conflicts: bool = False) -> float:
    """Return the longest duration of a refresh in seconds.

    :param conflicts: whether every attempt to publish meets another writer; else the answer to the PUT is lost.
    """
    # HEAD, endpoint and mint; then PUT and HEAD in each attempt.
    attempts = _PUBLISH_ATTEMPTS if conflicts else 1
    return (3 + 2 * attempts) * _longest_call() + _longest_verify()


def _longest_call() -> float:
    """Return the longest duration of one call by botocore (standard mode: waits of at most 1, 2, 4 … seconds)."""
    config: Any = CLIENT_CONFIG
    waits = sum(2**wait for wait in range(TRIES - 1))
    return float(TRIES * (config.connect_timeout + config.read_timeout) + waits)


def _longest_verify() -> float:
    """Return the longest duration of verify's three GETs."""
    tries = int(_RETRIES.total or 0) + 1
    waits = sum(_RETRIES.backoff_factor * float(2**wait) for wait in range(1, tries - 1))
    timeout: Any = _TIMEOUT
    return 3 * float(tries * (timeout.connect_timeout + timeout.read_timeout) + waits)
