"""One container: what it does between its start and Airflow's, in MWAA's order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.mwaa.configuration import Configuration
    from infra.local.mwaa.image import Image

# MWAA forces its constraints on a requirements.txt in which no line matches this.
_NAMES_CONSTRAINTS = re.compile(r"-c |--constraint ")
_PIP_SECONDS = 9 * 60


@dataclass
class Container:
    """Hold one container's file system and environment variables.

    :param root: its folder; must not exist.
    :param image: what it starts from.
    :param configuration: the environment's.
    :param aws: environment variables by which it finds AWS and its role's credentials.
    :param say: told every line of progress.
    """

    root: Path
    image: Image
    configuration: Configuration
    aws: dict[str, str] = field(repr=False)
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        """Lay out the file system."""
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
            **self.configuration.airflow_variables(),
        }

    def start(self) -> bool:
        """Do what comes before Airflow.

        :returns: whether pip succeeded. MWAA starts Airflow in either case.
        """
        self.sync_dags()
        self.unpack_plugins()
        return self.install_requirements()

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

    def install_requirements(self) -> bool:
        """Run pip as MWAA does; a failure stops nothing."""
        requirements = self._download(self.configuration.requirements)
        command = ["python", "-m", "pip", "install", "--constraint", str(self.essential), "-r", str(requirements)]
        if not any(map(_NAMES_CONSTRAINTS.search, requirements.read_text().splitlines())):
            command += ["-c", str(self.image.constraints_file)]
        self.say("pip install -r requirements.txt")
        status = self._run(command)
        if status:
            self.say(f"pip failed with status {status}; MWAA starts the container all the same, without the packages")
        return status == 0

    def _run(self, command: list[str]) -> int:
        """Run a program of the container and pass its output on, line by line."""
        program = str(self.programs / command[0])
        with subprocess.Popen(
            [program, *command[1:]], env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                self.say(line.rstrip())
            return process.wait(timeout=_PIP_SECONDS)

    def _download(self, s3_object: tuple[str, str]) -> Path:
        key, version_id = s3_object
        path = self.root / Path(key).name
        s3 = boto3.client(
            "s3",
            endpoint_url=self.aws["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.aws["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.aws["AWS_SESSION_TOKEN"],
        )
        s3.download_file(self.configuration.bucket, key, str(path), ExtraArgs={"VersionId": version_id})
        return path
