"""Read requirements.txt as a container's pip will, and find the problems that are visible without an index."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from infra.mwaa_facts import AIRFLOW_HOME, NAMES_CONSTRAINTS, decode_requirements
from infra.preflight.container import CONSTRAINTS_FILE, INDEX_URL_FILE
from infra.preflight.problems import CannotCheckError, Problem

if TYPE_CHECKING:
    from infra.preflight.container import Container

_READ_INDEX_URL = "-r ${AIRFLOW_HOME}/dags/codeartifact.txt"
_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://|git\+", re.IGNORECASE)
_FILE = re.compile(r"(?:file://)?(?P<path>[./~][^\[;]*|[^\s\[;]+\.(?:whl|zip|tar\.gz))(?P<rest>.*)")


@dataclass(frozen=True)
class Line:
    """One requirement, or one constraint.

    :param path: the file, as the user named it.
    :param number: the line, from 1.
    :param requirement: parsed; None for a local wheel.
    :param text: the line for the resolver.
    :param hashes: such as sha256:00…, of the files that pip may take (default: none).
    """

    path: str
    number: int
    requirement: Requirement | None
    text: str
    hashes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the normalized name of the package; empty for a local wheel."""
        return canonicalize_name(self.requirement.name) if self.requirement else ""

    def problem(self, sentence: str) -> Problem:
        """Return a problem at the line.

        :param sentence: what is wrong and how to fix it.
        """
        return Problem(self.path, self.number, sentence)


@dataclass
class RequirementsFile:
    """The content of a requirements.txt and of the files that it reads.

    :ivar requirements: the packages to install.
    :ivar constraints: those from the user's own constraints files.
    :ivar airflow_constraints: whether Airflow's constraints apply: the file names them, or MWAA forces them.
    :ivar problems: the problems.
    :ivar notes: further findings that are not problems.
    """

    requirements: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    airflow_constraints: bool = False
    pre: bool = False
    no_index: bool = False
    require_hashes: bool = False
    find_links: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def read(path: Path, container: Container) -> RequirementsFile:
    """Read a requirements.txt and find its problems.

    :param path: the file.
    :param container: the container that will install it.
    :raises CannotCheckError: if the file cannot be read.
    """
    reader = _Reader(container)
    try:
        content = path.read_bytes()
        reader.read(path)
    except OSError as error:
        raise CannotCheckError(
            f"{path} cannot be read ({error.strerror}): name a requirements file, as in "
            "`make preflight REQUIREMENTS=requirements/requirements.txt`."
        ) from error
    if reader.understood:
        reader.judge_constraints(_constraints_seen_by_mwaa(content))
        reader.judge_index()
    return reader.found


def _constraints_seen_by_mwaa(content: bytes) -> list[int] | None:
    """Return the lines that MWAA takes for constraint lines; None if MWAA cannot decode the file."""
    try:
        text = decode_requirements(content)
    except (UnicodeError, LookupError):
        return None
    if "\0" in text:
        return None
    return [number for number, line in enumerate(text.splitlines(), 1) if NAMES_CONSTRAINTS.search(line)]


