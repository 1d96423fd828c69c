"""Compare the hashes in a requirements file with the index: pip checks all hashes as soon as one line has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.preflight.candidates import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.preflight.container import Container
    from infra.preflight.index import Index
    from infra.preflight.problems import Problem
    from infra.preflight.requirements_file import RequirementsFile
    from infra.preflight.resolver import Package


def judge(
    found: RequirementsFile, packages: Iterable[Package], index: Index, container: Container
) -> tuple[list[Problem], list[str]]:
    """Return the problems and the notes; none if the file asks for no hash check.

    :param found: the file.
    :param packages: the packages that would be installed.
    :param index: the index that has them.
    :param container: the container that would install them.
    """
    given = {line.name: line for line in (*found.constraints, *found.requirements) if line.hashes}
    if not (given or found.require_hashes):
        return [], []
    problems, bare, untold = [], [], []
    for package in packages:
        line = given.get(package.name)
        if line is None:
            bare.append(package.name)
            continue
        digests = set() if package.local else set(_digests(package, index, container))
        if not digests:
            untold.append(package.name)
        elif digests.isdisjoint(line.hashes):
            sentence = (
                f"no wheel of {package.name} {package.version} for the containers has a hash given here, and pip then "
                f"installs nothing: write {' or '.join(f'`--hash={digest}`' for digest in sorted(digests))}."
            )
            problems.append(line.problem(sentence))
    notes = []
    if bare:
        notes.append(
            f"pip checks hashes here, and no line gives one for {', '.join(sorted(bare))}: pip refuses each of these "
            "that the image does not have already, and then installs nothing."
        )
    if untold:
        notes.append(f"the hashes of {', '.join(sorted(untold))} could not be compared: the index does not state them.")
    return problems, notes


def _digests(package: Package, index: Index, container: Container) -> Iterator[str]:
    for file in index.files(package.name) or []:
        if file.version == str(package.version) and fits(container, file):
            yield from (f"{algorithm}:{digest}" for algorithm, digest in file.digests.items())
