"""The function as deployed, in its own process, and a server that receives its responses to CloudFormation."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from infra.local.moto import lambda_process, lambda_runtime
from tests.infra.cloudformation.support import Stack
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REGION, REPOSITORY, assert_no_token
from tests.serving import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.plugins.mwaa_codeartifact.core.support import RecordedAws

LOG_STREAM = "2030/01/01/[$LATEST]0123456789abcdef"
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/test-refresher/0123"


@dataclass(frozen=True)
class Invocation:
    """The result and output of one invocation."""

    status: int
    result: Any
    metrics: list[dict[str, Any]]
    log: str


@dataclass(frozen=True)
class Function:
    """A function whose zip is unpacked in a folder.

    :param settings: environment variables of the function.
    """

    folder: Path
    aws: RecordedAws
    settings: Mapping[str, str]

    def __call__(
        self,
        event: Mapping[str, Any],
        *,
        timeout: float = 120,
        handler: str = "infra.refresher.handler.handler",
        changes: Mapping[str, str | None] | None = None,
    ) -> Invocation:
        """Invoke it with an event; a changed setting that is None is not set."""
        settings = {name: value for name, value in {**self.settings, **(changes or {})}.items() if value is not None}
        process = subprocess.run(
            [lambda_runtime.python(), "-B", lambda_process.__file__],
            input=json.dumps(event),
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": self.aws.url,
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_LAMBDA_FUNCTION_NAME": "test-refresher",
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
                "AWS_LAMBDA_LOG_STREAM_NAME": LOG_STREAM,
                "_HANDLER": handler,
                **settings,
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        if self.aws.state.minted:
            assert_no_token(self.aws.state, process.stdout, process.stderr)
        result, failed = json.loads(process.stdout)
        metrics = [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]
        return Invocation(failed, result, metrics, process.stderr)


def settings_for(bucket: str) -> dict[str, str]:
    """Return the function's environment variables as the template sets them for this bucket and the tests' domain."""
    names = {"EnvironmentName": "test", "DomainName": DOMAIN, "DomainOwner": OWNER, "RepositoryName": REPOSITORY}
    stack = Stack("refresher", REGION, BucketName=bucket, **names)
    variables: dict[str, str] = stack.resources["Refresher"]["Properties"]["Environment"]["Variables"]
    return variables


@dataclass
class CloudFormation:
    """CloudFormation's side: it makes custom resource requests and receives the responses.

    :param statuses: HTTP statuses for the next responses (default: always 200).
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answered: threading.Event = field(default_factory=threading.Event)

    def request(self, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": STACK_ID,
            "RequestId": "request-1",
            "LogicalResourceId": "Bootstrap",
            "ResourceType": "Custom::IndexUrl",
            "ResourceProperties": {},
            **more,
        }

    @property
    def answer(self) -> dict[str, Any]:
        """The only response."""
        (body,) = self.bodies
        answer: dict[str, Any] = json.loads(body)
        return answer


@contextmanager
def cloudformation() -> Iterator[CloudFormation]:
    """Receive responses over HTTP."""
    receiver = CloudFormation()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.content_types.append(self.headers["Content-Type"])
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            receiver.answered.set()

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        receiver.url = f"{url}/answer?signature=abc"
        yield receiver
