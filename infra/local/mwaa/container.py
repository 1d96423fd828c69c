"""One container: what it does between its start and Airflow's, in the order of the image's entrypoint.py."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.mwaa.bucket import Bucket
from infra.local.mwaa.encoding import decode
from infra.local.mwaa.processes import end, start
from infra.mwaa_facts import (
    COMPONENT_LEVEL_BEFORE,
    NAMES_CONSTRAINTS,
    PIP_SECONDS,
    PROTECTED_VARIABLES,
    REQUIREMENTS_STREAM,
    STARTUP_SCRIPT_SECONDS,
    STARTUP_STREAM,
    release_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.mwaa.configuration import Configuration
    from infra.local.mwaa.image import Image

_STARTUP_SECONDS = STARTUP_SCRIPT_SECONDS
# Between the startup script's end and pip MWAA verifies the container, for some 4 s (image: setup_environment.py).
_VERIFICATION_SECONDS = 0.5
_VERIFICATION = ("Executing post startup script verification", "Post startup script verification completed")
_PATIENCE_SECONDS = 5
_GUIDE = "https://docs.aws.amazon.com/mwaa/latest/userguide/working-dags-dependencies.html#working-dags-dependencies-test-create"
_NOT_SAVED = "[ERROR] An unexpected error occurred: Failed to locate environment variables file from startup script."
_CANNOT_DETERMINE = (
    "Cannot determine whether the requirements.txt file has constraints or not; forcing local constraints."
)
# Nothing listens there: where a container without a way out ends up.
_NOWHERE = "http://127.0.0.1:9"
# As execute-user-startup-script does: the script is sourced, its `exit` is not the shell's, and what is exported in the
# end is saved.
_SOURCE_AND_SAVE = """
echo "Executing customer startup script"
handle_exit() {{ echo "Exiting customer startup script"; env -0 > {saved}; unalias exit; exit; }}
shopt -s expand_aliases
alias exit=handle_exit
source "${{HOME}}/startup/startup.sh"
handle_exit
"""


class UnhealthyError(RuntimeError):
    """The startup script did not come to its end: MWAA marks the container unhealthy, and starts no Airflow in it."""


class StoppedError(RuntimeError):
    """The container was stopped while it started."""


@dataclass
class Container:
    """Hold one container's file system and environment variables.

    :param root: its folder; must not exist.
    :param image: what it starts from.
    :param configuration: the environment's.
    :param aws: environment variables by which it finds AWS and its role's credentials.
    :param say: told every line of progress.
    :param keep_log: given a log stream's name and its lines, as MWAA sends them to CloudWatch (default: nobody).
    :param component: whose log group its lines belong to, and whose log level they have.
    :param has_dags: whether dags/ of the bucket is mirrored in it.
    :param has_index: whether pip reaches any index.
    :param syncs_before_pip: whether dags/ is mirrored once more in the moment before pip, as may happen on MWAA.
    """

    root: Path
    image: Image
    configuration: Configuration
    aws: dict[str, str] = field(repr=False)
    say: Callable[[str], None]
    keep_log: Callable[[str, list[str]], None] = lambda _stream, _lines: None
    component: str = "Worker"
    has_dags: bool = True
    has_index: bool = True
    syncs_before_pip: bool = False

    def __post_init__(self) -> None:
        """Lay out the file system."""
        self._exported: dict[str, str] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self.host = self.root.name
        self.airflow_home = self.root / "airflow"
        self.airflow_home.mkdir(parents=True)
        # Where pip puts a user's packages on MWAA: ~/.local.
        self.packages = self.airflow_home / ".local"
        self.programs = self.image.new_layer(self.packages)
        self.essential = self.root / "essential_constraints.txt"
        self.essential.write_text(self.image.essential_constraints)

    @property
    def environ(self) -> dict[str, str]:
        """Return the container's environment variables: nothing of this machine's but where its programs are."""
        return {
            "PATH": f"{self.programs}:{os.defpath}",
            "HOME": str(self.airflow_home),
            "LANG": "C.UTF-8",
            "AIRFLOW_CONSTRAINTS_FILE": str(self.image.constraints_file),
            # This machine's pip settings are not the container's: its packages come through the index-url.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **self._exported,
            **self.configuration.airflow_variables(),
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW_VERSION": self.configuration.airflow_version,
            "MWAA_AIRFLOW_COMPONENT": self.component.lower(),
            "MWAA_COMMAND": self.component.lower(),
            **self.aws,
        }

    def start(self) -> bool:
        """Do what comes before Airflow.

        :returns: whether pip succeeded. MWAA starts Airflow in either case.
        :raises UnhealthyError: when the startup script leaves the container unhealthy.
        :raises StoppedError: when somebody stops the container meanwhile.
        """
        self.prepare()
        return self.install_requirements()

    def stop(self) -> None:
        """End what the container runs before Airflow, at once; it does nothing more."""
        self._stopped.set()
        if (running := self._running) is not None:
            end(running, _PATIENCE_SECONDS)

    def prepare(self) -> None:
        """Do what comes before pip.

        :raises UnhealthyError: when the startup script leaves the container unhealthy.
        """
        self.sync_dags()
        self.unpack_plugins()
        self.run_startup_script()
        if self.syncs_before_pip:
            self.sync_dags()

    def sync_dags(self) -> None:
        """Mirror dags/ of the bucket."""
        if self.has_dags:
            self._bucket.mirror(self.configuration.dags, self.airflow_home / "dags")

    def unpack_plugins(self) -> None:
        """Unpack the configured version of plugins.zip."""
        if self.configuration.plugins:
            archive = self._download(self.configuration.plugins, self.root / "plugins.zip")
            with zipfile.ZipFile(archive) as plugins:
                plugins.extractall(self.airflow_home / "plugins")

    def run_startup_script(self) -> None:
        """Run the startup script as MWAA does, and keep what it exports for pip and Airflow.

        :raises UnhealthyError: when its shell ends early (`set -e`) or takes too long.
        """
        if self.configuration.startup_script is None:
            return
        self._download(self.configuration.startup_script, self.airflow_home / "startup" / "startup.sh")
        saved = self.root / "exported"
        self.say("startup script")
        command = ["/bin/bash", "-c", _SOURCE_AND_SAVE.format(saved=shlex.quote(str(saved)))]
        began = time.monotonic()
        lines = self._run(command, _STARTUP_SECONDS)[0]
        seconds = time.monotonic() - began
        lines += [f"[INFO] - Startup script execution time: {seconds:.2f} seconds.", *map(self._line, _VERIFICATION)]
        self._stopped.wait(_VERIFICATION_SECONDS)
        if not saved.exists():
            lines.append(f"[ERROR] - {_NOT_SAVED}")
        self._keep(STARTUP_STREAM, lines)
        if not saved.exists():
            raise UnhealthyError("the startup script did not come to its end: MWAA marks the container unhealthy")
        variables = dict(line.split("=", 1) for line in saved.read_text().split("\0") if line)
        saved.unlink()
        self._exported = {name: value for name, value in variables.items() if not _is_protected(name)}

    def install_requirements(self) -> bool:
        """Run pip as MWAA does; a failure stops nothing."""
        if self.configuration.requirements is None:
            return True
        path = self._download(self.configuration.requirements, self.airflow_home / "requirements" / "requirements.txt")
        command = [str(self.programs / "python"), "-m", "pip", "install"]
        command += ["--constraint", str(self.essential), "-r", str(path)]
        lines = _complaints(path)
        if lines:
            command += ["-c", str(self.image.constraints_file)]
        self.say("pip install -r requirements.txt")
        no_index = {} if self.has_index else dict.fromkeys(("http_proxy", "https_proxy"), _NOWHERE)
        output, status = self._run(command, PIP_SECONDS, no_index)
        self._keep(REQUIREMENTS_STREAM, lines + output)
        if status:
            self.say(f"pip failed with status {status}; MWAA starts the container all the same, without the packages")
        return status == 0

    def _run(self, command: list[str], seconds: float, more: dict[str, str] | None = None) -> tuple[list[str], int]:
        """Run a program in the container, for so long at most, and pass its output on, line by line.

        :returns: its lines as MWAA logs them, and its exit status.
        """
        lines: list[str] = []
        environ = self.environ | (more or {})
        if self._stopped.is_set():
            raise StoppedError("the container was stopped")
        with start(
            command, cwd=self.airflow_home, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            self._running = process
            timer = threading.Timer(seconds, end, [process, _PATIENCE_SECONDS])
            timer.start()
            try:
                for line in process.stdout or ():
                    text = line.decode(errors="replace").rstrip()
                    lines.append(self._line(text))
                    self.say(text)
                process.wait()
            finally:
                timer.cancel()
                self._running = None
                end(process)
        if self._stopped.is_set():
            raise StoppedError("the container was stopped")
        return lines, process.returncode

    def _line(self, text: str) -> str:
        """Return what a program says as MWAA logs it: the level is MWAA's, whatever the program means."""
        level = "INFO"
        if release_of(self.configuration.airflow_version) < COMPONENT_LEVEL_BEFORE and self.component != "Hybrid":
            configured = self.configuration.log_levels.get(self.component, level)
            level = configured if configured in {"ERROR", "WARNING"} else level
        return f"[{level}] - {text}"

    def _keep(self, prefix: str, lines: list[str]) -> None:
        if self.log_component in self.configuration.log_levels:
            self.keep_log(f"{prefix}_{self.host}_{time.time()}.log", lines)

    @property
    def log_component(self) -> str:
        """Return the component whose log group this container's lines go to."""
        return "Worker" if self.component == "Hybrid" else self.component

    @property
    def _bucket(self) -> Bucket:
        return Bucket(self.configuration.bucket, self.aws)

    def _download(self, s3_object: tuple[str, str], path: Path) -> Path:
        self._bucket.download(*s3_object, path)
        return path


def _is_protected(name: str) -> bool:
    return name.startswith("MWAA__") or name in PROTECTED_VARIABLES


def _complaints(requirements: Path) -> list[str]:
    """Return what MWAA logs when it forces its constraints; nothing when the file names its own."""
    try:
        lines = decode(requirements.read_bytes()).splitlines()
    except (UnicodeError, LookupError) as error:
        return [
            f"[WARNING] - Unable to scan requirements file: {error}",
            f"[WARNING] - {_CANNOT_DETERMINE}",
        ]
    if any(map(NAMES_CONSTRAINTS.search, lines)):
        return []
    return [
        f"[WARNING] - WARNING: Constraints should be specified for requirements.txt. Please see {_GUIDE}",
        "[WARNING] - Forcing local constraints",
    ]
