"""What CloudFormation does in the name of who has asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.local.moto import callers, operation
from infra.local.moto.iam import caller_of_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import ContextVar

ROLE = "arn:aws:iam::123456789012:role/run"


class Deployer:
    """A caller who may do some things."""

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


def test_a_role_is_handed_to_a_service_by_who_may_pass_it(calling: ContextVar[Any]) -> None:
    callers.require_pass_role(ROLE, "lambda.amazonaws.com")  # nobody has been told: no IAM in front
    deployer = Deployer("iam:PassRole")
    calling.set(deployer)
    callers.require_pass_role(ROLE, "lambda.amazonaws.com")
    assert deployer.asked == [("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"})]
    calling.set(Deployer())
    with pytest.raises(
        PermissionError, match=f"deployer is not authorized to perform: iam:PassRole on resource: {ROLE}"
    ):
        callers.require_pass_role(ROLE, "lambda.amazonaws.com")


@pytest.mark.parametrize("takes_time", [False, True])
def test_work_on_a_stack_is_done_in_the_callers_name(calling: ContextVar[Any], *, takes_time: bool) -> None:
    deployer, seen = Deployer(), list[Any]()
    calling.set(deployer)
    operation.begin("1")

    def work() -> bool:
        seen.append(caller_of_request.get())
        return True

    operation._side_by_side({"A": set()}, lambda _: (work, takes_time), stop_at_failure=True)  # noqa: SLF001
    assert seen == [deployer]
