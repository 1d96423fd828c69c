"""The runs of this clone: each has a folder and processes, which are removed when the run ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from infra import ROOT
from infra.cli.program import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

LOCAL = ROOT / ".local"
# The settings for a shell that uses `make local`; it contains keys, but only local ones.
AWS_ENV = LOCAL / "aws.env"
# Files in a run's folder: which process runs, since when and where; and the mark of a failed run, whose folder is kept.
LOCK, FAILED = "lock", "failed"
_DISCARDED = "discarded-"
_TERM_SECONDS = 1.2
_KILL_SECONDS = 5


class RunError(CommandError):
    """A run cannot begin; the message says why, and what to do."""

    exit_status = 2


@contextmanager
def new_run(verb: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Clean up after killed runs and yield the folder of a new run; at its end, remove its processes and the folder.

    :raises RunError: if another ``stay`` runs. A killed one does not count: the system has released its lock.
    """
    with (LOCAL / "runs.lock").open("a") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        for left in sorted(LOCAL.glob("run-*")):
            if not _remove_if_ended(left, say) and verb == "stay" and "-stay-" in left.name:
                other = f"`make local` runs in this folder already ({(left / LOCK).read_text()})"
                raise RunError(f"{other}: use it, or stop it with Ctrl-C first.")
        for discarded in LOCAL.glob(f"{_DISCARDED}*"):
            _discard(discarded)  # again, in case its removal was interrupted
        folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-{verb}-", dir=LOCAL))
        lock = (folder / LOCK).open("a")
        _try_lock(lock)
        print(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}", end="", file=lock, flush=True)
        if verb == "stay":
            AWS_ENV.unlink(missing_ok=True)  # left by a killed run
    before = psutil.Process().children(recursive=True)
    with lock:
        try:
            yield folder
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # the run is stopping already
            say("stopping …")
            raise
        finally:
            _stop({*psutil.Process().children(recursive=True)}.difference(before))
            _stop(_processes_of(folder))
            if verb == "stay":
                AWS_ENV.unlink(missing_ok=True)
            if not (folder / FAILED).exists():
                _discard(folder)


def _stop(processes: Iterable[psutil.Process]) -> None:
    """Terminate processes, and kill those that do not end soon: nothing that they could still write is kept."""
    alive = list(processes)
    for end, seconds in ((psutil.Process.terminate, _TERM_SECONDS), (psutil.Process.kill, _KILL_SECONDS)):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                end(process)
        deadline = time.monotonic() + seconds
        while (alive := [process for process in alive if _is_running(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_running(process: psutil.Process) -> bool:
    """Return whether a process has not ended yet; a zombie has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _try_lock(file: IO[str]) -> bool:
    """Lock a file for as long as it is open; return False if another process has it."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _remove_if_ended(folder: Path, say: Callable[[str], None]) -> bool:
    """Remove a run's folder and stop its processes; return False if the run has not ended."""
    with (folder / LOCK).open("a") as lock:
        if not _try_lock(lock):
            return False
        orphans = _processes_of(folder)
        _stop(orphans)
        _discard(folder)
    many = f" and stopped {len(orphans)} processes" if orphans else ""
    say(f"removed {folder.relative_to(ROOT)}{many}, left over from a run that has ended")
    return True


def _discard(folder: Path) -> None:
    """Rename a folder and delete it in the background: it contains tens of thousands of files."""
    if not folder.name.startswith(_DISCARDED):
        folder = folder.rename(folder.with_name(_DISCARDED + folder.name))
    subprocess.run(["sh", "-c", 'exec >/dev/null 2>&1; rm -rf "$0" &', folder], start_new_session=True, check=True)


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that have a run's folder in their arguments, environment variables or open files.

    Their parent may have ended. Airflow's processes overwrite arguments and variables by titles; their logs stay open.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            traces = [*process.cmdline(), *process.environ().values(), *(file.path for file in process.open_files())]
            if process.pid != os.getpid() and any(str(folder) in trace for trace in traces):
                found.append(process)
    return found
