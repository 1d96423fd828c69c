"""The AWS CLI in one lasting process: the same commands, without a start of one second for each.

Run as a program, it is that process: it reads a command and its environment as a line of JSON, and writes the result.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.cli.aws import Aws

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping


@dataclass
class Ended:
    """A process that has ended, with the attributes that the deployer uses."""

    args: list[str]
    returncode: int
    output: str
    errors: str

    def communicate(self) -> tuple[str, str]:
        return self.output, self.errors

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        return self.returncode

    def terminate(self) -> None:
        """Do nothing: it has ended."""


class WaitingCli(Aws):
    """An AWS CLI whose commands run in a process that has started already.

    :param process: runs this file.
    :param region: the AWS Region.
    :param environ: the environment of the CLI.
    """

    def __init__(self, process: subprocess.Popen[str], region: str, environ: Mapping[str, str]) -> None:
        super().__init__(region, environ)
        self._process, self._variables = process, dict(environ)

    def start(self, *arguments: str) -> Any:
        command = [*arguments, "--region", self.region]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, self._variables]) + "\n")
        self._process.stdin.flush()
        return Ended(["aws", *command], *json.loads(self._process.stdout.readline()))


def main() -> None:
    """Run commands until the input ends."""
    from awscli.clidriver import create_clidriver  # type: ignore[import-untyped]  # noqa: PLC0415  (only this process)

    results = sys.stdout
    drivers: dict[str, Any] = {}
    for line in sys.stdin:
        command, environ = json.loads(line)
        output, errors = io.StringIO(), io.StringIO()
        os.environ.update(environ)
        with redirect_stdout(output), redirect_stderr(errors):
            driver = drivers.setdefault(json.dumps(environ), create_clidriver())
            status = driver.main(command)
        print(json.dumps([status, output.getvalue(), errors.getvalue()]), file=results, flush=True)


if __name__ == "__main__":
    main()
