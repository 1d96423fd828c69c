"""Facts about Amazon MWAA that several packages use, each with its source; none is a setting.

Sources: "guide" is the Amazon MWAA user guide, "image" the public source of MWAA's container images
(aws/amazon-mwaa-docker-images, images/airflow/VERSION), "schemas" the CloudFormation schemas that cfn-lint ships.
"""

from __future__ import annotations

import codecs
import re

# Image: Dockerfile.base of each version.
PYTHON_VERSIONS = {"2.10.3": "3.11", "2.11.2": "3.12", "3.0.6": "3.12", "3.2.1": "3.12", "3.3.1": "3.12"}

# Guide, "Apache Airflow versions": the versions that a new environment can have.
CREATABLE_VERSIONS = ("2.10.3", "2.11.0", "2.11.2", "3.0.6", "3.2.1", "3.3.1")
# Guide, "Changing the Apache Airflow version": only from these minor versions can an environment be updated to 3.x, and
# only to these can it go back from 3.x; within a major version it can go up and down.
IN_PLACE_TO_3_FROM = "2.11."

# CloudFormation reference, AWS::MWAA::Environment, EnvironmentClass.
ENVIRONMENT_CLASSES = ("mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge")
# Guide, "Amazon MWAA service quotas": workers of an environment.
MAX_WORKERS = 25

# Regions that have both MWAA and CodeArtifact. Schemas of AWS::MWAA::Environment and AWS::CodeArtifact::Domain.
REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "us-east-1",
        "us-east-2",
        "us-west-2",
    }
)

# Interface endpoints in a VPC without internet access. Guide, "Creating the required VPC service endpoints in an Amazon
# VPC with private routing"; a gateway endpoint for s3 comes in addition.
MWAA_ENDPOINTS = ("sqs", "logs", "monitoring", "kms")
# CodeArtifact guide, "Create VPC endpoints for CodeArtifact": the first mints, the second serves packages.
CODEARTIFACT_ENDPOINTS = ("codeartifact.api", "codeartifact.repositories")

# AIRFLOW_HOME, which is HOME, too. Image: Dockerfile.base.
AIRFLOW_HOME = "/usr/local/airflow"
# Image: setup_environment.py, STARTUP_SCRIPT_MAX_EXECUTION_TIME.
STARTUP_SCRIPT_SECONDS = 5 * 60 - 5
# Image: user_requirements.py, USER_REQUIREMENTS_MAX_INSTALL_TIME.
PIP_SECONDS = 9 * 60
# Guide, "Adding or updating DAGs": changed DAGs reach the containers within this time.
SYNC_SECONDS = 30
# MWAA forces its constraints on a requirements.txt in which no line matches this. Image: user_requirements.py.
NAMES_CONSTRAINTS = re.compile(r"-c |--constraint ")
# How MWAA recognizes the encoding of requirements.txt: by the first mark that matches, so UTF-32-LE is read as UTF-16.
# pip tests for UTF-32 first. Image: utils/encoding.py.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF32_BE: "utf-32-be",
}
_NAMES_ENCODING = re.compile(rb"#.*?coding[:=]\s*([-\w.]+)")

