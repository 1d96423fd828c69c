"""The process in which the stand-in runs a deployed function; its working directory is the unpacked zip.

It reads one event a line from standard input and runs one after another, like a warm Lambda runtime. It writes each
result, and whether the function failed, to standard output. The function's own output goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def main() -> None:
    """Call the handler in _HANDLER with every event."""
    logging.basicConfig(stream=sys.stderr, format="[%(levelname)s] %(message)s")
    sys.path.insert(0, str(Path.cwd()))
    results, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        results.write(json.dumps(_run(json.loads(line))) + "\n")
        results.flush()


def _run(event: Any) -> tuple[Any, bool]:
    """Return the handler's result or error, and whether it failed."""
    deadline = time.monotonic() + float(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])
    context = SimpleNamespace(
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        get_remaining_time_in_millis=lambda: int((deadline - time.monotonic()) * 1000),
    )
    module, function = os.environ["_HANDLER"].rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), function)(event, context), False
    except Exception as error:  # noqa: BLE001  (a Lambda runtime reports every exception)
        traceback.print_exc()
        return {"errorMessage": str(error), "errorType": type(error).__name__}, True


if __name__ == "__main__":
    main()
