"""The three checkers: how each is run, and what it finds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.checkers.findings import CheckerError, Finding, Place
from infra.mwaa_facts import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterable


Found = list[Finding]
_CFN_LINT = Path(sys.executable).with_name("cfn-lint")


def cfn_lint(templates: Iterable[Path]) -> Found:
    """Run cfn-lint with AWS's serverless rules, for every Region that has both MWAA and CodeArtifact.

    :param templates: the templates' files.
    :raises CheckerError: if it does not run.
    """
    options = ["--include-checks", "I", "--append-rules", "cfn_lint_serverless.rules", "--format", "json"]
    output = _run([_CFN_LINT, "--regions", *sorted(REGIONS), *options, "--", *templates])
    return [_of_cfn_lint(each) for each in _parse("cfn-lint", output)]


def _of_cfn_lint(match: dict[str, Any]) -> Finding:
    file, path = Path(match["Filename"]), match["Location"]["Path"] or []
    resource = str(path[1]) if path[:1] == ["Resources"] and len(path) > 1 else ""
    text = f"{match['Message']} (line {match['Location']['Start']['LineNumber']})"
    return Finding(Place("cfn-lint", match["Rule"]["Id"], file.stem, resource), text, file)


def checkov(folder: Path, programs: Path) -> Found:
    """Run checkov.

    :param folder: a folder of templates, as JSON without loops, because checkov passes over Fn::ForEach.
    :param programs: where checkov is.
    :raises CheckerError: if it does not run, or does not read every template.
    """
    options = ["--framework", "cloudformation", "--output", "json", "--skip-download", "--soft-fail"]
    report = _parse("checkov", _run([programs / "checkov", "--directory", folder, *options]))
    results = report.get("results", {}) if isinstance(report, dict) else {}
    read = {folder / each["file_path"].lstrip("/") for checks in results.values() for each in checks}
    if unread := sorted({*folder.glob("*/*.json")} - read):
        raise CheckerError(f"checkov found nothing to check in {unread[0].name}: is it a CloudFormation template?")
    return [_of_checkov(folder, each) for each in results["failed_checks"]]


def _of_checkov(folder: Path, check: dict[str, Any]) -> Finding:
    file = folder / check["file_path"].lstrip("/")
    resource = check["resource"].rpartition(".")[2]  # AWS::S3::Bucket.Bucket
    return Finding(Place("checkov", check["check_id"], file.stem, resource), check["check_name"], file)


def parliament(folder: Path, programs: Path) -> Found:
    """Run parliament on policy documents.

    :param folder: the documents, each named STACK.RESOURCE.NUMBER.json, with a line for each statement.
    :param programs: where parliament is.
    :raises CheckerError: if it does not run.
    """
    output = _run([programs / "parliament", "--directory", folder, "--json"])
    return [_of_parliament(_parse("parliament", line)) for line in output.splitlines()]


def _of_parliament(finding: dict[str, Any]) -> Finding:
    file = Path(finding["location"]["filepath"])
    stack, resource, _ = file.name.split(".", 2)
    line = file.read_text(encoding="utf-8").splitlines()[finding["location"].get("line", 1) - 1]
    sid = re.search(r'"Sid": "(\w+)"', line)
    rule = f"{finding['issue']}:{sid[1]}" if sid else finding["issue"]
    return Finding(Place("parliament", rule, stack, resource), f"{finding['title']}: {finding['detail']}", file)


def _run(command: list[str | Path]) -> str:
    """Return what a checker prints; if it finds something, its exit status is not 0."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode and not ended.stdout:
        raise CheckerError(f"{Path(command[0]).name} failed: {ended.stderr.strip()}")
    return ended.stdout


def _parse(checker: str, output: str) -> Any:
    try:
        return json.loads(output)
    except ValueError as error:
        raise CheckerError(f"{checker} printed no JSON: {output[:1000]}") from error
