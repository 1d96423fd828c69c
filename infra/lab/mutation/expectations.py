"""The behaviour that the deployed stacks must have, checked by its effects; no check reads a template."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config
from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]  # moto exports it without saying so
from moto.events.models import events_backends
from moto.sns.models import sns_backends

from infra import ROOT, mwaa_facts
from infra.deploy.upload import INDEX_URL_KEY
from infra.lab.mutation.stacks import DeployError, Stacks
from infra.local.codeartifact.package_groups import OriginType
from infra.local.moto import iam
from infra.local.moto.vpc import Vpc
from infra.local.server import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_SECONDS = 60
_ENSURE = "import os; from mwaa_codeartifact.startup import ensure_index_url; print(ensure_index_url(os.environ))"


class UnexpectedError(Exception):
    """The stacks do not behave as they must; the message says what is wrong."""


def expect(holds: object, otherwise: str) -> None:
    """Raise an error unless something holds.

    :param holds: the expectation.
    :param otherwise: the message of the error.
    :raises UnexpectedError: if it does not hold.
    """
    if not holds:
        raise UnexpectedError(otherwise)


def the_bootstrap_has_written_the_line(stacks: Stacks) -> None:
    """Check that the Lambda function wrote the first line."""
    expect(_refreshed_by(stacks) == "lambda", "the bootstrap has not written the line")


def the_schedule_brings_the_line_back(stacks: Stacks) -> None:
    """Delete the line and run the schedule."""
    _delete_line(stacks)
    _fire(stacks)
    _wait_for(lambda: _refreshed_by(stacks) == "lambda", "the schedule does not bring the line back")


def failed_invocations_are_kept_and_raise_the_alarm(stacks: Stacks) -> None:
    """Make all tries of a scheduled refresh fail."""
    _delete_line(stacks)
    stacks.server.codeartifact.token_life_limit = timedelta(hours=-1)  # expired when minted
    try:
        _fire(stacks)
        queue = _physical_id(stacks, "refresher", "AWS::SQS::Queue")
        sqs = stacks.client("sqs")
        _wait_for(
            lambda: "Messages" in sqs.receive_message(QueueUrl=queue), "a failed invocation does not reach the queue"
        )
    finally:
        stacks.server.codeartifact.token_life_limit = None
    _expect_rings(stacks, "refresher-errors", "ALARM")


def a_fallback_and_a_short_lifetime_raise_alarms(stacks: Stacks) -> None:
    """Make the Lambda publish a token that expires in an hour, and then send no metrics."""
    stacks.server.codeartifact.token_life_limit = timedelta(hours=1)
    try:
        _delete_line(stacks)
        _fire(stacks)
        _wait_for(lambda: _refreshed_by(stacks) == "lambda", "the schedule does not bring the line back")
    finally:
        stacks.server.codeartifact.token_life_limit = None
    _expect_rings(stacks, "refresher-fallback", "ALARM")
    _expect_rings(stacks, "index-url-remaining-lifetime", "ALARM")
    later = timedelta(hours=7)
    _expect_rings(stacks, "index-url-remaining-lifetime", "INSUFFICIENT_DATA", later)
    _expect_rings(stacks, "refresher-fallback", "OK", later)
    _expect_rings(stacks, "refresher-errors", "OK", later)
    datum = {"MetricName": "RemainingLifetime", "Value": 43200, "Timestamp": datetime.now(UTC) + later}
    datum["Dimensions"] = [{"Name": "EnvironmentName", "Value": stacks.name}]
    stacks.client("cloudwatch").put_metric_data(Namespace="MwaaCodeArtifact", MetricData=[datum])
    _expect_rings(stacks, "index-url-remaining-lifetime", "OK", later + timedelta(minutes=1))


def only_pips_errors_raise_the_alarm(stacks: Stacks) -> None:
    """Write pip's lines into the log of each component."""
    harmless = "[INFO] - ERROR: pip's dependency resolver does not currently take into account all the packages"
    failure = "[INFO] - WARNING: 401 Error, Credentials not correct for https://example.org/simple/numpy/"
    for line, counts in ((harmless, 0), ("[INFO] - ERROR: my own script says so", 0), (failure, 1)):
        for component in mwaa_facts.INSTALLING_COMPONENTS:
            before = _install_errors(stacks)
            _log(stacks, component, line)
            expect(_install_errors(stacks) - before == counts, f"{component}: not counted correctly: {line}")
    _expect_rings(stacks, "requirements-install", "ALARM")


def the_mail_address_is_subscribed(stacks: Stacks) -> None:
    """Check the subscriptions of the alarms' topic."""
    found = stacks.client("sns").list_subscriptions_by_topic(TopicArn=stacks.outputs["AlarmTopicArn"])["Subscriptions"]
    expect(
        [each["Endpoint"] for each in found] == [stacks.settings["AlarmEmail"]], "nobody is subscribed to the alarms"
    )


