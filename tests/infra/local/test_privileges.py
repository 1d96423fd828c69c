from __future__ import annotations

from typing import Any

from infra.local.demos.privileges import calls_of, grants, judge, unused, unused_resources
from infra.local.moto.iam import Call

BUCKET = "arn:aws:s3:::bucket"
OBJECTS = f"{BUCKET}/*"
POLICY = {
    "Statement": [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": ["s3:GetObject*", "s3:List*"],
            "Resource": [BUCKET, OBJECTS],
        },
        {"Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{BUCKET}/line"},
        {"Sid": "Never", "Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
        {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:aws:kms:*:123456789012:key/*"},
    ]
}


def call(action: str, resource: str) -> Call:
    return Call("arn:aws:sts::123456789012:assumed-role/worker/session", action, resource, allowed=True)


def test_grants_are_listed_by_action_and_denials_are_none() -> None:
    assert [grant.action for grant in grants([POLICY])] == ["s3:GetObject*", "s3:List*", "s3:PutObject", "kms:Decrypt"]


def test_a_grant_is_used_by_a_call_of_its_action_on_its_resource() -> None:
    calls = [call("s3:GetObjectVersion", f"{BUCKET}/dags/x.py"), call("s3:PutObject", f"{BUCKET}/other")]
    assert [grant.action for grant in unused(grants([POLICY]), calls)] == ["s3:List*", "s3:PutObject", "kms:Decrypt"]


def test_a_statement_with_not_resource_is_used_on_any_other_resource() -> None:
    def is_left(key: str) -> bool:
        return "kms:Decrypt" in [grant.action for grant in unused(grants([POLICY]), [call("kms:Decrypt", key)])]

    assert not is_left("arn:aws:kms:eu-west-1:999999999999:key/1")
    assert is_left("arn:aws:kms:eu-west-1:123456789012:key/1")


def judged(statement: dict[str, Any], *calls: Call) -> list[str]:
    ((_, problems),) = judge({"worker": [{"Statement": [{"Effect": "Allow", "Resource": "*"} | statement]}]}, calls)
    return problems


def test_a_grant_without_use_is_a_problem() -> None:
    logs = {"Sid": "FindLogs", "Action": ["logs:DescribeLogGroups", "logs:StartQuery"]}
    assert judged(logs, call("logs:DescribeLogGroups", "*")) == ["worker never uses logs:StartQuery"]


def test_a_refusal_is_a_problem() -> None:
    refused = Call("arn:aws:sts::123456789012:assumed-role/worker/session", "logs:StartQuery", "*", allowed=False)
    statement = {"Sid": "FindLogs", "Action": "logs:DescribeLogGroups"}
    problems = judged(statement, call("logs:DescribeLogGroups", "*"), refused)
    assert problems == ["worker was refused logs:StartQuery on *"]


def test_a_resource_on_which_nothing_is_needed_is_named() -> None:
    assert unused_resources(grants([POLICY]), [call("s3:GetObject", f"{BUCKET}/x")]) == {BUCKET}


def test_a_statement_that_nothing_needs_is_named_by_its_grants_not_by_its_resources() -> None:
    assert unused_resources(grants([POLICY]), []) == set()


def test_the_calls_of_a_role_are_those_of_its_sessions() -> None:
    ours = call("s3:GetObject", BUCKET)
    other = Call("arn:aws:sts::123456789012:assumed-role/worker-2/session", "s3:GetObject", BUCKET, allowed=True)
    assert calls_of("worker", [ours, other]) == [ours]


def test_a_refusal_before_a_success_is_not_a_problem() -> None:
    early = Call("arn:aws:sts::123456789012:assumed-role/worker/session", "logs:DescribeLogGroups", "*", allowed=False)
    statement = {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"}
    assert judged(statement, call("logs:DescribeLogGroups", "*"), early) == []
