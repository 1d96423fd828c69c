"""One execution environment of a Lambda function: an unpacked zip, a process on it, and its log stream."""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

_PROCESS = Path(__file__).with_name("lambda_process.py")
# Before its role's credentials, which it got at its start, expire.
_LIFE_SECONDS = 50 * 60


class ExecutionEnvironment:
    """Run events one after another.

    :param python: the interpreter.
    :param package: the function's zip.
    :param variables: environment variables of the process.
    :param stream: name of its log stream.
    """

    def __init__(self, python: str, package: bytes, variables: dict[str, str], stream: str) -> None:
        self.stream, self._born = stream, time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="lambda-"))
        task = self._folder / "task"
        with zipfile.ZipFile(io.BytesIO(package)) as zipped:
            zipped.extractall(task)
        self._results, results = os.pipe()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [python, "-B", str(_PROCESS)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**variables, "RESULTS_FD": str(results)},
                cwd=task,
                pass_fds=(results,),
            )
        os.close(results)
        self._log = (self._folder / "log").open(encoding="utf-8", errors="replace")

    @property
    def is_usable(self) -> bool:
        """Return whether it can take another event."""
        return self._process.poll() is None and time.monotonic() - self._born < _LIFE_SECONDS

    def run(self, event: Any, timeout: float) -> tuple[Any, bool, str]:
        """Return the result of one event, whether the function failed, and what it logged.

        :param timeout: seconds, after which it is ended.
        """
        try:
            assert self._process.stdin is not None  # noqa: S101  (for mypy: it is a pipe)
            self._process.stdin.write(json.dumps(event).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._answer(time.monotonic() + timeout)
        except BrokenPipeError:
            answer = b""
        if answer is None:
            self._process.kill()
            message = f"Task timed out after {timeout:.2f} seconds"
            result, failed = {"errorMessage": message, "errorType": "Sandbox.Timedout"}, True
        elif not answer.endswith(b"\n"):
            self._process.wait()
            message = f"Runtime exited with status {self._process.returncode}"
            result, failed = {"errorMessage": message, "errorType": "Runtime.ExitError"}, True
        else:
            result, failed = json.loads(answer)
        return result, failed, self._log.read()

    def _answer(self, deadline: float) -> bytes | None:
        """Read until the end of a line or of the process; None when neither comes in time."""
        answer = b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self._results], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            part = os.read(self._results, 1 << 16)
            if not part:
                break
            answer += part
        return answer

    def stop(self) -> None:
        """End the process."""
        if self._process.stdin and not self._log.closed:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            os.close(self._results)
            self._log.close()
            shutil.rmtree(self._folder, ignore_errors=True)
