"""An AWS whose CodeArtifact mints tokens of any lifetime, and has an in-house package.

The program part runs with the interpreter of the project's tools: see ``aws_server.py``. It prints its environment
variables, then takes one number of seconds a line: the lifetime of the tokens that are minted from then on.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.airflow.support import aws_process
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE, VERSION = "in-house-package", "7.0"


@dataclass(frozen=True)
class AwsWithLifetimes:
    """A client of this AWS.

    :param environ: the environment variables with which a process reaches it.
    """

    environ: dict[str, str]
    orders: IO[str]
    responses: IO[str]

    def set_token_lifetime(self, seconds: int) -> None:
        """Set the lifetime of the tokens that are minted from now on."""
        self.orders.write(f"{seconds}\n")
        self.orders.flush()
        assert self.responses.readline() == f"{seconds}\n"


@contextmanager
def served(folder: Path) -> Iterator[AwsWithLifetimes]:
    """Run this AWS in a process of its own.

    :param folder: for its state.
    """
    with aws_process(Path(__file__), folder) as reached:
        yield AwsWithLifetimes(*reached)


def serve(folder: str, domain: str, owner: str, repository: str, region: str) -> None:
    """Serve until standard input is closed."""
    server_class = import_module("infra.local.server").Server
    with server_class(Path(folder), 0, 0, lambda *_: None) as server:
        account = server.codeartifact.of(owner, region)
        account.create_domain(domain)
        repository_ = account.create_repository(domain, repository)
        repository_.publish(PACKAGE, *wheel(PACKAGE.replace("-", "_"), VERSION))
        print(json.dumps(server.environ), flush=True)  # noqa: T201  (read by the process that started this one)
        for line in sys.stdin:
            server.codeartifact.token_life_limit = timedelta(seconds=int(line))
            print(line, end="", flush=True)  # noqa: T201  (the same)


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
