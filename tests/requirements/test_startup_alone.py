"""The program in the startup script matches its sources, and reads and writes lines as the core does."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.build import startup_program, write_startup_script
from mwaa_codeartifact.core.index_url import LineFacts, Token
from mwaa_codeartifact.core.policy import STARTUP_MIN_REMAINING
from mwaa_codeartifact.startup_alone import new_file, outlives_pip
from tests.requirements.support import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.requirements.support import SimpleContainer

ID = "eu-west-1/123456789012/data/python"
HEAD, TAIL = "#!/bin/bash\n    IFS= read -r -d '' program <<'PYTHON' || true\n", "PYTHON\necho my own commands\n"


def line(remaining: timedelta, repository: str = ID) -> bytes:
    now = datetime.now(UTC)
    return new_file("https://example.com/pypi/python", Token("a/b", now + remaining), repository, now).render()


def test_the_committed_script_contains_exactly_the_program_of_the_sources() -> None:
    _, _, rest = SCRIPT.read_text().partition("<<'PYTHON' || true\n")
    program, _, _ = rest.partition("\nPYTHON\n")
    assert program + "\n" == startup_program(ROOT / "plugins"), "run `make build`"


def test_the_build_replaces_the_program_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    script = tmp_path / "requirements" / "startup.sh"
    script.parent.mkdir()
    script.write_text(f"{HEAD}an older program\n{TAIL}")
    write_startup_script(tmp_path)
    assert script.read_text() == HEAD + startup_program(ROOT / "plugins") + TAIL


def test_a_script_without_the_program_stays_as_it_is(tmp_path: Path) -> None:
    script = tmp_path / "requirements" / "startup.sh"
    script.parent.mkdir()
    script.write_text("echo my own commands\n")
    write_startup_script(tmp_path)
    assert script.read_text() == "echo my own commands\n"


def test_the_guard_imports_neither_the_plugins_nor_airflow(tmp_path: Path) -> None:
    program = startup_program(ROOT / "plugins") + "\nprint(*sys.modules)\n"
    command = [sys.executable, "-I", "-c", program, str(tmp_path / "missing" / "codeartifact.txt")]
    loaded = subprocess.run(command, input=line(timedelta(hours=1)), capture_output=True, check=True).stdout.decode()
    assert not {"airflow", "boto3", "mwaa_codeartifact"} & set(loaded.split())


@pytest.mark.parametrize(
    ("body", "fresh"),
    [
        (lambda: line(STARTUP_MIN_REMAINING + timedelta(minutes=1)), True),
        (lambda: line(STARTUP_MIN_REMAINING - timedelta(seconds=1)), False),
        (lambda: line(timedelta(hours=11), ID.replace("python", "other")), False),
        (lambda: line(timedelta(hours=11)).partition(b"\n")[2], False),
        (lambda: b"\xff\xfe", False),
        (lambda: b"", False),
        (lambda: None, False),
    ],
)
def test_a_line_is_fresh_if_it_serves_the_repository_and_outlives_pip(
    body: Callable[[], bytes | None], *, fresh: bool
) -> None:
    assert outlives_pip(body(), ID) is fresh


def test_without_plugins_the_script_writes_all_facts_of_a_line(container: SimpleContainer) -> None:
    (container.airflow_home / "plugins").unlink()
    container.start()
    facts = LineFacts.from_body(container.file.read_text())
    settings = container.aws.settings
    assert facts
    assert facts.refreshed_by == "startup"
    assert facts.token_fingerprint == Token(container.aws.minted[-1], facts.token_expires_at).fingerprint
    assert facts.repository.split("/") == [
        settings[name] for name in ("region", "domain_owner", "domain", "repository")
    ]
    assert container.line_is_accepted()


def test_without_plugins_a_line_of_another_repository_is_replaced(container: SimpleContainer) -> None:
    (container.airflow_home / "plugins").unlink()
    container.file.parent.mkdir()
    container.file.write_bytes(line(timedelta(hours=11), ID.replace("python", "other")))
    assert container.start().startswith("index-url refreshed in this container only, ")
    assert container.line_is_accepted()
