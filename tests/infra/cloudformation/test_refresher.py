"""The Lambda refresher: its rights, its schedule, the bootstrap, and when its alarms send messages."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from infra.local.moto import cloudwatch
from infra.refresher.handler import PATIENCE_SECONDS
from mwaa_codeartifact.core.policy import DAG_MIN_REMAINING, LAMBDA_MIN_REMAINING
from tests.faults.alarms import AlarmClock, schedule
from tests.infra.cloudformation.support import ACCOUNT, REGION, Stack, load, may, may_assume, statements
from tests.plugins.mwaa_codeartifact.core.support import START

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = {
    "EnvironmentName": "demo",
    "DomainName": "data",
    "DomainOwner": ACCOUNT,
    "DomainArn": f"arn:aws:codeartifact:{REGION}:{ACCOUNT}:domain/data",
    "RepositoryName": "python",
    "RepositoryArn": f"arn:aws:codeartifact:{REGION}:{ACCOUNT}:repository/data/python",
    "BucketName": "bucket",
    "RefresherS3ObjectVersion": "v1",
}
BUCKET = "arn:aws:s3:::bucket"
HOUR = 60
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def refresher() -> Stack:
    return Stack("refresher", **GIVEN)


@pytest.fixture(scope="module")
def variables(refresher: Stack) -> dict[str, str]:
    found: dict[str, str] = refresher.resources["Refresher"]["Properties"]["Environment"]["Variables"]
    return found


def test_only_lambda_may_assume_the_role(refresher: Stack) -> None:
    assert may_assume(refresher, "RefresherRole", "lambda.amazonaws.com")
    others = ("events.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:root", "*")
    assert not any(may_assume(refresher, "RefresherRole", other) for other in others)


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("codeartifact:GetAuthorizationToken", GIVEN["DomainArn"], True),
        ("codeartifact:GetAuthorizationToken", GIVEN["DomainArn"] + "2", False),
        ("codeartifact:GetRepositoryEndpoint", GIVEN["RepositoryArn"], True),
        ("codeartifact:ReadFromRepository", GIVEN["RepositoryArn"], True),
        ("codeartifact:PublishPackageVersion", GIVEN["RepositoryArn"], False),
        ("s3:GetObject", f"{BUCKET}/dags/codeartifact.txt", True),
        ("s3:PutObject", f"{BUCKET}/dags/codeartifact.txt", True),
        ("s3:PutObject", f"{BUCKET}/dags/other.py", False),
        ("s3:PutObject", f"{BUCKET}/plugins.zip", False),
        ("s3:GetObject", f"{BUCKET}/requirements.txt", False),
        ("s3:ListBucket", BUCKET, True),  # or S3 answers 403 to the HEAD of a file that is not there
        ("sqs:SendMessage", "FailedInvocations.Arn", True),
        ("logs:CreateLogStream", "RefresherLogs.Arn", True),
        ("logs:PutLogEvents", "RefresherLogs.Arn", True),
        ("iam:PassRole", "*", False),
    ],
)
def test_the_role_may_mint_verify_publish_log_and_nothing_else(
    refresher: Stack, action: str, resource: str, *, allowed: bool
) -> None:
    assert may(statements(refresher, "RefresherRole"), action, resource) is allowed


def test_the_handler_of_the_function_exists_in_the_sources(refresher: Stack) -> None:
    module, function = refresher.resources["Refresher"]["Properties"]["Handler"].rsplit(".", 1)
    assert callable(getattr(import_module(module), function))


def test_the_lambda_steps_in_at_the_threshold_of_the_policy(variables: dict[str, str]) -> None:
    assert timedelta(hours=float(variables["CODEARTIFACT_MIN_REMAINING_HOURS"])) == LAMBDA_MIN_REMAINING


@pytest.mark.parametrize("parameter", ["DomainName", "DomainOwner", "RepositoryName", "BucketName"])
def test_a_changed_target_updates_the_function_and_runs_the_bootstrap(parameter: str) -> None:
    def metrics(stack: Stack) -> tuple[set[str], set[str]]:
        function, bootstrap = (stack.resources[name]["Properties"] for name in ("Refresher", "Bootstrap"))
        return set(function["Environment"]["Variables"].values()), set(map(str, bootstrap.values()))

    before, after = metrics(Stack("refresher", **GIVEN)), metrics(Stack("refresher", **GIVEN | {parameter: "changed"}))
    for old, new in zip(before, after, strict=True):
        assert [value for value in new - old if "changed" in value]


def test_the_function_may_write_to_its_own_log_group(refresher: Stack) -> None:
    group = refresher.resources["Refresher"]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert may(statements(refresher, "RefresherRole"), "logs:PutLogEvents", f"{group}.Arn")


def test_a_scheduled_run_whose_retries_fail_raises_an_alarm_and_is_kept_in_a_queue(refresher: Stack) -> None:
    retries = refresher.resources["RefresherRetries"]["Properties"]
    assert refresher.resources["RefresherFailing"]["Properties"]["Threshold"] == retries["MaximumRetryAttempts"] + 1
    queue = ".".join(retries["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"])
    assert may(statements(refresher, "RefresherRole"), "sqs:SendMessage", queue)


def test_a_retry_does_not_overlap_the_next_scheduled_run(refresher: Stack) -> None:
    age = refresher.resources["RefresherRetries"]["Properties"]["MaximumEventAgeInSeconds"]
    assert timedelta(seconds=age) <= schedule()


def test_two_missed_runs_leave_eight_hours_and_one_missed_run_leaves_no_period_empty(refresher: Stack) -> None:
    assert LAMBDA_MIN_REMAINING - 2 * schedule() >= timedelta(hours=8)
    period = timedelta(seconds=refresher.resources["RemainingLifetimeLow"]["Properties"]["Period"])
    assert period >= 2 * schedule()


def test_a_stack_can_be_created_again_at_once(refresher: Stack) -> None:
    # SQS refuses a queue's name for 60 seconds after its deletion (API: QueueDeletedRecently).
    assert all("QueueName" not in queue for queue in refresher.of("AWS::SQS::Queue").values())


def test_only_the_schedule_may_invoke_the_function(refresher: Stack) -> None:
    (permission,) = refresher.of("AWS::Lambda::Permission").values()
    (target,) = refresher.resources["Schedule"]["Properties"]["Targets"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["Schedule", "Arn"]}
    assert target["Arn"]["Fn::GetAtt"][0] == permission["FunctionName"]["Ref"]


def test_the_function_may_run_longer_than_the_bootstrap_retries(refresher: Stack) -> None:
    assert refresher.resources["Refresher"]["Properties"]["Timeout"] > PATIENCE_SECONDS


def test_the_bootstrap_waits_longer_than_the_function_may_run(refresher: Stack) -> None:
    patience = refresher.resources["Bootstrap"]["Properties"]["ServiceTimeout"]
    assert patience > refresher.resources["Refresher"]["Properties"]["Timeout"]


def test_the_destination_is_known_only_once_the_bootstrap_has_written_the_file() -> None:
    assert load("refresher")["Outputs"]["IndexUrlDestination"]["Value"] == {"Fn::GetAtt": ["Bootstrap", "Destination"]}


def test_an_email_address_is_optional(refresher: Stack) -> None:
    assert not refresher.of("AWS::SNS::Subscription")
    (subscription,) = Stack("refresher", **GIVEN, AlarmEmail="a@b.c").of("AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "a@b.c")


# ---- When the alarms send messages ----

Metrics = dict[int, dict[str, float]]  # the minute in which they reach CloudWatch, the metrics' names and values


@pytest.fixture(params=[0, 2], ids="more_periods={}".format)
def alarms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlarmClock]:
    """Create the template's alarms, once for each number of periods that CloudWatch may read besides its own."""
    monkeypatch.setattr(cloudwatch, "MORE_PERIODS", request.param)
    alarms = AlarmClock(monkeypatch)
    yield alarms
    alarms.close()


