"""One container: what it does between its start and Airflow's, in MWAA's order."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.mwaa.configuration import Configuration
    from infra.local.mwaa.image import Image

# MWAA forces its constraints on a requirements.txt in which no line matches this.
_NAMES_CONSTRAINTS = re.compile(r"-c |--constraint ")
_PIP_SECONDS = 9 * 60
_STARTUP_SECONDS = 5 * 60 - 5
_PATIENCE_SECONDS = 5
# What a startup script exports in vain, as far as it plays a part here.
_PROTECTED = re.compile(r"MWAA__.*|AIRFLOW_(HOME|VERSION)|AWS_(DEFAULT_)?REGION|PYTHONPATH|PYTHONUNBUFFERED")
# As in MWAA's image: the script is sourced, its `exit` is not the shell's, and what is exported in the end is saved.
_SOURCE_AND_SAVE = """
handle_exit() {{ env -0 > {saved}; unalias exit; exit; }}
shopt -s expand_aliases
alias exit=handle_exit
source {script}
handle_exit
"""


@dataclass
class Container:
    """Hold one container's file system and environment variables.

    :param root: its folder; must not exist.
    :param image: what it starts from.
    :param configuration: the environment's.
    :param aws: environment variables by which it finds AWS and its role's credentials.
    :param say: told every line of progress.
    :param keep_log: given a log stream's name and lines, as MWAA sends them to CloudWatch (default: nobody).
    """

    root: Path
    image: Image
    configuration: Configuration
    aws: dict[str, str] = field(repr=False)
    say: Callable[[str], None]
    keep_log: Callable[[str, list[str]], None] = lambda _stream, _lines: None

    def __post_init__(self) -> None:
        """Lay out the file system."""
        self._exported: dict[str, str] = {}
        self.airflow_home.mkdir(parents=True)
        self.programs = self.image.new_layer(self.root / "packages")
        self.essential = self.root / "essential_constraints.txt"
        self.essential.write_text(f"apache-airflow=={self.image.airflow_version}\n")

    @property
    def airflow_home(self) -> Path:
        """Give the folder that is /usr/local/airflow on MWAA."""
        return self.root / "airflow"

    @property
    def environ(self) -> dict[str, str]:
        """Give the container's environment variables: nothing of this machine's but where its programs are."""
        return {
            "PATH": f"{self.programs}:{os.defpath}",
            "HOME": str(self.root),
            "LANG": "C.UTF-8",
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW_CONSTRAINTS_FILE": str(self.image.constraints_file),
            # This machine's pip settings are not the container's: its packages come through the index-url.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **self.aws,
            **self._exported,
            **self.configuration.airflow_variables(),
        }

    def start(self) -> bool:
        """Do what comes before Airflow.

        :returns: whether pip succeeded. MWAA starts Airflow in either case.
        :raises RuntimeError: when the startup script leaves the container unhealthy.
        """
        self.prepare()
        return self.install_requirements()

    def prepare(self) -> None:
        """Do what comes before pip.

        :raises RuntimeError: when the startup script leaves the container unhealthy.
        """
        self.sync_dags()
        self.unpack_plugins()
        self.run_startup_script()

    def sync_dags(self) -> None:
        """Mirror dags/ of the bucket."""
        aws = Path(sys.executable).with_name("aws")
        source = f"s3://{self.configuration.bucket}/{self.configuration.dags}"
        subprocess.run(
            [aws, "s3", "sync", source, self.airflow_home / "dags", "--delete", "--only-show-errors"],
            env={"PATH": os.environ["PATH"], **self.aws},
            check=True,
        )

    def unpack_plugins(self) -> None:
        """Unpack the configured version of plugins.zip."""
        archive = self._download(self.configuration.plugins)
        with zipfile.ZipFile(archive) as plugins:
            plugins.extractall(self.airflow_home / "plugins")

    def run_startup_script(self) -> None:
        """Run the startup script as MWAA does, and keep what it exports for pip and Airflow.

        :raises RuntimeError: when its shell ends early (`set -e`) or takes too long: the container is unhealthy.
        """
        if self.configuration.startup_script is None:
            return
        script = self.airflow_home / "startup" / "startup.sh"
        script.parent.mkdir()
        shutil.move(self._download(self.configuration.startup_script), script)
        saved = self.root / "exported"
        self.say("startup script")
        source_and_save = _SOURCE_AND_SAVE.format(script=shlex.quote(str(script)), saved=shlex.quote(str(saved)))
        command = ["/bin/bash", "-c", source_and_save]
        self._run("startup_script_execution", command, _STARTUP_SECONDS, start_new_session=True)
        if not saved.exists():
            raise RuntimeError("the startup script did not come to its end: MWAA marks the container unhealthy")
        variables = dict(line.split("=", 1) for line in saved.read_text().split("\0") if line)
        saved.unlink()
        self._exported = {name: value for name, value in variables.items() if not _PROTECTED.fullmatch(name)}

    def install_requirements(self) -> bool:
        """Run pip as MWAA does; a failure stops nothing."""
        requirements = self._download(self.configuration.requirements)
        command = [str(self.programs / "python"), "-m", "pip", "install"]
        command += ["--constraint", str(self.essential), "-r", str(requirements)]
        if not any(map(_NAMES_CONSTRAINTS.search, requirements.read_text().splitlines())):
            command += ["-c", str(self.image.constraints_file)]
        self.say("pip install -r requirements.txt")
        status = self._run("requirements_install", command, _PIP_SECONDS)
        if status:
            self.say(f"pip failed with status {status}; MWAA starts the container all the same, without the packages")
        return status == 0

    def _run(self, stream: str, command: list[str], seconds: float, *, start_new_session: bool = False) -> int:
        """Run a program in the container, for so long at most, and pass its output on, line by line."""
        lines = []
        with subprocess.Popen(
            command,
            cwd=self.airflow_home,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=start_new_session,
        ) as process:
            timer = threading.Timer(seconds, _end, [process])
            timer.start()
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    self.say(lines[-1])
                return process.wait()
            finally:
                timer.cancel()
                self.keep_log(stream, lines)

    def _download(self, s3_object: tuple[str, str]) -> Path:
        key, version_id = s3_object
        path = self.root / Path(key).name
        s3 = boto3.client(
            "s3",
            endpoint_url=self.aws["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.aws["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.aws.get("AWS_SESSION_TOKEN"),
            config=Config(proxies={"http": self.aws["HTTP_PROXY"]} if "HTTP_PROXY" in self.aws else None),
        )
        s3.download_file(self.configuration.bucket, key, str(path), ExtraArgs={"VersionId": version_id})
        return path


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, and its children where it leads a session of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            kill = os.killpg if os.getpgid(process.pid) == process.pid else os.kill
            kill(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
            return
