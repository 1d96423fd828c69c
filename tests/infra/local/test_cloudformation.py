"""CloudFormation's operations on a stack: order, time, replacement, rollback, and the refusals of its types."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.moto import cloudformation, operation, resources
from infra.local.server import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.server import Server


@pytest.fixture(autouse=True)
def _answers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ExecuteChangeSet return at once, as on AWS."""
    monkeypatch.setattr(cloudformation, "_PATIENCE_SECONDS", 0.0)


class Stack:
    """A stack on the server, with the calls of `aws cloudformation deploy`."""

    def __init__(self, server: Server, region: str = REGION) -> None:
        self.name = f"stack-{uuid.uuid4().hex[:8]}"
        key, secret = server.iam.keys.values()
        session = boto3.Session(key, secret, region_name=region)
        self.client: Any = session.client("cloudformation", endpoint_url=server.endpoint_url)

    def begin(self, resources_: dict[str, Any], kind: str = "CREATE", **more: Any) -> None:
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in more.pop("values", {}).items()]
        change_set = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"c-{uuid.uuid4().hex}",
            ChangeSetType=kind,
            TemplateBody=json.dumps({"Resources": resources_, **more}),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )
        self.client.execute_change_set(ChangeSetName=change_set["Id"])

    def deploy(self, resources_: dict[str, Any], kind: str = "CREATE", **more: Any) -> str:
        self.begin(resources_, kind, **more)
        return self.ended()

    def ended(self) -> str:
        for _ in range(400):
            status = self.status
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.05)
        raise AssertionError(f"still {self.status}")

    @property
    def status(self) -> str:
        try:
            return str(self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return "DELETE_COMPLETE"

    def events(self, *statuses: str) -> list[str]:
        """Return the logical ids of the resources' events with these statuses, the oldest first."""
        found = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return [e["LogicalResourceId"] for e in reversed(found) if e["ResourceStatus"] in statuses]

    def reason(self, logical_id: str) -> str:
        found = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [e for e in found if e["ResourceStatus"].endswith("_FAILED") and e["LogicalResourceId"] == logical_id]
        return str(failed[0]["ResourceStatusReason"])

    def physical_id(self, logical_id: str) -> str:
        found = self.client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])


@pytest.fixture
def stack(server: Server) -> Iterator[Stack]:
    stack = Stack(server)
    yield stack
    if stack.status != "DELETE_COMPLETE":
        stack.client.delete_stack(StackName=stack.name)
        stack.ended()


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def group(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, **properties}}