def the_environment_is_available(stacks: Stacks) -> None:
    """Check the environment's status: then MWAA's agents have all that they need."""
    status = stacks.client("mwaa").get_environment(Name=stacks.name)["Environment"]["Status"]
    expect(status == "AVAILABLE", f"the environment is {status}")


def a_container_refreshes_through_its_network(stacks: Stacks) -> None:
    """Run the startup script's refresher with the execution role, behind the environment's network."""
    _delete_line(stacks)
    environment = stacks.client("mwaa").get_environment(Name=stacks.name)["Environment"]
    network = environment["NetworkConfiguration"]
    proxy = stacks.server.proxy_url(network["SubnetIds"], network["SecurityGroupIds"])
    options = environment["AirflowConfigurationOptions"]
    with tempfile.TemporaryDirectory() as home:
        ended = subprocess.run(
            [sys.executable, "-c", _ENSURE],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "plugins"),
                "AIRFLOW_HOME": home,
                "AWS_ENDPOINT_URL": stacks.server.endpoint_url,
                "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                **dict.fromkeys(("http_proxy", "HTTP_PROXY"), proxy),
                **_assume(stacks, environment["ExecutionRoleArn"]),
                **{f"AIRFLOW__{key.replace('.', '__').upper()}": value for key, value in options.items()},
            },
            capture_output=True,
            text=True,
            check=False,
        )
    refreshed = ended.stdout.startswith("index-url refreshed, ") and _refreshed_by(stacks) == "startup"
    expect(refreshed, f"a container does not refresh: {ended.stdout}{ended.stderr}")


def added_endpoints_are_reached(stacks: Stacks) -> None:
    """Check that the services that the settings add are reached from the environment's network."""
    vpc = Vpc(tuple(stacks.outputs["PrivateSubnetIds"].split(",")), (stacks.outputs["SecurityGroupId"],))
    for service in ("sts", "secretsmanager"):
        refusal = vpc.refusal(service)
        expect(refusal is None, f"{service} is not reached: {refusal}")


def roles_may_no_more_than_they_need(stacks: Stacks) -> None:
    """Try the actions that only the conditions of the statements forbid."""
    execution = stacks.client("mwaa").get_environment(Name=stacks.name)["Environment"]["ExecutionRoleArn"]
    may = stacks.server.iam.role_may
    others = {"sts:AWSServiceName": "another.amazonaws.com"}
    for role in (execution, _role(stacks, "refresher"), _role(stacks, "repository")):
        expect(not may(role, "sts:GetServiceBearerToken", "*", others), f"{role} may get tokens of other services")
    key = f"arn:aws:kms:{REGION}:210987654321:key/any"
    other = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    expect(not may(execution, "kms:Decrypt", key, other), f"{execution} may use keys through other services")
    for account, source in (("210987654321", stacks.name), (DEFAULT_ACCOUNT_ID, "another")):
        try:
            _assume(stacks, execution, account, source)
        except PermissionError:
            continue
        raise UnexpectedError(f"{execution} is assumed for the environment {source} of {account}")
    name = execution.rpartition("/")[2]
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
    }
    policy = {"RoleName": name, "PolicyName": "more", "PolicyDocument": json.dumps(everything)}
    stacks.client("iam").put_role_policy(**policy)
    expect(not may(execution, "s3:ListAllMyBuckets", "*"), f"{execution} may list buckets if another policy allows it")
    stacks.client("iam").delete_role_policy(RoleName=name, PolicyName="more")


def the_publisher_publishes_in_house_names_only(stacks: Stacks) -> None:
    """Assume the publisher's role and upload packages."""
    keys = stacks.client("sts").assume_role(RoleArn=stacks.outputs["PublisherRoleArn"], RoleSessionName="publisher")
    login = _login(stacks, keys["Credentials"])
    for project, status in (("acme_greeting", 200), ("acme", 200), ("solo", 200), ("numpy", 403), ("solo_more", 403)):
        answer = _upload(login, project)
        expect(answer == status, f"publishing {project} is answered with {answer}")
    groups = stacks.server.codeartifact.domain(stacks.name).package_groups
    for project, allowed in (("acme", False), ("acme-x", False), ("mwaa-codeartifact-probe", False), ("numpy", True)):
        found = groups.allow(project, OriginType.EXTERNAL_UPSTREAM)
        expect(found == allowed, f"{project} may come from upstream: {found}")
    expect(not groups.allow("mwaa-codeartifact-probe", OriginType.PUBLISH), "the probe's name may be published")


