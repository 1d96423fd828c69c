"""A process that stops the process groups that its parent has left running, however the parent ended (kill -9 too).

The parent writes to its standard input: ``+PID`` for a process group that has started, ``-PID`` for one that has been
stopped. The input ends when the parent ends.
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