# Packages whose version pip cannot change in a container. Image: etc/mwaa_essential_constraints.txt.
ESSENTIAL_CONSTRAINTS = frozenset(
    [
        "apache-airflow",
        "billiard",
        "celery",
        "flask",
        "flask-appbuilder",
        "flask-babel",
        "flask-bcrypt",
        "flask-caching",
        "flask-jwt-extended",
        "flask-limiter",
        "flask-login",
        "flask-session",
        "flask-sqlalchemy",
        "flask-wtf",
        "fluent-logger",
        "gevent",
        "greenlet",
        "gunicorn",
        "kombu",
        "sqlalchemy",
        "sqlalchemy-jsonfield",
        "sqlalchemy-utils",
        "statsd",
        "vine",
        "watchtower",
    ]
)
# Names of these that a version's file does not contain.
NOT_ESSENTIAL = {
    "2.11.2": frozenset({"kombu"}),
    "3.2.1": frozenset({"sqlalchemy-jsonfield"}),
    "3.3.1": frozenset({"flask-bcrypt", "flask-caching", "sqlalchemy-jsonfield"}),
}
# Variables that a startup script cannot change, besides MWAA__*. Image: setup_environment.py,
# _is_protected_os_environ.
PROTECTED_VARIABLES = frozenset(
    [
        "AIRFLOW_ENV_ID",
        "AIRFLOW_ENV_NAME",
        "AIRFLOW_HOME",
        "AIRFLOW_TASK_REVISION_ID",
        "AIRFLOW_VERSION",
        "AIRFLOW__API__BASE_URL",
        "AIRFLOW__AWS_MWAA__REDIRECT_URL",
        "AIRFLOW__CORE__DATABASE_ACCESS_ISOLATION",
        "AIRFLOW__WEBSERVER__BASE_URL",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "CUSTOMER_ACCOUNT_ID",
        "ECS_AGENT_URI",
        "ECS_CONTAINER_METADATA_URI",
        "ECS_CONTAINER_METADATA_URI_V4",
        "JWT_PUBLIC_KEY",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "USE_NON_CRITICAL_LOGGING",
        "WATCHTOWER_VERSION",
    ]
)

# The components that run the startup script and pip, as in their log groups' names, airflow-NAME-COMPONENT. The one
# container of mw1.micro for scheduler and worker logs as Worker. Image: logging/config.py, user_requirements.py.
INSTALLING_COMPONENTS = ("Worker", "Scheduler", "WebServer")
# All log groups of an environment. Guide, "Viewing Airflow logs in Amazon CloudWatch".
LOG_COMPONENTS = ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")
# Streams are called PREFIX_HOST_EPOCH.log. Image: logging/config.py, cloudwatch_handlers.py.
REQUIREMENTS_STREAM = "requirements_install"
STARTUP_STREAM = "startup_script_execution"
# MWAA writes `[LEVEL] - message`; LEVEL is unrelated to pip's message: up to 3.0.6 it is the component's own log level.
# Image: logging/config.py, `_configure`.
LOG_PREFIX = re.compile(r"\[[A-Z]+\] - ")

# Before this version, each of these lines has the component's log level; from it on, INFO.
# Image: subprocess.py, _read_subprocess_log_stream (`always_publish` from 3.2.1 on).
COMPONENT_LEVEL_BEFORE = (3, 2)

# Statuses of an environment that MWAA is changing. Service model mwaa/2020-07-01, EnvironmentStatus.
BUSY_STATUSES = frozenset(
    {"CREATING", "UPDATING", "CREATING_SNAPSHOT", "PENDING", "ROLLING_BACK", "MAINTENANCE", "DELETING"}
)


def release_of(airflow_version: str) -> tuple[int, int]:
    """Return a version's major and minor number.

    :param airflow_version: such as 3.3.1.
    """
    major, minor = airflow_version.split(".")[:2]
    return int(major), int(minor)


def access_modes(airflow_version: str) -> tuple[str, ...]:
    """Return the web server access modes with which tasks run in a VPC without internet access.

    From Airflow 3 on, workers call the web server; with PUBLIC_ONLY they need internet access for that. Guide, "Apache
    Airflow access modes" (Important); PUBLIC_AND_PRIVATE exists for 3.2 and later (API: WebserverAccessMode).

    :param airflow_version: such as 3.3.1.
    """
    major, minor = release_of(airflow_version)
    if major < 3:  # noqa: PLR2004  (Airflow's major version)
        return ("PUBLIC_ONLY", "PRIVATE_ONLY")
    return ("PUBLIC_AND_PRIVATE", "PRIVATE_ONLY") if (major, minor) >= (3, 2) else ("PRIVATE_ONLY",)


def decode_requirements(content: bytes) -> str:
    """Decode requirements.txt as MWAA does to look for constraints; see NAMES_CONSTRAINTS.

    If this fails, MWAA forces its constraints. Image: utils/encoding.py, user_requirements.py.

    :param content: the file's bytes.
    :raises UnicodeError: if it is in another encoding.
    :raises LookupError: if it names an encoding that does not exist.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding)
    named = [found for line in content.split(b"\n")[:2] if (found := _NAMES_ENCODING.match(line))]
    return content.decode(named[0][1].decode("ascii") if named else "utf-8")
