"""What MWAA's own agents do with an environment's execution role, through the environment's network.

On AWS an environment whose role lacks one of these grants, or whose VPC does not lead to one of these services, ends in
CREATE_FAILED after half an hour, with the sentence below and no word of what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.mwaa_facts import MWAA_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.mwaa.configuration import Configuration
    from infra.local.mwaa.surroundings import Surroundings

ERROR_CODE = "INCORRECT_CONFIGURATION"
# Words: LBHackney-IT/Data-Platform #1764.
ERROR_MESSAGE = (
    "You may need to check the execution role permissions policy for your environment, and that each of the VPC "
    "networking components required by the environment are configured to allow traffic. Troubleshooting: "
    "https://docs.aws.amazon.com/mwaa/latest/userguide/troubleshooting.html"
)
# The queue of an environment, and the key of that queue, live in an account of MWAA's own.
SERVICE_ACCOUNT = "210987654321"
_BUCKET, _LOGS = "arn:aws:s3:::{bucket}", "arn:aws:logs:{region}:{account}:log-group:airflow-{name}-Worker"
_QUEUE = "arn:aws:sqs:{region}:{service_account}:airflow-celery-{id}"
_KEY, _VIA_SQS = "{key}", {"kms:ViaService": "sqs.{region}.amazonaws.com"}


class RefusedError(Exception):
    """MWAA's agents cannot do their work; the message says what MWAA does not."""


@dataclass(frozen=True)
class Ask:
    """Say what an agent asks for.

    :param action: such as sqs:SendMessage.
    :param resource: its ARN, with the environment's names to be filled in.
    :param needs: what asks.
    :param context: condition keys (default: none).
    """

    action: str
    resource: str
    needs: str
    context: dict[str, str] | None = None


# Guide, "Amazon MWAA execution role", the policies for an Amazon-owned and for a customer managed key.
ASKS = (
    Ask("airflow:PublishMetrics", "arn:aws:airflow:{region}:{account}:environment/{name}", "health of the environment"),
    Ask("s3:GetAccountPublicAccessBlock", "*", "check of the bucket"),
    Ask("s3:GetBucketPublicAccessBlock", _BUCKET, "check of the bucket"),
    Ask("s3:GetBucketVersioning", _BUCKET, "check of the bucket"),
    Ask("s3:ListBucket", _BUCKET, "sync of dags/"),
    Ask("s3:GetObject", _BUCKET + "/{dags}/any.py", "sync of dags/"),
    Ask("s3:GetObjectVersion", _BUCKET + "/requirements.txt", "start of a container"),
    Ask("logs:DescribeLogGroups", "*", "log groups"),
    *(
        Ask(f"logs:{action}", _LOGS, "logs of containers and tasks")
        for action in (
            "CreateLogGroup",
            "CreateLogStream",
            "PutLogEvents",
            "GetLogEvents",
            "GetLogRecord",
            "GetLogGroupFields",
            "GetQueryResults",
        )
    ),
    Ask("cloudwatch:PutMetricData", "*", "metrics"),
    *(
        Ask(f"sqs:{action}", _QUEUE, "queue between scheduler and workers")
        for action in (
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ReceiveMessage",
            "SendMessage",
        )
    ),
    *(
        Ask(f"kms:{action}", _KEY, "key of the queue", _VIA_SQS)
        for action in ("Decrypt", "DescribeKey", "GenerateDataKey", "Encrypt")
    ),
)
_ENDPOINTS = ("s3", *MWAA_ENDPOINTS)


def check(configuration: Configuration, environment_id: str, around: Surroundings) -> None:
    """Ask for everything that MWAA's agents need.

    :param environment_id: which the queue's name holds.
    :raises RefusedError: at the first thing that is refused.
    """
    for sentence in _refusals(configuration, environment_id, around):
        raise RefusedError(sentence)


def _refusals(configuration: Configuration, environment_id: str, around: Surroundings) -> Iterator[str]:
    queue_key = f"arn:aws:kms:{around.region}:{SERVICE_ACCOUNT}:key/{environment_id}"
    names = {
        "region": around.region,
        "account": around.account,
        "service_account": SERVICE_ACCOUNT,
        "name": configuration.name,
        "bucket": configuration.bucket,
        "dags": configuration.dags,
        "id": environment_id,
        "key": configuration.kms_key or queue_key,
    }
    network = around.network(configuration.subnets, configuration.groups)
    for service in _ENDPOINTS:
        if why := network.refusal(service):
            yield f"{service} cannot be reached: {why}"
    if why := network.closed_to_itself:
        yield why
    for ask in ASKS:
        resource = ask.resource.format(**names)
        context = {key: value.format(**names) for key, value in (ask.context or {}).items()}
        if not around.role_may(configuration.role_arn, ask.action, resource, context):
            yield f"{configuration.role_arn} may not {ask.action} on {resource} ({ask.needs})"
