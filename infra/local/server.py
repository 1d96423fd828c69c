"""AWS on one machine: one endpoint for the AWS CLI, boto3 and pip, in front of moto and of the stand-ins."""

from __future__ import annotations

import io
import json
import os
import threading
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
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
from infra.local.moto import (
    alarms,
    cloudformation,
    ec2,
    filter_pattern,
    iam,
    lambda_runtime,
    resources,
    s3,
    vpc,
)
from infra.local.moto.iam import Iam, RefusedError, caller_of_request
from infra.local.moto.requested import service_of
from infra.local.moto.schedule import Schedule
from infra.local.mwaa.control_plane import control_plane as mwaa_control_plane
from infra.local.mwaa.environments import Environments
from infra.local.mwaa.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REGION = "eu-west-1"
_ANSWERS_PATH = "/custom-resource-answers/"


class Server:
    """Serve AWS while the context is entered.

    :param folder: where packages and environments live; must not exist.
    :param port: of the endpoint on 127.0.0.1 (0: a free one).
    :param airflow_port: of an environment's UI.
    :param say: told every line of progress, with the name of who speaks.
    :param run_airflow: whether environments have containers with Airflow (default), or MWAA's checks only.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        airflow_port: int,
        say: Callable[[str, str], None],
        *,
        run_airflow: bool = True,
    ) -> None:
        self.codeartifact = CodeArtifact(now=lambda: datetime.now(UTC), packages_dir=folder / "packages")
        self._folder, self._say = folder, say
        self.iam = Iam(f"administrator-{uuid.uuid4().hex[:8]}")
        self._keys = self.iam.administrator_keys(REGION)
        self._moto = self.iam.guard(s3.one_put_at_a_time(DomainDispatcherApplication(create_backend_app)))
        self._http = make_server("127.0.0.1", port, self._dispatch, threaded=True, request_handler=vpc.Handler)
        self.endpoint_url = f"http://127.0.0.1:{self._http.server_port}"
        self._opened = ExitStack()
        self._proxies = vpc.Proxies(self.endpoint_url, self._dispatch, lambda line: say("vpc", line))
        around = Surroundings(
            folder=folder / "environments",
            endpoint_url=lambda: self.endpoint_url,
            client=cache(self.client),  # it takes a while to make, and serves every thread
            say=lambda line: say("mwaa", line),
            region=REGION,
            port=airflow_port,
            executor="celery" if os.environ.get("LOCAL_EXECUTOR") == "celery" else "local",
            assume_role=lambda role_arn, service, context: iam.assume_role(role_arn, service, REGION, context),
            role_may=self.iam.role_may,
            network=vpc.Vpc,
            proxy_url=self.proxy_url,
        )
        self.environments = Environments(around, run_airflow=run_airflow)

    def __enter__(self) -> Self:
        """Start serving."""
        folder = self._folder
        folder.mkdir(parents=True)
        cloudformation.install(lambda: self.endpoint_url + _ANSWERS_PATH, REGION)
        ec2.install()
        iam.install()
        s3.install()
        alarms.install()
        filter_pattern.install()
        lambda_runtime.install(lambda: self.endpoint_url, self.iam.role_may)
        resources.install(resources.Backends(self.codeartifact, self.environments, self.client))
        upstream = self._opened.enter_context(Upstream(read_pip_settings()))
        self._services: dict[str, WSGIApplication] = {
            "codeartifact": codeartifact_control_plane(self.codeartifact, lambda: self.endpoint_url),
            "airflow": self.iam.guard(mwaa_control_plane(self.environments)),
        }
        self._index = index(self.codeartifact, upstream)
        thread = threading.Thread(target=self._http.serve_forever, name="aws")
        thread.start()
        self._opened.callback(thread.join)
        self._opened.callback(self._http.server_close)
        self._opened.callback(self._http.shutdown)
        self._opened.callback(lambda_runtime.stop)
        self._opened.callback(cloudformation.stop)
        self._opened.callback(self._proxies.close)
        self._opened.callback(self.environments.stop)
        self.alarms = alarms.Alarms(REGION, lambda line: self._say("cloudwatch", line))
        self._opened.callback(self.alarms.stop)
        self.schedule = Schedule(REGION, lambda line: self._say("events", line))
        self._opened.callback(self.schedule.stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop everything."""
        self._opened.close()

    @property
    def environ(self) -> dict[str, str]:
        """Give the environment variables with which the AWS CLI and boto3 come here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # there is no api.127.0.0.1
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self._keys,
        }

    def client(self, service: str) -> Any:
        """Give the administrator's boto3 client of a service.

        :param service: such as s3.
        """
        session: Any = boto3.Session(
            self._keys["AWS_ACCESS_KEY_ID"], self._keys["AWS_SECRET_ACCESS_KEY"], region_name=REGION
        )
        return session.client(service, endpoint_url=self.endpoint_url, config=Config(inject_host_prefix=False))

    def proxy_url(self, subnet_ids: Iterable[str], group_ids: Iterable[str]) -> str:
        """Return the address of the forward proxy through which what runs in these subnets reaches AWS.

        :param subnet_ids: of the environment.
        :param group_ids: its security groups.
        """
        return self._proxies.url(vpc.Vpc(tuple(subnet_ids), tuple(group_ids)))

    def _dispatch(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(_ANSWERS_PATH):
            return _take_answer(environ, start_response)
        if vpc.INDEX_PATH.match(path):
            return self._index(environ, start_response)
        request = Request(environ)
        environ["wsgi.input"] = io.BytesIO(request.get_data())
        try:
            caller = environ[CALLER] = self.iam.caller(request)
            vpc.expect_proxy(environ, caller)
        except RefusedError as error:
            return error.response(request)(environ, start_response)
        asking = caller_of_request.set(caller)
        try:
            return self._services.get(service_of(request), self._moto)(environ, start_response)
        finally:
            caller_of_request.reset(asking)


def _take_answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = Request(environ)
    waiting = cloudformation.CustomResource.answers.get(request.path.removeprefix(_ANSWERS_PATH))
    if request.method != "PUT" or waiting is None:
        return Response(status=404)(environ, start_response)
    waiting.put(json.loads(request.get_data()))
    return Response()(environ, start_response)