def the_bucket_is_for_tls_and_forgets_old_lines(stacks: Stacks) -> None:
    """Send a request without TLS, and check the lifecycle rules of old versions."""
    s3 = stacks.client("s3")
    s3.meta.events.register("before-send.s3", _without_tls)
    try:
        s3.head_object(Bucket=stacks.bucket, Key="plugins.zip")
    except s3.exceptions.ClientError as error:
        expect(error.response["Error"]["Code"] in {"403", "AccessDenied"}, f"without TLS: {error}")
    else:
        raise UnexpectedError("the bucket answers without TLS")
    s3 = stacks.client("s3")
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=stacks.bucket)["Rules"]
    except s3.exceptions.ClientError:
        rules = []
    expiring = [each for each in rules if _applies(each, INDEX_URL_KEY)]
    days = [each.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 99) for each in expiring]
    expect(min(days, default=99) <= 3, "replaced lines are kept for ever")  # noqa: PLR2004
    expect(not any(_applies(each, "plugins.zip") for each in rules), "versions of plugins.zip expire")


def logs_expire(stacks: Stacks) -> None:
    """Check the retention of every log group."""
    logs = stacks.client("logs")
    for prefix, count in (
        (f"airflow-{stacks.name}-", len(mwaa_facts.LOG_COMPONENTS)),
        (f"/aws/lambda/{stacks.name}", 1),
    ):
        groups = logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        forever = [each["logGroupName"] for each in groups if "retentionInDays" not in each]
        expect(len(groups) == count and not forever, f"{prefix}*: {len(groups)} groups, without retention {forever}")
    streams = logs.describe_log_streams(logGroupName=f"/aws/lambda/{stacks.name}-refresher")["logStreams"]
    expect(streams, "the function writes no log")


def impossible_settings_are_refused(stacks: Stacks) -> None:
    """Create change sets that CloudFormation must refuse."""
    refused: tuple[tuple[str, dict[str, str]], ...] = (
        ("mwaa", {"WebserverAccessMode": "PUBLIC_ONLY"}),
        ("mwaa", {"AirflowVersion": "3.0.6", "WebserverAccessMode": "PUBLIC_ONLY"}),
        ("mwaa", {"AirflowVersion": "2.11.2"}),
        ("mwaa", {"EnvironmentClass": "mw1.micro"}),
        ("network", {"AvailabilityZone1": "eu-west-1a"}),
    )
    for stack, parameters in refused:
        try:
            stacks.change(stack, **parameters)
        except DeployError:
            continue
        raise UnexpectedError(f"{stack} is not refused with {parameters}")


def without_in_house_names_any_name_may_be_published(stacks: Stacks) -> None:
    """Remove the in-house names: CodeArtifact's default applies, and only the probe's name stays closed."""
    stacks.execute("repository", stacks.change("repository", InHousePackages=""))
    groups = stacks.server.codeartifact.domain(stacks.name).package_groups
    for project, allowed in (("acme", True), ("numpy", True), ("mwaa-codeartifact-probe", False)):
        found = groups.allow(project, OriginType.PUBLISH)
        expect(found == allowed, f"without in-house names, {project} may be published: {found}")


def one_setting_leaves_the_log_groups_to_mwaa(stacks: Stacks) -> None:
    """Update the stack to have no log groups of its own."""
    stacks.execute("mwaa", stacks.change("mwaa", OwnLogGroups="false"))
    resources = stacks.client("cloudformation").describe_stack_resources(StackName=f"{stacks.name}-mwaa")
    left = [each["LogicalResourceId"] for each in resources["StackResources"] if "LogGroup" in each["ResourceType"]]
    expect(not left, f"without log groups of its own, the stack still has {left}")


EXPECTATIONS: tuple[Callable[[Stacks], None], ...] = (
    the_bootstrap_has_written_the_line,
    the_environment_is_available,
    the_schedule_brings_the_line_back,
    a_container_refreshes_through_its_network,
    failed_invocations_are_kept_and_raise_the_alarm,
    a_fallback_and_a_short_lifetime_raise_alarms,
    only_pips_errors_raise_the_alarm,
    the_mail_address_is_subscribed,
    added_endpoints_are_reached,
    roles_may_no_more_than_they_need,
    the_publisher_publishes_in_house_names_only,
    the_bucket_is_for_tls_and_forgets_old_lines,
    logs_expire,
    impossible_settings_are_refused,
    without_in_house_names_any_name_may_be_published,
    one_setting_leaves_the_log_groups_to_mwaa,
)


