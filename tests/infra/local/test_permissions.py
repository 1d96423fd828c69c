"""Services act for one another only if trust, permission and policy allow it, as on AWS."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import lambda_backends
from moto.events.models import events_backends

from infra.local.moto.cloudwatch import Schedule
from infra.local.moto.iam import assume_role, caller_of_request, may_invoke, may_publish
from infra.local.server import REGION
from tests.infra.local.test_iam import OWNER, acting_as, allowing, code_of, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.moto.iam import Caller
    from infra.local.server import Server

RULE = f"arn:aws:events:{REGION}:{OWNER}:rule/every-minute"
ALARM = f"arn:aws:cloudwatch:{REGION}:{OWNER}:alarm:one"
ENVIRONMENT = f"arn:aws:airflow:{REGION}:{OWNER}:environment/one"


@pytest.fixture
def name() -> str:
    return f"permissions-{uuid4().hex[:12]}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


# --- roles: trust, boundary, session


@pytest.mark.parametrize(
    ("source", "trusted"),
    [
        ({"aws:SourceAccount": OWNER, "aws:SourceArn": ENVIRONMENT}, True),
        ({"aws:SourceAccount": OWNER, "aws:SourceArn": f"{ENVIRONMENT}-other"}, False),
        ({"aws:SourceAccount": "999999999999", "aws:SourceArn": ENVIRONMENT}, False),
        ({}, False),
    ],
)
def test_a_trust_policy_applies_with_its_conditions(
    server: Server, name: str, source: dict[str, str], *, trusted: bool
) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": OWNER}, "ArnLike": {"aws:SourceArn": ENVIRONMENT}},
    }
    arn = server.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    if trusted:
        assert assume_role(arn, "airflow-env.amazonaws.com", REGION, source)
        return
    with pytest.raises(PermissionError, match=r"does not trust airflow-env\.amazonaws\.com with"):
        assume_role(arn, "airflow-env.amazonaws.com", REGION, source)


def bounded(server: Server, name: str, *may: str) -> str:
    """Create a role that allows everything, with a boundary; return its ARN."""
    iam = server.client("iam")
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=document(allowing(*may)))["Policy"]["Arn"]
    arn = role(server, allowing("*"))
    iam.put_role_permissions_boundary(RoleName=arn.rpartition("/")[2], PermissionsBoundary=boundary)
    return arn


def test_an_action_outside_the_boundary_is_refused_whatever_the_roles_policies_allow(server: Server, name: str) -> None:
    client = acting_as(server, bounded(server, name, "s3:ListAllMyBuckets"))
    assert client("s3").list_buckets()
    assert code_of(client("sqs").list_queues) == "AccessDeniedException"


def test_a_boundary_that_does_not_exist_is_refused(server: Server, name: str) -> None:
    iam, missing = server.client("iam"), f"arn:aws:iam::{OWNER}:policy/missing"
    with pytest.raises(ClientError, match="does not exist or is not attachable"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(), PermissionsBoundary=missing)


def test_a_session_policy_restricts_the_session(server: Server) -> None:
    arn = role(server, allowing("*"))
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "sts:AssumeRole"}
    server.client("iam").update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=document(trust))
    keys = server.client("sts").assume_role(
        RoleArn=arn, RoleSessionName="narrow", Policy=document(allowing("s3:ListAllMyBuckets"))
    )["Credentials"]
    session: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION)
    assert session.client("s3", endpoint_url=server.endpoint_url).list_buckets()
    assert code_of(session.client("sqs", endpoint_url=server.endpoint_url).list_queues) == "AccessDeniedException"


def test_a_services_use_of_a_role_is_checked_and_recorded(server: Server) -> None:
    arn = role(
        server,
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "NotResource": f"arn:aws:kms:*:{OWNER}:key/*",
            "Condition": {"StringLike": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}},
        },
    )
    key, via = f"arn:aws:kms:{REGION}:999999999999:key/1", {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}
    assert server.iam.role_may(arn, "kms:Decrypt", key, via)
    assert not server.iam.role_may(arn, "kms:Decrypt", key)
    assert not server.iam.role_may(arn, "kms:Decrypt", key.replace("999999999999", OWNER), via)
    kept = [call.allowed for call in server.iam.calls if f"assumed-role/{arn.rpartition('/')[2]}/" in call.principal]
    assert sorted(kept) == [False, False, True]


def test_passing_a_role_is_checked_with_the_service_that_gets_it(server: Server) -> None:
    passing = allowing("iam:PassRole", resource="arn:aws:iam::*:role/mine-*")
    passing["Condition"] = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    arn, mine = role(server, passing), f"arn:aws:iam::{OWNER}:role/mine-1"
    assert server.iam.role_may(arn, "iam:PassRole", mine, {"iam:PassedToService": "lambda.amazonaws.com"})
    assert not server.iam.role_may(arn, "iam:PassRole", mine, {"iam:PassedToService": "airflow.amazonaws.com"})


def test_an_update_of_a_stack_replaces_a_roles_policies_trust_and_boundary(server: Server, name: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def template(*statements: dict[str, Any]) -> str:
        properties = {
            "AssumeRolePolicyDocument": json.loads(document(trust)),
            "Policies": [{"PolicyName": "own", "PolicyDocument": json.loads(document(*statements))}],
        }
        return json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}})

    stacks = server.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=template(allowing("s3:*")), Capabilities=["CAPABILITY_IAM"])
    changed = {"TemplateBody": template(allowing("sqs:*")), "Capabilities": ["CAPABILITY_IAM"]}
    stacks.create_change_set(StackName=name, ChangeSetName="change", ChangeSetType="UPDATE", **changed)
    stacks.execute_change_set(StackName=name, ChangeSetName="change")
    (resource,) = stacks.describe_stack_resources(StackName=name)["StackResources"]
    arn = f"arn:aws:iam::{OWNER}:role/{resource['PhysicalResourceId']}"
    assert server.iam.role_may(arn, "sqs:SendMessage", "*")
    assert not server.iam.role_may(arn, "s3:GetObject", "*")


# --- resources of services


@pytest.mark.parametrize(
    ("action", "resource", "call"),
    [
        ("logs:CreateLogStream", "log-group:airflow-NAME-*", ("logs", "create_log_stream")),
        ("sqs:GetQueueUrl", "airflow-celery-*", ("sqs", "get_queue_url")),
        ("sns:Publish", "NAME", ("sns", "publish")),
        ("lambda:InvokeFunction", "function:NAME", ("lambda", "invoke")),
        ("airflow:GetEnvironment", "environment/NAME", ("mwaa", "get_environment")),
        ("airflow:InvokeRestApi", "role/NAME/Admin", ("mwaa", "invoke_rest_api")),
        ("kms:DescribeKey", "key/NAME", ("kms", "describe_key")),
    ],
)
@pytest.mark.parametrize("named", ["as it is", "otherwise"])
def test_a_typo_in_the_resource_of_a_statement_is_noticed(
    server: Server, name: str, action: str, resource: str, call: tuple[str, str], named: str
) -> None:
    service = action.partition(":")[0]
    arn = f"arn:aws:{service}:{REGION}:{OWNER}:{resource.replace('NAME', name)}"
    arn = arn if named == "as it is" else arn.replace("airflow-c", "airflow-k").replace(name, f"x{name}")
    arguments = {
        "create_log_stream": {"logGroupName": f"airflow-{name}-Worker", "logStreamName": "x"},
        "get_queue_url": {"QueueName": f"airflow-celery-{name}"},
        "publish": {"TopicArn": f"arn:aws:sns:{REGION}:{OWNER}:{name}", "Message": "x"},
        "invoke": {"FunctionName": name},
        "get_environment": {"Name": name},
        "invoke_rest_api": {"Name": name, "Method": "GET", "Path": "/dags"},
        "describe_key": {"KeyId": name},
    }[call[1]]
    may = role(server, allowing(action, resource=arn))
    code = code_of(lambda: getattr(acting_as(server, may)(call[0]), call[1])(**arguments))
    assert code.startswith("AccessDenied") is (named == "otherwise"), code  # otherwise the resource does not exist


def test_a_metric_is_put_only_in_the_namespace_that_the_condition_names(server: Server) -> None:
    may = allowing("cloudwatch:PutMetricData")
    may["Condition"] = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    cloudwatch = acting_as(server, role(server, may))("cloudwatch")
    metric = [{"MetricName": "x", "Value": 1.0}]
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=metric)
    assert code_of(lambda: cloudwatch.put_metric_data(Namespace="Other", MetricData=metric)) == "AccessDeniedException"


# --- buckets


def bucket(server: Server, name: str, *statements: dict[str, Any]) -> Any:
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=name, Key="key", Body=b"x")
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=document(*statements))
    return s3


def tls_only(name: str) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources}
    return deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def test_a_bucket_for_tls_only_refuses_a_request_that_says_it_came_without(server: Server, name: str) -> None:
    s3 = bucket(server, name, tls_only(name))
    s3.get_object(Bucket=name, Key="key")

    def without_tls(request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-Proto"] = "http"

    s3.meta.events.register("before-send.s3", without_tls)
    assert code_of(lambda: s3.get_object(Bucket=name, Key="key")) == "AccessDenied"
    assert code_of(lambda: s3.list_objects_v2(Bucket=name)) == "AccessDenied"


def test_a_buckets_policy_applies_to_the_principal_that_it_names(server: Server, name: str) -> None:
    guest, stranger = (role(server, allowing("logs:*")) for _ in range(2))
    allow = {"Effect": "Allow", "Principal": {"AWS": guest}, "Action": "s3:GetObject"}
    bucket(server, name, allow | {"Resource": f"arn:aws:s3:::{name}/*"})
    assert acting_as(server, guest)("s3").get_object(Bucket=name, Key="key")
    assert code_of(lambda: acting_as(server, stranger)("s3").get_object(Bucket=name, Key="key")) == "AccessDenied"


def test_objects_are_listed_below_the_prefix_that_the_condition_names(server: Server, name: str) -> None:
    bucket(server, name)
    may = allowing("s3:ListBucket") | {"Condition": {"StringLike": {"s3:prefix": "dags/*"}}}
    s3 = acting_as(server, role(server, may))("s3")
    s3.list_objects_v2(Bucket=name, Prefix="dags/x")
    assert code_of(lambda: s3.list_objects_v2(Bucket=name)) == "AccessDenied"


# --- functions, rules and topics


@pytest.fixture
def function(server: Server, name: str) -> Iterator[Any]:
    """Create a function that does nothing."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as package:
        package.writestr("handler.py", "def handler(event, context): return event['detail-type']")
    client = server.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="handler.handler",
        Role=role(server, allowing("logs:*")),
        Code={"ZipFile": zipped.getvalue()},
        Timeout=30,
    )
    yield lambda_backends[OWNER][REGION].get_function(name)
    client.delete_function(FunctionName=name)


