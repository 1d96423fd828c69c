"""The Lambda refresher: its rights, its schedule and the bootstrap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.cloudformation.support import statements

FILE = "dags/codeartifact.txt"


def test_only_lambda_may_assume_the_role(refresher: dict[str, Any]) -> None:
    role = refresher["Resources"]["RefresherRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert "ManagedPolicyArns" not in role


def test_the_role_may_mint_verify_publish_log_and_nothing_else(refresher: dict[str, Any]) -> None:
    assert {sid: (s["Effect"], s["Action"], s["Resource"]) for sid, s in statements(refresher).items()} == {
        "MintToken": ("Allow", "codeartifact:GetAuthorizationToken", {"Ref": "DomainArn"}),
        "MintTokenThroughSts": ("Allow", "sts:GetServiceBearerToken", "*"),
        "ReadRepository": (
            "Allow",
            ["codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"],
            {"Ref": "RepositoryArn"},
        ),
        "PublishIndexUrlFile": (
            "Allow",
            ["s3:GetObject", "s3:PutObject"],
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${BucketName}/" + FILE},
        ),
        "TellMissingIndexUrlFile": (
            "Allow",
            "s3:ListBucket",
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${BucketName}"},
        ),
        "KeepFailedInvocation": ("Allow", "sqs:SendMessage", {"Fn::GetAtt": ["FailedInvocations", "Arn"]}),
        "WriteLog": (
            "Allow",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            {"Fn::GetAtt": ["RefresherLogs", "Arn"]},
        ),
    }


def test_a_bearer_token_is_for_codeartifact_only(refresher: dict[str, Any]) -> None:
    assert statements(refresher)["MintTokenThroughSts"]["Condition"] == {
        "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}
    }


def test_the_function_runs_the_uploaded_version_of_the_handler(refresher: dict[str, Any]) -> None:
    function = refresher["Resources"]["Refresher"]["Properties"]
    assert function["Handler"] == "handler.handler"
    assert function["Runtime"] == "python3.12"
    assert function["Timeout"] == 300
    assert function["MemorySize"] == 256
    assert function["Code"] == {
        "S3Bucket": {"Ref": "BucketName"},
        "S3Key": {"Ref": "RefresherS3Key"},
        "S3ObjectVersion": {"Ref": "RefresherS3ObjectVersion"},
    }
    assert refresher["Parameters"]["RefresherS3Key"]["Default"] == "lambda/refresher.zip"


def test_the_function_is_told_its_target_and_when_to_step_in(refresher: dict[str, Any]) -> None:
    assert refresher["Resources"]["Refresher"]["Properties"]["Environment"]["Variables"] == {
        "CODEARTIFACT_DOMAIN": {"Ref": "DomainName"},
        "CODEARTIFACT_DOMAIN_OWNER": {"Ref": "DomainOwner"},
        "CODEARTIFACT_REPOSITORY": {"Ref": "RepositoryName"},
        "CODEARTIFACT_REGION": {"Ref": "AWS::Region"},
        "CODEARTIFACT_DESTINATION": {"Fn::Sub": "s3://${BucketName}/" + FILE},
        "CODEARTIFACT_MIN_REMAINING_HOURS": "9",
        "ENVIRONMENT_NAME": {"Ref": "EnvironmentName"},
    }


def test_the_function_writes_to_its_own_log_group_which_forgets(refresher: dict[str, Any]) -> None:
    logs = refresher["Resources"]["RefresherLogs"]["Properties"]
    assert logs["LogGroupName"] == {"Fn::Sub": "/aws/lambda/${EnvironmentName}-refresher"}
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    function = refresher["Resources"]["Refresher"]["Properties"]
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "RefresherLogs"}}
    assert function["FunctionName"] == {"Fn::Sub": "${EnvironmentName}-refresher"}


def test_a_failed_tick_is_tried_twice_more(refresher: dict[str, Any]) -> None:
    retries = refresher["Resources"]["RefresherRetries"]["Properties"]
    assert retries["Qualifier"] == "$LATEST"
    assert retries["MaximumRetryAttempts"] == 2


def test_the_schedule_and_only_it_may_invoke_the_function_every_30_minutes(refresher: dict[str, Any]) -> None:
    schedule = refresher["Resources"]["Schedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(30 minutes)"
    assert schedule["State"] == "ENABLED"
    assert [target["Arn"] for target in schedule["Targets"]] == [{"Fn::GetAtt": ["Refresher", "Arn"]}]
    assert refresher["Resources"]["SchedulePermission"]["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "Refresher"},
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Schedule", "Arn"]},
    }


def test_the_bootstrap_runs_again_for_every_setting_of_the_target(refresher: dict[str, Any]) -> None:
    bootstrap = refresher["Resources"]["Bootstrap"]
    assert bootstrap["Type"] == "Custom::IndexUrl"
    variables = refresher["Resources"]["Refresher"]["Properties"]["Environment"]["Variables"]
    assert bootstrap["Properties"] == {
        "ServiceToken": {"Fn::GetAtt": ["Refresher", "Arn"]},
        "ServiceTimeout": 420,
        "Domain": variables["CODEARTIFACT_DOMAIN"],
        "DomainOwner": variables["CODEARTIFACT_DOMAIN_OWNER"],
        "Repository": variables["CODEARTIFACT_REPOSITORY"],
        "Region": variables["CODEARTIFACT_REGION"],
        "Destination": variables["CODEARTIFACT_DESTINATION"],
    }


def test_the_bootstrap_waits_longer_than_the_function_may_run(refresher: dict[str, Any]) -> None:
    resources = refresher["Resources"]
    assert resources["Bootstrap"]["Properties"]["ServiceTimeout"] > resources["Refresher"]["Properties"]["Timeout"]


def test_the_destination_is_known_only_once_the_bootstrap_has_written_the_file(refresher: dict[str, Any]) -> None:
    assert refresher["Outputs"]["IndexUrlDestination"]["Value"] == {"Fn::GetAtt": ["Bootstrap", "Destination"]}


def test_an_invocation_that_fails_for_good_is_kept_in_an_encrypted_queue(refresher: dict[str, Any]) -> None:
    destination = refresher["Resources"]["RefresherRetries"]["Properties"]["DestinationConfig"]
    assert destination == {"OnFailure": {"Destination": {"Fn::GetAtt": ["FailedInvocations", "Arn"]}}}
    queue = refresher["Resources"]["FailedInvocations"]["Properties"]
    assert queue["SqsManagedSseEnabled"] is True


def test_less_than_6_hours_or_no_word_of_them_is_an_alarm(refresher: dict[str, Any]) -> None:
    alarm = refresher["Resources"]["RemainingLifetimeLow"]["Properties"]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Minimum", "LessThanThreshold")
    assert alarm["Threshold"] == 6 * 3600
    assert alarm["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ["RemainingLifetimeLow", "RefresherFailing", "FallbackUsed"])
def test_every_alarm_speaks_to_the_topic(refresher: dict[str, Any], name: str) -> None:
    assert refresher["Resources"][name]["Properties"]["AlarmActions"] == [{"Ref": "Alarms"}]


def test_an_email_address_is_optional(refresher: dict[str, Any]) -> None:
    assert refresher["Resources"]["AlarmsByEmail"]["Condition"] == "HasAlarmEmail"
    assert refresher["Parameters"]["AlarmEmail"]["Default"] == ""
