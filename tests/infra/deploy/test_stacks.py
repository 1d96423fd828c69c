"""Stacks are created and deleted, and their events shown; the AWS CLI is real, CloudFormation is moto's."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.settings import Settings
from infra.cli.templates import Template
from infra.deploy.destroy import NotConfirmedError, destroy
from infra.deploy.parameters import fill
from infra.deploy.stacks import StackError, delete_stack, deploy_stack, outputs, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.cli.aws import Aws

pytestmark = pytest.mark.long

BUCKET = """
Parameters:
  BucketName: {Type: String}
  TopicName: {Type: String, Default: news}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref BucketName, VersioningConfiguration: {Status: Enabled}}}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref TopicName}}
Outputs:
  BucketName: {Value: !Ref Bucket}
"""
NETWORK = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc, GroupDescription: of the environment}}
Outputs:
  SubnetId: {Value: !Ref Subnet}
  SecurityGroupId: {Value: !GetAtt Group.GroupId}
"""
BROKEN = "Resources: {Thing: {Type: Test::Broken::Thing}}"


def template(folder: Path, text: str) -> Template:
    path = folder / "template.yaml"
    path.write_text(text)
    return Template.read(path)


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the output since the last call, without the heartbeats of a slow machine."""
    lines = capsys.readouterr().out.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("  …"))


def settings(name: str) -> Settings:
    return Settings("eu-central-1", name, {}, {})


def test_a_deployment_shows_its_events_and_its_repetition_changes_nothing(
    tmp_path: Path, aws: Aws, cloudformation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"BucketName": "events-bucket", "TopicName": "news"}
    stack = template(tmp_path, BUCKET)
    assert deploy_stack(aws, "events", stack, parameters, "demo")
    shown = printed(capsys)
    assert shown.startswith("$ aws cloudformation deploy --stack-name events ")
    assert shown.count("CREATE_COMPLETE       events (AWS::CloudFormation::Stack)\n") == 1
    assert shown.endswith("events: deployed\n")
    assert outputs(aws, "events") == {"BucketName": "events-bucket"}

    events = cloudformation.describe_stack_events(StackName="events")["StackEvents"]
    assert not deploy_stack(aws, "events", stack, parameters, "demo")
    assert printed(capsys).splitlines()[1:] == ["events: unchanged"]
    assert cloudformation.describe_stack_events(StackName="events")["StackEvents"] == events

    # As on AWS, where a change set without changed resources, outputs or parameters is refused: a new version number
    # in the description is no update.
    described = template(tmp_path, f"Description: (mwaa-codeartifact 9.9.9)\n{BUCKET}")
    assert not deploy_stack(aws, "events", described, parameters, "demo")
    assert printed(capsys).splitlines()[1:] == ["events: unchanged"]


def test_a_failure_names_the_resource_with_its_reason_and_the_next_try_starts_again(
    tmp_path: Path, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, good = template(tmp_path, BROKEN), "Resources: {Topic: {Type: AWS::SNS::Topic}}"
    with pytest.raises(StackError, match=r"^failing failed: Thing \(Test::Broken::Thing\): the thing is broken$"):
        deploy_stack(aws, "failing", broken, {}, "demo")
    printed(capsys)
    assert deploy_stack(aws, "failing", template(tmp_path, good), {}, "demo")
    assert printed(capsys).startswith(
        "failing is in ROLLBACK_COMPLETE from an earlier failed creation: it is deleted first.\n"
    )


def test_a_change_set_that_was_refused_early_names_the_resource_with_its_reason(
    tmp_path: Path, aws: Aws, s3: Any
) -> None:
    s3.create_bucket(Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    reason = (
        r"^early failed: Bucket \(AWS::S3::Bucket\): Resource of type 'AWS::S3::Bucket' with identifier 'taken' "
        r"already exists\. \(bucket names are unique in all of S3: choose another BUCKET_NAME in \.env\)$"
    )
    with pytest.raises(StackError, match=reason):
        deploy_stack(aws, "early", template(tmp_path, BUCKET), {"BucketName": "taken"}, "demo")


@pytest.mark.usefixtures("impatient")
def test_throttled_polls_do_not_end_a_deployment(
    tmp_path: Path, cli_without_retries: Aws, order: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = template(tmp_path, "Resources: {Topic: {Type: AWS::SNS::Topic}}")
    deploy_stack(cli_without_retries, "throttled", stack, {}, "demo")
    order(fail={"DescribeStackEvents": 3})
    assert delete_stack(cli_without_retries, "throttled")
    assert printed(capsys).endswith("throttled: deleted\n")


@pytest.mark.usefixtures("impatient")
def test_the_network_is_deleted_after_mwaas_network_interfaces_are_gone(
    cli_without_retries: Aws, cloudformation: Any, session: Any, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudformation.create_stack(StackName="left-network", TemplateBody=NETWORK)
    ec2 = session.client("ec2", endpoint_url=endpoint)
    parts = cloudformation.describe_stacks(StackName="left-network")["Stacks"][0]["Outputs"]
    found = {each["OutputKey"]: each["OutputValue"] for each in parts}
    interface = ec2.create_network_interface(SubnetId=found["SubnetId"], Groups=[found["SecurityGroupId"]])
    name = interface["NetworkInterface"]["NetworkInterfaceId"]
    looks = iter(range(1_000_000))

    class Slow:
        """The AWS CLI, with an MWAA that deletes its interface at the third look."""

        def __getattr__(self, attribute: str) -> Any:
            return getattr(cli_without_retries, attribute)

        def call(self, *arguments: str) -> Any:
            if arguments[1] == "describe-network-interfaces" and next(looks) == 2:
                ec2.delete_network_interface(NetworkInterfaceId=name)
            if arguments[1] == "delete-stack":
                assert next(looks) > 2, "the network was deleted while an interface was in it"
            return cli_without_retries.call(*arguments)

    destroy(Slow(), settings("left"), confirmed=True)  # type: ignore[arg-type]
    assert printed(capsys).endswith("destroyed: nothing of left is left\n")


@pytest.mark.usefixtures("impatient")
def test_a_network_that_cannot_be_deleted_is_tried_once_more(
    cli_without_retries: Aws, cloudformation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudformation.create_stack(
        StackName="stubborn-network", TemplateBody="Resources: {T: {Type: Test::Stubborn::Thing}}"
    )
    destroy(cli_without_retries, settings("stubborn"), confirmed=True)
    shown = printed(capsys)
    reason = "T (Test::Stubborn::Thing): the thing is in use"
    assert f"stubborn-network failed: {reason}: waiting until MWAA's network interfaces are gone" in shown
    assert shown.endswith("destroyed: nothing of stubborn is left\n")


def test_a_parameter_takes_an_earlier_output_then_the_setting_then_the_default(tmp_path: Path) -> None:
    stack = template(tmp_path, BUCKET)
    assert fill(stack, {"BucketName": "output"}, {"BucketName": "setting"}) == {
        "BucketName": "output",
        "TopicName": "news",
    }
    with pytest.raises(StackError, match=r"template\.yaml needs BucketName, which no earlier stack has as an output"):
        fill(stack, {}, {})


def test_a_deployed_list_is_read_as_it_was_given(tmp_path: Path, aws: Aws) -> None:
    text = """
