"""pip's verdict is read from the containers' logs, which are written here exactly as MWAA writes them.

The form: MWAA's image, python/mwaa/logging/config.py (`[%(levelname)s] - %(message)s`) and cloudwatch_handlers.py (a
stream is PREFIX_HOST_EPOCH.log, the epoch a float; one event a line).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.deploy.install_log import Installation, Patience, await_installation
from tests.infra.deploy import pip_output as pip

if TYPE_CHECKING:
    import boto3

    from infra.cli.aws import Aws

pytestmark = pytest.mark.long

SOON = Patience(missing=0, ending=0, settled=0, between=0)
COMPONENTS = ("Worker", "Scheduler", "WebServer")


@pytest.fixture(scope="session")
def logs(session: boto3.Session, endpoint: str) -> Any:
    return session.client("logs", endpoint_url=endpoint)


class Environment:
    """The log groups of one environment, as its containers fill them."""

    def __init__(self, aws: Aws, logs: Any) -> None:
        self.name = f"env-{uuid4().hex[:8]}"
        self.since = int(time.time() * 1000)
        self.aws, self._logs, self._hosts = aws, logs, 0
        for component in COMPONENTS:
            logs.create_log_group(logGroupName=f"airflow-{self.name}-{component}")

    def begin(self) -> None:
        """Start an update: all existing streams are older than it."""
        time.sleep(0.01)
        self.since = int(time.time() * 1000)

    def start(self, component: str, output: str, *, level: str = "INFO", stream: str = "requirements_install") -> str:
        """Write the output of a container's pip, and return the stream's name."""
        self._hosts += 1
        name = f"{stream}_ip-10-192-10-{self._hosts:03}.eu-central-1.compute.internal_{time.time()}.log"
        self._logs.create_log_stream(logGroupName=f"airflow-{self.name}-{component}", logStreamName=name)
        self.write(component, name, output, level=level)
        return name

    def write(self, component: str, stream: str, output: str, *, level: str = "INFO") -> None:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": f"[{level}] - {line}"} for line in output.splitlines()]
        place = {"logGroupName": f"airflow-{self.name}-{component}", "logStreamName": stream}
        for first in range(0, len(events), 5000):  # PutLogEvents takes 10,000 events and 1 MB
            self._logs.put_log_events(**place, logEvents=events[first : first + 5000])

    def installation(self, *required: str, patience: Patience = SOON, **described: str) -> Installation:
        return await_installation(self.aws, {"Name": self.name, **described}, self.since, required, patience)


@pytest.fixture
def environment(aws: Aws, logs: Any) -> Environment:
    return Environment(aws, logs)


def test_the_result_lists_the_packages_that_the_components_installed(environment: Environment) -> None:
    for component in COMPONENTS:
        environment.start(component, pip.SUCCESS)
    found = environment.installation("humanize")
    assert (found.verdict, found.installed) == ("good", ("humanize-4.0.0",))


def test_the_log_level_before_a_line_does_not_affect_the_verdict(environment: Environment) -> None:
    environment.start("Worker", pip.SUCCESS, level="ERROR")  # up to 3.0.6 it is the component's log level
    environment.start("Scheduler", pip.SATISFIED, level="CRITICAL")
    environment.start("WebServer", pip.RESOLVER_COMPLAINS, level="WARNING")
    assert environment.installation("humanize").verdict == "good"


@pytest.mark.parametrize("failing", COMPONENTS)
def test_one_container_whose_pip_failed_is_enough_for_a_bad_verdict(environment: Environment, failing: str) -> None:
    for component in COMPONENTS:
        environment.start(component, pip.SUCCESS)
    environment.start(failing, pip.EXPIRED_TOKEN)
    found = environment.installation("humanize")
    assert found.verdict == "bad"
    assert "expired index-url token" in found.reason
    assert found.errors[0].startswith("WARNING: 401 Error, Credentials not correct for ")


def test_every_page_of_a_long_stream_is_read(environment: Environment) -> None:
    for component in COMPONENTS:
        environment.start(component, "Collecting more\n" * 10_500 + pip.SUCCESS)  # a page ends at 10,000 events
    found = environment.installation("humanize")
    assert (found.verdict, found.installed) == ("good", ("humanize-4.0.0",))


def test_every_page_of_streams_is_read(environment: Environment) -> None:
    for _ in range(55):  # a page has 50 streams
        environment.start("Worker", pip.SUCCESS)
    environment.begin()
    environment.start("Worker", pip.NO_SUCH_VERSION)
    for component in ("Scheduler", "WebServer"):
        environment.start(component, pip.SUCCESS)
    found = environment.installation("humanize")
    assert (found.verdict, len(found.outcomes)) == ("bad", 3)


def test_without_any_stream_there_is_no_verdict(environment: Environment) -> None:
    found = environment.installation("humanize")
    assert found.verdict == "none"
    assert f"airflow-{environment.name}-Scheduler" in found.reason


def test_there_is_no_verdict_if_a_component_has_no_stream(environment: Environment) -> None:
    environment.start("Worker", pip.SUCCESS)
    environment.start("WebServer", pip.SUCCESS)
    found = environment.installation("humanize")
    assert found.verdict == "none"
    assert found.silent == (f"airflow-{environment.name}-Scheduler",)


def test_there_is_no_verdict_if_a_stream_lacks_pips_last_line(environment: Environment) -> None:
    for component in COMPONENTS:
        environment.start(component, pip.SUCCESS)
    stopped = environment.start("Worker", pip.STOPPED)
    found = environment.installation("humanize", "numpy")
    assert found.verdict == "none"
    assert found.reason == f"the stream {stopped} in airflow-{environment.name}-Worker ends without pip's last line"


def test_containers_that_started_earlier_do_not_count(environment: Environment) -> None:
    environment.start("Worker", pip.EXPIRED_TOKEN)
    environment.begin()
    for component in COMPONENTS:
        environment.start(component, pip.SUCCESS)
    assert environment.installation("humanize").verdict == "good"


def test_other_logs_of_the_environment_do_not_count(environment: Environment) -> None:
    for component in COMPONENTS:
        environment.start(component, pip.SUCCESS)
    environment.start("Worker", "ERROR: a user's own", stream="startup_script_execution")
    environment.start("Worker", "ERROR: a task's", stream="worker")
    assert environment.installation("humanize").verdict == "good"


def test_there_is_no_verdict_if_the_environment_has_no_log_groups(aws: Aws) -> None:
    assert await_installation(aws, {"Name": "nowhere"}, 0, (), SOON).verdict == "none"


def test_a_private_web_server_is_not_judged_because_it_cannot_install(environment: Environment) -> None:
    for component in ("Worker", "Scheduler"):
        environment.start(component, pip.SUCCESS)
    environment.start("WebServer", pip.NO_SUCH_VERSION)
    assert environment.installation("humanize", WebserverAccessMode="PRIVATE_ONLY").verdict == "good"
    assert environment.installation("humanize", WebserverAccessMode="PUBLIC_AND_PRIVATE").verdict == "bad"


def test_scheduler_and_worker_of_mw1_micro_log_as_worker(environment: Environment) -> None:
    environment.start("Worker", pip.SUCCESS)
    assert environment.installation("humanize", EnvironmentClass="mw1.micro").verdict == "good"


class Late:
    """An AWS CLI; the remaining lines arrive after it has read a log for the first time."""

    def __init__(self, aws: Aws, arrive: Any) -> None:
        self._aws, self._arrive = aws, arrive

    def call(self, *arguments: str) -> Any:
        response = self._aws.call(*arguments)
        if arguments[1] == "get-log-events":
            self._arrive()
            self._arrive = lambda: None
        return response


def test_lines_that_arrive_late_are_waited_for(aws: Aws, environment: Environment) -> None:
    first, _, rest = pip.SUCCESS.partition("Installing")
    streams = {component: environment.start(component, first) for component in COMPONENTS}

    def arrive() -> None:
        for component, stream in streams.items():
            environment.write(component, stream, "Installing" + rest)

    environment.aws = Late(aws, arrive)  # type: ignore[assignment]
    assert environment.installation("humanize", patience=Patience(30, 30, 0, 0)).verdict == "good"
