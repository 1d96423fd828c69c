"""Helpers of the tests in this folder: their own Airflow, AWS, and an AWS with canned responses."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mwaa_codeartifact.core.codeartifact import PROBE
from tests.airflow.airflow_commands import MARK
from tests.serving import running

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    from types_boto3_s3 import S3Client

ROOT = Path(__file__).parents[2]
REGION: Final = "eu-west-1"
DOMAIN, OWNER, REPOSITORY = "demo", "123456789012", "python"
KEY = "dags/codeartifact.txt"


@contextmanager
def aws_process(program: Path, folder: Path) -> Iterator[tuple[dict[str, str], IO[str], IO[str]]]:
    """Run AWS in a process of its own, with the interpreter that has moto, until the context ends.

    :param program: takes its settings as one JSON object, prints its environment variables, and serves until its
        standard input is closed.
    :param folder: for its state.
    :returns: the environment variables with which a process reaches it, its standard input, and its standard output.
    """
    names = {"domain": DOMAIN, "owner": OWNER, "repository": REPOSITORY, "region": REGION}
    command = [str(ROOT / ".venv/bin/python"), str(program), json.dumps({"folder": str(folder / "state"), **names})]
    environ = os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            variables = process.stdout.readline()
            assert variables, "AWS has not started: see its error output"
            yield json.loads(variables), process.stdin, process.stdout
        finally:
            process.stdin.close()  # it stops serving and ends
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.terminate()


def section(destination: str = "", **options: str) -> dict[str, str]:
    """Return the environment variables that set the ``[codeartifact]`` section."""
    settings = {
        "domain": DOMAIN,
        "domain_owner": OWNER,
        "repository": REPOSITORY,
        "region": REGION,
        "destination": destination,
    }
    return {f"AIRFLOW__CODEARTIFACT__{name.upper()}": value for name, value in (settings | options).items()}


@dataclass(frozen=True)
class AirflowHome:
    """The home of a separate Airflow, whose commands use only the PATH of this machine.

    :param path: AIRFLOW_HOME.
    :param dags: its DAGs folder.
    """

    path: Path
    dags: Path = ROOT / "dags"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(self.path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.path / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.path}/airflow.db",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # seconds until an ended task is seen
            "COLUMNS": "400",  # a traceback must not break a secret over two lines
        }

    def install_plugins(self) -> None:
        """Copy the plugins, so that no process writes into the source tree."""
        shutil.copytree(ROOT / "plugins", self.path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run this interpreter there and check that it succeeds."""
        ended = subprocess.run(  # noqa: PLW1510  (the return code is checked with the output)
            [sys.executable, *arguments], env=self.environ, cwd=self.path, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def commands(self, *steps: tuple[Mapping[str, str | None], list[str]]) -> list[tuple[str, str]]:
        """Run Airflow commands in one process; return the output and exit code of each."""
        ended = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("airflow_commands.py"))],
            input=json.dumps(steps),
            env=self.environ,
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=300,
        )
        *outputs, rest = ended.stdout.split(MARK)
        assert len(outputs) == len(steps), ended.stdout
        codes = [part.partition("\n")[0].strip() for part in (*outputs[1:], rest)]
        return list(zip(outputs, codes, strict=True))

    def query(self, sql: str, *parameters: str) -> list[Any]:
        """Return the rows of a query of the metadata database."""
        with sqlite3.connect(self.path / "airflow.db") as database:
            rows = database.execute(sql, parameters).fetchall()
        database.close()
        return rows

    def files_with(self, text: str) -> list[str]:
        """Return the files that contain a text, including the database and every log."""
        return [str(path) for path in self.path.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@dataclass(frozen=True)
class ServedAws:
    """The AWS of this run.

    :param environ: the environment variables with which a process reaches it.
    :param s3: a client.
    """

    environ: dict[str, str]
    s3: S3Client

    def bucket(self, name: str) -> str:
        """Create a versioned bucket and return the URI of its index-url file."""
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return f"s3://{name}/{KEY}"

    def put_line(self, bucket: str, *, lifetime: timedelta, key: str = KEY) -> str:
        """Publish like the Lambda, with a token that no repository accepts; return the version id."""
        now = datetime.now(UTC)
        metadata = {
            "token-expires-at": (now + lifetime).isoformat(timespec="seconds"),
            "refreshed-at": now.isoformat(timespec="seconds"),
            "refreshed-by": "lambda",
            "token-fingerprint": "0123456789ab",
            "repository": f"{REGION}/{OWNER}/{DOMAIN}/{REPOSITORY}",
        }
        return self.s3.put_object(Bucket=bucket, Key=key, Body=b"--index-url old\n", Metadata=metadata)["VersionId"]

    def versions(self, bucket: str, key: str = KEY) -> list[Line]:
        """Return all published versions, the oldest first."""
        listed = self.s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
        lines = []
        for version in reversed(listed):
            found = self.s3.get_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            lines.append(Line(version["VersionId"], found["Metadata"], found["Body"].read().decode()))
        return lines


@dataclass(frozen=True)
class Line:
    """One version of an index-url file."""

    version_id: str
    metadata: dict[str, str]
    body: str

    @property
    def token(self) -> str:
        """Return the secret in the line."""
        return self.body.partition("//aws:")[2].partition("@")[0]


@dataclass
class CannedAws:
    """A server with canned responses that records every request.

    :param responses: path, without its query, to status and body; an AWS error's code is in the body.
    :param default: the response on every other path.
    """

    responses: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)
    default: tuple[int, dict[str, object]] = (500, {"code": "InternalError", "message": "it broke"})
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    url: str = ""

    def calls(self) -> list[str]:
        """Return the method and path of every request."""
        return [request for request, _ in self.requests]

    def respond(self, request: str, headers: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        self.requests.append((request, headers))
        return self.responses.get(request.partition(" ")[2].partition("?")[0], self.default)

    @contextmanager
    def served(self, tls: ssl.SSLContext | None = None) -> Iterator[CannedAws]:
        """Serve on a free port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        with running(server):
            yield self

    def respond_with_token(self, token: str, *, verdict: int) -> None:
        """Mint this token from now on; the repository responds to it with a status."""
        expires_at = (datetime.now(UTC) + timedelta(hours=12)).timestamp()
        self.responses |= {
            "/v1/authorization-token": (200, {"authorizationToken": token, "expiration": expires_at}),
            "/v1/repository/endpoint": (200, {"repositoryEndpoint": f"{self.url}/pypi/{REPOSITORY}/"}),
            f"/pypi/{REPOSITORY}/simple/{PROBE}/": (verdict, {}),
        }


def _handler(canned: CannedAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = canned.respond(f"{self.command} {self.path}", dict(self.headers))
            content = json.dumps(body).encode()
            self.send_response(status)
            if "code" in body:
                self.send_header("x-amzn-errortype", str(body["code"]))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = _respond  # noqa: N815  (http.server's names)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
