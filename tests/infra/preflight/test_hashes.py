"""Hashes, with an index that states them; the rules were observed with pip 26.3."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.preflight import Report
    from tests.infra.preflight.support import Shelf

    Checked = Callable[..., Report]

OTHER = "sha256:" + "00" * 32


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_hash_of_a_fitting_wheel_is_good_among_others(shelf: Shelf, checked: Checked) -> None:
    digest = sha256(shelf.wheel("tiny", "1.0"))
    report = checked(f"tiny==1.0 --hash={OTHER} --hash={digest}")
    assert (report.problems, report.notes) == ([], [])


def test_a_hash_that_no_fitting_wheel_has_is_named_with_the_right_one(shelf: Shelf, checked: Checked) -> None:
    digest = sha256(shelf.wheel("tiny", "1.0"))
    other_platform = sha256(shelf.wheel("tiny", "1.0", tag="cp312-cp312-win_amd64"))
    (problem,) = checked("# a comment", f"tiny==1.0 --hash={other_platform}").problems
    assert problem.line == 3
    assert problem.sentence.startswith("no wheel of tiny 1.0 for the containers has a hash given here, and pip")
    assert problem.sentence.endswith(f": write `--hash={digest}`.")


def test_a_package_without_a_hash_next_to_one_with_a_hash_is_noted(shelf: Shelf, checked: Checked) -> None:
    digest = sha256(shelf.wheel("tiny", "1.0", "helper"))
    shelf.wheel("helper", "1.0")
    report = checked(f"tiny==1.0 --hash={digest}")
    assert report.problems == []
    (note,) = report.notes
    assert note.startswith("pip checks hashes here, and no line gives one for helper: pip refuses each")


def test_without_any_hash_the_option_alone_makes_pip_refuse(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    (note,) = checked("--require-hashes", "tiny==1.0").notes
    assert "no line gives one for tiny" in note


def test_a_file_without_hashes_is_not_judged_for_them(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    assert checked("tiny==1.0").notes == []


def test_a_hash_that_the_index_does_not_state_is_noted(shelf: Shelf, checked: Checked) -> None:
    shelf.has_hashes = False
    shelf.wheel("tiny", "1.0")
    report = checked(f"tiny==1.0 --hash={OTHER}")
    assert report.problems == []
    assert report.notes == ["the hashes of tiny could not be compared: the index does not state them."]
