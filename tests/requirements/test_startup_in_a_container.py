"""The startup script in the stand-in's start sequence, and MWAA's rules for any startup script."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from infra import ROOT, mwaa_facts
from infra.build import build
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container
from tests.requirements.support import SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.requirements.support import Line, LocalAws

REQUIREMENTS = b"--constraint ${AIRFLOW_CONSTRAINTS_FILE}\n-r ${AIRFLOW_HOME}/dags/codeartifact.txt\nmine\n"


class Started(Container):
    """A container of the stand-in that keeps its output."""

    output: list[str]


@pytest.fixture(scope="module")
def configuration(shared_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """Upload the files of an environment and return its configuration."""
    root = tmp_path_factory.mktemp("build")
    for folder in ("plugins", "infra"):
        (root / folder).symlink_to(ROOT / folder)
    build(root)

    def upload(name: str, key: str, body: bytes) -> dict[str, str]:
        version = shared_aws.s3.put_object(Bucket=shared_aws.bucket, Key=key, Body=body)["VersionId"]
        return {f"{name}S3Path": key, f"{name}S3ObjectVersion": version}

    settings = {f"codeartifact.{name}": value for name, value in shared_aws.settings.items()}
    return Configuration(
        {
            "Name": "startup",
            "AirflowVersion": "3.3.1",
            "SourceBucketArn": f"arn:aws:s3:::{shared_aws.bucket}",
            "DagS3Path": "dags",
            **upload("Plugins", "plugins.zip", (root / "build" / "plugins.zip").read_bytes()),
            **upload("Requirements", "requirements.txt", REQUIREMENTS),
            **upload("StartupScript", "startup.sh", SCRIPT.read_bytes()),
            "AirflowConfigurationOptions": settings,
        }
    )


def new_container(aws: LocalAws, configuration: Configuration, root: Path, script: str | None = None) -> Started:
    if script is not None:
        version = aws.s3.put_object(Bucket=aws.bucket, Key="other.sh", Body=script.encode())["VersionId"]
        other = {"StartupScriptS3Path": "other.sh", "StartupScriptS3ObjectVersion": version}
        configuration = Configuration(configuration | other)
    variables = aws.server.environ
    output: list[str] = []
    container = Started(root / "container", configuration, variables, output.append)
    container.output = output
    return container


def has_the_package(container: Container) -> bool:
    command = [str(container.programs / "python"), "-c", "import mine"]
    return subprocess.run(command, env=container.environ, capture_output=True, check=False).returncode == 0


def test_without_a_startup_script_an_expired_line_means_no_packages(
    shared_aws: LocalAws, configuration: Configuration, expired_line: Line, tmp_path: Path
) -> None:
    shared_aws.put(expired_line)
    configuration = Configuration(configuration | {"StartupScriptS3Path": ""})
    container = new_container(shared_aws, configuration, tmp_path)
    assert not container.start()
    assert not has_the_package(container)


def test_the_startup_script_refreshes_an_expired_line_before_pip(
    shared_aws: LocalAws, configuration: Configuration, expired_line: Line, tmp_path: Path
) -> None:
    shared_aws.put(expired_line)
    container = new_container(shared_aws, configuration, tmp_path)
    before = container.environ
    assert container.start()
    assert has_the_package(container)
    assert shared_aws.line.refresher == "startup"
    (line,) = [line for line in container.output if line.startswith("startup: ")]
    assert line.startswith("startup: index-url refreshed, valid until ")
    assert container.output.index(line) < container.output.index("pip install -r requirements.txt")
    assert not any(token in "\n".join(container.output) for token in shared_aws.minted)
    assert {name: container.environ[name] for name in before} == before
    assert set(container.environ) - set(before) <= {"PWD", "OLDPWD", "SHLVL", "_"}


def test_exported_variables_reach_pip_and_airflow_unless_they_are_protected(
    shared_aws: LocalAws, configuration: Configuration, tmp_path: Path
) -> None:
    script = "export PIP_RETRIES=9 MWAA__CORE__X=y AIRFLOW_HOME=/other PYTHONPATH=/other AWS_REGION=other\n"
    script += "export AIRFLOW__CODEARTIFACT__DOMAIN=other\nfalse\nexit 3\n"
    container = new_container(shared_aws, configuration, tmp_path, script)
    before = container.environ
    container.run_startup_script()
    assert container.environ["PIP_RETRIES"] == "9"
    assert {name: container.environ[name] for name in before} == before
    assert not {"MWAA__CORE__X", "PYTHONPATH"} & set(container.environ)


def test_a_script_whose_shell_ends_early_makes_the_container_unhealthy(
    shared_aws: LocalAws, configuration: Configuration, tmp_path: Path
) -> None:
    container = new_container(shared_aws, configuration, tmp_path, "set -e\nfalse\n")
    with pytest.raises(RuntimeError, match="MWAA marks the container unhealthy"):
        container.run_startup_script()


def test_a_script_that_takes_too_long_makes_the_container_unhealthy(
    shared_aws: LocalAws, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mwaa_facts, "STARTUP_SCRIPT_SECONDS", 1)
    container = new_container(shared_aws, configuration, tmp_path, "sleep 60\nsleep 60\n")
    with pytest.raises(RuntimeError, match="MWAA marks the container unhealthy"):
        container.run_startup_script()


def test_a_users_own_commands_may_follow(
    shared_aws: LocalAws, configuration: Configuration, expired_line: Line, tmp_path: Path
) -> None:
    shared_aws.put(expired_line)
    script = f"set -eu\n{SCRIPT.read_text()}\nexport FOLLOWED=yes\n"
    container = new_container(shared_aws, configuration, tmp_path, script)
    container.prepare()
    assert container.environ["FOLLOWED"] == "yes"
    assert any(line.startswith("startup: index-url refreshed, ") for line in container.output)
