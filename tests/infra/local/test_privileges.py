from __future__ import annotations

from infra import ROOT
from infra.local.moto.iam import Call
from infra.local.privileges import NEEDED_BY_AWS, Grant, calls_of, grants, unused, unused_resources

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
        {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:aws:kms:*"},
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
    assert [sid for sid in NEEDED_BY_AWS if f"- Sid: {sid}\n" not in templates] == []
