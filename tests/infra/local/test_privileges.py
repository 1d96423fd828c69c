from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import ROOT
from infra.local.demos.privileges import NEEDED_BY_AWS, Grant, calls_of, grants, judge, unused, unused_resources
from infra.local.moto.iam import Call

if TYPE_CHECKING:
    import pytest

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
    assert [(grant.sid, grant.action) for grant in grants([POLICY])] == [
        ("Read", "s3:GetObject*"),
        ("Read", "s3:List*"),
        ("Write", "s3:PutObject"),
        ("Key", "kms:Decrypt"),
    ]


def test_a_grant_is_used_by_a_call_of_its_action_on_its_resource() -> None:
    calls = [call("s3:GetObjectVersion", f"{BUCKET}/dags/x.py"), call("s3:PutObject", f"{BUCKET}/other")]
    assert [grant.action for grant in unused(grants([POLICY]), calls)] == ["s3:List*", "s3:PutObject", "kms:Decrypt"]


def test_a_statement_that_names_what_it_does_not_allow_is_used_on_anything_else() -> None:
    def left(key: str) -> list[str]:
        return [grant.action for grant in unused(grants([POLICY]), [call("kms:Decrypt", key)]) if grant.sid == "Key"]

    assert left("arn:aws:kms:eu-west-1:999999999999:key/1") == []
    assert left("arn:aws:kms:eu-west-1:123456789012:key/1") == ["kms:Decrypt"]


def judged(statement: dict[str, Any], *calls: Call) -> list[str]:
    ((_, problems),) = judge({"worker": [{"Statement": [{"Effect": "Allow", "Resource": "*"} | statement]}]}, calls)
    return problems


def test_a_grant_without_use_is_a_problem_unless_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDED_BY_AWS, "FindLogs", "MWAA looks for the log groups")
    monkeypatch.setitem(NEEDED_BY_AWS, "WriteLogs logs:GetLogRecord", "the guide's policy has it")
    assert judged({"Sid": "FindLogs", "Action": "logs:DescribeLogGroups"}) == []
    assert judged({"Sid": "Other", "Action": "logs:DescribeLogGroups"}) == ["worker never uses logs:DescribeLogGroups"]
    logs: dict[str, Any] = {"Sid": "WriteLogs", "Action": ["logs:GetLogRecord", "logs:StartQuery"]}
    assert judged(logs) == ["worker never uses logs:StartQuery"]


def test_a_reason_for_a_grant_that_is_used_is_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDED_BY_AWS, "FindLogs", "MWAA looks for the log groups")
    (problem,) = judged({"Sid": "FindLogs", "Action": "logs:DescribeLogGroups"}, call("logs:DescribeLogGroups", "*"))
    assert problem == "worker uses all of FindLogs: it is no exception any more (NEEDED_BY_AWS)"


def test_a_resource_on_which_nothing_is_needed_is_named() -> None:
    assert unused_resources(grants([POLICY]), [call("s3:GetObject", f"{BUCKET}/x")]) == {BUCKET}


def test_a_statement_that_nothing_needs_is_named_by_its_grants_not_by_its_resources() -> None:
    assert unused_resources([Grant("Write", "s3:PutObject", (f"{BUCKET}/line",))], []) == set()


def test_the_calls_of_a_role_are_those_of_its_sessions() -> None:
    ours = call("s3:GetObject", BUCKET)
    other = Call("arn:aws:sts::123456789012:assumed-role/worker-2/session", "s3:GetObject", BUCKET, allowed=True)
    assert calls_of("worker", [ours, other]) == [ours]


def test_every_reason_is_for_a_statement_of_a_template() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "infra/cloudformation").glob("*.yaml"))
    sids = {key.partition(" ")[0] for key in NEEDED_BY_AWS}
    actions = {key.partition(" ")[2] for key in NEEDED_BY_AWS} - {""}
    assert [sid for sid in sids if f"- Sid: {sid}\n" not in templates] == []
    assert [action for action in actions if f"- {action}\n" not in templates] == []
