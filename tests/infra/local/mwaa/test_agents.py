"""What MWAA's agents need of role and network: without any one of these an environment is never created."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.mwaa.agents import ASKS
from infra.mwaa_facts import MWAA_ENDPOINTS
from tests.infra.local.mwaa.support import denying

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.mwaa.environment import Environment
    from tests.infra.local.mwaa.support import Account

AWS_SAYS = "You may need to check the execution role permissions policy for your environment, and that each of the VPC"
# These two are asked for in the request itself (see test_rules.py).
AT_ONCE = {"s3:ListBucket", "s3:GetObject"}


def expect_failure(environment: Environment, account: Account, reason: str) -> None:
    environment.wait(10)
    error = environment.describe()["LastUpdate"]["Error"]
    assert (environment.status, error["ErrorCode"]) == ("CREATE_FAILED", "INCORRECT_CONFIGURATION")
    assert error["ErrorMessage"].startswith(AWS_SAYS)
    assert reason in account.said[-1]


@pytest.mark.parametrize("action", [ask.action for ask in ASKS if ask.action not in AT_ONCE])
def test_without_one_grant_the_creation_fails_as_on_aws(action: str, account: Account) -> None:
    environment = account.environments(role_may=denying(action)).create(account.properties)
    expect_failure(environment, account, f"may not {action} on")


@pytest.mark.parametrize("service", ["s3", *MWAA_ENDPOINTS])
def test_without_a_way_to_one_service_the_creation_fails_as_on_aws(service: str, account: Account) -> None:
    def refusal(subnets: Sequence[str], groups: Sequence[str], asked: str) -> str | None:
        network = account.properties["NetworkConfiguration"]
        assert [list(subnets), list(groups)] == [network["SubnetIds"], network["SecurityGroupIds"]]
        return "no endpoint" if asked == service else None

    environment = account.environments(refusal=refusal).create(account.properties)
    expect_failure(environment, account, f"{service} cannot be reached: no endpoint")


def test_a_group_that_does_not_let_itself_in_fails_the_creation(account: Account) -> None:
    network = {**account.properties["NetworkConfiguration"], "SecurityGroupIds": [account.group(lets_itself_in=False)]}
    environment = account.environments().create(account.properties | {"NetworkConfiguration": network})
    expect_failure(environment, account, "lets the group itself in to the database, port 5432")


def test_two_ports_of_its_own_are_enough(account: Account) -> None:
    group = account.group(lets_itself_in=False)
    rules = [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]}
        for port in (443, 5432)
    ]
    account.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    network = {**account.properties["NetworkConfiguration"], "SecurityGroupIds": [group]}
    environment = account.environments().create(account.properties | {"NetworkConfiguration": network})
    environment.wait(10)
    assert environment.status == "AVAILABLE"


def test_the_queue_is_in_an_account_of_mwaa_and_its_key_is_asked_for_through_sqs(account: Account) -> None:
    asked: dict[str, tuple[str, Mapping[str, str]]] = {}

    def role_may(_role: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        asked[action] = (resource, context)
        return True

    environment = account.environments(role_may=role_may).create(account.properties)
    environment.wait(10)
    queue, _ = asked["sqs:SendMessage"]
    assert queue == environment.describe()["CeleryExecutorQueue"]
    assert not queue.startswith("arn:aws:sqs:eu-west-1:123456789012:")
    key, context = asked["kms:GenerateDataKey"]
    assert key.startswith("arn:aws:kms:eu-west-1:210987654321:key/")
    assert context == {"kms:ViaService": "sqs.eu-west-1.amazonaws.com"}
