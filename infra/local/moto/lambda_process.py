"""The process in which the stand-in runs a deployed function: the unpacked zip is its working directory.

Reads the event from standard input and writes the result as the last line of standard output, like a Lambda runtime's
answer; what the function logs goes to standard error.
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


def main() -> int:
    """Call the handler named by _HANDLER with the event; exit 1 when it raises."""
    logging.basicConfig(stream=sys.stderr, format="[%(levelname)s] %(message)s")
    deadline = time.monotonic() + float(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])
    context = SimpleNamespace(
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        get_remaining_time_in_millis=lambda: int((deadline - time.monotonic()) * 1000),
    )
    module, function = os.environ["_HANDLER"].rsplit(".", 1)
    sys.path.insert(0, str(Path.cwd()))
    event = json.load(sys.stdin)
    try:
        result = getattr(importlib.import_module(module), function)(event, context)
    except Exception as error:  # noqa: BLE001  (a Lambda runtime reports whatever the function raises)
        traceback.print_exc()
        result = {"errorMessage": str(error), "errorType": type(error).__name__}
        status = 1
    else:
        status = 0
    sys.stdout.write(f"\n{json.dumps(result)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
