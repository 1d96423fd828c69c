"""The startup script, run by bash with the local AWS: the line that pip finds afterwards.

Every start also checks that the status is 0, that the script prints one line without a token, exports nothing and ends
within 20 seconds (see SimpleContainer.start).
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
from tests.requirements.support import Line, SimpleContainer

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.requirements.support import LocalAws

UNTIL = r"valid until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


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


def without_facts(line: Line) -> Line:
    """Return the line without facts, as a person writes it."""
    return Line(line.body.partition(b"\n")[2], {})


@pytest.fixture
def no_plugins(container: SimpleContainer) -> SimpleContainer:
    (container.airflow_home / "plugins").unlink()
    return container


@pytest.mark.parametrize("plugins", [True, False])
def test_a_fresh_line_is_kept_without_an_aws_call(
    container: SimpleContainer, aws: LocalAws, silent: socket.socket, *, plugins: bool
) -> None:
    container.sync(aws.new_line())
    before = container.file.stat().st_ino
    container.environ["AWS_ENDPOINT_URL"] = url(silent)
    if not plugins:
        (container.airflow_home / "plugins").unlink()
    assert container.start().startswith("index-url alive")
    assert connections(silent) == 0
    assert container.file.stat().st_ino == before


def test_a_missing_file_is_fetched_even_without_a_dags_folder(container: SimpleContainer, aws: LocalAws) -> None:
    line, minted = aws.new_line(), len(aws.minted)
    assert re.fullmatch(rf"index-url fetched, {UNTIL} \(refreshed by lambda\)", container.start())
    assert container.file.read_bytes() == aws.line.body == line.body
    assert container.file.stat().st_mode & 0o777 == 0o600
    assert len(aws.minted) == minted
    assert container.line_is_accepted()


def test_an_expired_copy_is_replaced_by_the_fresh_line_from_s3(
    container: SimpleContainer, aws: LocalAws, expired_line: Line
) -> None:
    container.sync(expired_line)
    line = aws.new_line()
    assert container.start().startswith("index-url fetched, ")
    assert container.file.read_bytes() == line.body
    assert container.line_is_accepted()


def test_an_expired_line_is_refreshed_for_all_containers(
    container: SimpleContainer, aws: LocalAws, expired_line: Line
) -> None:
    aws.put(expired_line)
    container.sync(expired_line)
    assert not container.pip_succeeds()
    assert re.fullmatch(rf"index-url refreshed, {UNTIL} \(refreshed by startup\)", container.start())
    assert aws.line.refresher == "startup"
    assert container.file.read_bytes() == aws.line.body
    assert container.pip_succeeds()
    assert [path.name for path in container.file.parent.iterdir()] == ["codeartifact.txt"]


def test_a_missing_line_is_published_for_all_containers(container: SimpleContainer, aws: LocalAws) -> None:
    assert container.start().startswith("index-url refreshed, ")
    assert aws.line.refresher == "startup"
    assert container.line_is_accepted()


def test_a_line_that_expires_before_pip_ends_is_refreshed(container: SimpleContainer, aws: LocalAws) -> None:
    container.sync(aws.new_line(timedelta(minutes=5)))
    assert container.start().startswith("index-url refreshed, ")


def test_a_line_of_another_repository_is_refreshed(container: SimpleContainer, aws: LocalAws) -> None:
    line = aws.new_line()
    container.sync(Line(line.body.replace(b"/data/python\n", b"/data/other\n", 1), {}))
    assert container.start().startswith("index-url fetched, ")
    assert container.file.read_bytes() == line.body


def test_three_containers_that_start_at_once_all_get_a_valid_line(
    aws: LocalAws, expired_line: Line, tmp_path: Path
) -> None:
    aws.put(expired_line)
    containers = [SimpleContainer(tmp_path / name, aws) for name in ("scheduler", "worker", "webserver")]
    for container in containers:
        (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        container.sync(expired_line)
    with ThreadPoolExecutor() as threads:
        output = list(threads.map(SimpleContainer.start, containers))
    assert all("valid until" in line for line in output), output
    assert all(container.line_is_accepted() for container in containers)
    assert aws.line.refresher == "startup"


class TestLinesWithoutFacts:
    """A line without facts, whose expiry is unknown."""

    def test_the_line_is_kept_while_the_repository_accepts_it(
        self, container: SimpleContainer, aws: LocalAws, silent: socket.socket
    ) -> None:
        line = without_facts(aws.new_line())
        container.sync(line)
        container.environ["AWS_ENDPOINT_URL"] = url(silent)
        assert container.start() == "index-url alive, the repository answers to it"
        assert container.file.read_bytes() == line.body
        assert connections(silent) == 0

    def test_the_line_is_refreshed_if_the_repository_rejects_it(
        self, container: SimpleContainer, aws: LocalAws, expired_line: Line
    ) -> None:
        aws.put(without_facts(expired_line))
        container.sync(without_facts(expired_line))
        assert container.start().startswith("index-url refreshed, ")
        assert container.line_is_accepted()

    @pytest.mark.parametrize("body", [b"", b"numpy\n", b"--index-url http://aws:x@[/simple/\n", b"\xff\xfe\n"])
    def test_an_unreadable_file_is_refreshed(self, container: SimpleContainer, body: bytes) -> None:
        container.sync(Line(body, {}))
        assert container.start().startswith("index-url refreshed, ")
        assert container.line_is_accepted()


class TestFaults:
    def test_without_s3_the_line_is_refreshed_in_this_container_only(
        self, container: SimpleContainer, aws: LocalAws, expired_line: Line, down: str
    ) -> None:
        aws.put(expired_line)
        container.sync(expired_line)
        container.environ["AWS_ENDPOINT_URL_S3"] = down
        output = container.start()
        assert re.match(
            rf"index-url refreshed in this container only, {UNTIL} \(refreshed by startup\): Could not ", output
        )
        assert "check the VPC endpoint" in output
        assert container.file.stat().st_mode & 0o777 == 0o600
        assert container.pip_succeeds()
        assert aws.line == expired_line

    def test_without_s3_and_a_dags_folder_the_line_is_refreshed_too(
        self, container: SimpleContainer, down: str
    ) -> None:
        container.environ["AWS_ENDPOINT_URL_S3"] = down
        assert container.start().startswith("index-url refreshed in this container only, ")
        assert container.line_is_accepted()

    def test_without_the_bucket_the_line_is_refreshed_in_this_container_only(
        self, container: SimpleContainer, aws: LocalAws, expired_line: Line
    ) -> None:
        container.environ["AIRFLOW__CODEARTIFACT__DESTINATION"] = "s3://no-such-bucket/dags/codeartifact.txt"
        container.sync(expired_line)
        assert container.start().startswith("index-url refreshed in this container only, ")
        assert container.line_is_accepted()
        assert not aws.has_line

    def test_without_codeartifact_the_old_line_is_kept_and_the_cause_is_named(
        self, container: SimpleContainer, aws: LocalAws, expired_line: Line, down: str
    ) -> None:
        aws.put(expired_line)
        container.sync(expired_line)
        container.environ["AWS_ENDPOINT_URL_CODEARTIFACT"] = down
        output = container.start()
        assert output.startswith("index-url not refreshed, the line that is there is kept: Could not ")
        assert "check the VPC endpoint" in output
        assert container.file.read_bytes() == aws.line.body == expired_line.body

    def test_without_codeartifact_pip_can_use_the_last_minutes_of_the_line(
        self, container: SimpleContainer, aws: LocalAws, down: str
    ) -> None:
        line = aws.new_line(timedelta(minutes=5))
        container.environ["AWS_ENDPOINT_URL_CODEARTIFACT"] = down
        assert container.start().startswith("index-url not refreshed, the line that is there is kept: ")
        assert container.file.read_bytes() == line.body
        assert container.line_is_accepted()

    @pytest.mark.parametrize("synced", [True, False])
    def test_without_s3_and_codeartifact_the_file_stays_as_it_is(
        self, container: SimpleContainer, expired_line: Line, down: str, *, synced: bool
    ) -> None:
        if synced:
            container.sync(expired_line)
        container.environ["AWS_ENDPOINT_URL"] = down
        left = "the line that is there is kept" if synced else "there is no line"
        assert container.start().startswith(f"index-url not refreshed, {left}: Could not ")
        assert container.file.exists() == synced

    def test_missing_credentials_are_named(self, container: SimpleContainer, expired_line: Line) -> None:
        container.sync(expired_line)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del container.environ[name]
        container.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        assert "no AWS credentials were found" in container.start()

    def test_a_missing_setting_is_named(self, container: SimpleContainer) -> None:
        del container.environ["AIRFLOW__CODEARTIFACT__DOMAIN"]
        assert "codeartifact.domain is not set" in container.start()

    def test_a_folder_that_cannot_be_created_is_named(self, container: SimpleContainer) -> None:
        (container.airflow_home / "dags").write_text("")
        assert "File exists" in container.start()

    def test_no_aws_cli_is_needed(self, container: SimpleContainer) -> None:
        assert shutil.which("aws", path=container.environ["PATH"]) is None
        assert container.start().startswith("index-url refreshed, ")

    def test_without_python_the_container_starts_nevertheless(self, container: SimpleContainer) -> None:
        (container.programs / "python3").unlink()
        (container.programs / "timeout").unlink()
        (container.programs / "python3").write_text("#!/bin/sh\nexit 3\n")
        (container.programs / "python3").chmod(0o755)
        assert container.start().startswith("index-url not refreshed: python3 ended with status 3 ")


class TestWithoutPlugins:
    """Starts before plugins.zip is unpacked, or without it."""

    def test_a_missing_file_is_fetched(self, no_plugins: SimpleContainer, aws: LocalAws) -> None:
        line = aws.new_line()
        assert no_plugins.start() == "index-url fetched (without the plugins)"
        assert no_plugins.file.read_bytes() == line.body
        assert no_plugins.file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("s3_is_down", [True, False])
    def test_an_expired_line_is_refreshed_in_this_container_only(
        self, no_plugins: SimpleContainer, aws: LocalAws, expired_line: Line, down: str, *, s3_is_down: bool
    ) -> None:
        aws.put(expired_line)
        no_plugins.sync(expired_line)
        if s3_is_down:
            no_plugins.environ["AWS_ENDPOINT_URL_S3"] = down
        output = no_plugins.start()
        assert re.fullmatch(rf"index-url refreshed in this container only, {UNTIL} \(without the plugins\)", output)
        assert no_plugins.file.stat().st_mode & 0o777 == 0o600
        assert no_plugins.pip_succeeds()
        assert aws.line == expired_line

    def test_the_next_start_recognises_its_line_as_fresh(self, no_plugins: SimpleContainer) -> None:
        no_plugins.start()
        assert no_plugins.start() == "index-url alive (without the plugins)"
        (no_plugins.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        assert re.fullmatch(rf"index-url alive, {UNTIL} \(refreshed by startup\)", no_plugins.start())

    @pytest.mark.parametrize("body", [b"# token-expires-at=tomorrow\n", b"\xff\xfe\n"])
    def test_an_unreadable_file_is_replaced(self, no_plugins: SimpleContainer, body: bytes) -> None:
        no_plugins.sync(Line(body, {}))
        assert no_plugins.start().startswith("index-url refreshed in this container only, ")
        assert no_plugins.line_is_accepted()

    def test_without_s3_and_codeartifact_the_line_is_kept_and_the_error_named(
        self, no_plugins: SimpleContainer, expired_line: Line, down: str
    ) -> None:
        no_plugins.sync(expired_line)
        no_plugins.environ["AWS_ENDPOINT_URL"] = down
        assert no_plugins.start() == "index-url not refreshed: EndpointConnectionError (without the plugins)"
        assert no_plugins.file.read_bytes() == expired_line.body

    def test_an_error_of_codeartifact_is_named(self, no_plugins: SimpleContainer) -> None:
        no_plugins.environ["AIRFLOW__CODEARTIFACT__REPOSITORY"] = "missing"
        assert no_plugins.start() == "index-url not refreshed: ResourceNotFoundException (without the plugins)"
        assert not no_plugins.file.exists()

    @pytest.mark.parametrize(
        "half", ["", "from mwaa_codeartifact.core.connections import Cli", "from nowhere import x\n"]
    )
    def test_incomplete_plugins_are_not_used(self, no_plugins: SimpleContainer, half: str) -> None:
        package = no_plugins.airflow_home / "plugins" / "mwaa_codeartifact"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "startup.py").write_text(half)
        assert no_plugins.start().startswith("index-url refreshed in this container only, ")
        assert no_plugins.line_is_accepted()


@pytest.mark.long
def test_the_script_ends_within_20_seconds_whatever_hangs(
    aws: LocalAws, expired_line: Line, silent: socket.socket, trickling: socket.socket, tmp_path: Path
) -> None:
    hanging = url(silent)
    endless = url(trickling).replace("//", "//aws:secret@")
    endless_repository = f"--index-url {endless}/pypi/python/simple/\n".encode()

    def start(name: str, *, line: Line = expired_line, without: str = "", **environ: str) -> str:
        own = replace(aws, key=f"{tmp_path.name}-{name}/codeartifact.txt")
        container = SimpleContainer(tmp_path / name, own, environ)
        if without != "plugins":
            (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
        if without == "timeout":
            (container.programs / "timeout").unlink()
        container.sync(line)
        return container.start()

    no_answer = "index-url not refreshed: python3 ended with status "
    silent_line = Line(f"--index-url {hanging.replace('//', '//aws:secret@')}/pypi/python/simple/\n".encode(), {})
    # An API that returns repository endpoints which do not answer.
    api = control_plane(aws.server.codeartifact, lambda: hanging)
    with ThreadPoolExecutor(4) as threads, serve(api) as silent_endpoints:
        no_s3_either: Any = {"AWS_ENDPOINT_URL_S3": hanging, "AWS_ENDPOINT_URL_CODEARTIFACT": silent_endpoints}
        output = {
            "S3": threads.submit(start, "s3", AWS_ENDPOINT_URL_S3=hanging),
            "CodeArtifact": threads.submit(start, "codeartifact", AWS_ENDPOINT_URL_CODEARTIFACT=hanging),
            "repositories": threads.submit(start, "repositories", AWS_ENDPOINT_URL_CODEARTIFACT=silent_endpoints),
            "all": threads.submit(start, "all", line=silent_line, **no_s3_either),
            "both": threads.submit(start, "both", AWS_ENDPOINT_URL=hanging),
            "both, no plugins": threads.submit(start, "none", without="plugins", AWS_ENDPOINT_URL=hanging),
            "repository": threads.submit(start, "repository", line=Line(endless_repository, {})),
            "no timeout": threads.submit(start, "watchdog", line=Line(endless_repository, {}), without="timeout"),
        }
        assert output["S3"].result().startswith("index-url refreshed in this container only, ")
        assert output["CodeArtifact"].result().startswith("index-url not refreshed, the line that is there is kept: ")
        for silence in ("repositories", "all"):
            message = output[silence].result()
            assert message.startswith("index-url not refreshed, the line that is there is kept: ")
            assert "no answer (ReadTimeoutError): check the VPC endpoint codeartifact.repositories" in message
        assert output["both"].result().startswith("index-url not refreshed")
        assert output["both, no plugins"].result().startswith("index-url not refreshed")
        assert output["repository"].result().startswith(f"{no_answer}124 ")
        assert output["no timeout"].result().startswith(f"{no_answer}124 ")
