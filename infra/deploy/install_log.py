"""Read pip's output of the environment's starting containers from the logs; MWAA reports it nowhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import waiting
from infra.deploy.pip_log import PipOutcome, judge
from infra.deploy.polling import patient
from infra.mwaa_facts import INSTALLING_COMPONENTS, LOG_PREFIX, PIP_SECONDS, REQUIREMENTS_STREAM

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from infra.cli.aws import Aws


@dataclass(frozen=True)
class Patience:
    """The times to wait for the logs; MWAA sends lines every 10 s (image: cloudwatch_handlers.py).

    :param missing: seconds after which a component without a new stream counts as silent.
    :param ending: seconds after which a stream without a result counts as ended; MWAA stops pip after 9 minutes.
    :param settled: seconds without a new line after which a result counts that a later line could change.
    :param between: seconds between two requests.
    """

    missing: float = 180
    ending: float = PIP_SECONDS
    settled: float = 15
    between: float = 5


PATIENCE = Patience()


@dataclass(frozen=True)
class Installation:
    """pip's results in the containers of an environment.

    :param outcomes: by (log group, stream).
    :param silent: log groups of components that should have a new stream and have none.
    """

    outcomes: Mapping[tuple[str, str], PipOutcome]
    silent: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Return good if pip succeeded in every container, bad if it failed in one, else none."""
        verdicts = {outcome.verdict for outcome in self.outcomes.values()}
        if "bad" in verdicts:
            return "bad"
        return "good" if verdicts == {"good"} and not self.silent else "none"

    @property
    def installed(self) -> tuple[str, ...]:
        """Return the names and versions that were installed in any container."""
        return tuple(sorted({name for outcome in self.outcomes.values() for name in outcome.installed}))

    @property
    def errors(self) -> tuple[str, ...]:
        """Return pip's error lines without repetitions."""
        return tuple(dict.fromkeys(line for outcome in self.outcomes.values() for line in outcome.errors))

    @property
    def reason(self) -> str:
        """Return the reason, in one sentence, for a verdict that is not good."""
        if self.verdict == "bad":
            return next(outcome.cause for outcome in self.outcomes.values() if outcome.verdict == "bad")
        unfinished = [f"{stream} in {group}" for (group, stream), each in self.outcomes.items() if not _concluded(each)]
        missing = [
            f"no container has written to a new stream {REQUIREMENTS_STREAM}_… of {group}" for group in self.silent
        ]
        missing += [f"the stream {stream} ends without pip's last line" for stream in unfinished]
        return "; ".join(missing)


_UNKNOWN = PipOutcome("none")


@dataclass
class _Stream:
    """The part of a stream that has been read."""

    lines: list[str] = field(default_factory=list)
    token: str = ""
    changed: float = 0
    outcome: PipOutcome = _UNKNOWN


def await_installation(
    aws: Aws,
    environment: Mapping[str, Any],
    since_milliseconds: int,
    required: Collection[str],
    patience: Patience | None = None,
) -> Installation:
    """Wait until the logs of every container that has started since then contain pip's result, and return the results.

    :param aws: the runner.
    :param environment: GetEnvironment's answer.
    :param since_milliseconds: Unix time by AWS's clock; older streams belong to earlier containers.
    :param required: normalized names of the requirements in requirements.txt.
    :param patience: how long to wait (default: PATIENCE).
    """
    return _Reader(aws, environment, since_milliseconds, required, patience or PATIENCE).wait()


class _Reader:
    def __init__(
        self,
        aws: Aws,
        environment: Mapping[str, Any],
        since: int,
        required: Collection[str],
        patience: Patience,
    ) -> None:
        self._aws, self._since, self._required, self._patience = aws, since, required, patience
        self._name = environment["Name"]
        self._judged = _judged(environment)
        self._expected = _expected(environment)
        self._streams: dict[tuple[str, str], _Stream] = {}

    def wait(self) -> Installation:
        """Poll until every expected stream has a result, or the time is up."""
        start = time.monotonic()
        with waiting(f"pip's verdict in the logs of {self._name}"):
            while True:
                self._read_new()
                passed = time.monotonic() - start
                silent = self._silent()
                late = passed >= (self._patience.missing if silent else self._patience.ending)
                if late or (not silent and all(map(self._is_complete, self._streams.values()))):
                    outcomes = {place: stream.outcome for place, stream in self._streams.items()}
                    return Installation(outcomes, silent)
                time.sleep(self._patience.between)

    def _silent(self) -> tuple[str, ...]:
        with_streams = {group for group, _ in self._streams}
        return tuple(group for group in map(self._group, self._expected) if group not in with_streams)

    def _is_complete(self, stream: _Stream) -> bool:
        quiet = time.monotonic() - stream.changed >= self._patience.settled
        return stream.outcome.final or (_concluded(stream.outcome) and quiet)

    def _read_new(self) -> None:
        for group in map(self._group, self._judged):
            for name in patient(partial(self._new_streams, group)):
                self._read(group, name, self._streams.setdefault((group, name), _Stream(changed=time.monotonic())))

    def _group(self, component: str) -> str:
        return f"airflow-{self._name}-{component}"

    def _new_streams(self, group: str) -> list[str]:
        """Return the streams of containers that have started since then; the AWS CLI reads all pages."""
        options = ["--log-group-name", group, "--log-stream-name-prefix", REQUIREMENTS_STREAM]
        try:
            found = self._aws.call("logs", "describe-log-streams", *options)["logStreams"]
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            return []
        return [each["logStreamName"] for each in found if each["creationTime"] >= self._since]

    def _read(self, group: str, name: str, stream: _Stream) -> None:
        """Read a stream's new events, page by page, until the next page's token stays the same.

        A page may be empty although more follow (CloudWatch Logs API: GetLogEvents, nextForwardToken).
        """
        options = ["--log-group-name", group, "--log-stream-name", name, "--start-from-head"]
        while not stream.outcome.final:
            page = ["--next-token", stream.token] if stream.token else []
            answer = patient(partial(self._aws.call, "logs", "get-log-events", *options, *page))
            if answer["events"]:
                stream.lines += [_without_prefix(event["message"]) for event in answer["events"]]
                stream.changed, stream.outcome = time.monotonic(), judge(stream.lines, self._required)
            before, stream.token = stream.token, answer["nextForwardToken"]
            if stream.token == before:
                break


def _without_prefix(message: str) -> str:
    prefix = LOG_PREFIX.match(message)
    return message[prefix.end() if prefix else 0 :].rstrip()


def _judged(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the components whose pip result counts.

    A PRIVATE_ONLY web server cannot reach an index-url while it installs (guide, "Installing Python dependencies"), so
    its pip always fails.
    """
    private = environment.get("WebserverAccessMode") == "PRIVATE_ONLY"
    return tuple(each for each in INSTALLING_COMPONENTS if not (private and each == "WebServer"))


def _expected(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the components that must have a stream; mw1.micro has one container for scheduler and worker, a Worker."""
    micro = environment.get("EnvironmentClass") == "mw1.micro"
    return ("Worker",) if micro else _judged(environment)


def _concluded(outcome: PipOutcome) -> bool:
    return outcome.verdict == "good" or any(not line.startswith("WARNING: ") for line in outcome.errors)
