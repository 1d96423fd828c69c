"""The rules of freshness, which every refresher, the sensor and the status page share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.policy import SHORTEST_REMAINING

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
