"""Faults before pip, one test for each row of tests/faults/container.py, and the guard process."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.faults.container import EXPIRED, IN_A_CONTAINER, VALID, ContainerRow
from tests.requirements.another import OTHER_USER, container_of_another_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.requirements.support import Line, LocalAws, SimpleContainer


@dataclass
class Scene:
    """A container and a bucket that both have the expired line."""

    aws: LocalAws
    container: SimpleContainer
    expired_line: Line
    down: str
    opened: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.aws.put(self.expired_line)
        self.sync()

    def sync(self) -> None:
        """Copy the expired line into the container, as MWAA does every 30 seconds."""
        self.container.sync(self.expired_line)

    def not_synced(self) -> None:
        shutil.rmtree(self.container.file.parent)

    def without(self, service: str) -> None:
        self.container.environ[f"AWS_ENDPOINT_URL_{service}"] = self.down

    def without_plugins(self) -> None:
        (self.container.airflow_home / "plugins").unlink()

    def hide_from_bad_tokens(self) -> None:
        self.aws.server.codeartifact.hides_from_bad_tokens = True

    def recover(self) -> None:
        self.aws.server.codeartifact.hides_from_bad_tokens = False

    def owned_by_another_user(self, sudo: str, *, without: str = "") -> None:
        self.container = self.opened.enter_context(container_of_another_user(self.aws, self.container.root, sudo))
        self.sync()
        if without:
            self.without(without)


@pytest.fixture
def scene(aws: LocalAws, container: SimpleContainer, expired_line: Line, down: str) -> Iterator[Scene]:
    scene = Scene(aws, container, expired_line, down)
    with scene.opened:
        yield scene
        folder = scene.container.file.parent
        folder.rename(folder.with_name("gone"))
        _wait_until(lambda: not scene.container.guards())  # a guard ends when its folder is gone


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("row", IN_A_CONTAINER, ids=lambda row: row.name)
def test_before_pip_the_container_has_the_line_of_the_row(scene: Scene, row: ContainerRow) -> None:
    row.inject(scene)
    output = scene.container.start()
    scene.recover()
    assert row.sees in output
    row.before_pip(scene)
    time.sleep(0.3)  # the guard needs less; MWAA starts pip about 4 s after the script
    assert scene.container.line_is_accepted() is (row.container == VALID)
    if row.before_pip is not ContainerRow.before_pip:
        assert scene.container.pip_succeeds() is (row.container == VALID)
    assert (scene.aws.line == scene.expired_line) is (row.s3 == EXPIRED)
    left_behind = [path.name for path in scene.container.file.parent.iterdir()]
    assert left_behind == ["codeartifact.txt"]
    assert bool(scene.container.guards()) is (row.container == VALID)


def test_a_guard_is_small_and_shows_no_token_in_proc(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    (guard,) = scene.container.guards()
    seen = (guard / "cmdline").read_text() + (guard / "environ").read_text()
    assert not [token for token in scene.aws.minted if token in seen]
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", (guard / "status").read_text())
    assert int(kilobytes) < 30_000


def test_a_guard_is_detached_from_the_script(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    (guard,) = scene.container.guards()
    files = {(guard / "fd" / number).readlink().name for number in ("1", "2")}
    assert files == {"null"}
    own_session, group = (guard / "stat").read_text().rpartition(")")[2].split()[3], guard.name
    assert own_session == group


def test_a_guard_keeps_another_fresh_line_and_ends(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    fresh = scene.aws.new_line()
    scene.container.sync(fresh)
    _wait_until(lambda: not scene.container.guards())
    assert scene.container.file.read_bytes() == fresh.body


def test_without_a_refresh_there_is_no_guard(scene: Scene) -> None:
    scene.container.sync(scene.aws.new_line())
    assert scene.container.start().startswith("index-url alive")
    scene.container.file.unlink()
    assert scene.container.start().startswith("index-url fetched")
    assert scene.container.guards() == []


def test_the_fix_is_named_if_dags_belongs_to_root(scene: Scene) -> None:
    scene.owned_by_another_user("needs a password")
    output = scene.container.start()
    folder = re.escape(str(scene.container.file.parent))
    assert re.fullmatch(
        rf"index-url alive in S3, but not in this container: \[Errno 13\] Permission denied: '{folder}/\S+', and sudo "
        rf"fails \(sudo: a password is required\): let this user write to {folder}, or let `sleep 60` follow in "
        r"startup\.sh: the sync brings the line of S3 within 30 seconds",
        output,
    )


def test_both_causes_are_named_if_s3_cannot_be_reached_either(scene: Scene) -> None:
    scene.owned_by_another_user("none", without="S3")
    output = scene.container.start()
    assert output.startswith("index-url not refreshed: [Errno 13] Permission denied: ")
    assert "and sudo fails (FileNotFoundError): let this user write to " in output
    assert "; Could not see how fresh the index-url is (s3://" in output


def test_a_hanging_sudo_is_stopped_before_the_script_has_to_end(scene: Scene) -> None:
    scene.owned_by_another_user("hangs")
    assert "and sudo fails (TimeoutExpired)" in scene.container.start()


def test_a_file_written_with_sudo_is_private_to_the_user(scene: Scene) -> None:
    scene.owned_by_another_user("works")
    scene.container.start()
    found = scene.container.file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (os.getuid(), os.getgid(), 0o600)
    assert scene.container.file.parent.stat().st_uid == OTHER_USER


def test_a_missing_folder_is_created_with_sudo_and_readable_for_all(scene: Scene) -> None:
    scene.owned_by_another_user("works")
    scene.not_synced()
    assert scene.container.start().endswith(", written with sudo")
    assert scene.container.file.parent.stat().st_mode & 0o777 == 0o755
    assert scene.container.line_is_accepted()


def test_a_file_that_the_user_may_not_read_is_replaced(scene: Scene) -> None:
    scene.owned_by_another_user("works")
    fresh = scene.aws.new_line()
    scene.container.sync(fresh)
    scene.container.file.chmod(0o600)
    os.chown(scene.container.file, OTHER_USER, OTHER_USER)
    assert scene.container.start().startswith("index-url fetched, ")
    assert scene.container.file.stat().st_uid == os.getuid()
    assert scene.container.file.read_bytes() == fresh.body