Parameters: {Names: {Type: CommaDelimitedList}, None: {Type: CommaDelimitedList, Default: ""}}
Resources: {Topic: {Type: AWS::SNS::Topic}}
"""
    deploy_stack(aws, "lists", template(tmp_path, text), {"Names": "acme-*,other"}, "demo")
    assert parameters_of(aws, "lists") == {"Names": "acme-*,other", "None": ""}


def test_destroy_deletes_every_object_version_and_can_be_repeated(
    aws: Aws, cloudformation: Any, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = [{"ParameterKey": "BucketName", "ParameterValue": "doomed-bucket"}]
    cloudformation.create_stack(StackName="doomed-repository", TemplateBody=BUCKET, Parameters=parameters)
    for body in (b"one", b"two"):
        s3.put_object(Bucket="doomed-bucket", Key="dags/a.py", Body=body)
    s3.delete_object(Bucket="doomed-bucket", Key="dags/a.py")

    destroy(aws, settings("doomed"), confirmed=True)

    shown = printed(capsys)
    assert "doomed-bucket: bucket with every object version\n" in shown
    assert shown.index("doomed-bucket: 3 object versions deleted") < shown.index("$ aws cloudformation delete-stack")
    assert "doomed-bucket" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    with pytest.raises(cloudformation.exceptions.ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="doomed-repository")
    destroy(aws, settings("doomed"), confirmed=True)
    assert printed(capsys) == "nothing to destroy: there is no stack of doomed\n"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("yes\n", '"yes" is not the environment\'s name'),
        ("", "there is no terminal to ask on .in scripts: `make destroy YES=1`."),
    ],
)
def test_destroy_deletes_nothing_unless_the_name_is_typed(
    aws: Aws, cloudformation: Any, monkeypatch: pytest.MonkeyPatch, typed: str, answer: str
) -> None:
    name = f"kept{len(typed)}"
    cloudformation.create_stack(StackName=f"{name}-network", TemplateBody="Resources: {T: {Type: AWS::SNS::Topic}}")
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    with pytest.raises(NotConfirmedError, match=answer):
        destroy(aws, settings(name), confirmed=False)
    assert cloudformation.describe_stacks(StackName=f"{name}-network")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
