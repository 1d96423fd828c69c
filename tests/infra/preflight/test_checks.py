"""Real uv against a real index: a wrong file gets one sentence that names the line and the fix."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.preflight import CannotCheckError, PreflightSettings, Report, check
from tests.infra.preflight.support import constrain, wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.preflight.support import Shelf

    Checked = Callable[..., Report]

pytestmark = pytest.mark.long

FOREIGN = "cp312-cp312-macosx_14_0_arm64"
FITTING = "cp312-cp312-manylinux_2_28_x86_64"


def only(report: Report, line: int) -> str:
    """Return the sentence of the only problem, which is at this line."""
    (problem,) = report.problems
    assert problem.line == line
    return problem.sentence


# --- Good files


def test_the_report_on_a_good_file_is_a_table_with_versions_and_sizes(shelf: Shelf, checked: Checked) -> None:
    content = shelf.wheel("tiny", "1.0", "helper>=1")
    shelf.wheel("helper", "1.5", tag=FITTING)
    report = checked("tiny")
    assert report.problems == []
    assert [(row.package.name, str(row.package.version), row.origin) for row in report.rows] == [
        ("helper", "1.5", "index"),
        ("tiny", "1.0", "index"),
    ]
    assert report.rows[1].package.size == len(content)
    assert str(report).endswith("preflight: good")
    assert "\ntiny     1.0      index   " in str(report)
    assert "2 packages, " in str(report)
    assert "assuming 5 MB a second to download and unpack" in str(report)


def test_the_size_is_that_of_the_best_wheel_for_the_image(shelf: Shelf, checked: Checked) -> None:
    for tag in ("py3-none-any", FOREIGN, "cp312-cp312-manylinux_2_35_x86_64", "cp311-cp311-manylinux_2_28_x86_64"):
        shelf.wheel("tiny", "1.0", tag=tag)
    shelf.wheel("tiny", "1.0", tag=FITTING)
    (row,) = checked("tiny").rows
    assert row.package.url.endswith(f"tiny-1.0-{FITTING}.whl")


@pytest.mark.parametrize(("airflow", "python"), [("2.10.3", "cp311"), ("2.11.2", "cp312"), ("3.3.1", "cp312")])
def test_the_python_is_that_of_the_airflow_version(
    shelf: Shelf, root: Path, settings: PreflightSettings, airflow: str, python: str
) -> None:
    for each in ("cp311", "cp312"):
        shelf.wheel("tiny", "1.0", tag=f"{each}-{each}-manylinux2014_x86_64")
    path = root / "requirements.txt"
    path.write_text("-r ${AIRFLOW_HOME}/dags/codeartifact.txt\ntiny\n")
    (row,) = check(path, replace(constrain(settings, "x==1"), airflow_version=airflow)).rows
    assert python in row.package.url


def test_airflow_itself_is_in_the_image_and_is_not_installed(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("a_provider", "1.0", "apache-airflow>=3.0")
    report = checked("a-provider")
    assert report.problems == []
    assert [row.package.name for row in report.rows] == ["a-provider"]


def test_a_provider_for_a_later_airflow_is_excluded_by_the_image(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("a_provider", "1.0", "apache-airflow>=3.2")
    shelf.wheel("apache_airflow", "3.2.0")
    sentence = only(checked("a-provider"), 2)
    assert "a-provider needs another apache-airflow than the constraint apache-airflow==3.0.6" in sentence


def test_a_wheel_in_plugins_is_installed_from_there(shelf: Shelf, root: Path, checked: Checked) -> None:
    shelf.wheel("helper", "1.0")
    filename, content = wheel("mine", "2.0", ("helper",))
    (root / "plugins" / filename).write_bytes(content)
    report = checked(f"${{AIRFLOW_HOME}}/plugins/{filename}")
    assert report.problems == []
    assert [(row.package.name, row.origin) for row in report.rows] == [("helper", "index"), ("mine", "file")]


def test_without_an_index_only_the_wheels_in_plugins_are_used(root: Path, checked: Checked) -> None:
    filename, content = wheel("mine", "2.0")
    (root / "plugins" / filename).write_bytes(content)
    report = checked("--find-links ${AIRFLOW_HOME}/plugins", "mine", head="--no-index")
    assert report.problems == []
    assert [(row.package.name, row.origin) for row in report.rows] == [("mine", "file")]


def test_own_constraints_replace_all_but_those_that_mwaa_always_applies(
    shelf: Shelf, root: Path, checked: Checked
) -> None:
    for name in ("flask", "tiny"):
        for version in ("1.0", "2.0", "3.0"):
            shelf.wheel(name, version)
    (root / "dags" / "own.txt").write_text("tiny<3\n")
    lines = ("-c ${AIRFLOW_HOME}/dags/own.txt", "tiny", "flask")
    report = checked(*lines, constraints=["tiny==1.0", "flask==2.0"])
    assert [(row.package.name, str(row.package.version)) for row in report.rows] == [("flask", "2.0"), ("tiny", "2.0")]
    assert "constraints: the file's own; of Airflow's only those that MWAA always applies" in str(report)


def test_a_pre_release_is_chosen_if_there_is_no_other_version(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("early", "1.0b1")
    shelf.wheel("tiny", "1.0", "early>=1.0b1")
    report = checked("tiny")
    assert report.problems == []
    assert {str(row.package.version) for row in report.rows} == {"1.0", "1.0b1"}


# --- Names, versions, constraints


def test_a_name_that_is_not_found_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    assert only(checked("tiny", "tinny"), 3).startswith("tinny is not known to the index: correct the name, or publish")


def test_a_version_that_is_not_there_is_named_with_one_that_is(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    shelf.wheel("tiny", "1.1")
    assert only(checked("tiny==2.0"), 2) == (
        "no version of tiny fits ==2.0: choose one that the index has, such as 1.1."
    )


def test_two_lines_about_one_package_that_exclude_each_other_are_both_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    shelf.wheel("tiny", "2.0")
    sentence = only(checked("tiny<2", "tiny>=2"), 3)
    assert "no version of tiny fits " in sentence
    assert "with line 2" in sentence


def test_lines_that_cannot_be_installed_together_are_both_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("one", "1.0", "tiny<2")
    shelf.wheel("two", "1.0", "tiny>=2")
    shelf.wheel("tiny", "1.0")
    shelf.wheel("tiny", "2.0")
    sentence = only(checked("one", "two"), 3)
    assert sentence.startswith("two cannot be installed with line 2. uv says: Because ")
    assert "tiny>=2" in sentence


def test_an_excluding_constraint_is_named_with_its_line(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    shelf.wheel("tiny", "2.0")
    lines = ("--constraint ${AIRFLOW_CONSTRAINTS_FILE}", "tiny>=2")
    sentence = only(checked(*lines, constraints=["tiny==1.0"]), 3)
    assert sentence == (
        "tiny>=2 is excluded by the constraint tiny==1.0 (line 2 of airflow.txt): "
        "write a version that it allows, or only tiny."
    )


def test_an_excluding_constraint_of_the_user_is_named_with_its_file(shelf: Shelf, root: Path, checked: Checked) -> None:
    shelf.wheel("tiny", "2.0")
    (root / "dags" / "own.txt").write_text("\n\ntiny<2\n")
    sentence = only(checked("-c ${AIRFLOW_HOME}/dags/own.txt", "tiny"), 3)
    assert f"tiny<2 (line 3 of {root / 'dags' / 'own.txt'})" in sentence


def test_a_constraint_that_excludes_a_dependency_of_a_package_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", "helper>=2")
    shelf.wheel("helper", "1.0")
    shelf.wheel("helper", "2.0")
    shelf.wheel("other", "1.0")
    sentence = only(checked("other", "tiny", constraints=["other==1.0", "helper==1.0"]), 3)
    assert sentence == (
        "tiny needs another helper than the constraint helper==1.0 (line 3 of airflow.txt) allows: "
        "choose a version of tiny that is compatible with it."
    )


def test_a_pinned_version_that_the_index_does_not_have_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "2.0")
    sentence = only(checked("tiny", constraints=["tiny==1.0"]), 2)
    assert sentence.startswith("tiny==1.0 (line 2 of airflow.txt) allows only a version that the index does not have")


def test_a_pre_release_is_not_chosen_to_avoid_a_constraint(shelf: Shelf, checked: Checked) -> None:
    # pip would not choose it either; uv by itself would.
    shelf.wheel("tiny", "1.0", "helper>=2")
    shelf.wheel("tiny", "2.0a1")
    shelf.wheel("helper", "1.0")
    shelf.wheel("helper", "2.0")
    assert "the constraint helper==1.0" in only(checked("tiny", constraints=["helper==1.0"]), 2)


def test_a_dependency_that_the_index_does_not_have_is_reported_in_uvs_words(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", "gone>=1")
    shelf.wheel("other", "1.0")
    sentence = only(checked("other", "tiny"), 3)
    assert sentence.startswith("tiny cannot be installed. uv says: Because gone was not found in the package registry")


def test_if_several_constraints_exclude_a_set_only_uv_is_quoted(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", "helper>=2", "aide>=2")
    for name in ("helper", "aide"):
        shelf.wheel(name, "1.0")
        shelf.wheel(name, "2.0", "helper>=2", "aide>=2")
    sentence = only(checked("tiny", constraints=["helper==1.0", "aide==1.0"]), 2)
    assert sentence.startswith("tiny cannot be installed. uv says: Because ")


def test_a_set_that_cannot_be_solved_costs_few_runs_of_the_resolver(
    shelf: Shelf, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        shelf.wheel(f"line{number}", "1.0", f"helper>={number + 2}")
        shelf.wheel("helper", f"{number + 1}.0")
    started: list[list[str]] = []
    start = subprocess.Popen.__init__

    def record(process: subprocess.Popen[str], command: list[str], **options: Any) -> None:
        started.append(command)
        start(process, command, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", record)
    names = [f"line{number}" for number in range(8)]
    assert len(checked(*names, constraints=["helper==1.0"]).problems) == 1
    assert len([command for command in started if "compile" in command]) == 3  # without and with pre-releases, one more


def test_all_wrong_lines_are_reported_at_once(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    report = checked("tiny==9", "gone", "--extra-index-url http://second.test/simple", "bad line")
    assert [problem.line for problem in sorted(report.problems)] == [2, 3, 4, 5]
    assert str(report).endswith("preflight: 4 problems")


# --- Wheels


def test_a_package_without_a_wheel_for_the_platform_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", tag=FOREIGN)
    assert only(checked("tiny"), 2) == (
        f"tiny 1.0 has no wheel for Python 3.12 on Linux x86-64 (only {FOREIGN}): choose a version that has one."
    )


def test_a_newer_glibc_than_the_image_has_does_not_fit(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", tag="cp312-cp312-manylinux_2_35_x86_64")
    assert "has no wheel for Python 3.12 on Linux x86-64" in only(checked("tiny"), 2)


def test_a_package_for_another_python_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", attributes='data-requires-python="&gt;=3.13"')
    assert "tiny 1.0 needs Python >=3.13, but Airflow 3.0.6 has 3.12" in only(checked("tiny"), 2)


def test_a_package_that_is_source_only_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.source("tiny", "1.0")
    sentence = only(checked("tiny"), 2)
    assert sentence.startswith("tiny 1.0 is available as source only, which the container would have to build: publish")


@pytest.mark.parametrize("kind", ["source", "platform", "yanked"])
def test_the_dependencies_of_a_package_are_checked_too(shelf: Shelf, checked: Checked, kind: str) -> None:
    shelf.wheel("tiny", "1.0", "helper>=2")
    shelf.wheel("helper", "1.0")
    if kind == "source":
        shelf.source("helper", "2.0")
    else:
        attributes = 'data-yanked="broken"' if kind == "yanked" else ""
        shelf.wheel("helper", "2.0", tag=FOREIGN if kind == "platform" else FITTING, attributes=attributes)
    words = {
        "source": "has no usable wheels",
        "platform": "has no wheels with a matching platform tag",
        "yanked": "was yanked (reason: broken)",
    }
    sentence = only(checked("tiny"), 2)
    assert sentence.startswith(f"tiny cannot be installed. uv says: Because helper==2.0 {words[kind]}")


def test_a_newer_version_that_pip_would_build_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    shelf.source("tiny", "1.1")
    shelf.wheel("above", "1.0", "tiny<2")
    assert only(checked("above"), 2) == (
        "tiny 1.1 is available as source only, and pip would build it instead of taking 1.0: write tiny==1.0."
    )


def test_a_newer_version_that_no_line_allows_does_not_matter(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0")
    shelf.source("tiny", "2.1")
    shelf.source("tiny", "1.1rc1")
    shelf.wheel("above", "1.0", "tiny<2")
    assert checked("above").problems == []
    shelf.source("tiny", "1.5")
    assert checked("above", "tiny==1.0").problems == []


def test_a_package_whose_versions_are_all_yanked_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", attributes='data-yanked="broken"')
    assert only(checked("tiny"), 2) == "tiny 1.0 is yanked (broken): choose another version."


def test_a_yanked_version_that_a_line_pins_is_named(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", attributes='data-yanked="broken"')
    shelf.wheel("tiny", "2.0")
    assert only(checked("tiny==1.0"), 2) == "tiny 1.0 is yanked (broken): choose another version."


def test_a_yanked_version_that_a_constraint_pins_is_noted(shelf: Shelf, checked: Checked) -> None:
    shelf.wheel("tiny", "1.0", attributes='data-yanked="broken"')
    report = checked("tiny", constraints=["tiny==1.0"])
    assert report.problems == []
    assert "note: tiny 1.0 is yanked (broken), but pinned by a constraint" in str(report)


def test_an_installation_that_would_take_longer_than_mwaa_allows_is_named(
    shelf: Shelf, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.wheel("tiny", "1.0", "big")
    shelf.wheel("big", "1.0", *["helper"] * 50)
    shelf.wheel("helper", "1.0")
    monkeypatch.setattr("infra.preflight.report.ASSUMED_BYTES_PER_SECOND", 1)
    sentence = only(checked("helper", "tiny"), 3)
    assert sentence.startswith("big (")
    assert "MWAA stops it after 9 min: choose a smaller build" in sentence


# --- No verdict


def test_there_is_no_verdict_if_the_index_does_not_respond(
    root: Path, settings: PreflightSettings, checked: Checked
) -> None:
    checked()
    with pytest.raises(CannotCheckError, match=r"gives no usable answer .*check the network to it"):
        check(root / "requirements" / "requirements.txt", replace(settings, source="http://127.0.0.1:9/simple/"))


def test_there_is_no_verdict_if_the_index_is_no_url(root: Path, settings: PreflightSettings, checked: Checked) -> None:
    checked()
    with pytest.raises(CannotCheckError, match="correct or unset PREFLIGHT_INDEX_URL"):
        check(root / "requirements" / "requirements.txt", replace(settings, source="nonsense"))


def test_the_password_of_an_index_is_in_no_output(
    shelf: Shelf, root: Path, settings: PreflightSettings, checked: Checked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shelf.wheel("tiny", "1.0")
    checked("tiny", "gone")
    secret = replace(settings, source=shelf.url.replace("//", "//me:canary@"))
    report = check(root / "requirements" / "requirements.txt", secret)
    assert len(report.problems) == 1
    assert "Basic bWU6Y2FuYXJ5" in {authorization for _, authorization in shelf.public.requests}
    assert "canary" not in f"{report}{report!r}{secret!r}{caplog.text}"
