from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote, urlsplit

import pytest

from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, Token, format_time, simple_url
from tests.plugins.mwaa_codeartifact.core.support import REPOSITORY_ID, START, line_metadata

ENDPOINT = "https://data-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/"
FACTS = LineFacts(
    token_expires_at=START,
    refreshed_at=START - timedelta(hours=12),
    refreshed_by="dag",
    token_fingerprint="0123456789ab",
    repository=REPOSITORY_ID,
)


def _render(token: Token) -> str:
    return IndexUrlFile(ENDPOINT, token, FACTS).render().decode()


def test_a_token_shows_in_no_repr() -> None:
    token = Token("canary", START)
    assert repr(token) == f"Token(expires_at={START!r})"
    assert "canary" not in repr(IndexUrlFile(ENDPOINT, token, FACTS))


def test_a_fingerprint_is_the_first_12_hex_digits_of_the_sha256() -> None:
    assert Token("abc", START).fingerprint == "ba7816bf8f01"


def test_the_line_contains_the_endpoint_from_codeartifact_and_the_token() -> None:
    body = _render(Token("canary", START))
    assert body.splitlines()[1] == f"--index-url {ENDPOINT.replace('https://', 'https://aws:canary@')}simple/"
    assert body.endswith("/simple/\n")


def test_a_token_of_any_characters_reaches_pip_unchanged() -> None:
    token = "a/b+c=d@e:f?g#h%i j"
    (url,) = _render(Token(token, START)).splitlines()[1].split()[1:]
    assert unquote(urlsplit(url).password or "") == token
    assert urlsplit(url).hostname == urlsplit(ENDPOINT).hostname


def test_the_comment_contains_refresher_time_and_expiry() -> None:
    comment = _render(Token("canary", START)).splitlines()[0]
    assert comment == (
        "# CodeArtifact index-url: token-expires-at=2030-01-01T00:00:00Z, refreshed-at=2029-12-31T12:00:00Z, "
        f"refreshed-by=dag, token-fingerprint=0123456789ab, repository={REPOSITORY_ID}"
    )


def test_the_facts_are_read_back_from_the_comment() -> None:
    assert LineFacts.from_body(_render(Token("canary", START))) == FACTS


def test_the_facts_are_read_back_from_metadata() -> None:
    assert LineFacts.from_metadata(FACTS.to_metadata()) == FACTS


@pytest.mark.parametrize(
    "body", ["", "\n", "numpy\n", "--index-url https://aws:x@localhost/simple/\n", "# by me, a=b\n"]
)
def test_a_body_without_the_comment_has_no_facts(body: str) -> None:
    assert LineFacts.from_body(body) is None


def test_facts_below_the_first_line_do_not_count() -> None:
    assert LineFacts.from_body("\n" + _render(Token("canary", START))) is None


@pytest.mark.parametrize("name", line_metadata(START))
def test_without_any_one_of_its_keys_metadata_has_no_facts(name: str) -> None:
    assert LineFacts.from_metadata(line_metadata(START, **{name: ""})) is None


@pytest.mark.parametrize("moment", ["tomorrow", "2030-13-01T00:00:00Z", "2030-01-01T00:00:00", "1893456000"])
def test_a_malformed_time_or_one_without_time_zone_yields_no_facts(moment: str) -> None:
    assert LineFacts.from_metadata(line_metadata(START, token_expires_at=moment)) is None


def test_a_moment_in_another_time_zone_is_the_same_moment() -> None:
    facts = LineFacts.from_metadata(line_metadata(START, token_expires_at="2030-01-01T02:00:00+02:00"))
    assert facts is not None
    assert facts.token_expires_at == START


def test_times_are_written_in_utc_to_the_second() -> None:
    moment = datetime(2030, 1, 1, 1, 2, 3, 456_789, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(moment) == "2030-01-01T00:02:03Z"
    assert format_time(moment.astimezone(UTC)) == "2030-01-01T00:02:03Z"


@pytest.mark.parametrize("endpoint", [ENDPOINT, ENDPOINT.rstrip("/")])
def test_the_simple_index_is_below_the_endpoint(endpoint: str) -> None:
    assert simple_url(endpoint) == f"{ENDPOINT}simple/"


@pytest.mark.parametrize("seconds", [3600, 0, -1])
def test_the_remaining_lifetime_is_the_time_to_the_expiry_and_negative_after_it(seconds: int) -> None:
    assert FACTS.remaining(START - timedelta(seconds=seconds)) == timedelta(seconds=seconds)
