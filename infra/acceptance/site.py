"""A deployment, controlled through the make targets and AWS's own APIs only, on AWS as on this machine."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import ROOT, mwaa_facts
from infra.deploy.upload import INDEX_URL_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DAG_RUN = timedelta(minutes=5)
# The shortest lifetime that CodeArtifact grants (API: GetAuthorizationToken, durationSeconds).
_SHORTEST_TOKEN = timedelta(minutes=15)
# An Airflow that has just started, or whose database is busy, needs some more time.
_ATTEMPTS, _PAUSE_SECONDS = 6, 5
PROBE_DAG = ROOT / "infra" / "acceptance" / "probe_dag.py"


class Site:
    """A deployment and the requests to it.

    :param settings: the deployment's settings, as environment variables: ENVIRONMENT_NAME, BUCKET_NAME, AWS_REGION etc.
    :param say: prints a line of progress; called with its speaker and its text.
    :param root: the Makefile's folder.
    """

    # pip's target for packages that the image does not contain: in the image, HOME is AIRFLOW_HOME, and pip installs to
    # the user's packages.
    packages = f"{mwaa_facts.AIRFLOW_HOME}/.local/"

    def __init__(self, settings: Mapping[str, str], say: Callable[[str, str], None], root: Path) -> None:
        # The user's .env is for the user's deployments.
        self.settings, self.say, self.root = {**settings, "ENV_FILE": os.devnull}, say, root
        self.name, self.bucket = settings["ENVIRONMENT_NAME"], settings["BUCKET_NAME"]
        self.lines: list[str] = []
        self._runs = 0

    def make(self, target: str, *arguments: str) -> None:
        """Run a make target and print its output.

        :param target: the target.
        :param arguments: further arguments for make.
        :raises RuntimeError: if it fails.
        """
        with subprocess.Popen(
            ["make", "--no-print-directory", target, *arguments],
            cwd=self.root,
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                self.lines.append(line.rstrip())
                self.say(target, line.rstrip())
        if process.returncode:
            raise RuntimeError(f"`make {target}` failed")

    def client(self, service: str) -> Any:
        """Return a boto3 client in the deployment's Region.

        :param service: the service, such as s3.
        """
        session: Any = boto3.Session(
            profile_name=self.settings.get("AWS_PROFILE"), region_name=self.settings["AWS_REGION"]
        )
        return session.client(service, config=Config(retries={"mode": "standard"}))

    def environment(self) -> dict[str, Any]:
        """Return the environment (API: GetEnvironment)."""
        found: dict[str, Any] = self.client("mwaa").get_environment(Name=self.name)["Environment"]
        return found

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a stack's outputs.

        :param stack: the stack, such as ``network``.
        """
        found = self.client("cloudformation").describe_stacks(StackName=f"{self.name}-{stack}")["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}

    def index_url_facts(self) -> dict[str, str]:
        """Return the metadata of the index-url file, from a HEAD."""
        metadata: dict[str, str] = self.client("s3").head_object(Bucket=self.bucket, Key=INDEX_URL_KEY)["Metadata"]
        return metadata

    def log_lines(self, component: str, stream_prefix: str) -> Iterator[str]:
        """Yield the lines of an environment's log streams, the oldest first.

        :param component: the component, such as ``Worker``.
        :param stream_prefix: first part of the streams' names, such as ``requirements_install``.
        """
        pages = self.client("logs").get_paginator("filter_log_events")
        group = f"airflow-{self.name}-{component}"
        for page in pages.paginate(logGroupName=group, logStreamNamePrefix=stream_prefix):
            for event in page["events"]:
                yield event["message"]

    def airflow(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Call Airflow's REST API through MWAA's InvokeRestApi.

        :param method: HTTP method.
        :param path: below the API's root, such as ``/dags``; at most 64 characters (API reference: InvokeRestApi).
        :param body: JSON types (default: none).
        :param query: query parameters.
        :raises RuntimeError: if Airflow refuses.
        """
        mwaa = self.client("mwaa")
        more = {name: value for name, value in (("Body", body), ("QueryParameters", query)) if value}
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                answer = mwaa.invoke_rest_api(Name=self.name, Method=method, Path=path, **more)
            except mwaa.exceptions.RestApiClientException as error:
                raise RuntimeError(f"Airflow refused {method} {path}: {error.response['RestApiResponse']}") from error
            except mwaa.exceptions.RestApiServerException as error:
                if not attempts_left:
                    raise RuntimeError(f"Airflow failed at {method} {path}: {error}") from error
                time.sleep(_PAUSE_SECONDS)
            else:
                return answer["RestApiResponse"]
        raise AssertionError  # the last attempt has returned or raised

    def run_dag(self, dag: str, **params: object) -> str:
        """Wait until a DAG is parsed, unpause and trigger it, wait for its success, and return the run's id.

        :param dag: the DAG's id.
        :param params: parameters of the run.
        :raises RuntimeError: if it does not succeed in time.
        """
        deadline = time.monotonic() + _DAG_RUN.total_seconds()
        self.wait_until(lambda: self._knows(dag), deadline, f"Airflow did not parse {dag} within {_DAG_RUN}")
        self.pause(dag, is_paused=False)
        self._runs += 1
        # A short id: it is a part of paths, whose length is limited.
        body: dict[str, object] = {"dag_run_id": f"p{self._runs}", "conf": params}
        if not self.environment()["AirflowVersion"].startswith("2."):
            body["logical_date"] = None  # required in Airflow 3, where it may be null
        run: str = self.airflow("POST", f"/dags/{dag}/dagRuns", body)["dag_run_id"]
        state = "queued"
        while state in {"queued", "running"}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag} did not end within {_DAG_RUN}")
            time.sleep(1)
            state = self.airflow("GET", f"/dags/{dag}/dagRuns/{run}")["state"]
        if state != "success":
            raise RuntimeError(f"{dag} ended with {state}")
        return run

    def _knows(self, dag: str) -> bool:
        return any(known["dag_id"] == dag for known in self.airflow("GET", "/dags", limit=100)["dags"])

    def pause(self, dag: str, *, is_paused: bool) -> None:
        """Pause or unpause a DAG.

        :param dag: the DAG's id.
        :param is_paused: the new state.
        """
        self.airflow("PATCH", f"/dags/{dag}", {"is_paused": is_paused}, update_mask="is_paused")

    @contextmanager
    def probe_uploaded_early(self) -> Iterator[None]:
        """Upload the probe DAG as soon as the bucket exists, while the context is entered.

        Airflow looks for new files only every five minutes, but parses existing files as soon as it starts.
        """
        over = threading.Event()

        def upload() -> None:
            s3 = self.client("s3")
            while not over.wait(2):
                with suppress(ClientError, BotoCoreError):
                    key = f"dags/{PROBE_DAG.name}"
                    s3.put_object(Bucket=self.bucket, Key=key, Body=PROBE_DAG.read_bytes())
                    return

        thread = threading.Thread(target=upload, name="probe", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def probe(self, **params: object) -> dict[str, Any]:
        """Run the probe DAG on the environment and return its result.

        :param params: parameters of the run, see ``probe_dag.py``.
        """
        run = self.run_dag("probe", **params)
        path = f"/dags/probe/dagRuns/{run}/taskInstances/t/xcomEntries/return_value"
        found: dict[str, Any] = self.airflow("GET", path, stringify="false")["value"]
        return found

    def short_token(self) -> tuple[str, datetime]:
        """Mint a token of the deployment's domain with the shortest lifetime; return it and its expiry."""
        names = self.outputs("repository")
        answer = self.client("codeartifact").get_authorization_token(
            domain=names["DomainName"],
            domainOwner=names["DomainOwner"],
            durationSeconds=int(_SHORTEST_TOKEN.total_seconds()),
        )
        return answer["authorizationToken"], answer["expiration"].astimezone(UTC)

    @staticmethod
    def wait_until(holds: Callable[[], bool], deadline: float, failure: str, every_seconds: float = 1) -> None:
        """Wait until a condition holds.

        :param holds: checks the condition; called repeatedly.
        :param deadline: monotonic time (s).
        :param failure: the error's text.
        :param every_seconds: time between two checks (default: 1).
        :raises RuntimeError: if the condition does not hold in time.
        """
        while not holds():
            if time.monotonic() > deadline:
                raise RuntimeError(failure)
            time.sleep(every_seconds)
