"""What pip's own lines say of one installation: MWAA keeps pip's exit status to itself.

The lines were taken from pip 23.2 and 26.3, run; tests/infra/deploy/pip_output.py holds them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# pip's last line when it installed anything. Not indented: pip quotes the output of a failed build with indentation.
_INSTALLED = "Successfully installed "
_PRESENT = re.compile(
    r"Requirement already satisfied: (?P<name>[A-Za-z0-9][\w.-]*)|Ignoring (?P<left_out>\S+): markers "
)
_AT_WORK = re.compile(r"\s*(Collecting|Processing|Obtaining) ")
_ERROR = re.compile(r"ERROR: |error: |\S+: error: ")
_REFUSED = "401 Error, Credentials not correct"
# Comes with exit status 0 and everything installed; the conflicts are on lines of their own below it.
_HARMLESS = "ERROR: pip's dependency resolver does not currently take into account"
# pip's last words mislead: what is found first here, in all lines, is the cause.
_CAUSES = {
    _REFUSED: (
        "the containers started on a dead index-url token, whatever pip says of conflicting dependencies: run "
        "`make refresh`, then `make release FORCE=1`, which starts them anew."
    ),
    "Could not open requirements file": (
        "the index-url file was not there: see `make status`, run `make refresh`, then `make release FORCE=1`."
    ),
    "after connection broken by": (
        "the container could not reach the index: see that the endpoint codeartifact.repositories of the network stack "
        "is there, then `make release FORCE=1`."
    ),
    "No matching distribution found": (
        "the repository has no such package or version: correct its line in requirements.txt, or publish it."
    ),
    "conflicting dependencies": (
        "two requirements, or a requirement and a constraint, exclude each other: `make preflight` names them."
    ),
}


@dataclass(frozen=True)
class PipOutcome:
    """How pip ended in one container.

    :param verdict: good, bad, or none: its lines do not say.
    :param installed: names with versions, such as numpy-1.26.4.
    :param errors: pip's error lines.
    :param cause: one sentence on a bad end, in our words where pip's mislead.
    :param final: whether no later line can change the verdict.
    """

    verdict: str
    installed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    cause: str = ""
    final: bool = False


def judge(lines: Sequence[str], required: Collection[str] = ()) -> PipOutcome:
    """Return how pip ended.

    A pip that MWAA stops after 9 minutes says nothing at its end. So "already satisfied" is a good end only if it was
    said of every requirement.

    :param lines: pip's output so far, without MWAA's prefix but with pip's indentation.
    :param required: normalized names of the requirements in requirements.txt (default: none).
    """
    installed = [line for line in lines if line.startswith(_INSTALLED)]
    if installed:
        return PipOutcome("good", tuple(installed[-1].removeprefix(_INSTALLED).split()), final=True)
    errors = tuple(
        dict.fromkeys(
            line for line in lines if (_ERROR.match(line) and not line.startswith(_HARMLESS)) or _REFUSED in line
        )
    )
    if errors:
        said = "\n".join(lines)
        cause = next((sentence for words, sentence in _CAUSES.items() if words in said), f"pip says: {errors[-1]}")
        return PipOutcome("bad", errors=errors, cause=cause)
    found = filter(None, map(_PRESENT.match, lines))
    present = {canonicalize_name(match["name"] or match["left_out"]) for match in found}
    if lines and present.issuperset(required) and not any(map(_AT_WORK.match, lines)):
        return PipOutcome("good")
    return PipOutcome("none")


def required_names(requirements: str) -> frozenset[str]:
    """Return the normalized names of the packages that the lines of a requirements.txt ask for.

    Lines with options and files are left out; pip reports them under names that are not known here.

    :param requirements: the file's text.
    """
    names = set()
    for line in requirements.splitlines():
        try:
            requirement = Requirement(re.split(r"(?:^|\s)#|\s--", line, maxsplit=1)[0].rstrip("\\").strip())
        except InvalidRequirement:
            continue
        names.add(canonicalize_name(requirement.name))
    return frozenset(names)