def permit(server: Server, function: Any, **permission: str) -> None:
    server.client("lambda").add_permission(
        FunctionName=function.function_name, StatementId=uuid4().hex, Action="lambda:InvokeFunction", **permission
    )


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (None, False),
        ({"Principal": "events.amazonaws.com", "SourceArn": RULE}, True),
        ({"Principal": "events.amazonaws.com"}, True),
        ({"Principal": "events.amazonaws.com", "SourceArn": f"{RULE}-other"}, False),
        ({"Principal": "events.amazonaws.com", "SourceAccount": "999999999999"}, False),
        ({"Principal": "sns.amazonaws.com", "SourceArn": RULE}, False),
    ],
)
def test_a_rule_invokes_a_function_only_with_its_permission(
    server: Server, function: Any, permission: dict[str, str] | None, *, allowed: bool
) -> None:
    if permission:
        permit(server, function, **permission)
    assert may_invoke(function, "events.amazonaws.com", RULE) is allowed


def test_a_rule_without_permission_invokes_nothing_and_says_so(server: Server, name: str, function: Any) -> None:
    said: list[str] = []
    events = server.client("events")
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": function.function_arn}])
    (rule,) = [each for each in events_backends[OWNER][REGION].list_rules()[0] if each.name == name]
    schedule = Schedule(REGION, said.append)
    schedule.fire(rule)
    permit(server, function, Principal="events.amazonaws.com", SourceArn=rule.arn)
    schedule.fire(rule)
    while len(said) == 1:  # the rule waits for no function
        time.sleep(0.05)
    schedule.stop()
    assert "failed invocation, no AWS::Lambda::Permission" in said[0]
    assert said[1] == f"{name} ran: Scheduled Event"


