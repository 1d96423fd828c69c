"""Nobody watches a silent screen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.cli import console

if TYPE_CHECKING:
    import pytest


def test_a_long_wait_gives_signs_of_life_only_while_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.8)
    with console.waiting("stack demo"), console.waiting("a single call"):
        time.sleep(1.6)
    console.say("done")
    time.sleep(1)
    *signs, last = capsys.readouterr().out.splitlines()
    assert signs
    assert all(sign.startswith("  … stack demo: ") for sign in signs)
    assert last == "done"