class _Reader:
    def __init__(self, container: Container) -> None:
        self.found = RequirementsFile()
        self.understood = True
        self._container = container
        self._main = ""
        self._reads_index_url = False
        self._constraint_lines: list[tuple[str, int]] = []
        self._open: list[Path] = []

    def read(self, path: Path, *, constraint: bool = False) -> None:
        """Read a file and the files that it names."""
        shown = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
        self._main = self._main or shown
        lines = _pip_lines(path)
        if lines is None:
            sentence = (
                "pip cannot decode the file from here on, and then installs nothing: save it as UTF-8, or name its "
                "encoding in its first line, as in `# coding: latin-1`."
            )
            self._problem(shown, _first_line_that_is_not_utf_8(path.read_bytes()), sentence)
            self.understood = bool(self._open)
            return
        self._open.append(path)
        for line in lines:
            self._line(shown, line, constraint=constraint)
        self._open.pop()

    def _line(self, path: str, line: dict[str, Any], *, constraint: bool) -> None:
        number = line["line"]
        if "error" in line:
            reason = line["error"].rpartition("error: ")[2]
            self._problem(path, number, f"pip cannot read the line ({reason}): write `name==version` or a pip option.")
        elif line["requirement"]:
            self._requirement(path, line, constraint=constraint)
        elif "editables" in line:
            self._unreachable(path, number, "-e", line["editables"][0])
        else:
            self._options(path, number, line, constraint=constraint)

    def _requirement(self, path: str, line: dict[str, Any], *, constraint: bool) -> None:
        number, text = line["line"], line["requirement"].strip()
        if _URL.match(text):
            self._unreachable(path, number, "the requirement", text)
            return
        local = _FILE.fullmatch(text)
        if local:
            self._local(path, number, local["path"])
            return
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = " ".join(str(error).partition("\n")[0].split()).rstrip(".:")
            self._problem(path, number, f"{text!r} is no requirement ({reason}): write it as `name==version`.")
            return
        if requirement.url:
            self._url(path, number, requirement)
            return
        if self._container.applies(requirement):
            (self.found.constraints if constraint else self.found.requirements).append(
                Line(path, number, requirement, text, frozenset(line["hashes"]))
            )

    def _url(self, path: str, number: int, requirement: Requirement) -> None:
        url = requirement.url or ""
        local = None if _URL.match(url) else _FILE.fullmatch(url)
        if local:
            self._local(path, number, local["path"])
        else:
            self._unreachable(path, number, requirement.name, url)

    def _local(self, path: str, number: int, place: str) -> None:
        there = self._container.here(place)
        if there is None or there.suffix != ".whl":
            sentence = (
                f"{place} will not be in the container: publish the package to the repository and write "
                "`name==version`, or put a wheel into plugins/ and write ${AIRFLOW_HOME}/plugins/FILE.whl."
            )
            self._problem(path, number, sentence)
        else:
            self.found.requirements.append(Line(path, number, None, str(there)))

    def _options(self, path: str, number: int, line: dict[str, Any], *, constraint: bool) -> None:
        for place in line.get("requirements", [])[:1]:
            self._nested(path, number, "-r", place, constraint=constraint)
        for place in line.get("constraints", [])[:1]:
            self._constraint_lines.append((path, number))
            self._nested(path, number, "-c", place, constraint=True)
        if "extra_index_urls" in line:
            sentence = (
                "with `--extra-index-url`, a higher version that anyone publishes there replaces any package, in-house "
                "ones included (dependency confusion): remove the line; the repository itself pulls from upstream."
            )
            self._problem(path, number, sentence)
        if "index_url" in line:
            sentence = (
                "a second `--index-url` replaces that of dags/codeartifact.txt or is replaced by it, and its token "
                f"would expire: remove the line; `{_READ_INDEX_URL}` is enough."
            )
            self._problem(path, number, sentence)
        for place in line.get("find_links", []):
            self._find_links(path, number, place)
        if line["no_binary"]:
            names = ", ".join(line["no_binary"])
            self._problem(path, number, f"`--no-binary {names}` makes the container build from source: remove it.")
        self.found.pre |= "pre" in line
        self.found.no_index |= "no_index" in line
        self.found.require_hashes |= "require_hashes" in line

    def _nested(self, path: str, number: int, option: str, place: str, *, constraint: bool) -> None:
        if place == CONSTRAINTS_FILE and option == "-c":
            self.found.airflow_constraints = True
            return
        if _URL.match(place):
            self._unreachable(path, number, f"`{option}`", place)
            return
        if place.startswith("="):
            sentence = f"pip takes `{option}{place}` for a file of the name {place}: write `{option} {place[1:]}`."
            self._problem(path, number, sentence)
            return
        # The path is relative to the file that names it; requirements.txt has its own folder in the container.
        on_container = os.path.normpath(os.path.join(self._folder(), place))  # noqa: PTH118 - it is not a local path
        if on_container == INDEX_URL_FILE:
            self._reads_index_url = True
            return
        there = self._container.here(on_container)
        if there is None or not there.is_file():
            sentence = (
                f"`{option} {place}` names a file that will not be in the container, and pip then installs nothing: "
                "put the file into dags/ and write "
                f"`{option} ${{AIRFLOW_HOME}}/dags/{Path(place).name}`, or move its lines here."
            )
            self._problem(path, number, sentence)
        elif there in self._open:
            self._problem(path, number, f"`{option} {place}` reads a file that is being read: remove the line.")
        else:
            self.read(there, constraint=constraint)

    def _folder(self) -> str:
        """Return the container's folder of the file that is being read."""
        for folder in ("dags", "plugins"):
            local = self._container.root / folder
            if len(self._open) > 1 and self._open[-1].is_relative_to(local):
                return f"{AIRFLOW_HOME}/{folder}/{self._open[-1].relative_to(local).parent}"
        return f"{AIRFLOW_HOME}/requirements"

    def _find_links(self, path: str, number: int, place: str) -> None:
        there = self._container.here(place)
        if _URL.match(place):
            self._unreachable(path, number, "`--find-links`", place)
        elif there is None or not there.is_dir():
            sentence = (
                f"`--find-links {place}` names a folder that will not be in the container: put the wheels into "
                "plugins/ and write `--find-links ${AIRFLOW_HOME}/plugins`."
            )
            self._problem(path, number, sentence)
        else:
            self.found.find_links.append(there)

    def _unreachable(self, path: str, number: int, what: str, place: str) -> None:
        if what == "`-c`":
            fix = "write `--constraint ${AIRFLOW_CONSTRAINTS_FILE}`, which the image has"
        elif what == "`-r`":
            fix = "put the file into dags/ and write `-r ${AIRFLOW_HOME}/dags/FILE`"
        else:
            fix = "publish the package to the repository and write `name==version`"
        # Only the scheme is shown, because the rest may contain a password.
        kind = f"a {place.partition(':')[0].lower()} URL" if _URL.match(place) else "a folder"
        self._problem(path, number, f"{what} names {kind}, which a container in private subnets cannot reach: {fix}.")

    def _problem(self, path: str, number: int, sentence: str) -> None:
        self.found.problems.append(Problem(path, number, sentence))

    def judge_constraints(self, matches: list[int] | None) -> None:
        """Compare the lines that pip takes for constraints with those that MWAA does.

        :param matches: the lines that MWAA takes for constraint lines; None if MWAA cannot decode the file.
        """
        if matches is None:
            sentence = "MWAA does not know this encoding and forces Airflow's constraints: save the file as UTF-8."
            self._problem(self._main, 1, sentence)
            self.found.airflow_constraints = True
        elif not matches:
            misread = {(problem.path, problem.line) for problem in self.found.problems}
            for path, number in [line for line in self._constraint_lines if line not in misread]:
                where = "`--constraint FILE` or `-c FILE`" + ("" if path == self._main else f" in {self._main} itself")
                sentence = (
                    "MWAA does not see this constraint line and also forces Airflow's constraints: write it as "
                    f"{where}, with one space."
                )
                self._problem(path, number, sentence)
            self.found.airflow_constraints = True
        elif not self._constraint_lines:
            sentence = (
                'MWAA takes this line for a constraint ("-c " or "--constraint " in it), so Airflow\'s constraints are '
                "not forced and nothing is pinned: reword it, or add `--constraint ${AIRFLOW_CONSTRAINTS_FILE}`."
            )
            self.found.notes.append(Problem(self._main, matches[0], sentence))

    def judge_index(self) -> None:
        """Check that a line reads the index-url file, or that no index is used."""
        if not (self._reads_index_url or self.found.no_index):
            sentence = (
                "no line reads the index-url file, so pip would ask the public index, which private subnets cannot "
                f"reach: add `{_READ_INDEX_URL}`."
            )
            self._problem(self._main, 1, sentence)


def _pip_lines(path: Path) -> list[dict[str, Any]] | None:
    """Return a file's lines as pip parses them; None if pip cannot decode the file."""
    environ = {"AIRFLOW_HOME": AIRFLOW_HOME, "AIRFLOW_CONSTRAINTS_FILE": CONSTRAINTS_FILE, "PATH": os.defpath}
    command = [sys.executable, "-I", str(Path(__file__).with_name("pip_parser.py"))]
    # The output may contain a secret, so no error contains it.
    answer = subprocess.run(command, input=path.read_bytes(), env=environ, capture_output=True, check=False)
    return None if answer.returncode else [json.loads(line) for line in answer.stdout.splitlines()]


def _first_line_that_is_not_utf_8(content: bytes) -> int:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1
