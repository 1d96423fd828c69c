"""The token is in no output of the function at DEBUG; every invocation here checks that."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.infra.refresher import debugging
from tests.plugins.mwaa_codeartifact.core.support import answer, assert_no_token, hang_up

if TYPE_CHECKING:
    from tests.infra.refresher.support import CloudFormation, Function
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, RecordedAws

FAULTS = {
    "mint": answer(500, "InternalServerException"),
    "verify": answer(401),
    "put": answer(400, "InvalidRequest"),
}


@pytest.fixture
def debugged(function: Function) -> Function:
    shutil.copy(Path(debugging.__file__), function.folder)
    return function


def test_at_debug_botocore_logs_its_requests_but_not_the_token(
    debugged: Function, aws: RecordedAws, bucket: Bucket
) -> None:
    invocation = debugged({}, handler="debugging.handler")
    assert invocation.status == 0
    assert "Making request for OperationModel(name=GetAuthorizationToken)" in invocation.log
    assert f"aws:{aws.state.minted[0]}@".encode() in bucket.read()


@pytest.mark.parametrize("step", FAULTS)
def test_no_local_variable_of_a_failed_refresh_contains_the_token(
    debugged: Function, aws: RecordedAws, step: str
) -> None:
    aws.at("mint", hang_up)
    aws.at(step, *[FAULTS[step]] * 3)
    invocation = debugged({}, handler="debugging.handler")
    assert invocation.status == 1
    assert "min_remaining = " in invocation.log


def test_neither_a_response_to_cloudformation_nor_its_log_contains_the_token(
    debugged: Function, cfn: CloudFormation, aws: RecordedAws
) -> None:
    debugged(cfn.request("Create"), handler="debugging.handler")
    aws.at("put", *[FAULTS["put"]] * 3)
    aws.at("head", answer(404))
    debugged(cfn.request("Create"), handler="debugging.handler")
    assert [b"SUCCESS" in body for body in cfn.bodies] == [True, False]
    assert_no_token(aws.state, *cfn.bodies)