def metrics_of(minutes: int, dag_down: range = range(0), lambda_down: range = range(0)) -> Metrics:
    """Return the Lambda's metrics after the bootstrap: it runs each half hour, the DAG each hour."""
    expires = 12 * HOUR
    metrics = {2: {"RemainingLifetime": 12 * 3600.0, "Fallbacks": 0.0}}
    for now in range(1, minutes):
        if now % 60 == 0 and now not in dag_down and expires - now < DAG_MIN_REMAINING / MINUTE:
            expires = now + 12 * HOUR
        if now % 30 == 7 and now not in lambda_down:
            steps_in = expires - now < LAMBDA_MIN_REMAINING / MINUTE
            expires = now + 12 * HOUR if steps_in else expires
            metrics[now + 2] = {"RemainingLifetime": (expires - now) * 60.0, "Fallbacks": float(steps_in)}
    return metrics


def messages(alarms: AlarmClock, metrics: Metrics, minutes: int) -> dict[str, list[tuple[int, str]]]:
    """Evaluate each minute; return the minute and the new state of each message, by the alarm's logical id."""
    sent = defaultdict(list)
    for minute in range(minutes):
        for metric, value in metrics.get(minute, {}).items():
            alarms.report(metric, value, START + minute * MINUTE)
        for alarm, state in alarms.messages(START + minute * MINUTE):
            sent[alarm].append((minute, state))
    return sent


