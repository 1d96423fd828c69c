"""AWS on one machine: one endpoint for the AWS CLI, boto3 and pip, in front of moto and of the stand-ins."""

from __future__ import annotations

import io
import os
import threading
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.cli.pip_settings import read_pip_settings
from infra.local.codeartifact.control_plane import control_plane as codeartifact_control_plane
from infra.local.codeartifact.index import index
from infra.local.codeartifact.store import CALLER, CodeArtifact
from infra.local.codeartifact.upstream import Upstream
from infra.local.moto import cloudformation, cloudwatch, gaps, lambda_runtime, resources, vpc
from infra.local.moto.iam import Iam, RefusedError, caller_of_request
from infra.local.moto.requested import service_of
from infra.local.mwaa.configuration import Surroundings
from infra.local.mwaa.environments import Environments
from infra.local.mwaa.environments import control_plane as mwaa_control_plane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REGION = "eu-west-1"
_ANSWERS_PATH = "/custom-resource-answers/"


class Server(ExitStack):
    """Serve AWS on a port (0: a free one) of 127.0.0.1 while the context is entered.

    :param folder: the folder for packages and environments; it must not exist.
    :param run_airflow: whether environments have containers with Airflow (default), or MWAA's checks only.
    """

    def __init__(
        self, folder: Path, port: int, airflow_port: int, say: Callable[[str, str], None], *, run_airflow: bool = True
    ) -> None:
        super().__init__()
        self._folder, self._say = folder, say
        self.codeartifact = CodeArtifact(lambda: datetime.now(UTC), folder / "packages", region=REGION)
        self.iam = Iam(f"administrator-{uuid.uuid4().hex[:8]}", REGION)
        self._http = make_server("127.0.0.1", port, self._dispatch, threaded=True, request_handler=vpc.Handler)
        self.endpoint_url = f"http://127.0.0.1:{self._http.server_port}"
        self._proxy = vpc.Proxy(self.endpoint_url, partial(say, "vpc"))
        self.proxy_url = self._proxy.url
        around = Surroundings(
            folder=folder / "environments",
            endpoint_url=lambda: self.endpoint_url,
            client=cache(self.client),  # slow to create, and safe to share between threads
            say=partial(say, "mwaa"),
            region=REGION,
            port=airflow_port,
            executor="celery" if os.environ.get("LOCAL_EXECUTOR") == "celery" else "local",
            role_may=self.iam.role_may,
            network=vpc.Vpc,
            proxy_url=self.proxy_url,
        )
        self.environments = Environments(around, run_airflow=run_airflow)

    def __enter__(self) -> Self:
        """Start serving."""
        self._folder.mkdir(parents=True)
        gaps.install()
        cloudwatch.install()
        cloudformation.install(REGION)
        lambda_runtime.install(lambda: self.endpoint_url, self.iam.role_may)
        stand_ins = {"codeartifact": self.codeartifact, "environments": self.environments}
        resources.install(**stand_ins, client=self.client, answers_url=self.endpoint_url + _ANSWERS_PATH)
        self._index = index(self.codeartifact, self.enter_context(Upstream(read_pip_settings())))
        self._moto = self.iam.guard(DomainDispatcherApplication(create_backend_app))
        self._services: dict[str, WSGIApplication] = {
            "codeartifact": codeartifact_control_plane(self.codeartifact, lambda: self.endpoint_url),
            "airflow": self.iam.guard(mwaa_control_plane(self.environments)),
        }
        thread = threading.Thread(target=self._http.serve_forever, name="aws")
        thread.start()
        self.alarms = cloudwatch.Alarms(REGION, partial(self._say, "cloudwatch"))
        self.schedule = cloudwatch.Schedule(REGION, partial(self._say, "events"))
        ends = [self.schedule.stop, self.alarms.stop, self.environments.stop, cloudformation.stop]
        ends += [lambda_runtime.stop, self._http.shutdown, self._http.server_close, thread.join]
        for end in reversed(ends):  # an ExitStack calls the last callback first
            self.callback(end)
        return self

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment variables that send the AWS CLI and boto3 to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # there is no api.127.0.0.1
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self.iam.keys,
        }

    def client(self, service: str) -> Any:
        """Return the administrator's boto3 client of a service."""
        key, secret = self.iam.keys.values()
        session: Any = boto3.Session(key, secret, region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint_url, config=Config(inject_host_prefix=False))

    def _dispatch(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._proxy.enter(environ)
        request = Request(environ)
        if request.path.startswith(_ANSWERS_PATH):
            return _take_answer(request)(environ, start_response)
        if vpc.INDEX_PATH.match(environ["PATH_INFO"]):
            return self._index(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(request.get_data())
        try:
            caller = environ[CALLER] = self.iam.caller(request)
            vpc.expect_proxy(environ, caller)
        except RefusedError as error:
            return error.response(request)(environ, start_response)
        caller_of_request.set(caller)  # a thread serves many requests
        return self._services.get(service_of(request), self._moto)(environ, start_response)


def _take_answer(request: Request) -> Response:
    waiting = resources.answers.get(request.path.removeprefix(_ANSWERS_PATH))
    if request.method != "PUT" or waiting is None:
        return Response(status=404)
    waiting.put(request.get_json(force=True))
    return Response()
