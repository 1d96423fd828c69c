"""One container: the steps between its start and Airflow's, in the order of the image's entrypoint.py."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from infra import mwaa_facts
from infra.local.mwaa.image import constraints_file, essential_constraints, new_layer
from infra.local.mwaa.processes import end, start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.mwaa.configuration import Configuration

# Between the startup script and pip, MWAA verifies the container for about 4 s (image: setup_environment.py).
_VERIFICATION_SECONDS = 0.5
_VERIFICATION = ("Executing post startup script verification", "Post startup script verification completed")
_GUIDE = "https://docs.aws.amazon.com/mwaa/latest/userguide/working-dags-dependencies.html#working-dags-dependencies-test-create"
_NOT_SAVED = "[ERROR] An unexpected error occurred: Failed to locate environment variables file from startup script."
_FORCED = "Cannot determine whether the requirements.txt file has constraints or not; forcing local constraints."
# The proxy of a container without a way to any index: nothing listens there.
_NO_INDEX = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
# As execute-user-startup-script does: the script is sourced, `exit` is an alias, and the variables that are exported at
# the end are saved.
_SOURCE_AND_SAVE = """
echo "Executing customer startup script"
handle_exit() {{ echo "Exiting customer startup script"; env -0 > {saved}; unalias exit; exit; }}
shopt -s expand_aliases
alias exit=handle_exit
source "${{HOME}}/startup/startup.sh"
handle_exit
"""


class StoppedError(RuntimeError):
    """The container was stopped while it started."""


@dataclass
class Container:
    """One container's file system and environment variables."""

    root: Path  # must not exist
    configuration: Configuration
    aws: dict[str, str] = field(repr=False)  # environment variables: where AWS is, and the role's credentials
    say: Callable[[str], None]  # called with every line of progress
    # Called with a component, the name of a log stream and its lines, as MWAA sends them to CloudWatch.
    keep_log: Callable[[str, str, list[str]], None] = lambda *_: None
    component: str = "Worker"

    def __post_init__(self) -> None:
        """Create the file system."""
        self._exported: dict[str, str] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self.host = self.root.name
        self.airflow_home = self.root / "airflow"
        self.airflow_home.mkdir(parents=True)
        # Where pip puts a user's packages on MWAA: ~/.local.
        self.packages = self.airflow_home / ".local"
        version = self.configuration["AirflowVersion"]
        self.programs = new_layer(version, self.packages)
        self.constraints = constraints_file(version)
        self.essential = self.root / "essential_constraints.txt"
        self.essential.write_text(essential_constraints(version))
        self._bucket = self._open_bucket()

    @property
    def environ(self) -> dict[str, str]:
        """Return the container's environment variables; of this machine's they contain only the path to programs."""
        return {
            "PATH": f"{self.programs}:{os.defpath}",
            "HOME": str(self.airflow_home),
            "LANG": "C.UTF-8",
            "AIRFLOW_CONSTRAINTS_FILE": str(self.constraints),
            # Without this machine's pip settings: packages come through the index-url.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **self._exported,
            **self.configuration.airflow_variables(),
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW_VERSION": self.configuration["AirflowVersion"],
            "MWAA_AIRFLOW_COMPONENT": self.component.lower(),
            "MWAA_COMMAND": self.component.lower(),
            **self.aws,
        }

    @property
    def runs_tasks(self) -> bool:
        """Return whether tasks run in this container."""
        return self.component in {"Worker", "Hybrid"}

    def start(self) -> bool:
        """Run the steps before Airflow; return whether pip succeeded: MWAA starts Airflow in either case.

        :raises RuntimeError: if the startup script leaves the container unhealthy: then MWAA does not start Airflow.
        """
        self.prepare()
        return self.install_requirements()

    def stop(self) -> None:
        """Stop the steps before Airflow at once; the container cannot be started again."""
        self._stopped.set()
        if (running := self._running) is not None:
            end(running)

    def prepare(self) -> None:
        """Run the steps before pip; see :meth:`start`."""
        self.sync_dags()
        if archive := self._fetch("Plugins", self.root / "plugins.zip"):
            shutil.unpack_archive(archive, self.airflow_home / "plugins")
        self.run_startup_script()
        if self.component == "Worker":  # on MWAA a sync may happen just before pip
            self.sync_dags()

    def sync_dags(self) -> None:
        """Make dags/ equal to the bucket's: a file that only this container has is deleted."""
        if self.component == "WebServer":  # it is not established that MWAA syncs to it
            return
        folder, prefix = self.airflow_home / "dags", f"{self.configuration.dags}/"
        found = [each for each in self._bucket.objects.filter(Prefix=prefix) if not each.key.endswith("/")]
        objects = {folder / each.key.removeprefix(prefix): each for each in found}
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.rglob("*"):
            if path.is_file() and path.parent.name != "__pycache__" and path not in objects:
                path.unlink(missing_ok=True)
        for path, each in objects.items():
            # The ETag of an object that was uploaded in one part is its MD5 sum.
            if not path.is_file() or hashlib.md5(path.read_bytes()).hexdigest() != each.e_tag.strip('"'):  # noqa: S324
                self._download(each.key, "", path)

    def run_startup_script(self) -> None:
        """Run the startup script as MWAA does, and keep the variables that it exports for pip and Airflow.

        :raises RuntimeError: if its shell ends early (`set -e`) or takes too long.
        """
        if not self._fetch("StartupScript", self.airflow_home / "startup" / "startup.sh"):
            return
        saved = self.root / "exported"
        self.say("startup script")
        began = time.monotonic()
        script = _SOURCE_AND_SAVE.format(saved=shlex.quote(str(saved)))
        lines, _ = self._run(["/bin/bash", "-c", script], mwaa_facts.STARTUP_SCRIPT_SECONDS)
        lines.append(f"[INFO] - Startup script execution time: {time.monotonic() - began:.2f} seconds.")
        lines += map(self._line, _VERIFICATION)
        self._stopped.wait(_VERIFICATION_SECONDS)
        variables = saved.read_text() if saved.exists() else ""
        self._keep(mwaa_facts.STARTUP_STREAM, lines + ([] if variables else [f"[ERROR] - {_NOT_SAVED}"]))
        if not variables:
            raise RuntimeError("the startup script did not reach its end, so MWAA marks the container unhealthy")
        saved.unlink()
        for line in filter(None, variables.split("\0")):
            name, value = line.split("=", 1)
            if name not in mwaa_facts.PROTECTED_VARIABLES and not name.startswith("MWAA__"):
                self._exported[name] = value

    def install_requirements(self) -> bool:
        """Run pip as MWAA does; return whether it succeeded, or had nothing to do."""
        path = self._fetch("Requirements", self.airflow_home / "requirements" / "requirements.txt")
        if path is None:
            return True
        command = [str(self.programs / "python"), "-m", "pip", "install"]
        command += ["--constraint", str(self.essential), "-r", str(path)]
        lines = _complaints(path)
        if lines:
            command += ["-c", str(self.constraints)]
        self.say("pip install -r requirements.txt")
        # Guide, "Apache Airflow access modes": a private web server installs from no index.
        private = self.component == "WebServer" and self.configuration["WebserverAccessMode"] == "PRIVATE_ONLY"
        output, status = self._run(command, mwaa_facts.PIP_SECONDS, _NO_INDEX if private else {})
        self._keep(mwaa_facts.REQUIREMENTS_STREAM, lines + output)
        if status:
            self.say(f"pip failed with status {status}; MWAA starts the container anyway, without the packages")
        return status == 0

    def _run(self, command: list[str], seconds: float, more: Mapping[str, str] | None = None) -> tuple[list[str], int]:
        """Run a program with a time limit in the container; return its lines as MWAA logs them, and its status."""
        lines: list[str] = []
        self._check_stopped()
        how: dict[str, Any] = {"cwd": self.airflow_home, "env": self.environ | {**(more or {})}}
        with start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how) as process:
            self._running = process
            timer = threading.Timer(seconds, end, [process])
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
        self._check_stopped()
        return lines, process.returncode

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError("the container was stopped")

    def _line(self, text: str) -> str:
        """Return a program's line as MWAA logs it: the level is MWAA's and has nothing to do with the line."""
        level, release = "", mwaa_facts.release_of(self.configuration["AirflowVersion"])
        if release < mwaa_facts.COMPONENT_LEVEL_BEFORE and self.component != "Hybrid":
            level = self.configuration.log_levels.get(self.component, "")
        return f"[{level if level in {'ERROR', 'WARNING'} else 'INFO'}] - {text}"

    def _keep(self, prefix: str, lines: list[str]) -> None:
        component = "Worker" if self.component == "Hybrid" else self.component
        if component in self.configuration.log_levels:
            self.keep_log(component, f"{prefix}_{self.host}_{time.time()}.log", lines)

    def _open_bucket(self) -> Any:
        """Return the bucket, read with the execution role, through the environment's network."""
        keys = (self.aws["AWS_ACCESS_KEY_ID"], self.aws["AWS_SECRET_ACCESS_KEY"], self.aws.get("AWS_SESSION_TOKEN"))
        session: Any = boto3.Session(*keys, region_name=self.aws["AWS_REGION"])
        config = Config(proxies={"http": self.aws["HTTP_PROXY"]} if "HTTP_PROXY" in self.aws else {})
        s3 = session.resource("s3", endpoint_url=self.aws["AWS_ENDPOINT_URL"], config=config)
        return s3.Bucket(self.configuration.bucket)

    def _fetch(self, name: str, path: Path) -> Path | None:
        """Download Plugins, Requirements or StartupScript, if the environment has it."""
        found = self.configuration.file(name)
        return self._download(*found, path) if found else None

    def _download(self, key: str, version: str, path: Path) -> Path:
        body = self._bucket.Object(key).get(**({"VersionId": version} if version else {}))["Body"].read()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(body)
        return new.replace(path)


def _complaints(requirements: Path) -> list[str]:
    """Return the lines that MWAA logs when it forces its constraints; none if the file names constraints."""
    try:
        if mwaa_facts.NAMES_CONSTRAINTS.search(mwaa_facts.decode_requirements(requirements.read_bytes())):
            return []
    except (UnicodeError, LookupError) as error:
        return [f"[WARNING] - Unable to scan requirements file: {error}", f"[WARNING] - {_FORCED}"]
    return [
        f"[WARNING] - WARNING: Constraints should be specified for requirements.txt. Please see {_GUIDE}",
        "[WARNING] - Forcing local constraints",
    ]