def metric_filter(group_name: Any, **more: Any) -> dict[str, Any]:
    metric = {"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}
    properties = {"LogGroupName": group_name, "FilterPattern": "ERROR", "MetricTransformations": [metric]}
    return {"Type": "AWS::Logs::MetricFilter", "Properties": properties, **more}


class FakeEnvironment:
    """An MWAA environment with the status that the test sets."""

    def __init__(self, name: str) -> None:
        self.name, self.status, self.error = name, "CREATING", ""
        self.ended = threading.Event()

    def wait(self, seconds: float) -> None:
        assert self.ended.wait(min(seconds, 20))

    def becomes(self, status: str, error: str = "") -> None:
        self.status, self.error = status, error
        self.ended.set()

    def describe(self) -> dict[str, Any]:
        return {"Arn": f"arn:aws:airflow:eu-west-1:123456789012:environment/{self.name}", "WebserverUrl": "127.0.0.1:1"}


class FakeEnvironments(dict[str, FakeEnvironment]):
    def create(self, properties: dict[str, Any]) -> FakeEnvironment:
        made = self[properties["Name"]] = FakeEnvironment(properties["Name"])
        return made

    def change(self, name: str, properties: dict[str, Any]) -> FakeEnvironment:
        if properties.get("AirflowVersion") == "1.0.0":
            raise ValueError("Airflow version 1.0.0 is not supported")
        self[name].ended.clear()
        self[name].status = "UPDATING"
        return self[name]

    update = change  # type: ignore[assignment]

    def delete(self, name: str) -> None:
        del self[name]


@pytest.fixture
def environments(server: Server) -> Iterator[FakeEnvironments]:
    fake: Any = FakeEnvironments()
    resources.install(environments=fake)
    yield fake
    resources.install(environments=server.environments)


def environment(name: str, **properties: Any) -> dict[str, Any]:
    network = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    return {"Type": "AWS::MWAA::Environment",
            "Properties": {"Name": name, "NetworkConfiguration": network, **properties}}  # fmt: skip


def named(environments: FakeEnvironments, name: str) -> FakeEnvironment:
    for _ in range(200):
        if name in environments:
            return environments[name]
        time.sleep(0.05)
    raise AssertionError(f"no environment {name}")


def test_a_stack_waits_for_its_environment_while_execute_change_set_has_answered(
    stack: Stack, environments: FakeEnvironments
) -> None:
    waits = {**queue(), "DependsOn": "E"}
    stack.begin({"E": environment(stack.name), "Beside": queue(), "After": waits})
    made = named(environments, stack.name)
    while "Beside" not in stack.events("CREATE_COMPLETE"):
        time.sleep(0.05)
    assert stack.status == "CREATE_IN_PROGRESS"
    assert "After" not in stack.events("CREATE_IN_PROGRESS")
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        stack.begin({"Q": queue()}, "UPDATE")
    made.becomes("AVAILABLE")
    assert stack.ended() == "CREATE_COMPLETE"


@pytest.mark.parametrize("status", ["CREATE_FAILED", "UNAVAILABLE"])
def test_an_environment_that_does_not_become_available_fails_the_stack_with_its_reason(
    stack: Stack, environments: FakeEnvironments, status: str
) -> None:
    stack.begin({"E": environment(stack.name)})
    named(environments, stack.name).becomes(status, "the subnets are not in two zones")
    assert stack.ended() == "ROLLBACK_COMPLETE"
    assert stack.reason("E") == f"Environment {stack.name} is {status}: the subnets are not in two zones"


# CloudFormation's handler reads only the status, so an update that MWAA has rolled back is a success.
@pytest.mark.parametrize(
    ("status", "outcome"), [("AVAILABLE", "UPDATE_COMPLETE"), ("UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE")]
)
def test_an_update_of_the_environment_is_judged_by_its_status_alone(
    stack: Stack, environments: FakeEnvironments, status: str, outcome: str
) -> None:
    stack.begin({"E": environment(stack.name, MinWorkers=1)})
    made = named(environments, stack.name)
    made.becomes("AVAILABLE")
    assert stack.ended() == "CREATE_COMPLETE"
    stack.begin({"E": environment(stack.name, MinWorkers=2)}, "UPDATE")
    while made.ended.is_set():
        time.sleep(0.02)
    made.becomes(status, "rolled back: pip failed")
    if "ROLLBACK" in outcome:
        while stack.status == "UPDATE_IN_PROGRESS" or made.ended.is_set():
            time.sleep(0.05)
        made.becomes("AVAILABLE")  # the rollback's own update
    assert stack.ended() == outcome


def test_independent_resources_are_created_in_an_order_that_the_seed_decides() -> None:
    waits_for = {name: set[str]() for name in "abcdef"} | {"g": {"a", "b"}}

    def order(seed: int) -> list[str]:
        operation.begin(str(seed))
        made: list[str] = []

        def make(name: str) -> bool:
            made.append(name)
            return True

        failed = operation._side_by_side(waits_for, make, lambda _: False, stop_at_failure=True)  # noqa: SLF001
        assert failed == []
        return made

    orders = {tuple(order(seed)) for seed in range(10)}
    assert len(orders) > 5
    assert order(3) == order(3)
    assert all(made.index("g") > max(made.index("a"), made.index("b")) for made in orders)


def test_a_missing_dependency_shows_in_some_orders(stack: Stack, server: Server) -> None:
    outcomes = set()
    for seed in range(8):
        operation.begin(str(seed))
        each = Stack(server)
        name = f"group-{each.name}"
        outcomes.add(each.deploy({"Group": group(name), "Filter": metric_filter(name)}))
        each.client.delete_stack(StackName=each.name)
        each.ended()
        if len(outcomes) == 2:
            break
    assert outcomes == {"CREATE_COMPLETE", "ROLLBACK_COMPLETE"}
    assert stack.deploy({"G": group(stack.name), "F": metric_filter(stack.name, DependsOn="G")}) == "CREATE_COMPLETE"


def test_a_stack_is_deleted_in_the_reverse_order_of_its_dependencies(stack: Stack) -> None:
    chain = {
        "A": queue(),
        **{name: {**queue(), "DependsOn": before} for before, name in zip("ABC", "BCD", strict=True)},
    }
    assert stack.deploy(chain) == "CREATE_COMPLETE"
    stack_id = stack.client.describe_stacks(StackName=stack.name)["Stacks"][0]["StackId"]
    stack.client.delete_stack(StackName=stack.name)
    assert stack.ended() == "DELETE_COMPLETE"
    stack.name = stack_id
    assert stack.events("CREATE_COMPLETE")[:4] == ["A", "B", "C", "D"]
    assert stack.events("DELETE_COMPLETE")[:4] == ["D", "C", "B", "A"]


def test_a_replacement_is_created_before_the_old_one_is_deleted_and_references_follow(stack: Stack) -> None:
    def template(name: str) -> dict[str, Any]:
        return {"G": group(name), "F": metric_filter({"Ref": "G"}), "Q": queue()}

    assert stack.deploy(template(f"{stack.name}-1")) == "CREATE_COMPLETE"
    assert stack.deploy(template(f"{stack.name}-2"), "UPDATE") == "UPDATE_COMPLETE"
    assert stack.physical_id("G") == f"{stack.name}-2"
    assert stack.events("UPDATE_COMPLETE")[:2] == ["G", "F"]
    assert stack.events("DELETE_COMPLETE") == ["F", "G"] or stack.events("DELETE_COMPLETE") == ["G", "F"]


def test_an_update_that_fails_restores_the_old_resources(stack: Stack, server: Server) -> None:
    logs: Any = server.client("logs")
    before = {"G": group(stack.name, RetentionInDays=7)}
    after = {"G": group(stack.name, RetentionInDays=30), "Added": queue(), "Bad": queue(Nonsense=1)}
    after["Bad"]["DependsOn"] = ["G", "Added"]
    assert stack.deploy(before) == "CREATE_COMPLETE"
    assert stack.deploy(after, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Properties validation failed for resource Bad" in stack.reason("Bad")
    (found,) = logs.describe_log_groups(logGroupNamePrefix=stack.name)["logGroups"]
    assert found["retentionInDays"] == 7
    assert "Added" in stack.events("DELETE_COMPLETE")
    assert stack.deploy({"G": group(stack.name, RetentionInDays=30)}, "UPDATE") == "UPDATE_COMPLETE"
    (found,) = logs.describe_log_groups(logGroupNamePrefix=stack.name)["logGroups"]
    assert found["retentionInDays"] == 30


FOR_EACH = {
    "Fn::ForEach::Queues": ["Name", {"Ref": "Names"}, {"Queue&{Name}": {"Type": "AWS::SQS::Queue", "Properties": {}}}]
}
LIST: dict[str, Any] = {
    "Transform": "AWS::LanguageExtensions",
    "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "a,b"}},
}


def test_a_stack_follows_the_list_in_for_each(stack: Stack) -> None:
    assert stack.deploy(FOR_EACH, **LIST) == "CREATE_COMPLETE"
    assert set(stack.events("CREATE_COMPLETE")) == {"Queuea", "Queueb", stack.name}
    assert stack.deploy(FOR_EACH, "UPDATE", values={"Names": "c,b"}, **LIST) == "UPDATE_COMPLETE"
    assert stack.events("DELETE_COMPLETE") == ["Queuea"]
    summary = stack.client.get_template_summary(StackName=stack.name)  # the AWS CLI asks for it
    assert [parameter["ParameterKey"] for parameter in summary["Parameters"]] == ["Names"]
    original = stack.client.get_template(StackName=stack.name)["TemplateBody"]
    assert "Fn::ForEach::Queues" in json.dumps(original)


def test_a_value_that_breaks_its_constraint_creates_no_stack(stack: Stack) -> None:
    parameters = {"P": {"Type": "String", "AllowedPattern": "[a-z]+"}}
    with pytest.raises(ClientError, match="Parameter 'P' must match pattern"):
        stack.deploy({"Q": queue()}, Parameters=parameters, values={"P": "A"})
    assert stack.status == "DELETE_COMPLETE"


def test_a_repository_has_one_external_connection_at_most(stack: Stack, server: Server) -> None:
    def resources_(*connections: str) -> dict[str, Any]:
        domain = {"Type": "AWS::CodeArtifact::Domain", "Properties": {"DomainName": stack.name}}
        names = {"DomainName": {"Fn::GetAtt": ["Domain", "Name"]}, "RepositoryName": "python"}
        properties = {**names, "ExternalConnections": list(connections)}
        return {"Domain": domain, "Repository": {"Type": "AWS::CodeArtifact::Repository", "Properties": properties}}

    both = resources_("public:pypi", "public:npmjs")
    assert stack.deploy(both) == "ROLLBACK_COMPLETE"
    assert "one external connection" in stack.reason("Repository")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.ended() == "DELETE_COMPLETE"
    assert stack.deploy(resources_("public:pypi")) == "CREATE_COMPLETE"
    assert stack.deploy(both, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert server.codeartifact.repository(stack.name, "python").external_connections == ("public:pypi",)


def test_a_domain_of_the_same_name_in_another_region_is_another_resource(stack: Stack, server: Server) -> None:
    domain = {"D": {"Type": "AWS::CodeArtifact::Domain", "Properties": {"DomainName": stack.name}}}
    elsewhere = Stack(server, "us-east-1")
    assert (stack.deploy(domain), elsewhere.deploy(domain)) == ("CREATE_COMPLETE", "CREATE_COMPLETE")
    arns = [each.physical_id("D") for each in (stack, elsewhere)]
    assert arns == [f"arn:aws:codeartifact:{r}:123456789012:domain/{stack.name}" for r in ("eu-west-1", "us-east-1")]
    elsewhere.client.delete_stack(StackName=elsewhere.name)
    assert elsewhere.ended() == "DELETE_COMPLETE"
    assert server.codeartifact.domain(stack.name).arn == arns[0]


@pytest.mark.parametrize(
    ("type_", "sentence"),
    [
        ("AWS::SQS::Queu", "Unrecognized resource types: \\[AWS::SQS::Queu\\]"),
        ("AWS::Scheduler::Schedule", "no resource type AWS::Scheduler::Schedule"),
    ],
)
def test_an_unknown_type_is_refused(stack: Stack, type_: str, sentence: str) -> None:
    with pytest.raises(ClientError, match=sentence):
        stack.deploy({"Q": {"Type": type_}})


def test_a_log_group_that_exists_already_fails_the_stack(stack: Stack, server: Server) -> None:
    logs: Any = server.client("logs")
    logs.create_log_group(logGroupName=stack.name)
    assert stack.deploy({"G": group(stack.name)}) == "ROLLBACK_COMPLETE"
    assert "already exists" in stack.reason("G")
    assert logs.describe_log_groups(logGroupNamePrefix=stack.name)["logGroups"]


def test_the_name_of_a_deleted_queue_is_kept_for_a_minute(
    stack: Stack, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Stack(server)
    assert first.deploy({"Q": queue(QueueName=stack.name)}) == "CREATE_COMPLETE"
    first.client.delete_stack(StackName=first.name)
    first.ended()
    assert stack.deploy({"Q": queue(QueueName=stack.name)}) == "ROLLBACK_COMPLETE"
    assert "You must wait 60 seconds after deleting a queue" in stack.reason("Q")
    monkeypatch.setattr(resources, "_QUEUE_NAME_SECONDS", 0.0)
    again = Stack(server)
    assert again.deploy({"Q": queue(QueueName=stack.name)}) == "CREATE_COMPLETE"


def test_a_mail_subscription_waits_to_be_confirmed(stack: Stack, server: Server) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": stack.name}}
    mail = {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "somebody@example.com"}
    assert stack.deploy({"T": topic, "S": {"Type": "AWS::SNS::Subscription", "Properties": mail}}) == "CREATE_COMPLETE"
    sns: Any = server.client("sns")
    (found,) = sns.list_subscriptions_by_topic(TopicArn=stack.physical_id("T"))["Subscriptions"]
    assert found["SubscriptionArn"] == "PendingConfirmation"
