"""Everything that builds, deploys and checks the project: templates, the Lambda function, programs, stand-ins."""

import sys
from pathlib import Path
from types import TracebackType

# The project's directory.
ROOT = Path(__file__).parents[1]


def _no_trace_for_ctrl_c(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, at)


# `python -m infra.…` imports this module first; sys.argv[0] is "-m" then (Python documentation, sys.argv). Ctrl-C while
# a program still imports its modules prints no traceback. The exit status is the signal's in any case.
if sys.argv[0] == "-m":
    sys.excepthook = _no_trace_for_ctrl_c
