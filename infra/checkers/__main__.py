"""Check the templates and the policies: `make check`."""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cfnlint.decode import decode
from cfnlint.template import Template
from cfnlint.template.transforms.transform import Transform

from infra import ROOT
from infra.checkers.findings import CheckerError, suppressions, unused, without_suppressions
from infra.checkers.policies import fill_in, policies, render
from infra.checkers.tools import cfn_lint, checkov, parliament
from infra.cli.console import say, waiting
from infra.cli.program import run
from infra.cli.templates import STACKS, TEMPLATES
from infra.setup import build_checkers

POLICY = ROOT / "examples" / "adopt" / "execution-role-policy.json"
_REGION = "eu-central-1"


def main(templates: Path = TEMPLATES) -> int:
    """Check, and print each finding.

    :param templates: the folder of the templates.
    :returns: the exit status.
    """
    return run(lambda: check(templates))


def check(templates: Path) -> int:
    """Print what the checkers find in the templates and policies, and the suppressions that suppress nothing.

    :param templates: the folder of the templates.
    :returns: 1 if anything was printed, or 0.
    :raises CheckerError: if a checker does not run, or a template cannot be checked.
    """
    programs = build_checkers()
    files = [templates / f"{stack}.yaml" for stack in STACKS]
    expanded = {file.stem: _expand(file) for file in files}
    accepted = {place for stack, template in expanded.items() for place in suppressions(stack, template)}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool, waiting("checking the templates"):
        shipped, bare, documents = (Path(folder, name) for name in ("templates/shipped", "templates/bare", "policies"))
        _write(shipped, {stack: json.dumps(template) for stack, template in expanded.items()})
        _write(bare, {stack: json.dumps(without_suppressions(template)) for stack, template in expanded.items()})
        _write(documents, _policies(expanded))
        linted = {bare / f"{place.stack}.json" for place in accepted if place.checker == "cfn-lint"}
        runs = [
            pool.submit(cfn_lint, [*files, *sorted(linted)]),
            pool.submit(checkov, shipped.parent, programs),
            pool.submit(parliament, documents, programs),
        ]
        findings = [finding for each in runs for finding in each.result()]
    # parliament does not know suppressions, so its findings count for both.
    without = {finding.place for finding in findings if finding.file.parent in {bare, documents}}
    found = [each for each in findings if each.file.parent != bare]
    problems = [
        f"{each.place}: {each.text}" for each in found if each.file.parent != documents or each.place not in accepted
    ]
    problems += unused(accepted, without)
    for problem in sorted(problems):
        say(problem, sys.stderr)
    return 1 if problems else 0


def _expand(file: Path) -> dict[str, Any]:
    """Return a template without loops, by cfn-lint's own code; each list has one member.

    :raises CheckerError: if it cannot be read.
    """
    template, problems = decode(str(file))
    for parameter in (template or {}).get("Parameters", {}).values():
        if parameter["Type"] == "CommaDelimitedList":
            parameter["Default"] = "sample"
    parsed = Template(str(file), template or {}, [_REGION])
    if problems := problems or Transform().transform(parsed):
        raise CheckerError(f"{file} cannot be read: {problems[0].message}")
    expanded: dict[str, Any] = json.loads(json.dumps(parsed.template))
    return expanded


def _policies(expanded: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the policy documents by the name of their file, see :func:`parliament`."""
    found = [(stack, *each) for stack, template in expanded.items() for each in policies(template)]
    found.append(("examples", "adopt", fill_in(POLICY.read_text(encoding="utf-8"))))
    return {f"{stack}.{resource}.{number}": render(policy) for number, (stack, resource, policy) in enumerate(found)}


def _write(folder: Path, documents: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(document, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
