"""The function's zip as deployed, in its own process."""

from __future__ import annotations

import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.bootstrap import AT_THE_BOOTSTRAP, DENIED
from tests.infra.refresher import impatient as impatient_handler
from tests.infra.refresher.support import LOG_STREAM, STACK_ID
from tests.plugins.mwaa_codeartifact.core.support import OTHER_LINE, REPOSITORY_ID, after, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from tests.faults.bootstrap import BootstrapRow
    from tests.infra.refresher.support import CloudFormation, Function, Invocation
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, Fault, Forward, RecordedAws

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
WHOLE_PROTOCOL = ["head", "endpoint", "mint", "verify", "control", "put"]


def _in(**delta: float) -> datetime:
    return datetime.now(UTC) + timedelta(**delta)


# Custom resource


def test_a_create_publishes_and_responds_with_the_destination(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    invocation = function(cfn.request("Create"))
    assert (invocation.status, invocation.result) == (0, None)
    assert cfn.answer == {
        "Status": "SUCCESS",
        "Reason": f"See {LOG_STREAM}",
        "PhysicalResourceId": bucket.uri,
        "StackId": STACK_ID,
        "RequestId": "request-1",
        "LogicalResourceId": "Bootstrap",
        "Data": {"Destination": bucket.uri},
    }
    assert f"aws:{aws.state.minted[0]}@".encode() in bucket.read()
    assert bucket.metadata()["refreshed-by"] == "lambda"


def test_the_response_has_no_content_type_because_its_url_is_signed_without(
    function: Function, cfn: CloudFormation
) -> None:
    function(cfn.request("Create"))
    assert cfn.content_types == [""]


def test_a_create_on_a_fresh_line_succeeds_without_writing(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=11))
    function(cfn.request("Create"))
    assert cfn.answer["Status"] == "SUCCESS"
    assert aws.steps == ["head"]


def test_an_update_publishes_a_missing_file_again(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    function(cfn.request("Update", PhysicalResourceId=bucket.uri, OldResourceProperties={}))
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("SUCCESS", bucket.uri)
    assert cfn.answer["Data"] == {"Destination": bucket.uri}
    assert aws.steps == WHOLE_PROTOCOL


def test_an_update_to_another_target_returns_the_new_file(
    function: Function, cfn: CloudFormation, bucket: Bucket
) -> None:
    function(cfn.request("Update", PhysicalResourceId="s3://old/dags/codeartifact.txt", OldResourceProperties={}))
    assert cfn.answer["PhysicalResourceId"] == bucket.uri


def test_a_delete_succeeds_without_an_aws_call(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=1))
    function(cfn.request("Delete", PhysicalResourceId=bucket.uri))
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("SUCCESS", bucket.uri)
    assert aws.seen == []
    assert bucket.versions() == [OTHER_LINE]


def test_a_delete_succeeds_without_settings_and_after_a_failed_create(function: Function, cfn: CloudFormation) -> None:
    nothing = dict.fromkeys(function.settings)
    function(cfn.request("Delete", PhysicalResourceId=LOG_STREAM), changes=nothing)
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("SUCCESS", LOG_STREAM)


def test_a_failed_create_responds_with_the_reason_and_keeps_the_line(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=1))
    aws.at("mint", answer(404, "ResourceNotFoundException"))
    invocation = function(cfn.request("Create"))
    assert invocation.status == 0
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("FAILED", LOG_STREAM)
    assert cfn.answer["Reason"] == (
        f"Could not mint a token ({REPOSITORY_ID}): not found: check the settings domain, domain_owner, repository and "
        f"region [ResourceNotFoundException]. See {LOG_STREAM}"
    )
    assert bucket.versions() == [OTHER_LINE]
    assert aws.steps == ["head", "endpoint", "mint", "head"]


# Errors that disappear once AWS knows the stack's new resources: rows of docs/faults.md


@pytest.fixture
def impatient(function: Function) -> Callable[..., Invocation]:
    """Return the function with shorter waits: it tries for 6 seconds."""
    shutil.copy(Path(impatient_handler.__file__), function.folder / "impatient.py")
    return partial(function, handler="impatient.handler")


def _for_the_first(seconds: float, fault: Fault) -> Fault:
    """Return a fault that lasts for a time from the first request on."""
    until: list[float] = []

    def passing(forward: Forward) -> Response:
        until[:] = until or [time.monotonic() + seconds]
        return fault(forward) if time.monotonic() < until[0] else forward()

    return passing


@pytest.mark.parametrize("row", AT_THE_BOOTSTRAP, ids=lambda row: row.name)
def test_a_create_tries_again_until_a_temporary_fault_has_passed(
    impatient: Callable[..., Invocation], cfn: CloudFormation, aws: RecordedAws, bucket: Bucket, row: BootstrapRow
) -> None:
    aws.at(row.step, *[_for_the_first(1.5, row.fault)] * 99)
    invocation = impatient(cfn.request("Create"))
    assert cfn.answer["Status"] == "SUCCESS", cfn.answer["Reason"]
    assert aws.steps.count(row.step) > 1
    assert row.sees in invocation.log
    assert bucket.metadata()["refreshed-by"] == "lambda"


