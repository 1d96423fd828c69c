"""The MWAA environment, its execution role, its log groups and the alarm on failed installations."""

from __future__ import annotations

from typing import Any

import pytest

from infra.cli.templates import read_templates
from infra.mwaa_facts import INSTALLING_COMPONENTS, LOG_COMPONENTS, PYTHON_VERSIONS, access_modes
from tests.infra.cloudformation.support import ACCOUNT, REGION, Stack, may, may_assume, statements, texts

GIVEN = {
    "EnvironmentName": "demo",
    "PrivateSubnetIds": "subnet-1a,subnet-2b",
    "SecurityGroupId": "sg-1",
    "BucketArn": "arn:aws:s3:::bucket",
    "PluginsS3ObjectVersion": "p1",
    "RequirementsS3ObjectVersion": "r1",
    "StartupScriptS3ObjectVersion": "s1",
    "DomainName": "data",
    "DomainOwner": ACCOUNT,
    "DomainArn": f"arn:aws:codeartifact:{REGION}:{ACCOUNT}:domain/data",
    "RepositoryName": "python",
    "RepositoryArn": f"arn:aws:codeartifact:{REGION}:{ACCOUNT}:repository/data/python",
    "IndexUrlDestination": "s3://bucket/dags/codeartifact.txt",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
}
ENVIRONMENT = f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/demo"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:airflow-demo"
PARAMETERS = read_templates()["mwaa"].parameters


@pytest.fixture(scope="module")
def mwaa() -> Stack:
    return Stack("mwaa", **GIVEN)


@pytest.fixture(scope="module")
def environment(mwaa: Stack) -> dict[str, Any]:
    properties: dict[str, Any] = mwaa.resources["Environment"]["Properties"]
    return properties


@pytest.mark.parametrize("service", ["airflow.amazonaws.com", "airflow-env.amazonaws.com"])
def test_mwaa_may_assume_the_role_for_this_environment_only(mwaa: Stack, service: str) -> None:
    def may_for(account: str, environment: str) -> bool:
        context = {"aws_SourceAccount": account, "aws_SourceArn": environment}
        return may_assume(mwaa, "ExecutionRole", service, **context)

    assert may_for(ACCOUNT, ENVIRONMENT)
    assert not may_for("999999999999", ENVIRONMENT)
    assert not may_for(ACCOUNT, ENVIRONMENT + "2")
    assert not may_assume(mwaa, "ExecutionRole", "lambda.amazonaws.com", aws_SourceAccount=ACCOUNT)


LOG_ACTIONS = "CreateLogStream CreateLogGroup PutLogEvents GetLogEvents GetLogRecord GetLogGroupFields GetQueryResults"
QUEUE_ACTIONS = "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage SendMessage"


# The actions that MWAA's guide lists ("Amazon MWAA execution role"), and some that would be too much.
@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("airflow:PublishMetrics", ENVIRONMENT, True),
        ("airflow:PublishMetrics", ENVIRONMENT + "2", False),
        ("s3:ListAllMyBuckets", "*", False),
        ("s3:GetObject", "arn:aws:s3:::bucket/dags/a.py", True),
        ("s3:GetObjectVersion", "arn:aws:s3:::bucket/plugins.zip", True),
        ("s3:GetBucketVersioning", "arn:aws:s3:::bucket", True),
        ("s3:ListBucket", "arn:aws:s3:::bucket", True),
        ("s3:GetObject", "arn:aws:s3:::another/secret", False),
        ("s3:GetAccountPublicAccessBlock", "*", True),
        ("s3:PutObject", "arn:aws:s3:::bucket/dags/codeartifact.txt", True),
        ("s3:PutObject", "arn:aws:s3:::bucket/dags/a.py", False),
        ("s3:DeleteObject", "arn:aws:s3:::bucket/dags/codeartifact.txt", False),
        *((f"logs:{name}", f"{LOG_GROUP}-Task:log-stream:x", True) for name in LOG_ACTIONS.split()),
        ("logs:PutLogEvents", f"{LOG_GROUP[:-4]}other-Task:log-stream:x", False),
        ("logs:DescribeLogGroups", "*", True),
        ("cloudwatch:PutMetricData", "*", True),
        *(
            (f"sqs:{name}", f"arn:aws:sqs:{REGION}:999999999999:airflow-celery-1", True)
            for name in QUEUE_ACTIONS.split()
        ),
        ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:mine", False),
        ("codeartifact:GetAuthorizationToken", GIVEN["DomainArn"], True),
        ("codeartifact:GetRepositoryEndpoint", GIVEN["RepositoryArn"], True),
        ("codeartifact:ReadFromRepository", GIVEN["RepositoryArn"], True),
        ("codeartifact:PublishPackageVersion", GIVEN["RepositoryArn"], False),
        ("iam:PassRole", "*", False),
    ],
)
def test_the_role_may_run_the_environment_and_refresh_the_line_and_nothing_else(
    mwaa: Stack, action: str, resource: str, *, allowed: bool
) -> None:
    assert may(statements(mwaa, "ExecutionRole"), action, resource) is allowed


