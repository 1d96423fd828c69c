"""Policies are evaluated as in the examples of the IAM user guide."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.moto.policy import Question, decide, matches

BUCKET = "arn:aws:s3:::example-bucket"
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:one"
ENVIRONMENT = "arn:aws:airflow:eu-west-1:123456789012:environment/one"


def statement(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Resource": "*"} | elements


def allows(question: Question, **elements: Any) -> bool:
    return decide([{"Statement": statement(**elements)}], question) == "Allow"


def asked(action: str = "s3:GetObject", resource: str = f"{BUCKET}/key", **context: Any) -> Question:
    return Question(action, resource, {name.replace("_", ":", 1): value for name, value in context.items()})


def test_an_explicit_deny_wins_and_the_default_is_deny() -> None:
    deny = {"Statement": statement(Effect="Deny", Action="s3:Delete*")}
    allow = {"Statement": [statement(Action="s3:*")]}
    assert decide([allow, deny], asked("s3:GetObject")) == "Allow"
    assert decide([allow, deny], asked("s3:DeleteObject")) == "Deny"
    assert decide([allow, deny], asked("sqs:SendMessage")) is None


@pytest.mark.parametrize(
    ("elements", "action", "resource", "allowed"),
    [
        ({"Action": "iam:*AccessKey*"}, "iam:CreateAccessKey", "*", True),
        ({"Action": "S3:GETobject"}, "s3:GetObject", "*", True),  # actions are case-insensitive
        ({"Action": ["sqs:SendMessage", "sqs:Receive?essage"]}, "sqs:ReceiveMessage", "*", True),
        ({"Action": "s3:Get*"}, "s3:PutObject", "*", False),
        ({"Resource": f"{BUCKET}/*"}, "s3:GetObject", f"{BUCKET}/a/b", True),
        ({"Resource": f"{BUCKET}/*"}, "s3:ListBucket", BUCKET, False),
        ({"Resource": f"{BUCKET}/[k]ey"}, "s3:GetObject", f"{BUCKET}/key", False),  # no other wildcard
        ({"NotAction": "iam:*"}, "s3:GetObject", "*", True),
        ({"NotAction": "iam:*"}, "iam:CreateUser", "*", False),
        ({"NotResource": "arn:aws:kms:*:111122223333:key/*"}, "kms:Decrypt", "arn:aws:kms:e:9999:key/1", True),
        ({"NotResource": "arn:aws:kms:*:111122223333:key/*"}, "kms:Decrypt", "arn:aws:kms:e:111122223333:key/1", False),
    ],
)
def test_actions_and_resources_match_with_wildcards(
    elements: dict[str, Any], action: str, resource: str, *, allowed: bool
) -> None:
    elements = {key: value for key, value in statement(**elements).items() if f"Not{key}" not in elements}
    assert (decide([{"Statement": elements}], Question(action, resource)) == "Allow") is allowed


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "value", "holds"),
    [
        ("StringEquals", "aws:SourceAccount", "123456789012", "123456789012", True),
        ("StringEquals", "AWS:sourceaccount", ["1", "123456789012"], "123456789012", True),  # keys are case-insensitive
        ("StringEquals", "aws:SourceAccount", "12345678901*", "123456789012", False),
        ("StringEquals", "aws:SourceAccount", "123456789012", None, False),
        ("StringNotEquals", "aws:SourceAccount", "1", "2", True),
        ("StringNotEquals", "aws:SourceAccount", ["1", "2"], "2", False),
        ("StringNotEquals", "aws:SourceAccount", "1", None, True),
        ("StringEqualsIgnoreCase", "aws:SourceAccount", "ABC", "abc", True),
        ("StringEqualsIfExists", "aws:SourceAccount", "1", None, True),
        ("StringLike", "aws:SourceAccount", "sqs.*.amazonaws.com", "sqs.eu-west-1.amazonaws.com", True),
        ("StringLike", "aws:SourceAccount", "sqs.*.amazonaws.com", "s3.eu-west-1.amazonaws.com", False),
        ("StringNotLike", "aws:SourceAccount", "a*", "abc", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:airflow:*:123456789012:environment/*", ENVIRONMENT, True),
        ("ArnLike", "aws:SourceArn", "arn:aws:airflow:*:environment/*", ENVIRONMENT, False),  # not across a colon
        ("ArnEquals", "aws:SourceArn", ENVIRONMENT, ENVIRONMENT, True),
        ("ArnEquals", "aws:SourceArn", ENVIRONMENT, ALARM, False),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:airflow:*:*:*", ALARM, True),
        ("Bool", "aws:SecureTransport", "false", "false", True),
        ("Bool", "aws:SecureTransport", False, "true", False),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", None, True),
        ("Null", "aws:TokenIssueTime", "true", None, True),
        ("Null", "aws:TokenIssueTime", "true", "2026", False),
        ("Null", "aws:TokenIssueTime", False, "2026", True),
        ("ForAllValues:StringLike", "dynamodb:attributes", ["Post*", "Tags"], ["PostDate", "Tags"], True),
        ("ForAllValues:StringLike", "dynamodb:attributes", ["Post*", "Tags"], ["PostDate", "ID"], False),
        ("ForAllValues:StringEquals", "dynamodb:attributes", ["Tags"], None, True),
        ("ForAnyValue:StringEquals", "dynamodb:attributes", ["ID", "Tags"], ["Message", "Tags"], True),
        ("ForAnyValue:StringEquals", "dynamodb:attributes", ["ID"], None, False),
    ],
)
def test_conditions_are_evaluated_as_in_the_guide(
    operator: str, key: str, wanted: Any, value: Any, *, holds: bool
) -> None:
    name = {"aws:sourceaccount": "aws:SourceAccount"}.get(key.lower(), key)
    context = {} if value is None else {name: value}
    question = Question("s3:GetObject", "*", context)
    assert allows(question, Condition={operator: {key: wanted}}) is holds


def test_all_keys_of_a_condition_must_hold() -> None:
    both = {"StringEquals": {"aws:SourceAccount": "1"}, "ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*"}}
    rule = "arn:aws:events:eu-west-1:1:rule/x"
    assert allows(asked(aws_SourceAccount="1", aws_SourceArn=rule), Condition=both)
    assert not allows(asked(aws_SourceAccount="2", aws_SourceArn=rule), Condition=both)


def test_a_policy_variable_is_the_requests_value_and_its_wildcards_are_literal() -> None:
    home = f"{BUCKET}/home/${{aws:username}}/*"
    assert allows(asked(resource=f"{BUCKET}/home/ann/x", aws_username="ann"), Resource=home)
    assert not allows(asked(resource=f"{BUCKET}/home/bob/x", aws_username="ann"), Resource=home)
    assert not allows(asked(resource=f"{BUCKET}/home/bob/x", aws_username="*"), Resource=home)
    assert not allows(asked(resource=f"{BUCKET}/home//x"), Resource=home)
    assert matches("${*}.${aws:username,'nobody'}", "*.nobody")


def test_an_unsupported_operator_is_named() -> None:
    with pytest.raises(NotImplementedError, match="IpAddress is not supported here"):
        allows(asked(), Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ["arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/two"]}, True),
        ({"AWS": "arn:aws:iam::123456789012:role/o*"}, False),  # no wildcards in principals
        ({"Service": "events.amazonaws.com"}, False),
    ],
)
def test_a_resources_policy_applies_to_the_principals_that_it_names(principal: Any, *, allowed: bool) -> None:
    one = frozenset({("AWS", "arn:aws:iam::123456789012:role/one")})
    question = Question("sqs:SendMessage", "*", principals=one)
    assert allows(question, Principal=principal) is allowed
