"""A process that outlives its parent for a moment, and stops what the parent has left running.

Its standard input is a pipe that the parent holds: ``+PID`` for a process group that has started, ``-PID`` for one that
has been stopped. The pipe's end is the parent's, however that came, kill -9 included.
"""

import os
import signal
import sys
import time
from contextlib import suppress

groups: set[int] = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for number in (signal.SIGTERM, signal.SIGKILL):
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    if groups and number == signal.SIGTERM:
        time.sleep(5)