def test_a_failed_create_contains_its_last_error_and_how_long_it_tried(
    impatient: Callable[..., Invocation], cfn: CloudFormation, aws: RecordedAws
) -> None:
    aws.at("mint", *[DENIED] * 99)
    invocation = impatient(cfn.request("Create"))
    assert cfn.answer["Status"] == "FAILED"
    assert re.fullmatch(
        rf"Could not mint a token \({REPOSITORY_ID}\): access denied: allow codeartifact:GetAuthorizationToken and "
        r"sts:GetServiceBearerToken in the role's policy \[AccessDeniedException\], still after \d seconds of trying\. "
        rf"See {re.escape(LOG_STREAM)}",
        cfn.answer["Reason"],
    )
    assert aws.steps.count("mint") > 2
    assert "[WARNING] Could not mint a token" in invocation.log


def test_a_create_stops_trying_in_time_for_the_response(
    impatient: Callable[..., Invocation], cfn: CloudFormation, aws: RecordedAws
) -> None:
    aws.at("mint", *[DENIED] * 99)
    impatient(cfn.request("Create"), timeout=11)
    assert cfn.answer["Reason"].startswith("The function's time is up.")


@pytest.mark.parametrize("step", ["head", "mint", "verify"])
def test_updates_and_ticks_try_once(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket, step: str
) -> None:
    fault = {"head": answer(403), "mint": DENIED, "verify": answer(401)}[step]
    aws.at(step, fault, fault, fault)
    function(cfn.request("Update", PhysicalResourceId=bucket.uri, OldResourceProperties={}))
    assert cfn.answer["Status"] == "FAILED"
    assert "still after" not in cfn.answer["Reason"]
    asked = aws.steps.count(step)
    assert asked <= 2  # the second HEAD is for the metrics
    aws.seen.clear()
    if step != "head":
        assert function(TICK).status == 1
        assert aws.steps.count(step) == asked


def test_a_failed_update_keeps_the_resource_so_that_nothing_is_deleted(
    function: Function, cfn: CloudFormation, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=1))
    aws.at("verify", answer(401))
    function(cfn.request("Update", PhysicalResourceId="s3://old/dags/codeartifact.txt"))
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("FAILED", "s3://old/dags/codeartifact.txt")
    assert "the repository rejects it" in cfn.answer["Reason"]
    assert bucket.versions() == [OTHER_LINE]


def test_it_responds_with_a_failure_shortly_before_its_time_is_up(
    function: Function, cfn: CloudFormation, aws: RecordedAws
) -> None:
    # The response is due 10 seconds before the timeout; CodeArtifact hangs until then.
    aws.at("mint", after(lambda: cfn.answered.wait(20)))
    function(cfn.request("Create"), timeout=11.5)
    assert (cfn.answer["Status"], cfn.answer["PhysicalResourceId"]) == ("FAILED", LOG_STREAM)
    assert cfn.answer["Reason"] == f"The function's time is up. See {LOG_STREAM}"


def test_a_missing_setting_is_a_failed_create_that_names_it(
    function: Function, cfn: CloudFormation, aws: RecordedAws
) -> None:
    function(cfn.request("Create"), changes={"CODEARTIFACT_DOMAIN": None})
    assert cfn.answer["Status"] == "FAILED"
    assert "CODEARTIFACT_DOMAIN is not set: give " in cfn.answer["Reason"]
    assert aws.seen == []


# Schedule


def test_a_tick_publishes_and_returns_the_result_without_the_token(
    function: Function, aws: RecordedAws, bucket: Bucket
) -> None:
    invocation = function(TICK)
    assert invocation.status == 0
    assert (invocation.result["state"], invocation.result["destination"]) == ("published", bucket.uri)
    expected = {name.replace("-", "_"): value for name, value in bucket.metadata().items()}
    assert invocation.result["facts"] == expected
    assert aws.steps == WHOLE_PROTOCOL


@pytest.mark.parametrize(
    ("remaining", "state"), [(timedelta(hours=9, minutes=1), "fresh"), (timedelta(hours=8, minutes=59), "published")]
)
def test_a_tick_steps_in_below_9_hours(function: Function, bucket: Bucket, remaining: timedelta, state: str) -> None:
    bucket.write_line(datetime.now(UTC) + remaining)
    assert function(TICK).result["state"] == state


def test_a_tick_logs_its_result(function: Function, bucket: Bucket) -> None:
    log = function(TICK).log
    assert f"[INFO] index-url {bucket.uri} published: by lambda, token " in log
    assert bucket.metadata()["token-fingerprint"] in log


