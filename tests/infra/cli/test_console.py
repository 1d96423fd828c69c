"""The console prints a heartbeat while a step takes long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.cli import console

if TYPE_CHECKING:
    import pytest


def test_a_long_wait_prints_heartbeats_only_while_there_is_no_other_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.8)
    with console.waiting("stack demo"), console.waiting("a single call"):
        time.sleep(1.6)
    console.say("done")
    time.sleep(1)
    *heartbeats, last = capsys.readouterr().out.splitlines()
    assert heartbeats
    assert all(heartbeat.startswith("  … stack demo: ") for heartbeat in heartbeats)
    assert last == "done"


def test_a_line_has_its_time_and_its_speaker_and_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Console() as speakers:
        speakers.say("mwaa", "AVAILABLE")
    assert speakers.lines == ["   0.0 s  mwaa      AVAILABLE"]
    assert capsys.readouterr().out == "   0.0 s  mwaa      AVAILABLE\n"


def test_heartbeats_are_printed_until_quiet_is_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.5)
    with console.Console() as speakers:
        time.sleep(1.2)
        assert "  … at work: " in capsys.readouterr().out
        speakers.quiet()
        time.sleep(1.2)
    assert capsys.readouterr().out == ""
