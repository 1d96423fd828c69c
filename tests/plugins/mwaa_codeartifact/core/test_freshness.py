"""The rules of freshness, which every refresher, the sensor and the status page share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mwaa_codeartifact.core.freshness import is_fresh, usable_lifetime
from mwaa_codeartifact.core.index_url import LineFacts
from tests.plugins.mwaa_codeartifact.core.support import REPOSITORY_ID, START

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FACTS = LineFacts(
    token_expires_at=START + HOUR,
    refreshed_at=START - HOUR,
    refreshed_by="dag",
    token_fingerprint="0123456789ab",
    repository=REPOSITORY_ID,
)


@pytest.mark.parametrize(
    ("facts", "lifetime"),
    [
        (FACTS, HOUR),
        (replace(FACTS, token_expires_at=START), timedelta(0)),
        (replace(FACTS, token_expires_at=START - HOUR), timedelta(0)),
        (replace(FACTS, repository="eu-west-1/123456789012/data/other"), timedelta(0)),
        (None, timedelta(0)),
    ],
    ids=["valid", "expires now", "expired", "other repository", "no line"],
)
def test_a_line_is_usable_until_it_expires_and_for_its_own_repository_only(
    facts: LineFacts | None, lifetime: timedelta
) -> None:
    assert usable_lifetime(facts, REPOSITORY_ID, START) == lifetime


@pytest.mark.parametrize(
    ("remaining", "enough", "fresh"),
    [
        (HOUR, HOUR, True),
        (HOUR - SECOND, HOUR, False),
        (SECOND, timedelta(0), True),
        (SECOND / 2, timedelta(0), False),
        (timedelta(0), timedelta(0), False),
    ],
)
def test_a_line_is_fresh_with_enough_left_and_never_in_its_last_second(
    remaining: timedelta, enough: timedelta, *, fresh: bool
) -> None:
    facts = replace(FACTS, token_expires_at=START + remaining)
    assert is_fresh(facts, REPOSITORY_ID, min_remaining=enough, now=START) is fresh
