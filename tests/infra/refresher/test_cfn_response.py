"""The response to CloudFormation in every case: the deployed module with a handler of each test."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.infra.refresher.support import LOG_STREAM

if TYPE_CHECKING:
    from tests.infra.refresher.support import CloudFormation, Function, Invocation

RESPONSE_LIMIT = 4_096  # bytes, CloudFormation user guide: custom resource response objects


def _act(function: Function, cfn: CloudFormation, body: str, timeout: float = 120) -> Invocation:
    """Invoke a handler whose act has this body."""
    source = f"import time\nfrom infra.refresher import cfn_response\ndef act(event):\n    {body}\n"
    source += "def handler(event, context):\n    cfn_response.answer(event, context, act)\n"
    (function.folder / "acting.py").write_text(source, encoding="utf-8")
    return function(cfn.request("Create"), handler="acting.handler", timeout=timeout)


def test_the_result_of_the_act_is_sent_as_success(function: Function, cfn: CloudFormation) -> None:
    _act(function, cfn, "return 'the id', {'Name': 'value'}")
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("SUCCESS", "the id")
    assert cfn.answer["Data"] == {"Name": "value"}


def test_the_response_to_any_exception_has_its_message_and_the_log_stream(
    function: Function, cfn: CloudFormation
) -> None:
    invocation = _act(function, cfn, "raise ZeroDivisionError('divided by nothing')")
    assert cfn.answer["Status"] == "FAILED"
    assert cfn.answer["Reason"] == f"divided by nothing. See {LOG_STREAM}"
    assert "ZeroDivisionError: divided by nothing" in invocation.log


@pytest.mark.parametrize("text", ['"', "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{SNAKE}"], ids=ascii)
def test_a_long_message_is_cut_to_the_limit_of_a_response(function: Function, cfn: CloudFormation, text: str) -> None:
    _act(function, cfn, f"raise ValueError('{text}' * 5_000)")
    assert len(cfn.bodies[0]) <= RESPONSE_LIMIT
    assert cfn.answer["Status"] == "FAILED"
    assert cfn.answer["Reason"].endswith(f"See {LOG_STREAM}")


def test_an_act_that_ends_after_the_response_causes_no_second_one(function: Function, cfn: CloudFormation) -> None:
    invocation = _act(function, cfn, "time.sleep(1); return 'the id', {}", timeout=10.2)
    assert cfn.answer["Status"] == "FAILED"
    assert cfn.answer["Reason"] == f"The function's time is up. See {LOG_STREAM}"
    assert invocation.status == 0


def test_a_function_with_less_time_than_the_reserve_still_responds(function: Function, cfn: CloudFormation) -> None:
    _act(function, cfn, "time.sleep(1); return 'the id', {}", timeout=3)
    assert cfn.answer["Status"] == "FAILED"


def test_a_response_that_s3_refused_is_sent_again(function: Function, cfn: CloudFormation) -> None:
    cfn.statuses = [503]
    _act(function, cfn, "return 'the id', {}")
    assert len(cfn.bodies) == 2
    assert cfn.bodies[0] == cfn.bodies[1]


def test_a_response_that_cannot_be_sent_fails_the_invocation(function: Function, cfn: CloudFormation) -> None:
    with socket.socket() as no_listener:
        no_listener.bind(("127.0.0.1", 0))
        cfn.url = f"http://127.0.0.1:{no_listener.getsockname()[1]}/answer"
        assert _act(function, cfn, "return 'the id', {}").status == 1
    assert cfn.bodies == []
