"""Run the stacks on this machine: ``python -m infra.local`` stays until Ctrl-C; its other verbs end by themselves.

This process only watches the one that does the work (:mod:`infra.local.run`), so Ctrl-C works at every moment and stops
everything that was started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import partial

from infra import ROOT
from infra.cli.console import Console
from infra.cli.program import INTERRUPTED, run
from infra.local.runs import FAILED, LOCAL, LOCK, RunError, new_run


def main(verb: str) -> int:
    """Run one verb, ``stay``, ``demo``, ``releases`` or ``acceptance``; return the exit status.

    0: done, or ``stay`` was stopped; 1: something failed; 2: it cannot begin; 130: a demonstration was stopped.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A shell makes a background program ignore SIGINT, without being asked to; nohup makes it ignore SIGHUP.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    console = Console()
    status = run(lambda: _watch(verb, console))
    if status == INTERRUPTED:
        console.say("local", "stopped")
        return 0 if verb == "stay" else status
    return status


def _watch(verb: str, console: Console) -> int:
    LOCAL.mkdir(exist_ok=True)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)  # they are for AWS, and moto cannot be imported with an unknown profile
    with new_run(verb, partial(console.say, "local")) as folder:
        ports = _port("AIRFLOW_PORT", "8080" if verb == "stay" else "0"), _port("LOCAL_AWS_PORT", "0")
        with (folder / LOCK).open("a") as lock:
            lock.write(f", Airflow at http://127.0.0.1:{ports[0]}")
        command = [sys.executable, "-m", "infra.local.run", verb, str(folder), *map(str, ports)]
        # In a session of its own, so the terminal's Ctrl-C reaches this process only.
        status = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True).wait()
        if status:
            (folder / FAILED).touch()
    return status


def _port(setting: str, default: str) -> int:
    """Return the port that a setting names if it is free; a free one if the setting is 0."""
    value = os.environ.get(setting, default)
    try:
        with socket.create_server(("127.0.0.1", int(value))) as probe:
            return int(probe.getsockname()[1])
    except (ValueError, OverflowError) as error:
        raise RunError(f"{setting} is {value!r}: set it to a port number, or to 0 for a free one") from error
    except OSError as error:
        raise RunError(f"{setting} {value} is in use: set {setting} to a free port, or 0") from error


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["stay"]))