def test_an_alarm_publishes_to_a_topic_of_its_account_by_default_and_a_rule_does_not(server: Server, name: str) -> None:
    topic = server.client("sns").create_topic(Name=name)["TopicArn"]
    assert may_publish(topic, "cloudwatch.amazonaws.com", ALARM)
    assert not may_publish(topic, "events.amazonaws.com", RULE)
    assert not may_publish(topic, "cloudwatch.amazonaws.com", ALARM.replace(OWNER, "9" * 12))
    assert not may_publish(f"{topic}-missing", "cloudwatch.amazonaws.com", ALARM)


def test_a_topics_own_policy_replaces_the_default(server: Server, name: str) -> None:
    sns = server.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    rules_only = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
    policy = document(rules_only | {"Resource": topic, "Condition": {"ArnLike": {"aws:SourceArn": f"{RULE}*"}}})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert may_publish(topic, "events.amazonaws.com", RULE)
    assert not may_publish(topic, "cloudwatch.amazonaws.com", ALARM)


def test_an_alarm_may_not_use_the_aws_managed_key_of_a_topic(server: Server, name: str) -> None:
    topic = server.client("sns").create_topic(Name=name, Attributes={"KmsMasterKeyId": "alias/aws/sns"})["TopicArn"]
    assert not may_publish(topic, "cloudwatch.amazonaws.com", ALARM)


def test_the_handler_of_a_request_knows_its_caller(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Caller | None] = []

    def list_queues(*_: Any) -> list[Any]:
        seen.append(caller_of_request.get())
        return []

    sqs = server.client("sqs")
    monkeypatch.setattr("moto.sqs.models.SQSBackend.list_queues", list_queues)
    sqs.list_queues()
    assert seen[0] is not None
    assert seen[0].arn.startswith(f"arn:aws:iam::{OWNER}:user/administrator-")
    assert seen[0].may("iam:PassRole", "arn:aws:iam::123456789012:role/x", {"iam:PassedToService": "x"})
