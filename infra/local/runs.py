"""The runs of this clone: each has a folder and processes below it, and neither outlives the run for long."""

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
# For a shell that is to act on `make local`; it holds keys, though only local ones.
AWS_ENV = LOCAL / "aws.env"
# In a run's folder: what runs there since when and where, for others, and that somebody will want to look into it.
LOCK, FAILED = "lock", "failed"
_DISCARDED = "discarded-"
_TERM_SECONDS = 1.2
_KILL_SECONDS = 5


class RunError(CommandError):
    """Tell in one sentence why a run cannot begin, and what to do."""

    exit_status = 2


@contextmanager
def new_run(verb: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Remove what killed runs have left, and yield the folder of a new one, which goes with its processes in the end.

    :raises RunError: for a second ``stay``. A killed one stops nobody, for the system has taken its lock back.
    """
    with (LOCAL / "runs.lock").open("a") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        for left in sorted(LOCAL.glob("run-*")):
            if not _removed(left, say) and verb == "stay" and "-stay-" in left.name:
                other = f"`make local` runs in this folder already ({(left / LOCK).read_text()})"
                raise RunError(f"{other}: use it, or stop it with Ctrl-C first.")
        for discarded in LOCAL.glob(f"{_DISCARDED}*"):
            _discard(discarded)  # again, should its removal have been cut off
        folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-{verb}-", dir=LOCAL))
        lock = (folder / LOCK).open("a")
        _locked(lock)
        print(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}", end="", file=lock, flush=True)
        if verb == "stay":
            AWS_ENV.unlink(missing_ok=True)  # of one that was killed
    before = psutil.Process().children(recursive=True)
    with lock:
        try:
            yield folder
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # it has been heard
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
    """Stop processes, by force those that take their time: nothing that they could still write is kept."""
    alive = list(processes)
    for end, seconds in ((psutil.Process.terminate, _TERM_SECONDS), (psutil.Process.kill, _KILL_SECONDS)):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                end(process)
        deadline = time.monotonic() + seconds
        while (alive := [process for process in alive if _runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    """Return whether a process has not ended; one that only nobody has waited for has (a zombie)."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _locked(file: IO[str]) -> bool:
    """Lock a file for as long as it is open; return False if another process has it."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _removed(folder: Path, say: Callable[[str], None]) -> bool:
    """Remove a run's folder and processes; return False if it is alive."""
    with (folder / LOCK).open("a") as lock:
        if not _locked(lock):
            return False
        orphans = _processes_of(folder)
        _stop(orphans)
        _discard(folder)
    many = f" and stopped {len(orphans)} processes" if orphans else ""
    say(f"removed {folder.relative_to(ROOT)}{many}, left over from a run that has ended")
    return True


def _discard(folder: Path) -> None:
    """Remove a folder without waiting: it holds tens of thousands of files, and nobody else knows its new name."""
    if not folder.name.startswith(_DISCARDED):
        folder = folder.rename(folder.with_name(_DISCARDED + folder.name))
    subprocess.run(["sh", "-c", 'exec >/dev/null 2>&1; rm -rf "$0" &', folder], start_new_session=True, check=True)


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Find a run's processes, whoever their parent is now: its folder is in their arguments, variables or open files.

    Airflow's processes give themselves titles, which overwrite arguments and variables; their logs stay open.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            traces = [*process.cmdline(), *process.environ().values(), *(file.path for file in process.open_files())]
            if process.pid != os.getpid() and any(str(folder) in trace for trace in traces):
                found.append(process)
    return found