def test_a_failed_tick_raises_so_that_aws_retries_and_counts_it(
    function: Function, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=1))
    aws.at("put", answer(403, "AccessDenied"))
    invocation = function(TICK)
    assert invocation.status == 1
    assert invocation.result == {
        "errorType": "DestinationError",
        "errorMessage": f"Could not publish the index-url ({bucket.uri}): access denied: allow s3:PutObject in the "
        "role's policy [AccessDenied]",
    }
    assert bucket.versions() == [OTHER_LINE]


def test_one_sentence_names_the_variables_of_all_missing_settings(function: Function, aws: RecordedAws) -> None:
    names = [f"CODEARTIFACT_{name}" for name in ("DOMAIN", "DOMAIN_OWNER", "REPOSITORY", "REGION", "DESTINATION")]
    invocation = function(TICK, changes=dict.fromkeys(names))
    assert (invocation.status, invocation.result["errorType"]) == (1, "ConfigError")
    message = invocation.result["errorMessage"]
    assert message.startswith("Could not read the settings (5 problems): CODEARTIFACT_DOMAIN is not set: give ")
    assert all(f"{name} is not set: give " in message for name in names)
    assert aws.seen == []


def test_a_missing_minimum_is_one_sentence_that_names_the_variable(function: Function, aws: RecordedAws) -> None:
    invocation = function(TICK, changes={"CODEARTIFACT_MIN_REMAINING_HOURS": None})
    assert (invocation.status, invocation.result["errorType"]) == (1, "ConfigError")
    assert "CODEARTIFACT_MIN_REMAINING_HOURS is " in invocation.result["errorMessage"]
    assert "give a number of hours from 0 to 12" in invocation.result["errorMessage"]
    assert aws.seen == []


def test_a_missing_environment_name_fails_before_any_aws_call(function: Function, aws: RecordedAws) -> None:
    invocation = function(TICK, changes={"ENVIRONMENT_NAME": None})
    assert (invocation.status, invocation.result["errorType"]) == (1, "ConfigError")
    assert "ENVIRONMENT_NAME is not set: give " in invocation.result["errorMessage"]
    assert aws.seen == []


def test_a_malformed_minimum_is_one_sentence_that_names_the_variable(function: Function, aws: RecordedAws) -> None:
    invocation = function(TICK, changes={"CODEARTIFACT_MIN_REMAINING_HOURS": "soon"})
    assert invocation.result["errorMessage"] == (
        "Could not read the settings (1 problem): "
        "CODEARTIFACT_MIN_REMAINING_HOURS is 'soon': give a number of hours from 0 to 12"
    )
    assert aws.seen == []


# Metrics


def test_a_metric_is_one_line_in_the_embedded_format_by_environment(function: Function) -> None:
    (line,) = function(TICK).metrics
    assert abs(line["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 60
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "MwaaCodeArtifact",
            "Dimensions": [["EnvironmentName"]],
            "Metrics": [
                {"Name": "RemainingLifetime", "Unit": "Seconds"},
                {"Name": "Refreshes", "Unit": "Count"},
                {"Name": "Fallbacks", "Unit": "Count"},
            ],
        }
    ]
    assert line["EnvironmentName"] == "test"


def test_a_tick_that_publishes_counts_as_a_fallback_with_12_hours_left(function: Function) -> None:
    (line,) = function(TICK).metrics
    assert (line["Refreshes"], line["Fallbacks"]) == (1, 1)
    assert line["RemainingLifetime"] == pytest.approx(43_200, abs=60)


def test_a_tick_on_a_fresh_line_emits_its_remaining_lifetime(function: Function, bucket: Bucket) -> None:
    bucket.write_line(_in(hours=10))
    (line,) = function(TICK).metrics
    assert (line["Refreshes"], line["Fallbacks"]) == (0, 0)
    assert line["RemainingLifetime"] == pytest.approx(36_000, abs=60)


def test_a_bootstrap_is_no_fallback(function: Function, cfn: CloudFormation) -> None:
    (line,) = function(cfn.request("Create")).metrics
    assert (line["Refreshes"], line["Fallbacks"]) == (1, 0)


def test_a_failed_tick_emits_the_remaining_lifetime_of_the_old_line(
    function: Function, aws: RecordedAws, bucket: Bucket
) -> None:
    bucket.write_line(_in(hours=1))
    aws.at("verify", answer(401))
    invocation = function(TICK)
    assert invocation.result["errorType"] == "TokenRejectedError"
    (line,) = invocation.metrics
    assert (line["Refreshes"], line["Fallbacks"]) == (0, 0)
    assert line["RemainingLifetime"] == pytest.approx(3_600, abs=60)


def test_a_failed_tick_without_a_file_emits_no_lifetime(function: Function, aws: RecordedAws) -> None:
    aws.at("verify", answer(401))
    assert function(TICK).metrics == []
