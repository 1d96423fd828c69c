"""The findings that the templates accept, and the page that lists them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.checkers.findings import CheckerError, Place, suppressions, unused, without_suppressions
from infra.checkers.page import PAGE, page
from infra.cli.templates import STACKS
from tests.infra.cloudformation.support import expand

CHECKOV = {"checkov": {"skip": [{"id": "CKV_1", "comment": "Because."}]}}
LINT = {"cfn-lint": {"config": {"ignore_checks": ["W1"]}, "comments": {"W1": "Because."}}}


def template(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Metadata": metadata}}}


def test_the_page_has_the_table_of_the_templates() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run make generate"


def test_a_suppression_is_read_in_the_words_of_its_checker() -> None:
    assert suppressions("repository", template(CHECKOV | LINT)) == {
        Place("checkov", "CKV_1", "repository", "Bucket"): "Because.",
        Place("cfn-lint", "W1", "repository", "Bucket"): "Because.",
    }


@pytest.mark.parametrize(
    "metadata", [{"checkov": {"skip": [{"id": "CKV_1"}]}}, {"cfn-lint": {"config": {"ignore_checks": ["W1"]}}}]
)
def test_a_suppression_needs_a_reason(metadata: dict[str, Any]) -> None:
    with pytest.raises(CheckerError, match="at Bucket of repository has no reason"):
        suppressions("repository", template(metadata))


def test_the_suppressions_of_a_loop_apply_to_each_of_its_resources() -> None:
    accepted = {place.resource for place in suppressions("mwaa", expand("mwaa", {})) if place.rule == "CKV_AWS_158"}
    assert accepted == {"DAGProcessingLogs", "SchedulerLogs", "TaskLogs", "WebServerLogs", "WorkerLogs"}


def test_without_suppressions_other_metadata_stays() -> None:
    bare = without_suppressions(template({**CHECKOV, **LINT, "LogGroups": "mine"}))
    assert bare["Resources"]["Bucket"]["Metadata"] == {"LogGroups": "mine"}
    for stack in STACKS:
        assert suppressions(stack, without_suppressions(expand(stack, {}))) == {}


def test_a_suppression_without_its_finding_is_reported() -> None:
    used, left = (Place("checkov", rule, "repository", "Bucket") for rule in ("CKV_1", "CKV_2"))
    assert unused([used, left], [used]) == [
        "checkov CKV_2 at Bucket of repository: nothing is suppressed here any more: remove it"
    ]