def test_there_is_no_alarm_while_dag_and_lambda_run(alarms: AlarmClock) -> None:
    sent = messages(alarms, metrics_of(2 * 24 * HOUR), 2 * 24 * HOUR)
    for alarm in ("RemainingLifetimeLow", "FallbackUsed"):
        assert {state for _, state in sent[alarm]} == {"OK"}


def test_the_fallback_alarm_acts_once_while_the_dag_is_down_and_once_when_it_is_back(alarms: AlarmClock) -> None:
    down = range(10 * HOUR, 58 * HOUR)
    missed_tick = range(30 * HOUR, 31 * HOUR)
    metrics = metrics_of(80 * HOUR, down, missed_tick)
    _, (alarm, first), (ok, second) = messages(alarms, metrics, 80 * HOUR)["FallbackUsed"]
    assert (first, second) == ("ALARM", "OK")
    assert down.start < alarm < down.start + 4 * HOUR
    assert down.stop <= ok < down.stop + 6 * HOUR


@pytest.mark.parametrize("first_minute", [2, 90])
def test_there_is_no_alarm_before_the_first_value(alarms: AlarmClock, first_minute: int) -> None:
    metrics = {minute: {"RemainingLifetime": 42_000.0} for minute in range(first_minute, 6 * HOUR, 30)}
    assert messages(alarms, metrics, 6 * HOUR)["RemainingLifetimeLow"] == [(first_minute, "OK")]


def test_a_refresher_that_stops_is_reported_long_before_the_line_expires(alarms: AlarmClock) -> None:
    metrics = metrics_of(30 * HOUR, dag_down=range(20 * HOUR, 99 * HOUR), lambda_down=range(20 * HOUR, 99 * HOUR))
    (_, first), (minute, _) = messages(alarms, metrics, 30 * HOUR)["RemainingLifetimeLow"]
    assert first == "OK"
    assert 20 * HOUR < minute < 24 * HOUR


def test_a_line_that_gets_no_younger_is_an_alarm_at_6_hours(alarms: AlarmClock) -> None:
    metrics = {minute: {"RemainingLifetime": (12 * HOUR - minute) * 60.0} for minute in range(2, 12 * HOUR, 30)}
    (_, first), (minute, second) = messages(alarms, metrics, 12 * HOUR)["RemainingLifetimeLow"]
    assert (first, second) == ("OK", "ALARM")
    assert timedelta(hours=6) <= timedelta(minutes=minute) < timedelta(hours=6.6)
