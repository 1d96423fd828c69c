"""CloudFormation acts on behalf of the caller of a request."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.local.moto import operation
from infra.local.moto.iam import caller_of_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import ContextVar

    from infra.local.server import Server

ROLE = "arn:aws:iam::123456789012:role/run"


class Deployer:
    """A caller that may do some actions."""

    arn = "arn:aws:iam::123456789012:user/deployer"

    def __init__(self, *allowed: str) -> None:
        self.allowed, self.asked = allowed, list[tuple[str, str, Any]]()

    def may(self, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        self.asked.append((action, resource, context))
        return action in self.allowed


@pytest.fixture
def calling() -> Iterator[ContextVar[Any]]:
    before = caller_of_request.set(None)
    yield caller_of_request
    caller_of_request.reset(before)


def test_actions_on_behalf_of_a_caller_need_its_permissions(calling: ContextVar[Any]) -> None:
    question = ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"})
    operation.require(*question)  # allowed, because there is no caller
    deployer = Deployer("iam:PassRole")
    calling.set(deployer)
    operation.require(*question)
    assert deployer.asked == [question]
    calling.set(Deployer())
    with pytest.raises(
        PermissionError, match=f"deployer is not authorized to perform: iam:PassRole on resource: {ROLE}"
    ):
        operation.require(*question)


@pytest.mark.parametrize("may", [False, True])
def test_a_function_is_created_only_by_a_caller_that_may_pass_its_role(
    server: Server, calling: ContextVar[Any], *, may: bool
) -> None:
    name = f"passing-{uuid.uuid4().hex[:8]}"
    code = {"ZipFile": "def handler(event, context): pass"}
    function = {"Role": ROLE, "Code": code, "Handler": "index.handler", "Runtime": "python3.12", "FunctionName": name}
    template = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": function}}}
    calling.set(Deployer("iam:PassRole") if may else Deployer())
    del server
    backend = cloudformation_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    stack = backend.create_stack(name, json.dumps(template), {})
    while stack.status.endswith("IN_PROGRESS"):
        time.sleep(0.05)
    failed = [event.resource_status_reason or "" for event in stack.events if event.resource_status == "CREATE_FAILED"]
    assert any("not authorized to perform: iam:PassRole" in reason for reason in failed) is not may


@pytest.mark.parametrize("takes_time", [False, True])
def test_work_on_a_stack_is_done_on_behalf_of_the_caller(calling: ContextVar[Any], *, takes_time: bool) -> None:
    deployer, seen = Deployer(), list[Any]()
    calling.set(deployer)
    operation.begin("1")

    def work(_: str) -> bool:
        seen.append(caller_of_request.get())
        return True

    operation._side_by_side({"A": set()}, work, lambda _: takes_time, stop_at_failure=True)  # noqa: SLF001
    assert seen == [deployer]