def _wait_for(holds: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not holds():
        expect(time.monotonic() < deadline, otherwise)
        time.sleep(0.1)


def _refreshed_by(stacks: Stacks) -> str:
    s3 = stacks.client("s3")
    try:
        metadata: dict[str, str] = s3.head_object(Bucket=stacks.bucket, Key=INDEX_URL_KEY)["Metadata"]
    except s3.exceptions.ClientError:
        return ""
    return metadata.get("refreshed-by", "")


def _delete_line(stacks: Stacks) -> None:
    stacks.client("s3").delete_object(Bucket=stacks.bucket, Key=INDEX_URL_KEY)


def _fire(stacks: Stacks) -> None:
    """Fire the schedule's rules at once."""
    for rule in list(events_backends[DEFAULT_ACCOUNT_ID][REGION].list_rules()[0]):
        stacks.server.schedule.fire(rule)


def _physical_id(stacks: Stacks, stack: str, resource_type: str) -> str:
    resources = stacks.client("cloudformation").describe_stack_resources(StackName=f"{stacks.name}-{stack}")
    found = [each for each in resources["StackResources"] if each["ResourceType"] == resource_type]
    expect(found, f"{stack} has no {resource_type}")
    physical_id: str = found[0]["PhysicalResourceId"]
    return physical_id


def _role(stacks: Stacks, stack: str) -> str:
    name = _physical_id(stacks, stack, "AWS::IAM::Role")
    arn: str = stacks.client("iam").get_role(RoleName=name)["Role"]["Arn"]
    return arn


def _assume(stacks: Stacks, role: str, account: str = DEFAULT_ACCOUNT_ID, environment: str = "") -> dict[str, str]:
    arn = f"arn:aws:airflow:{REGION}:{account}:environment/{environment or stacks.name}"
    source = {"aws:SourceAccount": account, "aws:SourceArn": arn}
    return iam.assume_role(role, "airflow-env.amazonaws.com", REGION, source)


def _expect_rings(stacks: Stacks, alarm: str, state: str, later: timedelta = timedelta(0)) -> None:
    """Evaluate the alarms and expect that one is in a state, and has sent it to the topic."""
    name = f"{stacks.name}-{alarm}"
    stacks.server.alarms.evaluate(datetime.now(UTC) + later)
    found = stacks.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    expect(found, f"there is no alarm {name}")
    expect(found[0]["StateValue"] == state, f"{name} is {found[0]['StateValue']}, not {state}")
    topic = sns_backends[DEFAULT_ACCOUNT_ID][REGION].get_topic(stacks.outputs["AlarmTopicArn"])
    sent = [json.loads(message) for _, message, *_ in topic.sent_notifications if name in message]
    expect(any(each["NewStateValue"] == state for each in sent), f"no message says that {name} is {state}")


def _log(stacks: Stacks, component: str, line: str) -> None:
    logs, group = stacks.client("logs"), f"airflow-{stacks.name}-{component}"
    stream = f"{mwaa_facts.REQUIREMENTS_STREAM}_host_{time.time()}.log"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _install_errors(stacks: Stacks) -> float:
    now = datetime.now(UTC)
    answer = stacks.client("cloudwatch").get_metric_statistics(
        Namespace="MwaaCodeArtifact",
        MetricName=f"{stacks.name}-RequirementsInstallErrors",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))


def _login(stacks: Stacks, keys: dict[str, str]) -> tuple[str, str]:
    """Return the repository's endpoint and a token, requested with these keys."""
    session: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    codeartifact = session.client(
        "codeartifact", endpoint_url=stacks.server.endpoint_url, config=Config(inject_host_prefix=False)
    )
    try:
        token = codeartifact.get_authorization_token(domain=stacks.name)["authorizationToken"]
        endpoint = codeartifact.get_repository_endpoint(domain=stacks.name, repository="python", format="pypi")
    except codeartifact.exceptions.ClientError as error:
        raise UnexpectedError(f"the publisher: {error}") from error
    listed = requests.get(f"{endpoint['repositoryEndpoint']}simple/acme/", auth=("aws", token), timeout=30)
    expect(listed.status_code == requests.codes.not_found, f"the publisher's GET is answered with {listed.status_code}")
    return endpoint["repositoryEndpoint"], token


def _upload(login: tuple[str, str], project: str) -> int:
    endpoint, token = login
    wheel = (f"{project}-1.0-py3-none-any.whl", b"not a real wheel")
    form = {":action": "file_upload", "name": project, "version": "1.0"}
    answer = requests.post(endpoint, form, auth=("aws", token), files={"content": wheel}, timeout=30)
    return answer.status_code


def _without_tls(request: Any, **_: object) -> None:
    request.headers["X-Forwarded-Proto"] = "http"


def _applies(rule: dict[str, Any], key: str) -> bool:
    """Return whether a lifecycle rule applies to a key."""
    prefix: str = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    return rule["Status"] == "Enabled" and key.startswith(prefix)
