"""The calls of MWAA's own agents with an environment's execution role, through the environment's network.

On AWS an environment whose role lacks one of these grants, or whose VPC has no way to one of these services, ends in
CREATE_FAILED after half an hour. Its error is the sentence below, which does not say what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.mwaa_facts import MWAA_ENDPOINTS

if TYPE_CHECKING:
    from infra.local.mwaa.configuration import Configuration, Surroundings

ERROR_CODE = "INCORRECT_CONFIGURATION"
# Text from LBHackney-IT/Data-Platform #1764.
ERROR_MESSAGE = (
    "You may need to check the execution role permissions policy for your environment, and that each of the VPC "
    "networking components required by the environment are configured to allow traffic. Troubleshooting: "
    "https://docs.aws.amazon.com/mwaa/latest/userguide/troubleshooting.html"
)
# The queue of an environment, and the key of that queue, are in an account that belongs to MWAA.
SERVICE_ACCOUNT = "210987654321"
_LOG_ACTIONS = "CreateLogGroup CreateLogStream PutLogEvents GetLogEvents GetLogRecord GetLogGroupFields GetQueryResults"
_QUEUE_ACTIONS = "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage SendMessage"
# Service, actions, resource and purpose. Guide, "Amazon MWAA execution role", Amazon-owned and customer managed keys.
_GRANTS = (
    ("airflow", "PublishMetrics", "arn:aws:airflow:{region}:{account}:environment/{name}", "health of the environment"),
    ("s3", "GetAccountPublicAccessBlock", "*", "check of the bucket"),
    ("s3", "GetBucketPublicAccessBlock GetBucketVersioning", "arn:aws:s3:::{bucket}", "check of the bucket"),
    ("s3", "ListBucket", "arn:aws:s3:::{bucket}", "sync of dags/"),
    ("s3", "GetObject", "arn:aws:s3:::{bucket}/{dags}/any.py", "sync of dags/"),
    ("s3", "GetObjectVersion", "arn:aws:s3:::{bucket}/requirements.txt", "start of a container"),
    ("logs", "DescribeLogGroups", "*", "log groups"),
    ("logs", _LOG_ACTIONS, "arn:aws:logs:{region}:{account}:log-group:airflow-{name}-Worker", "logs"),
    ("cloudwatch", "PutMetricData", "*", "metrics"),
    ("sqs", _QUEUE_ACTIONS, "arn:aws:sqs:{region}:{service_account}:airflow-celery-{id}", "queue of the workers"),
    ("kms", "Decrypt DescribeKey GenerateDataKey Encrypt", "{key}", "key of the queue"),
)
NEEDED = [(f"{service}:{action}", *more) for service, actions, *more in _GRANTS for action in actions.split()]


class AgentError(Exception):
    """MWAA's agents cannot work; the message gives the reason, which MWAA's own message does not."""


def check(configuration: Configuration, environment_id: str, around: Surroundings) -> None:
    """Check all that MWAA's agents need; raise an AgentError that names the first thing that is missing."""
    network, role = around.network(*configuration.network), configuration["ExecutionRoleArn"]
    for service in ("s3", *MWAA_ENDPOINTS):
        if why := network.refusal(service):
            raise AgentError(f"{service} cannot be reached: {why}")
    if why := network.closed_to_itself:
        raise AgentError(why)
    names = {
        "region": around.region,
        "account": DEFAULT_ACCOUNT_ID,
        "service_account": SERVICE_ACCOUNT,
        "name": configuration["Name"],
        "bucket": configuration.bucket,
        "dags": configuration.dags,
        "id": environment_id,
        "key": configuration.get("KmsKey") or f"arn:aws:kms:{around.region}:{SERVICE_ACCOUNT}:key/{environment_id}",
    }
    for action, resource_form, purpose in NEEDED:
        resource = resource_form.format(**names)
        context = {"kms:ViaService": f"sqs.{around.region}.amazonaws.com"} if action.startswith("kms:") else {}
        if not around.role_may(role, action, resource, context):
            raise AgentError(f"{role} may not {action} on {resource} ({purpose})")
