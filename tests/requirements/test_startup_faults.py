"""Faults before pip, row by row (see tests/faults/container.py), and what a guard is and is not."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.faults.container import DEAD, IN_A_CONTAINER, LIVE, ContainerRow
from tests.requirements.another import NOBODY, container_of_another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.requirements.support import LikeAContainer, Line, LocalAws


@dataclass
class Scene:
    """A dead line stands in S3 and in the container."""

    aws: LocalAws
    container: LikeAContainer
    dead_line: Line
    down: str
    opened: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.aws.put(self.dead_line)
        self.sync()

    def sync(self) -> None:
        """Bring the dead line into the container, as MWAA does every 30 seconds."""
        self.container.sync(self.dead_line)

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

    def of_another(self, sudo: str, *, without: str = "") -> None:
        self.container = self.opened.enter_context(container_of_another(self.aws, self.container.root, sudo))
        self.sync()
        if without:
            self.without(without)


@pytest.fixture
def scene(aws: LocalAws, container: LikeAContainer, dead_line: Line, down: str) -> Iterator[Scene]:
    scene = Scene(aws, container, dead_line, down)
    with scene.opened:
        yield scene
        folder = scene.container.file.parent
        folder.rename(folder.with_name("gone"))
        _eventually(lambda: not scene.container.guards())  # it ends with the folder


def _eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("row", IN_A_CONTAINER, ids=lambda row: row.name)
def test_before_pip_the_container_holds(scene: Scene, row: ContainerRow) -> None:
    row.inject(scene)
    said = scene.container.start()
    scene.recover()
    assert row.sees in said
    row.before_pip(scene)
    time.sleep(0.3)  # MWAA gives its guard 4 s
    assert scene.container.works() is (row.container == LIVE)
    if row.before_pip is not ContainerRow.before_pip:
        assert scene.container.pip() is (row.container == LIVE)
    assert (scene.aws.line == scene.dead_line) is (row.s3 == DEAD)
    left_behind = [path.name for path in scene.container.file.parent.iterdir()]
    assert left_behind == ["codeartifact.txt"]
    assert bool(scene.container.guards()) is (row.container == LIVE)


def test_a_guard_holds_no_token_where_others_can_read_it_and_is_small(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    (guard,) = scene.container.guards()
    seen = (guard / "cmdline").read_text() + (guard / "environ").read_text()
    assert not [token for token in scene.aws.minted if token in seen]
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", (guard / "status").read_text())
    assert int(kilobytes) < 30_000


def test_a_guard_waits_for_nobody_and_nobody_for_it(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    (guard,) = scene.container.guards()
    files = {(guard / "fd" / number).readlink().name for number in ("1", "2")}
    assert files == {"null"}
    own_session, group = (guard / "stat").read_text().rpartition(")")[2].split()[3], guard.name
    assert own_session == group


def test_a_guard_leaves_a_live_line_alone_and_ends(scene: Scene) -> None:
    scene.without("S3")
    scene.container.start()
    live = scene.aws.new_line()
    scene.container.sync(live)
    _eventually(lambda: not scene.container.guards())
    assert scene.container.file.read_bytes() == live.body


def test_where_nothing_was_refreshed_there_is_no_guard(scene: Scene) -> None:
    scene.container.sync(scene.aws.new_line())
    assert scene.container.start().startswith("index-url alive")
    scene.container.file.unlink()
    assert scene.container.start().startswith("index-url fetched")
    assert scene.container.guards() == []


def test_the_remedy_is_named_where_dags_belongs_to_root(scene: Scene) -> None:
    scene.of_another("needs a password")
    said = scene.container.start()
    folder = re.escape(str(scene.container.file.parent))
    assert re.fullmatch(
        rf"index-url alive in S3, but not in this container: \[Errno 13\] Permission denied: '{folder}/\S+', and sudo "
        rf"fails \(sudo: a password is required\): let this user write to {folder}, or let `sleep 60` follow in "
        r"startup\.sh: the sync brings the line of S3 within 30 seconds",
        said,
    )


def test_where_s3_is_out_of_reach_too_both_are_named(scene: Scene) -> None:
    scene.of_another("none", without="S3")
    said = scene.container.start()
    assert said.startswith("index-url not refreshed: [Errno 13] Permission denied: ")
    assert "and sudo fails (FileNotFoundError): let this user write to " in said
    assert "; Could not see how fresh the index-url is (s3://" in said


def test_a_sudo_that_hangs_is_waited_for_no_longer_than_the_script_lasts(scene: Scene) -> None:
    scene.of_another("hangs")
    assert "and sudo fails (TimeoutExpired)" in scene.container.start()


def test_what_sudo_writes_belongs_to_the_user_alone(scene: Scene) -> None:
    scene.of_another("works")
    scene.container.start()
    found = scene.container.file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (os.getuid(), os.getgid(), 0o600)
    assert scene.container.file.parent.stat().st_uid == NOBODY


def test_a_folder_that_is_not_there_is_made_with_sudo_so_that_all_can_read_it(scene: Scene) -> None:
    scene.of_another("works")
    scene.not_synced()
    assert scene.container.start().endswith(", written with sudo")
    assert scene.container.file.parent.stat().st_mode & 0o777 == 0o755
    assert scene.container.works()


def test_a_file_that_the_user_may_not_read_counts_as_none(scene: Scene) -> None:
    scene.of_another("works")
    live = scene.aws.new_line()
    scene.container.sync(live)
    scene.container.file.chmod(0o600)
    os.chown(scene.container.file, NOBODY, NOBODY)
    assert scene.container.start().startswith("index-url fetched, ")
    assert scene.container.file.stat().st_uid == os.getuid()
    assert scene.container.file.read_bytes() == live.body
