"""The index-url file on disk: secret, whole, and one writer at a time."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mwaa_codeartifact.core.destinations import ConflictError
from mwaa_codeartifact.core.destinations.file import FileDestination
from mwaa_codeartifact.core.errors import DestinationError
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, Token
from mwaa_codeartifact.core.refresh import refresh
from tests.plugins.mwaa_codeartifact.core.support import BY_HAND, REPOSITORY_ID, START, assert_no_token, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.refresh import RefreshResult
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Clock, RecordedAws

HOUR = timedelta(hours=1)


def _line(expires_at: datetime, padding: str = "") -> IndexUrlFile:
    token = Token(f"token{padding}", expires_at)
    facts = LineFacts(
        token_expires_at=expires_at,
        refreshed_at=START,
        refreshed_by="dag",
        token_fingerprint=token.fingerprint,
        repository=REPOSITORY_ID,
    )
    return IndexUrlFile("https://localhost/pypi/python/", token, facts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dags"
    folder.mkdir()
    return folder


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "codeartifact.txt"


@pytest.fixture
def destination(path: Path) -> FileDestination:
    return FileDestination(path)


@pytest.fixture
def file_target(target: Target, path: Path) -> Target:
    return replace(target, destination=path.as_uri())


def _refresh(target: Target, connections: BotoConnections, clock: Clock) -> RefreshResult:
    return refresh(target, refresher="startup", min_remaining=8 * HOUR, connections=connections, now=clock)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# The protocol


def test_the_first_line_is_published_without_s3(
    file_target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, path: Path
) -> None:
    result = _refresh(file_target, connections, clock)
    assert (result.state, result.destination, result.version_id) == ("published", path.as_uri(), None)
    assert aws.steps == ["endpoint", "mint", "verify", "control"]
    assert f"aws:{aws.state.minted[0]}@" in path.read_text()


def test_a_fresh_file_is_kept_and_nothing_is_minted(
    file_target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, path: Path
) -> None:
    published = _refresh(file_target, connections, clock)
    seen, written_at = len(aws.seen), path.stat().st_mtime_ns
    fresh = _refresh(file_target, connections, clock)
    assert (fresh.state, fresh.facts) == ("fresh", published.facts)
    assert (len(aws.seen), path.stat().st_mtime_ns) == (seen, written_at)


def test_a_stale_file_is_replaced(
    file_target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, path: Path
) -> None:
    path.write_bytes(_line(START + 2 * HOUR).render())
    assert _refresh(file_target, connections, clock).state == "published"
    assert aws.state.minted[0] in path.read_text()


def test_a_longer_lived_file_supersedes_ours(
    file_target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, path: Path
) -> None:
    path.write_bytes(_line(START + 2 * HOUR).render())
    aws.state.token_life_limit = HOUR
    assert _refresh(file_target, connections, clock).state == "superseded"
    assert path.read_bytes() == _line(START + 2 * HOUR).render()


def test_exactly_one_of_many_concurrent_refreshers_publishes(
    file_target: Target, connections: BotoConnections, clock: Clock
) -> None:
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(_refresh, file_target, connections, clock) for _ in range(6)]
        states = sorted(future.result().state for future in futures)
    assert states.count("published") == 1
    assert set(states) <= {"published", "superseded", "fresh"}


# Secret


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_its_owner_can_read_the_file(destination: FileDestination, path: Path, mask: int) -> None:
    with _umask(mask):
        destination.put(_line(START), replacing=None)
    assert _mode(path) == 0o600


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(
    destination: FileDestination, path: Path
) -> None:
    path.write_bytes(_line(START).render())
    path.chmod(0o666)
    destination.put(_line(START + HOUR), replacing=destination.head())
    assert _mode(path) == 0o600


def test_the_files_next_to_it_contain_no_secret(
    file_target: Target, connections: BotoConnections, clock: Clock, aws: RecordedAws, folder: Path, path: Path
) -> None:
    _refresh(file_target, connections, clock)
    others = [file for file in folder.iterdir() if file != path]
    assert [file.name for file in others] == [".codeartifact.txt.lock"]
    assert_no_token(aws.state, others[0].read_text())


# Whole


def test_a_reader_sees_one_whole_line_or_the_other_at_every_moment(destination: FileDestination, path: Path) -> None:
    short, long = _line(START), _line(START, "x" * 500_000)
    destination.put(short, replacing=None)
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for line in [long, short] * 20:
            destination.put(line, replacing=destination.head())
        done.set()
        for reader in readers:
            reader.result()
    assert seen <= {short.render(), long.render()}


def test_a_full_disk_leaves_the_old_line_and_no_other_file(
    destination: FileDestination, folder: Path, path: Path
) -> None:
    old = _line(START).render()
    path.write_bytes(old)
    stored = destination.head()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(DestinationError, match="File too large") as caught:
            destination.put(_line(START + HOUR, "secret" * 1_000), replacing=stored)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == old
    assert sorted(file.name for file in folder.iterdir()) == [".codeartifact.txt.lock", "codeartifact.txt"]
    assert "secretsecret" not in rendered(caught.value)


# One writer at a time


def test_a_writer_waits_for_the_lock(destination: FileDestination, path: Path) -> None:
    with path.with_name(".codeartifact.txt.lock").open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer = pool.submit(destination.put, _line(START), replacing=None)
        with pytest.raises(TimeoutError):
            writer.result(timeout=0.2)
        waiting = not path.exists()
        fcntl.flock(lock, fcntl.LOCK_UN)
        writer.result(timeout=5)
    assert waiting
    assert path.read_bytes() == _line(START).render()


def test_one_of_many_first_writers_wins_and_the_others_get_a_conflict(destination: FileDestination, path: Path) -> None:
    def write(number: int) -> str:
        line = _line(START + number * HOUR)
        try:
            destination.put(line, replacing=None)
        except ConflictError:
            return "conflict"
        return line.render().decode()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(8)))
    assert outcomes.count("conflict") == 7
    assert path.read_text() in outcomes


@pytest.mark.parametrize("by_now", [None, BY_HAND])
def test_a_file_that_changed_since_it_was_seen_is_not_replaced(
    destination: FileDestination, path: Path, by_now: bytes | None
) -> None:
    path.write_bytes(_line(START).render())
    seen = destination.head()
    path.unlink()
    if by_now:
        path.write_bytes(by_now)
    with pytest.raises(ConflictError):
        destination.put(_line(START + HOUR), replacing=seen)
    assert (path.read_bytes() if path.exists() else None) == by_now


# Existing files


@pytest.mark.parametrize("body", [BY_HAND, b"", b"\xff\xfe\n"])
def test_a_hand_written_file_is_replaced_and_kept_aside_for_its_owner_only(
    file_target: Target, connections: BotoConnections, clock: Clock, folder: Path, path: Path, body: bytes
) -> None:
    path.write_bytes(body)
    path.chmod(0o644)
    assert _refresh(file_target, connections, clock).state == "published"
    (aside,) = folder.glob("codeartifact.txt.by-hand-*")
    assert (aside.read_bytes(), _mode(aside)) == (body, 0o600)


def test_a_missing_folder_is_one_clear_sentence(
    target: Target, connections: BotoConnections, clock: Clock, tmp_path: Path
) -> None:
    missing = replace(target, destination=(tmp_path / "missing" / "codeartifact.txt").as_uri())
    with pytest.raises(DestinationError) as caught:
        _refresh(missing, connections, clock)
    sentence = str(caught.value)
    assert f"({missing.destination}): " in sentence
    assert f"create the folder {tmp_path / 'missing'}" in sentence
    assert ".lock" not in sentence


def test_a_folder_in_its_place_is_one_sentence_with_its_name(
    file_target: Target, connections: BotoConnections, clock: Clock, path: Path
) -> None:
    path.mkdir()
    with pytest.raises(DestinationError, match=r"Could not see how fresh .* Is a directory: .* \[IsADirectoryError\]"):
        _refresh(file_target, connections, clock)
