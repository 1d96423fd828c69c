"""The startup script, run by bash against AWS on this machine: what pip finds afterwards, whatever was there before.

That its status is 0, that it says one line, exports nothing, tells no token and ends within 20 seconds is checked at
every start (see LikeAContainer.start).
"""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra import ROOT
from infra.local.codeartifact.control_plane import control_plane
from tests.infra.local.codeartifact.support import serve
from tests.requirements.support import LikeAContainer, Line

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.requirements.support import LocalAws

UNTIL = r"lives until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def connections(listening: socket.socket) -> int:
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def url(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def by_hand(line: Line) -> Line:
    """Give what a person writes: the bare line."""
    return Line(line.body.partition(b"\n")[2], {})


@pytest.fixture
def no_plugins(container: LikeAContainer) -> LikeAContainer:
    (container.airflow_home / "plugins").unlink()
    return container


@pytest.mark.parametrize("plugins", [True, False])
def test_a_live_line_is_left_alone_and_aws_is_not_asked(
    container: LikeAContainer, aws: LocalAws, silent: socket.socket, *, plugins: bool
) -> None:
    container.sync(aws.new_line())
    before = container.file.stat().st_ino
    container.environ["AWS_ENDPOINT_URL"] = url(silent)
    if not plugins:
        (container.airflow_home / "plugins").unlink()
    assert container.start().startswith("index-url alive")
    assert connections(silent) == 0
    assert container.file.stat().st_ino == before


def test_a_missing_file_is_fetched_even_where_there_is_no_dags_folder(container: LikeAContainer, aws: LocalAws) -> None:
    line, minted = aws.new_line(), len(aws.minted)
    assert re.fullmatch(rf"index-url fetched, {UNTIL} \(refreshed by lambda\)", container.start())
    assert container.file.read_bytes() == aws.line.body == line.body
    assert container.file.stat().st_mode & 0o777 == 0o600
    assert len(aws.minted) == minted
    assert container.works()


def test_a_dead_copy_gives_way_to_what_has_been_refreshed_meanwhile(
    container: LikeAContainer, aws: LocalAws, dead_line: Line
) -> None:
    container.sync(dead_line)
    line = aws.new_line()
    assert container.start().startswith("index-url fetched, ")
    assert container.file.read_bytes() == line.body
    assert container.works()


def test_a_dead_line_is_refreshed_for_everyone(container: LikeAContainer, aws: LocalAws, dead_line: Line) -> None:
    aws.put(dead_line)
    container.sync(dead_line)
    assert not container.pip()
    assert re.fullmatch(rf"index-url refreshed, {UNTIL} \(refreshed by startup\)", container.start())
    assert aws.line.refresher == "startup"
    assert container.file.read_bytes() == aws.line.body
    assert container.pip()
    assert [path.name for path in container.file.parent.iterdir()] == ["codeartifact.txt"]


def test_no_line_anywhere_is_refreshed_for_everyone(container: LikeAContainer, aws: LocalAws) -> None:
    assert container.start().startswith("index-url refreshed, ")
    assert aws.line.refresher == "startup"
    assert container.works()


def test_a_line_that_dies_before_pip_ends_is_refreshed(container: LikeAContainer, aws: LocalAws) -> None:
    container.sync(aws.new_line(timedelta(minutes=5)))
    assert container.start().startswith("index-url refreshed, ")


def test_a_line_of_another_repository_is_refreshed(container: LikeAContainer, aws: LocalAws) -> None:
    line = aws.new_line()
    container.sync(Line(line.body.replace(b"/data/python\n", b"/data/other\n", 1), {}))
    assert container.start().startswith("index-url fetched, ")
    assert container.file.read_bytes() == line.body


def test_three_containers_that_start_at_once_all_get_a_live_line(
    aws: LocalAws, dead_line: Line, tmp_path: Path
) -> None:
    aws.put(dead_line)
    containers = [LikeAContainer(tmp_path / name, aws) for name in ("scheduler", "worker", "webserver")]
    for container in containers:
        (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        container.sync(dead_line)
    with ThreadPoolExecutor() as threads:
        said = list(threads.map(LikeAContainer.start, containers))
    assert all("lives until" in line for line in said), said
    assert all(container.works() for container in containers)
    assert aws.line.refresher == "startup"


class TestLinesByHand:
    """A line that does not tell its own expiry."""

    def test_it_is_left_alone_while_the_repository_answers_to_it(
        self, container: LikeAContainer, aws: LocalAws, silent: socket.socket
    ) -> None:
        line = by_hand(aws.new_line())
        container.sync(line)
        container.environ["AWS_ENDPOINT_URL"] = url(silent)
        assert container.start() == "index-url alive, the repository answers to it"
        assert container.file.read_bytes() == line.body
        assert connections(silent) == 0

    def test_it_is_refreshed_when_the_repository_rejects_it(
        self, container: LikeAContainer, aws: LocalAws, dead_line: Line
    ) -> None:
        aws.put(by_hand(dead_line))
        container.sync(by_hand(dead_line))
        assert container.start().startswith("index-url refreshed, ")
        assert container.works()

    @pytest.mark.parametrize("body", [b"", b"numpy\n", b"--index-url http://aws:x@[/simple/\n", b"\xff\xfe\n"])
    def test_nonsense_is_refreshed(self, container: LikeAContainer, body: bytes) -> None:
        container.sync(Line(body, {}))
        assert container.start().startswith("index-url refreshed, ")
        assert container.works()


class TestFaults:
    def test_s3_down_makes_a_line_for_this_container_only(
        self, container: LikeAContainer, aws: LocalAws, dead_line: Line, down: str
    ) -> None:
        aws.put(dead_line)
        container.sync(dead_line)
        container.environ["AWS_ENDPOINT_URL_S3"] = down
        said = container.start()
        assert re.match(
            rf"index-url refreshed in this container only, {UNTIL} \(refreshed by startup\): Could not ", said
        )
        assert "check the VPC endpoint" in said
        assert container.file.stat().st_mode & 0o777 == 0o600
        assert container.pip()
        assert aws.line == dead_line

    def test_s3_down_and_no_dags_folder_makes_a_line_all_the_same(self, container: LikeAContainer, down: str) -> None:
        container.environ["AWS_ENDPOINT_URL_S3"] = down
        assert container.start().startswith("index-url refreshed in this container only, ")
        assert container.works()

    def test_a_role_that_may_not_write_makes_a_line_for_this_container_only(
        self, container: LikeAContainer, aws: LocalAws, dead_line: Line
    ) -> None:
        container.environ["AIRFLOW__CODEARTIFACT__DESTINATION"] = "s3://no-such-bucket/dags/codeartifact.txt"
        container.sync(dead_line)
        assert container.start().startswith("index-url refreshed in this container only, ")
        assert container.works()
        assert not aws.has_line

    def test_codeartifact_down_keeps_the_old_line_and_says_why(
        self, container: LikeAContainer, aws: LocalAws, dead_line: Line, down: str
    ) -> None:
        aws.put(dead_line)
        container.sync(dead_line)
        container.environ["AWS_ENDPOINT_URL_CODEARTIFACT"] = down
        said = container.start()
        assert said.startswith("index-url not refreshed, the line that is there is kept: Could not ")
        assert "check the VPC endpoint" in said
        assert container.file.read_bytes() == aws.line.body == dead_line.body

    def test_codeartifact_down_leaves_pip_the_last_minutes_of_the_line(
        self, container: LikeAContainer, aws: LocalAws, down: str
    ) -> None:
        line = aws.new_line(timedelta(minutes=5))
        container.environ["AWS_ENDPOINT_URL_CODEARTIFACT"] = down
        assert container.start().startswith("index-url not refreshed, the line that is there is kept: ")
        assert container.file.read_bytes() == line.body
        assert container.works()

    @pytest.mark.parametrize("synced", [True, False])
    def test_both_down_keeps_what_is_there(
        self, container: LikeAContainer, dead_line: Line, down: str, *, synced: bool
    ) -> None:
        if synced:
            container.sync(dead_line)
        container.environ["AWS_ENDPOINT_URL"] = down
        left = "the line that is there is kept" if synced else "there is no line"
        assert container.start().startswith(f"index-url not refreshed, {left}: Could not ")
        assert container.file.exists() == synced

    def test_no_credentials_are_named(self, container: LikeAContainer, dead_line: Line) -> None:
        container.sync(dead_line)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del container.environ[name]
        container.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        assert "no AWS credentials were found" in container.start()

    def test_a_missing_setting_is_named(self, container: LikeAContainer) -> None:
        del container.environ["AIRFLOW__CODEARTIFACT__DOMAIN"]
        assert "codeartifact.domain is not set" in container.start()

    def test_a_folder_that_cannot_be_made_is_named(self, container: LikeAContainer) -> None:
        (container.airflow_home / "dags").write_text("")
        assert "File exists" in container.start()

    def test_no_aws_cli_is_needed(self, container: LikeAContainer) -> None:
        assert shutil.which("aws", path=container.environ["PATH"]) is None
        assert container.start().startswith("index-url refreshed, ")

    def test_without_python_the_container_starts_all_the_same(self, container: LikeAContainer) -> None:
        (container.programs / "python3").unlink()
        (container.programs / "timeout").unlink()
        (container.programs / "python3").write_text("#!/bin/sh\nexit 3\n")
        (container.programs / "python3").chmod(0o755)
        assert container.start().startswith("index-url not refreshed: python3 ended with status 3 ")


class TestWithoutPlugins:
    """plugins.zip is not unpacked yet, or there is none."""

    def test_a_missing_file_is_fetched(self, no_plugins: LikeAContainer, aws: LocalAws) -> None:
        line = aws.new_line()
        assert no_plugins.start() == "index-url fetched (without the plugins)"
        assert no_plugins.file.read_bytes() == line.body
        assert no_plugins.file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("s3_is_down", [True, False])
    def test_a_dead_line_gives_way_in_this_container_only(
        self, no_plugins: LikeAContainer, aws: LocalAws, dead_line: Line, down: str, *, s3_is_down: bool
    ) -> None:
        aws.put(dead_line)
        no_plugins.sync(dead_line)
        if s3_is_down:
            no_plugins.environ["AWS_ENDPOINT_URL_S3"] = down
        said = no_plugins.start()
        assert re.fullmatch(rf"index-url refreshed in this container only, {UNTIL} \(without the plugins\)", said)
        assert no_plugins.file.stat().st_mode & 0o777 == 0o600
        assert no_plugins.pip()
        assert aws.line == dead_line

    def test_its_own_line_counts_as_alive_at_the_next_start(self, no_plugins: LikeAContainer) -> None:
        no_plugins.start()
        assert no_plugins.start() == "index-url alive (without the plugins)"
        (no_plugins.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        assert re.fullmatch(rf"index-url alive, {UNTIL} \(refreshed by startup\)", no_plugins.start())

    @pytest.mark.parametrize("body", [b"# token-expires-at=tomorrow\n", b"\xff\xfe\n"])
    def test_nonsense_gives_way(self, no_plugins: LikeAContainer, body: bytes) -> None:
        no_plugins.sync(Line(body, {}))
        assert no_plugins.start().startswith("index-url refreshed in this container only, ")
        assert no_plugins.works()

    def test_both_down_keeps_the_old_line_and_says_why(
        self, no_plugins: LikeAContainer, dead_line: Line, down: str
    ) -> None:
        no_plugins.sync(dead_line)
        no_plugins.environ["AWS_ENDPOINT_URL"] = down
        assert no_plugins.start() == "index-url not refreshed: EndpointConnectionError (without the plugins)"
        assert no_plugins.file.read_bytes() == dead_line.body

    def test_a_refusal_is_named(self, no_plugins: LikeAContainer) -> None:
        no_plugins.environ["AIRFLOW__CODEARTIFACT__REPOSITORY"] = "missing"
        assert no_plugins.start() == "index-url not refreshed: ResourceNotFoundException (without the plugins)"
        assert not no_plugins.file.exists()

    @pytest.mark.parametrize(
        "half", ["", "from mwaa_codeartifact.core.connections import Cli", "from nowhere import x\n"]
    )
    def test_half_unpacked_plugins_count_as_none(self, no_plugins: LikeAContainer, half: str) -> None:
        package = no_plugins.airflow_home / "plugins" / "mwaa_codeartifact"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "startup.py").write_text(half)
        assert no_plugins.start().startswith("index-url refreshed in this container only, ")
        assert no_plugins.works()


@pytest.mark.long
def test_it_ends_within_20_seconds_whatever_hangs(
    aws: LocalAws, dead_line: Line, silent: socket.socket, trickling: socket.socket, tmp_path: Path
) -> None:
    hanging = url(silent)
    endless = url(trickling).replace("//", "//aws:secret@")
    endless_repository = f"--index-url {endless}/pypi/python/simple/\n".encode()

    def start(name: str, *, line: Line = dead_line, without: str = "", **environ: str) -> str:
        own = replace(aws, key=f"{tmp_path.name}-{name}/codeartifact.txt")
        container = LikeAContainer(tmp_path / name, own, environ)
        if without != "plugins":
            (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        if without == "timeout":
            (container.programs / "timeout").unlink()
        container.sync(line)
        return container.start()

    no_answer = "index-url not refreshed: python3 ended with status "
    silent_line = Line(f"--index-url {hanging.replace('//', '//aws:secret@')}/pypi/python/simple/\n".encode(), {})
    # An API whose repositories do not answer.
    api = control_plane(aws.server.codeartifact, lambda: hanging)
    with ThreadPoolExecutor(4) as threads, serve(api) as leading_there:
        no_s3_either: Any = {"AWS_ENDPOINT_URL_S3": hanging, "AWS_ENDPOINT_URL_CODEARTIFACT": leading_there}
        said = {
            "S3": threads.submit(start, "s3", AWS_ENDPOINT_URL_S3=hanging),
            "CodeArtifact": threads.submit(start, "codeartifact", AWS_ENDPOINT_URL_CODEARTIFACT=hanging),
            "repositories": threads.submit(start, "repositories", AWS_ENDPOINT_URL_CODEARTIFACT=leading_there),
            "all": threads.submit(start, "all", line=silent_line, **no_s3_either),
            "both": threads.submit(start, "both", AWS_ENDPOINT_URL=hanging),
            "both, no plugins": threads.submit(start, "none", without="plugins", AWS_ENDPOINT_URL=hanging),
            "repository": threads.submit(start, "repository", line=Line(endless_repository, {})),
            "no timeout": threads.submit(start, "watchdog", line=Line(endless_repository, {}), without="timeout"),
        }
        assert said["S3"].result().startswith("index-url refreshed in this container only, ")
        assert said["CodeArtifact"].result().startswith("index-url not refreshed, the line that is there is kept: ")
        for silence in ("repositories", "all"):
            told = said[silence].result()
            assert told.startswith("index-url not refreshed, the line that is there is kept: ")
            assert "no answer (ReadTimeoutError): check the VPC endpoint codeartifact.repositories" in told
        assert said["both"].result().startswith("index-url not refreshed")
        assert said["both, no plugins"].result().startswith("index-url not refreshed")
        assert said["repository"].result().startswith(f"{no_answer}124 ")
        assert said["no timeout"].result().startswith(f"{no_answer}124 ")
