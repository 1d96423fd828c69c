"""The timeline of the versions that S3 keeps."""

from __future__ import annotations

from datetime import timedelta

from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.status.history import Version
from mwaa_codeartifact.status.timeline import timeline
from tests.plugins.mwaa_codeartifact.core.support import REPOSITORY_ID, START, TARGET_REPOSITORY

HOUR = timedelta(hours=1)
Drawn = list[tuple[str, float, float, str | None]]


def published(
    hours: float, *, life: float = 12, by: str = "dag", stored: float | None = None, repository: str = REPOSITORY_ID
) -> Version:
    facts = LineFacts(
        token_expires_at=START + (hours + life) * HOUR,
        refreshed_at=START + hours * HOUR,
        refreshed_by=by,
        token_fingerprint="0123456789ab",
        repository=repository,
    )
    return Version(stored_at=START + (hours if stored is None else stored) * HOUR, facts=facts)


def deleted(hours: float) -> Version:
    return Version(stored_at=START + hours * HOUR, facts=None, is_deletion=True)


def by_hand(hours: float) -> Version:
    return Version(stored_at=START + hours * HOUR, facts=None)


def drawn(*versions: Version) -> Drawn:
    """Return the spans as kind, begin and end in hours from now, and the refresher or else the reason."""
    spans = timeline(list(versions), repository=TARGET_REPOSITORY, now=START)
    return [
        (span.kind, (span.begins_at - START) / HOUR, (span.ends_at - START) / HOUR, span.refreshed_by or span.reason)
        for span in spans
    ]


NO_RECORD = "no version from then is kept"


def test_each_line_lasts_until_it_is_replaced_and_the_last_until_it_expires() -> None:
    assert drawn(published(-2), published(-1), published(0.0, by="lambda")) == [
        ("no record", -48, -2, NO_RECORD),
        ("line", -2, -1, "dag"),
        ("line", -1, 0, "dag"),
        ("line", 0, 12, "lambda"),
    ]


def test_a_token_that_expires_before_it_is_replaced_leaves_a_gap() -> None:
    assert drawn(published(-20), published(-3))[1:] == [
        ("line", -20, -8, "dag"),
        ("gap", -8, -3, "its token had expired"),
        ("line", -3, 9, "dag"),
    ]


def test_an_expired_line_that_is_still_there_is_a_gap_until_now() -> None:
    assert drawn(published(-14))[1:] == [("line", -14, -2, "dag"), ("gap", -2, 0, "its token had expired")]


def test_a_deletion_opens_a_gap_until_the_next_line() -> None:
    assert drawn(published(-5), deleted(-4), published(-1))[1:] == [
        ("line", -5, -4, "dag"),
        ("gap", -4, -1, "the file was deleted"),
        ("line", -1, 11, "dag"),
    ]


def test_a_deleted_file_is_a_gap_until_now() -> None:
    assert drawn(published(-5), deleted(-4))[-1] == ("gap", -4, 0, "the file was deleted")


def test_a_line_that_serves_no_repository_of_the_target_is_a_gap() -> None:
    assert drawn(by_hand(-5), published(-4, repository="elsewhere"), published(-3))[1:3] == [
        ("gap", -5, -4, "the file was not written by a refresher"),
        ("gap", -4, -3, "it served another repository"),
    ]


def test_nothing_kept_is_no_record_and_no_gap() -> None:
    assert drawn() == [("no record", -48, 0, NO_RECORD)]


def test_only_two_days_are_drawn() -> None:
    assert drawn(published(-49), published(-47)) == [
        ("line", -48, -47, "dag"),
        ("line", -47, -35, "dag"),
        ("gap", -35, 0, "its token had expired"),
    ]


def test_a_restored_old_line_begins_when_it_was_stored() -> None:
    assert drawn(published(-20), published(-10), published(-20, stored=-5))[1:] == [
        ("line", -20, -10, "dag"),
        ("line", -10, -5, "dag"),
        ("gap", -5, 0, "its token had expired"),
    ]


def test_a_line_that_had_expired_when_it_was_restored_is_a_gap() -> None:
    kinds = [kind for kind, *_ in drawn(published(-1), published(-30, stored=-0.5))]
    assert kinds == ["no record", "line", "gap"]