@pytest.mark.parametrize("action", ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair"])
def test_the_role_uses_the_key_of_the_queue_through_sqs_only(mwaa: Stack, action: str) -> None:
    granted = statements(mwaa, "ExecutionRole")
    of_mwaa, own = (f"arn:aws:kms:{REGION}:{account}:key/1" for account in ("999999999999", ACCOUNT))
    through_sqs = {"kms_ViaService": f"sqs.{REGION}.amazonaws.com"}
    assert may(granted, f"kms:{action}", of_mwaa, **through_sqs)
    assert not may(granted, f"kms:{action}", own, **through_sqs)
    assert not may(granted, f"kms:{action}", of_mwaa, kms_ViaService=f"s3.{REGION}.amazonaws.com")


def test_airflow_versions_are_those_that_the_project_knows() -> None:
    assert PARAMETERS["AirflowVersion"].rules["AllowedValues"] == list(PYTHON_VERSIONS)


def test_tasks_run_with_the_defaults(environment: dict[str, Any]) -> None:
    assert environment["WebserverAccessMode"] == access_modes(environment["AirflowVersion"])[0]


@pytest.mark.parametrize(
    "parameter",
    [
        "PluginsS3ObjectVersion",
        "RequirementsS3ObjectVersion",
        "StartupScriptS3ObjectVersion",
        "DomainName",
        "DomainOwner",
        "RepositoryName",
        "IndexUrlDestination",
    ],
)
def test_another_upload_or_target_updates_the_environment(parameter: str) -> None:
    updated = Stack("mwaa", **GIVEN | {parameter: "changed"}).resources["Environment"]["Properties"]
    assert "changed" in texts(updated)


def test_the_log_groups_that_the_alarm_watches_receive_pips_lines(environment: dict[str, Any]) -> None:
    # MWAA writes pip's lines at the level INFO.
    logging = {name.lower(): each for name, each in environment["LoggingConfiguration"].items()}
    watched = [logging[f"{component}Logs".lower()] for component in INSTALLING_COMPONENTS]
    assert all(each["Enabled"] and each["LogLevel"] in {"INFO", "DEBUG"} for each in watched)


@pytest.mark.parametrize(
    ("ids", "accepted"),
    [("subnet-1a", False), ("subnet-1a,subnet-2b", True), ("subnet-1a,subnet-2b,subnet-3c", False)],
)
def test_exactly_two_subnets_are_accepted(ids: str, *, accepted: bool) -> None:
    assert (PARAMETERS["PrivateSubnetIds"].broken_rule(ids) is None) is accepted


def test_the_environment_cannot_be_created_before_the_index_url_file_is_there(environment: dict[str, Any]) -> None:
    assert PARAMETERS["IndexUrlDestination"].default is None
    assert environment["AirflowConfigurationOptions"]["codeartifact.destination"] == GIVEN["IndexUrlDestination"]


# ---- Log groups ----


def test_the_log_groups_are_there_before_the_environment(mwaa: Stack) -> None:
    groups = {name: group["LogGroupName"] for name, group in mwaa.of("AWS::Logs::LogGroup").items()}
    assert set(groups.values()) == {f"airflow-demo-{component}" for component in LOG_COMPONENTS}
    assert set(groups) <= mwaa.waits_for("Environment")


def test_one_setting_leaves_the_log_groups_to_mwaa() -> None:
    stack = Stack("mwaa", **GIVEN, OwnLogGroups="false")
    assert not stack.of("AWS::Logs::LogGroup")
    missing = {"DAGProcessingLogs", "SchedulerLogs", "TaskLogs", "WebServerLogs", "WorkerLogs"}
    assert not missing & stack.waits_for("Environment")


# ---- The alarm on failed installations ----


@pytest.mark.parametrize("own_groups", ["true", "false"])
def test_each_component_that_runs_pip_is_watched_as_soon_as_its_log_group_is_there(own_groups: str) -> None:
    stack = Stack("mwaa", **GIVEN, OwnLogGroups=own_groups)
    watched = {each["LogGroupName"] for each in stack.of("AWS::Logs::MetricFilter").values()}
    assert watched == {f"airflow-demo-{component}" for component in INSTALLING_COMPONENTS}
    assert all("Environment" in stack.waits_for(name) for name in stack.of("AWS::Logs::MetricFilter"))


def test_a_private_web_server_whose_pip_cannot_succeed_is_not_watched() -> None:
    stack = Stack("mwaa", **GIVEN, WebserverAccessMode="PRIVATE_ONLY")
    watched = {each["LogGroupName"] for each in stack.of("AWS::Logs::MetricFilter").values()}
    assert watched == {"airflow-demo-Worker", "airflow-demo-Scheduler"}


def test_the_alarm_watches_the_metric_of_the_filters_and_notifies_the_topic(mwaa: Stack) -> None:
    (alarm,) = mwaa.of("AWS::CloudWatch::Alarm").values()
    counted = [each["MetricTransformations"] for each in mwaa.of("AWS::Logs::MetricFilter").values()]
    metric = {"MetricNamespace": alarm["Namespace"], "MetricName": alarm["MetricName"], "MetricValue": "1"}
    assert counted == [[metric]] * len(INSTALLING_COMPONENTS)
    assert alarm["AlarmActions"] == [GIVEN["AlarmTopicArn"]]
