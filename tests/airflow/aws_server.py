"""Serve AWS for the tests in this folder: S3, and CodeArtifact with one domain and one repository.

Runs with the interpreter of the project's tools, because Airflow's environment has no moto. It imports
modules by name, because these tests are type-checked against Airflow's environment. Takes its settings as one JSON
object on the command line, prints its endpoint, and serves until its standard input is closed.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path


def serve(folder: str, domain: str, owner: str, repository: str, region: str) -> None:
    server_class = import_module("infra.local.server").Server
    with server_class(Path(folder), 0, 0, lambda *_: None) as server:
        codeartifact = server.codeartifact.of(owner, region)
        codeartifact.create_domain(domain)
        codeartifact.create_repository(domain, repository)  # not connected: no test needs the public index
        print(json.dumps(server.environ), flush=True)  # noqa: T201  (read by the process that started this one)
        sys.stdin.read()


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
