"""The role and network that MWAA's agents need: if one grant or way is missing, no environment is created."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.local.moto.vpc import Vpc
from infra.local.mwaa.agents import NEEDED
from infra.local.mwaa.environments import Environments
from infra.mwaa_facts import MWAA_ENDPOINTS
from tests.infra.local.mwaa.support import Open, denying

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.local.mwaa.environment import Environment
    from tests.infra.local.mwaa.support import Account

AWS_SAYS = "You may need to check the execution role permissions policy for your environment, and that each of the VPC"
# These two are checked when the request is made (see test_rules.py).
AT_ONCE = {"s3:ListBucket", "s3:GetObject"}


def expect_failure(environment: Environment, account: Account, reason: str) -> None:
    environment.wait(10)
    error = environment.describe()["LastUpdate"]["Error"]
    assert (environment.status, error["ErrorCode"]) == ("CREATE_FAILED", "INCORRECT_CONFIGURATION")
    assert error["ErrorMessage"].startswith(AWS_SAYS)
    assert reason in account.said[-1]


@pytest.mark.parametrize("action", [action for action, *_ in NEEDED if action not in AT_ONCE])
def test_without_one_grant_the_creation_fails_as_on_aws(action: str, account: Account) -> None:
    environment = account.environments(role_may=denying(action)).create(account.properties)
    expect_failure(environment, account, f"may not {action} on")


@pytest.mark.parametrize("service", ["s3", *MWAA_ENDPOINTS])
def test_without_a_way_to_one_service_the_creation_fails_as_on_aws(service: str, account: Account) -> None:
    class Without(Open):
        def refusal(self, asked: str) -> str | None:
            return "no endpoint" if asked == service else None

    def network(subnets: Sequence[str], groups: Sequence[str]) -> Without:
        own = account.properties["NetworkConfiguration"]
        assert [list(subnets), list(groups)] == [own["SubnetIds"], own["SecurityGroupIds"]]
        return Without((), ())

    environment = account.environments(network=network).create(account.properties)
    expect_failure(environment, account, f"{service} cannot be reached: no endpoint")


def test_a_group_that_does_not_let_itself_in_fails_the_creation(account: Account) -> None:
    class Closed(Open):
        closed_to_itself: str | None = "no inbound rule lets in its own members at port 5432"

    environment = account.environments(network=Closed).create(account.properties)
    expect_failure(environment, account, "no inbound rule lets in its own members at port 5432")


def test_the_queue_is_in_an_account_of_mwaa_and_its_key_is_used_through_sqs(account: Account) -> None:
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


# This test must be the last one: it connects the account's network.
def test_a_network_with_all_that_mwaa_needs_is_enough(account: Account) -> None:
    unconnected = replace(account.around, network=Vpc)
    environment = Environments(unconnected, run_airflow=False).create(account.properties)
    expect_failure(environment, account, "s3 cannot be reached: the VPC has no endpoint com.amazonaws.eu-west-1.s3")
    account.connect()
    environment = account.environments().create(account.properties)
    environment.wait(10)
    assert environment.status == "AVAILABLE", account.said[-1]
