"""The MWAA environment and its execution role."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.cloudformation.support import actions, statements

ENVIRONMENT_ARN = {
    "Fn::Sub": "arn:${AWS::Partition}:airflow:${AWS::Region}:${AWS::AccountId}:environment/${EnvironmentName}"
}


@pytest.fixture
def environment(mwaa: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = mwaa["Resources"]["Environment"]["Properties"]
    return properties


def test_both_principals_of_mwaa_may_assume_the_role_for_this_environment_only(mwaa: dict[str, Any]) -> None:
    role = mwaa["Resources"]["ExecutionRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {"aws:SourceArn": ENVIRONMENT_ARN},
    }
    assert "ManagedPolicyArns" not in role


def test_the_role_may_run_the_environment(mwaa: dict[str, Any]) -> None:
    log_group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:airflow-${EnvironmentName}-*"
    expected: dict[str, Any] = {
        "PublishHealth": ("Allow", "airflow:PublishMetrics", ENVIRONMENT_ARN),
        "NeverListBuckets": ("Deny", "s3:ListAllMyBuckets", "*"),
        "ReadBucket": (
            "Allow",
            ["s3:GetObject*", "s3:GetBucket*", "s3:List*"],
            [{"Ref": "BucketArn"}, {"Fn::Sub": "${BucketArn}/*"}],
        ),
        "CheckPublicAccessBlock": ("Allow", "s3:GetAccountPublicAccessBlock", "*"),
        "WriteLogs": (
            "Allow",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:GetLogEvents",
                "logs:GetLogGroupFields",
                "logs:GetLogRecord",
                "logs:GetQueryResults",
                "logs:PutLogEvents",
            ],
            {"Fn::Sub": log_group},
        ),
        "FindLogs": ("Allow", "logs:DescribeLogGroups", "*"),
        "WriteMetrics": ("Allow", "cloudwatch:PutMetricData", "*"),
        "UseCeleryQueue": (
            "Allow",
            [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
            {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:*:airflow-celery-*"},
        ),
    }
    granted = statements(mwaa)
    assert {
        sid: (granted[sid]["Effect"], granted[sid]["Action"], granted[sid]["Resource"]) for sid in expected
    } == expected


def test_the_role_uses_the_key_of_the_queue_through_sqs_only(mwaa: dict[str, Any]) -> None:
    statement = statements(mwaa)["UseKeyOfCeleryQueue"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
    assert statement["NotResource"] == {"Fn::Sub": "arn:${AWS::Partition}:kms:*:${AWS::AccountId}:key/*"}
    assert statement["Condition"] == {
        "StringLike": {"kms:ViaService": {"Fn::Sub": "sqs.${AWS::Region}.${AWS::URLSuffix}"}}
    }


def test_the_role_may_mint_verify_and_publish_like_the_lambda(mwaa: dict[str, Any], refresher: dict[str, Any]) -> None:
    for sid in ("MintToken", "MintTokenThroughSts", "ReadRepository"):
        assert statements(mwaa)[sid] == statements(refresher)[sid]


def test_the_role_writes_the_index_url_file_and_no_other_object(mwaa: dict[str, Any]) -> None:
    writing = re.compile(r"s3:(?!Get|List)")
    granted = [s for s in statements(mwaa).values() if any(writing.match(action) for action in actions(s))]
    assert [(s["Action"], s["Resource"]) for s in granted] == [
        ("s3:PutObject", {"Fn::Sub": "${BucketArn}/dags/codeartifact.txt"})
    ]


def test_the_role_has_no_statement_beyond_these(mwaa: dict[str, Any]) -> None:
    running = {"PublishHealth", "NeverListBuckets", "ReadBucket", "CheckPublicAccessBlock", "WriteLogs", "FindLogs"}
    running |= {"WriteMetrics", "UseCeleryQueue", "UseKeyOfCeleryQueue"}
    refreshing = {"MintToken", "MintTokenThroughSts", "ReadRepository", "PublishIndexUrlFile"}
    assert set(statements(mwaa)) == running | refreshing


def test_airflow_versions_are_the_supported_ones(mwaa: dict[str, Any]) -> None:
    assert mwaa["Parameters"]["AirflowVersion"]["AllowedValues"] == ["2.10.3", "2.11.2", "3.0.6", "3.2.1", "3.3.1"]
    assert mwaa["Parameters"]["AirflowVersion"]["Default"] == "3.0.6"


def test_a_changed_zip_requirements_file_or_startup_script_updates_the_environment(environment: dict[str, Any]) -> None:
    assert environment["PluginsS3Path"] == "plugins.zip"
    assert environment["PluginsS3ObjectVersion"] == {"Ref": "PluginsS3ObjectVersion"}
    assert environment["RequirementsS3Path"] == "requirements.txt"
    assert environment["RequirementsS3ObjectVersion"] == {"Ref": "RequirementsS3ObjectVersion"}
    assert environment["StartupScriptS3Path"] == "startup.sh"
    assert environment["StartupScriptS3ObjectVersion"] == {"Ref": "StartupScriptS3ObjectVersion"}
    assert environment["DagS3Path"] == "dags"


@pytest.mark.parametrize(
    "parameter", ["PluginsS3ObjectVersion", "RequirementsS3ObjectVersion", "StartupScriptS3ObjectVersion"]
)
def test_the_version_of_an_unversioned_bucket_is_refused(mwaa: dict[str, Any], parameter: str) -> None:
    pattern = mwaa["Parameters"][parameter]["AllowedPattern"]
    assert not re.fullmatch(pattern, "null")
    assert re.fullmatch(pattern, "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY-MTRCxf3vjVBH40Nr8X_gdRQBpUMLUo")


@pytest.mark.parametrize(
    ("ids", "accepted"),
    [("subnet-1a", False), ("subnet-1a,subnet-2b", True), ("subnet-1a,subnet-2b,subnet-3c", False)],
)
def test_exactly_two_subnets_are_accepted(mwaa: dict[str, Any], ids: str, *, accepted: bool) -> None:
    assert bool(re.fullmatch(mwaa["Parameters"]["PrivateSubnetIds"]["AllowedPattern"], ids)) == accepted


def test_the_environment_cannot_be_created_before_the_index_url_file_is_there(
    mwaa: dict[str, Any], environment: dict[str, Any]
) -> None:
    assert "Default" not in mwaa["Parameters"]["IndexUrlDestination"]
    assert environment["AirflowConfigurationOptions"]["codeartifact.destination"] == {"Ref": "IndexUrlDestination"}


def test_airflow_is_told_the_target(environment: dict[str, Any]) -> None:
    assert environment["AirflowConfigurationOptions"] == {
        "codeartifact.domain": {"Ref": "DomainName"},
        "codeartifact.domain_owner": {"Ref": "DomainOwner"},
        "codeartifact.repository": {"Ref": "RepositoryName"},
        "codeartifact.region": {"Ref": "AWS::Region"},
        "codeartifact.destination": {"Ref": "IndexUrlDestination"},
    }


def test_every_log_is_on(environment: dict[str, Any]) -> None:
    kinds = ("DagProcessingLogs", "SchedulerLogs", "TaskLogs", "WebserverLogs", "WorkerLogs")
    assert environment["LoggingConfiguration"] == {kind: {"Enabled": True, "LogLevel": "INFO"} for kind in kinds}


def test_mw1_micro_with_more_than_one_worker_is_refused_before_anything_is_made(mwaa: dict[str, Any]) -> None:
    rule = mwaa["Rules"]["MicroRunsOneWorker"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "EnvironmentClass"}, "mw1.micro"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [{"Fn::Equals": [{"Ref": "MaxWorkers"}, "1"]}]


def test_the_outputs_lead_to_the_environment(mwaa: dict[str, Any]) -> None:
    assert {name: output["Value"] for name, output in mwaa["Outputs"].items()} == {
        "EnvironmentArn": {"Fn::GetAtt": ["Environment", "Arn"]},
        "WebserverUrl": {"Fn::GetAtt": ["Environment", "WebserverUrl"]},
    }


@pytest.mark.parametrize("kind", ["Worker", "Scheduler"])
def test_what_pip_reports_as_an_error_is_counted_and_an_alarm(mwaa: dict[str, Any], kind: str) -> None:
    counted = mwaa["Resources"][f"{kind}InstallErrors"]
    assert counted["DependsOn"] == "Environment"
    assert counted["Properties"]["LogGroupName"] == {"Fn::Sub": "airflow-${EnvironmentName}-" + kind}
    assert "401 Error" in counted["Properties"]["FilterPattern"]
    (metric,) = counted["Properties"]["MetricTransformations"]
    alarm = mwaa["Resources"]["RequirementsInstallFailed"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]
