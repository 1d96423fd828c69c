"""The process in which the stand-in runs a deployed function: the unpacked zip is its working directory.

Reads events from standard input, one a line, and runs them one after another, like a Lambda runtime that stays warm:
what the function keeps in its modules is there for the next event. The result of each goes to the file descriptor that
RESULTS_FD names, with whether the function failed; without it to standard output as its last line, and the exit status
tells. What the function prints and logs goes to standard output and standard error.
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


def main() -> int:
    """Call the handler named by _HANDLER with every event; exit 1 when it raised at the last one."""
    logging.basicConfig(stream=sys.stderr, format="[%(levelname)s] %(message)s")
    sys.path.insert(0, str(Path.cwd()))
    results = os.environ.pop("RESULTS_FD", None)
    failed = False
    for line in sys.stdin:
        result, failed = _run(json.loads(line))
        if results is None:
            sys.stdout.write(f"\n{json.dumps(result)}")
        sys.stdout.flush()
        if results is not None:
            os.write(int(results), json.dumps([result, failed]).encode() + b"\n")
    return int(failed)


def _run(event: Any) -> tuple[Any, bool]:
    """Return what the handler returns or its error, and whether it failed."""
    deadline = time.monotonic() + float(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])
    context = SimpleNamespace(
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        get_remaining_time_in_millis=lambda: int((deadline - time.monotonic()) * 1000),
    )
    module, function = os.environ["_HANDLER"].rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), function)(event, context), False
    except Exception as error:  # noqa: BLE001  (a Lambda runtime reports whatever the function raises)
        traceback.print_exc()
        return {"errorMessage": str(error), "errorType": type(error).__name__}, True


if __name__ == "__main__":
    sys.exit(main())
