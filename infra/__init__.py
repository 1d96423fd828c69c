"""What deploys the project: CloudFormation templates, the Lambda function, and their stand-ins on one machine."""

import sys
from pathlib import Path
from types import TracebackType

# The project's directory.
ROOT = Path(__file__).parents[1]


def _say_nothing_of_ctrl_c(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, at)


# `python -m infra.…` comes here first (sys.argv[0] is "-m" then, says Python's documentation): Ctrl-C while a program
# still imports its modules is no error worth a trace. The exit status is that of the signal in any case.
if sys.argv[0] == "-m":
    sys.excepthook = _say_nothing_of_ctrl_c
