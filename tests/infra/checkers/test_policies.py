"""The policy documents that are checked are all that the templates have, with values that IAM would see."""

from __future__ import annotations

import json
import re

import pytest

from infra.checkers.__main__ import POLICY
from infra.checkers.findings import CheckerError
from infra.checkers.policies import fill_in, policies, render
from infra.cli.templates import STACKS
from tests.infra.cloudformation.support import expand, texts


def test_every_policy_of_the_templates_is_checked() -> None:
    found = [(stack, resource) for stack in STACKS for resource, _ in policies(expand(stack, {}))]
    expected = [("repository", "PublisherRole")] * 2 + [("repository", "BucketPolicy")]
    expected += [("refresher", "RefresherRole")] * 2 + [("mwaa", "ExecutionRole")] * 3
    assert found == expected


@pytest.mark.parametrize("stack", STACKS)
def test_no_function_and_no_placeholder_is_left(stack: str) -> None:
    for _, document in policies(expand(stack, {})):
        assert not re.search(r"\$\{|Fn::|\"Ref\"", json.dumps(document))


def test_the_words_in_capitals_are_replaced_in_the_policy_of_the_page() -> None:
    policy = fill_in(POLICY.read_text(encoding="utf-8"))
    assert "arn:aws:codeartifact:eu-central-1:123456789012:domain/domain" in [*texts(policy)]
    assert "arn:aws:s3:::bucket/dags/codeartifact.txt" in [*texts(policy)]


def test_a_name_without_a_sample_value_is_refused_with_the_fix() -> None:
    policy = {"Statement": [{"Resource": {"Ref": "Unheard"}}]}
    resources = {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}}}
    with pytest.raises(CheckerError, match="uses Unheard, which has no sample value: add one to"):
        list(policies({"Resources": resources}))


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Fn::Sub": ["${DomainName}/${Owner}", {"Owner": {"Ref": "AWS::AccountId"}}]}, "domain/123456789012"),
        ({"Fn::Join": ["-", [{"Ref": "BucketName"}, "x"]]}, "bucket-x"),
        ({"Fn::If": ["Has", {"Ref": "BucketArn"}, {"Ref": "AWS::NoValue"}]}, "arn:aws:s3:::bucket"),
        ({"Fn::Split": [",", {"Ref": "PublisherPrincipals"}]}, ["arn:aws:iam::123456789012:role/publisher"]),
    ],
)
def test_a_function_is_resolved(value: object, resolved: object) -> None:
    properties = {"PolicyDocument": {"Statement": [{"Resource": value}]}}
    ((_, document),) = policies({"Resources": {"Policy": {"Type": "AWS::IAM::Policy", "Properties": properties}}})
    assert document["Statement"][0]["Resource"] == resolved


def test_a_policy_is_written_with_a_line_for_each_statement() -> None:
    statements = [{"Sid": "One", "Resource": "*"}, {"Sid": "Two", "NotResource": "*"}, {"Sid": "Trust"}]
    written = render({"Version": "2012-10-17", "Statement": statements})
    assert [line.split('"')[3] for line in written.splitlines()[1:-1]] == ["One", "Two", "Trust"]
    assert json.loads(written)["Statement"][:2] == statements[:2]
    assert json.loads(written)["Statement"][2]["Resource"] == "arn:aws:iam::123456789012:role/role"
