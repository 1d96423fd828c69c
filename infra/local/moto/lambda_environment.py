"""One execution environment of a Lambda function: an unpacked zip, a process on it, and its log stream."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tempfile
import threading
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
        with zipfile.ZipFile(io.BytesIO(package)) as zipped:
            zipped.extractall(self._folder / "task")
        command, pipe = [python, "-B", str(_PROCESS)], subprocess.PIPE
        with (self._folder / "log").open("wb") as log:
            where = self._folder / "task"
            self._process: Any = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, env=variables, cwd=where
            )
        self._log = (self._folder / "log").open(encoding="utf-8", errors="replace")

    @property
    def is_usable(self) -> bool:
        """Return whether it can take another event."""
        return self._process.poll() is None and time.monotonic() - self._born < _LIFE_SECONDS

    def run(self, event: Any, timeout: float) -> tuple[Any, bool, str]:
        """Return the result of one event, whether the function failed, and what it logged.

        :param timeout: seconds, after which it is ended.
        """
        deadline = time.monotonic() + timeout
        killer = threading.Timer(timeout, self._process.kill)
        killer.daemon = True
        killer.start()
        try:
            self._process.stdin.write(json.dumps(event).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        killer.cancel()
        if answer.endswith(b"\n"):
            result, failed = json.loads(answer)
        elif time.monotonic() >= deadline:
            message = f"Task timed out after {timeout:.2f} seconds"
            result, failed = {"errorMessage": message, "errorType": "Sandbox.Timedout"}, True
        else:
            message = f"Runtime exited with status {self._process.wait()}"
            result, failed = {"errorMessage": message, "errorType": "Runtime.ExitError"}, True
        return result, failed, self._log.read()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
