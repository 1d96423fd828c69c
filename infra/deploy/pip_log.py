"""Judge one installation by pip's output, because MWAA does not report pip's exit status.

The patterns match the output of pip 23.2 and 26.3; tests/infra/deploy/pip_output.py contains it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# pip's last line if it installed anything. Not indented: pip indents the output of a failed build that it quotes.
_INSTALLED = "Successfully installed "
_PRESENT = re.compile(
    r"Requirement already satisfied: (?P<name>[A-Za-z0-9][\w.-]*)|Ignoring (?P<left_out>\S+): markers "
)
_AT_WORK = re.compile(r"\s*(Collecting|Processing|Obtaining) ")
_ERROR = re.compile(r"ERROR: |error: |\S+: error: ")
_REFUSED = "401 Error, Credentials not correct"
# pip prints this with exit status 0 and everything installed; the conflicts follow on separate lines.
_HARMLESS = "ERROR: pip's dependency resolver does not currently take into account"
# pip's last error line is often misleading: the first of these texts that is in any line is the cause.
_CAUSES = {
    _REFUSED: (
        "the containers started on an expired index-url token, whatever pip says about conflicting dependencies: run "
        "`make refresh`, then `make release FORCE=1`, which starts new containers."
    ),
    "Could not open requirements file": (
        "the index-url file was missing: see `make status`, run `make refresh`, then `make release FORCE=1`."
    ),
    "after connection broken by": (
        "the container could not reach the index: check that the network stack has the endpoint "
        "codeartifact.repositories, then run `make release FORCE=1`."
    ),
    "No matching distribution found": (
        "the repository has no such package or version: correct its line in requirements.txt, or publish it."
    ),
    "conflicting dependencies": (
        "two requirements, or a requirement and a constraint, exclude each other: `make preflight` shows them."
    ),
}


@dataclass(frozen=True)
class PipOutcome:
    """pip's result in one container.

    :param verdict: good, bad, or none if the lines do not show it.
    :param installed: names with versions, such as numpy-1.26.4.
    :param errors: pip's error lines.
    :param cause: one sentence on a failure; our own where pip's is misleading.
    :param final: whether no later line can change the verdict.
    """

    verdict: str
    installed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    cause: str = ""
    final: bool = False


def judge(lines: Sequence[str], required: Collection[str] = ()) -> PipOutcome:
    """Return pip's result.

    A pip that MWAA stops after 9 minutes prints no last line. So "already satisfied" is a good result only if pip has
    printed it for every requirement.

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
        text = "\n".join(lines)
        cause = next((sentence for words, sentence in _CAUSES.items() if words in text), f"pip says: {errors[-1]}")
        return PipOutcome("bad", errors=errors, cause=cause)
    found = filter(None, map(_PRESENT.match, lines))
    present = {canonicalize_name(match["name"] or match["left_out"]) for match in found}
    if lines and present.issuperset(required) and not any(map(_AT_WORK.match, lines)):
        return PipOutcome("good")
    return PipOutcome("none")


def required_names(requirements: str) -> frozenset[str]:
    """Return the normalized names of the packages that a requirements.txt names.

    Options and files are skipped, because pip reports them under names that are not known here.

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
