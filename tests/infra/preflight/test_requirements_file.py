"""The rules on the text, each line read by pip's own parser."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.preflight.container import Container
from infra.preflight.problems import CannotCheckError
from infra.preflight.requirements_file import RequirementsFile, read
from tests.infra.preflight.support import wheel

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "-r ${AIRFLOW_HOME}/dags/codeartifact.txt\n"


def read_text(root: Path, text: str) -> RequirementsFile:
    return read_bytes(root, text.encode())


def read_bytes(root: Path, content: bytes) -> RequirementsFile:
    path = root / "requirements" / "requirements.txt"
    path.write_bytes(content)
    return read(path, Container("3.0.6", root))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "--extra-index-url https://me:canary@second.test/simple",
            "a higher version that anyone publishes there",
        ),
        ("--index-url https://aws:canary@third.test/simple", "a second `--index-url` replaces"),
        ("-e git+https://me:canary@code.test/a#egg=a", "-e names a git+https URL, which a container in private"),
        ("-e ./here", "-e names a folder, which a container in private subnets cannot reach"),
        ("tool @ https://me:canary@code.test/tool-1.0-py3-none-any.whl", "tool names a https URL"),
        ("git+ssh://git@code.test/a", "the requirement names a git+ssh URL"),
        ("https://me:canary@code.test/a.zip", "the requirement names a https URL"),
        ("./tool", "./tool will not be in the container: publish the package"),
        ("tool-1.0-py3-none-any.whl", "tool-1.0-py3-none-any.whl will not be in the container"),
        ("${AIRFLOW_HOME}/plugins/gone-1.0-py3-none-any.whl", "will not be in the container"),
        ("tool @ file:///usr/local/airflow/plugins/gone.whl", "plugins/gone.whl will not be in the container"),
        ("-r more.txt", "`-r more.txt` names a file that will not be in the container, and pip then installs nothing"),
        ("-r ${AIRFLOW_HOME}/dags/gone.txt", "write `-r ${AIRFLOW_HOME}/dags/gone.txt`, or move its lines here"),
        ("-r https://me:canary@code.test/r.txt", "`-r` names a https URL"),
        ("--constraint https://me:canary@code.test/c.txt", "write `--constraint ${AIRFLOW_CONSTRAINTS_FILE}`"),
        ("--constraint mine.txt", "`-c mine.txt` names a file that will not be in the container"),
        ("--find-links https://me:canary@code.test/", "`--find-links` names a https URL"),
        ("--find-links wheels", "write `--find-links ${AIRFLOW_HOME}/plugins`"),
        ("--no-binary :all:", "`--no-binary :all:` makes the container build from source: remove it"),
        ("numpy=1.0", "'numpy=1.0' is no requirement ("),
        ("two words", "'two words' is no requirement ("),
        ("--no-such-option", "pip cannot read the line (no such option: --no-such-option)"),
    ],
)
def test_a_line_that_cannot_work_is_named_with_its_fix(root: Path, line: str, sentence: str) -> None:
    found = read_text(root, f"{HEAD}numpy\n\n{line}\n")
    (problem,) = found.problems
    assert problem.line == 4
    assert str(problem).startswith(str(root / "requirements" / "requirements.txt") + ":4: ")
    assert sentence in problem.sentence
    assert ": " in problem.sentence
    assert problem.sentence.endswith(".")
    assert "canary" not in str(problem)


@pytest.mark.parametrize("option", ["--constraint=", "-c", "--constr ", "--constraint\t"])
def test_a_constraint_line_that_mwaa_does_not_see_is_named(root: Path, option: str) -> None:
    (problem,) = read_text(root, f"{HEAD}{option}${{AIRFLOW_CONSTRAINTS_FILE}}\n").problems
    assert problem.line == 2
    assert "MWAA does not see this constraint line and also forces Airflow's constraints" in problem.sentence
    assert "`--constraint FILE` or `-c FILE`, with one space" in problem.sentence


def test_a_short_option_with_an_equals_sign_names_another_file(root: Path) -> None:
    (problem,) = read_text(root, f"{HEAD}-c=${{AIRFLOW_CONSTRAINTS_FILE}}\n").problems
    assert problem.line == 2
    assert "write `-c " in problem.sentence


def test_a_constraint_line_in_a_nested_file_is_not_seen_by_mwaa(root: Path) -> None:
    (root / "dags" / "more.txt").write_text("\n--constraint pins.txt\n")
    (root / "dags" / "pins.txt").write_text("tiny==1.0\n")
    found = read_text(root, f"{HEAD}-r ${{AIRFLOW_HOME}}/dags/more.txt\n")
    (problem,) = found.problems
    assert (problem.path, problem.line) == (str(root / "dags" / "more.txt"), 2)
    assert "requirements.txt itself" in problem.sentence
    assert found.airflow_constraints
    assert [line.text for line in found.constraints] == ["tiny==1.0"]


def test_further_constraint_lines_are_accepted_if_mwaa_sees_one(root: Path) -> None:
    (root / "dags" / "pins.txt").write_text("tiny==1.0\n")
    text = "-c ${AIRFLOW_CONSTRAINTS_FILE}\n--constraint=${AIRFLOW_HOME}/dags/pins.txt\n"
    found = read_text(root, HEAD + text)
    assert found.problems == []
    assert found.airflow_constraints
    assert [line.text for line in found.constraints] == ["tiny==1.0"]


CONSTRAINED = f"{HEAD}--constraint ${{AIRFLOW_CONSTRAINTS_FILE}}\nnumpy # café\n"


@pytest.mark.parametrize(
    "content",
    [
        CONSTRAINED.encode("utf-8-sig"),
        CONSTRAINED.encode("utf-16"),
        b"\xfe\xff" + CONSTRAINED.encode("utf-16-be"),
        b"\x00\x00\xfe\xff" + CONSTRAINED.encode("utf-32-be"),
        f"# -*- coding: latin-1 -*-\n{CONSTRAINED}".encode("latin-1"),
        f"#\n# vim: fileencoding=cp1252\n{CONSTRAINED}".encode("cp1252"),
    ],
    ids=["utf-8-sig", "utf-16", "utf-16-be", "utf-32-be", "latin-1 named", "cp1252 named"],
)
def test_an_encoding_that_both_pip_and_mwaa_know_is_accepted(root: Path, content: bytes) -> None:
    found = read_bytes(root, content)
    assert (found.problems, found.notes) == ([], [])
    assert found.airflow_constraints
    assert [line.text for line in found.requirements] == ["numpy"]


def test_an_encoding_that_pip_does_not_know_is_named_with_the_line_and_the_fix(root: Path) -> None:
    (problem,) = read_bytes(root, CONSTRAINED.encode("latin-1")).problems
    assert problem.line == 3
    assert problem.sentence.startswith("pip cannot decode the file from here on, and then installs nothing: save it as")


@pytest.mark.long
def test_pip_fails_on_an_encoding_that_it_does_not_know(root: Path) -> None:
    path = root / "requirements.txt"
    path.write_bytes("# café\n".encode("latin-1"))
    environ = {"PATH": os.defpath}  # no locale, as on the containers
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "-r", str(path)]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "UnicodeDecodeError" in ended.stderr


def test_an_encoding_that_only_pip_knows_is_named(root: Path) -> None:
    (problem,) = read_bytes(root, CONSTRAINED.encode("utf-32")).problems
    assert "MWAA does not know this encoding and forces Airflow's constraints: save the file as UTF-8" in str(problem)


def test_without_a_constraint_line_mwaa_forces_those_of_airflow(root: Path) -> None:
    assert read_text(root, f"{HEAD}numpy\n").airflow_constraints


def test_own_constraints_replace_those_of_airflow(root: Path) -> None:
    (root / "dags" / "pins.txt").write_text("tiny==1.0\n")
    assert not read_text(root, f"{HEAD}-c ${{AIRFLOW_HOME}}/dags/pins.txt\n").airflow_constraints


def test_a_comment_that_mwaa_takes_for_a_constraint_is_noted(root: Path) -> None:
    found = read_text(root, f"{HEAD}# no -c here\n")
    assert not found.airflow_constraints
    (note,) = found.notes
    assert note.line == 2
    assert "MWAA takes this line for a constraint" in note.sentence


def test_a_file_that_reads_no_index_url_is_named(root: Path) -> None:
    (problem,) = read_text(root, "numpy\n").problems
    assert "add `-r ${AIRFLOW_HOME}/dags/codeartifact.txt`" in problem.sentence


def test_the_full_path_of_the_index_url_file_is_accepted_too(root: Path) -> None:
    assert read_text(root, "-r /usr/local/airflow/dags/codeartifact.txt\n").problems == []


def test_nested_files_below_dags_are_read_relative_to_one_another(root: Path) -> None:
    (root / "dags" / "sets").mkdir()
    (root / "dags" / "sets" / "one.txt").write_text("-r ../two.txt\none\n")
    (root / "dags" / "two.txt").write_text("two\n-r sets/one.txt\n")
    found = read_text(root, f"{HEAD}-r ${{AIRFLOW_HOME}}/dags/sets/one.txt\n")
    assert [line.text for line in found.requirements] == ["two", "one"]
    (problem,) = found.problems
    assert "reads a file that is being read" in problem.sentence


def test_wheels_and_folders_below_plugins_are_accepted(root: Path) -> None:
    filename, content = wheel("mine", "1.0")
    (root / "plugins" / filename).write_bytes(content)
    text = f"{HEAD}--find-links ${{AIRFLOW_HOME}}/plugins\n${{AIRFLOW_HOME}}/plugins/{filename}\n"
    found = read_text(root, text)
    assert found.problems == []
    assert found.find_links == [root / "plugins"]
    assert [line.text for line in found.requirements] == [str(root / "plugins" / filename)]


def test_a_marker_of_another_python_or_platform_excludes_a_line(root: Path) -> None:
    text = 'old; python_version < "3.12"\nmac; sys_platform == "darwin"\nlinux; platform_machine == "x86_64"\n'
    assert [line.number for line in read_text(root, HEAD + text).requirements] == [4]


def test_a_continued_line_has_the_number_of_its_first_line(root: Path) -> None:
    (line,) = read_text(root, f"{HEAD}\nnumpy \\\n  >=1.0 \\\n  --hash=sha256:00\n").requirements
    assert (line.number, line.text.split()) == (3, ["numpy", ">=1.0"])


def test_a_missing_file_cannot_be_checked(root: Path) -> None:
    with pytest.raises(CannotCheckError, match=r"gone.txt cannot be read .*make preflight REQUIREMENTS="):
        read(root / "gone.txt", Container("3.0.6", root))


@pytest.mark.parametrize("version", ["2.10.3", "2.11.2", "3.0.6", "3.2.1", "3.3.1"])
def test_the_shipped_file_breaks_no_rule_and_leaves_airflows_constraints_on(version: str) -> None:
    found = read(ROOT / "requirements" / "requirements.txt", Container(version, ROOT))
    assert (found.problems, found.notes) == ([], [])
    assert found.airflow_constraints
