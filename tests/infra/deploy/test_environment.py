"""Waiting for MWAA: the AWS CLI is real, and MWAA behaves as the test orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.aws import AwsError
from infra.deploy.environment import EnvironmentFailedError, follow, last_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("impatient")]

TEMPLATE = """
Parameters: {Name: {Type: String}, Version: {Type: String}, Wanted: {Type: String, Default: a}}
Conditions: {HasTopic: !Equals [!Ref Wanted, b]}
Resources:
  Environment: {Type: AWS::MWAA::Environment, Properties: {Name: !Ref Name, RequirementsS3ObjectVersion: !Ref Version}}
  Topic: {Type: AWS::SNS::Topic, Condition: HasTopic}
"""


@pytest.fixture
def change(cloudformation: Any, settings: Settings) -> Callable[..., None]:
    """Create or update the environment's stack."""
    stack = settings.stack_name("mwaa")
    kinds = iter(["CREATE"] + ["UPDATE"] * 9)

    def deploy(version: str, topic: str = "a") -> None:
        given = {"Name": settings.environment_name, "Version": version, "Wanted": topic}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        change_set = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"set-{version}-{topic}",
            ChangeSetType=next(kinds),
            TemplateBody=TEMPLATE,
            Parameters=parameters,
        )
        cloudformation.execute_change_set(ChangeSetName=change_set["Id"])

    return deploy


def test_every_busy_status_is_waited_for(
    cli_without_retries: Aws, settings: Settings, order: Callable[..., None], change: Callable[..., None]
) -> None:
    busy = ["PENDING", "CREATING", "CREATING_SNAPSHOT", "UPDATING", "MAINTENANCE", "ROLLING_BACK"]
    order(mwaa={settings.environment_name: {"statuses": [*busy, "AVAILABLE"]}})
    change("1")
    assert follow(cli_without_retries, settings.environment_name)["Status"] == "AVAILABLE"


def test_an_update_that_mwaa_rolled_back_is_a_failure_although_the_environment_is_available(
    cli_without_retries: Aws,
    settings: Settings,
    order: Callable[..., None],
    change: Callable[..., None],
    cloudformation: Any,
) -> None:
    change("1")
    order(mwaa={settings.environment_name: {"refusal": "Your requirements file cannot be read"}})
    change("2")
    stack = cloudformation.describe_stacks(StackName=settings.stack_name("mwaa"))["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"  # CloudFormation reports success
    with pytest.raises(EnvironmentFailedError, match="went back to the previous state: Your requirements file"):
        follow(cli_without_retries, settings.environment_name)


@pytest.mark.parametrize("status", ["CREATE_FAILED", "UPDATE_FAILED", "UNAVAILABLE", "DELETING"])
def test_a_status_that_does_not_become_available_is_a_failure_with_mwaas_reason(
    cli_without_retries: Aws, settings: Settings, order: Callable[..., None], change: Callable[..., None], status: str
) -> None:
    order(mwaa={settings.environment_name: {"statuses": ["UPDATING", status], "refusal": "the reason"}})
    change("1")
    with pytest.raises(EnvironmentFailedError, match=f"is {status}: the reason"):
        follow(cli_without_retries, settings.environment_name)


def test_a_few_throttled_polls_in_a_row_do_not_end_the_wait(
    cli_without_retries: Aws, settings: Settings, order: Callable[..., None], change: Callable[..., None]
) -> None:
    change("1")
    order(fail={"GetEnvironment": 4})
    assert follow(cli_without_retries, settings.environment_name)["Status"] == "AVAILABLE"


def test_too_many_failed_polls_in_a_row_end_the_wait(
    cli_without_retries: Aws, settings: Settings, order: Callable[..., None], change: Callable[..., None]
) -> None:
    change("1")
    order(fail={"GetEnvironment": 5})
    with pytest.raises(AwsError, match="GetEnvironment failed: ThrottlingException: Rate exceeded"):
        follow(cli_without_retries, settings.environment_name)


def test_a_change_to_another_resource_is_no_change_of_the_environment(
    aws: Aws, settings: Settings, change: Callable[..., None]
) -> None:
    stack = settings.stack_name("mwaa")
    assert last_change(aws, stack) is None
    change("1")
    created = last_change(aws, stack)
    change("1", topic="b")
    assert last_change(aws, stack) == created
    change("2", topic="b")
    updated = last_change(aws, stack)
    assert created is not None
    assert updated is not None
    assert updated > created
