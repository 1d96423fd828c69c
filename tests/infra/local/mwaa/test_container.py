"""The steps of one container before Airflow, and its logs, which are like those of the image's own code."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.mwaa import container as container_module
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container, StoppedError
from infra.local.mwaa.image import essential_constraints
from infra.mwaa_facts import PROTECTED_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.local.mwaa.support import Account

FORCED = [
    "[WARNING] - WARNING: Constraints should be specified for requirements.txt. Please see https://docs.aws.amazon.com/mwaa/latest/userguide/working-dags-dependencies.html#working-dags-dependencies-test-create",
    "[WARNING] - Forcing local constraints",
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_module, "_VERIFICATION_SECONDS", 0.01)


class Started:
    """A container and the log lines that it has sent to CloudWatch."""

    def __init__(self, account: Account, root: Path, **how: Any) -> None:
        component, properties = how.pop("component", "Worker"), account.properties.copy()
        for name, key in (("StartupScript", "startup.sh"), ("Requirements", "r.txt")):
            if name in how:
                version = account.upload(key, how.pop(name))
                properties |= {f"{name}S3Path": key, f"{name}S3ObjectVersion": version}
        self.logs: dict[str, list[str]] = {}
        self.groups: set[str] = set()
        self.said: list[str] = []
        aws, configuration = account.server.environ, Configuration(properties)
        self.container = Container(
            root / "worker-7", configuration, aws, self.said.append, self.keep_log, component=component
        )
        self.container.configuration = Configuration(properties | how)  # the image stays the account's

    def keep_log(self, component: str, stream: str, lines: list[str]) -> None:
        self.groups.add(component)
        self.logs[stream] = lines

    def log(self, prefix: str) -> list[str]:
        """Return the lines of the one stream that has this prefix, named as MWAA names it."""
        ((stream, lines),) = [item for item in self.logs.items() if item[0].startswith(prefix)]
        assert re.fullmatch(prefix + r"_worker-7_\d+\.\d+\.log", stream)
        return lines


@pytest.fixture
def started(account: Account, tmp_path: Path) -> Callable[..., Started]:
    return lambda **how: Started(account, tmp_path, **how)


def test_the_startup_scripts_lines_have_mwaas_form_and_order(started: Callable[..., Started]) -> None:
    new = started(StartupScript=b"echo ERROR: mine\nexport MINE=1\nexit 3\n")
    new.container.run_startup_script()
    lines = new.log("startup_script_execution")
    assert lines[:3] == [
        "[INFO] - Executing customer startup script",
        "[INFO] - ERROR: mine",
        "[INFO] - Exiting customer startup script",
    ]
    assert re.fullmatch(r"\[INFO\] - Startup script execution time: \d+\.\d\d seconds\.", lines[3])
    assert lines[4:] == [
        "[INFO] - Executing post startup script verification",
        "[INFO] - Post startup script verification completed",
    ]
    assert new.container.environ["MINE"] == "1"


def test_an_unhealthy_container_has_an_error_in_its_log(started: Callable[..., Started]) -> None:
    new = started(StartupScript=b"set -e\nfalse\n")
    with pytest.raises(RuntimeError, match="unhealthy"):
        new.container.run_startup_script()
    assert new.log("startup_script_execution")[-1].startswith("[ERROR] - [ERROR] An unexpected error occurred: Failed")


@pytest.mark.parametrize(
    ("version", "level", "component", "prefix"),
    [
        ("2.10.3", "ERROR", "Worker", "[ERROR] - "),
        ("2.11.2", "WARNING", "Scheduler", "[WARNING] - "),
        ("3.0.6", "ERROR", "WebServer", "[ERROR] - "),
        ("3.0.6", "CRITICAL", "Worker", "[INFO] - "),
        ("3.0.6", "DEBUG", "Worker", "[INFO] - "),
        ("3.0.6", "ERROR", "Hybrid", "[INFO] - "),
        ("3.2.1", "ERROR", "Worker", "[INFO] - "),
        ("3.3.1", "WARNING", "Worker", "[INFO] - "),
    ],
)
def test_the_level_is_the_components_or_always_info(
    version: str, level: str, component: str, prefix: str, started: Callable[..., Started]
) -> None:
    log = {"Enabled": "true", "LogLevel": level}
    logs = dict.fromkeys(("WorkerLogs", "SchedulerLogs", "WebserverLogs"), log)
    changed = {"AirflowVersion": version, "LoggingConfiguration": logs, "component": component}
    new = started(StartupScript=b"echo mine\n", **changed)
    new.container.run_startup_script()
    assert prefix + "mine" in new.log("startup_script_execution")


def test_a_component_without_logs_logs_nothing(started: Callable[..., Started]) -> None:
    logs = {"WorkerLogs": {"Enabled": "false", "LogLevel": "INFO"}}
    new = started(StartupScript=b"echo mine\n", LoggingConfiguration=logs)
    new.container.run_startup_script()
    assert not new.logs


def test_a_hybrid_container_logs_as_a_worker(started: Callable[..., Started]) -> None:
    new = started(StartupScript=b"echo mine\n", component="Hybrid")
    new.container.run_startup_script()
    assert new.groups == {"Worker"}


@pytest.mark.parametrize(
    ("requirements", "forced"),
    [
        (b"mine\n", True),
        (b"# no -c here\nmine\n", False),  # a comment counts
        ("--constraint x\n".encode("utf-16"), False),
        ("mine\n".encode("utf-16"), True),
        ("\ufeff-c x\n".encode(), False),
        (b"# -*- coding: latin-1 -*-\n# \xe4\n-c x\n", False),
        (b"--constraint=x\n", True),
    ],
    ids=["none", "comment", "utf-16", "utf-16 without", "utf-8 with a mark", "latin-1", "with ="],
)
def test_mwaa_forces_its_constraints_on_a_file_that_names_none(
    requirements: bytes, started: Callable[..., Started], monkeypatch: pytest.MonkeyPatch, *, forced: bool
) -> None:
    new, commands = started(Requirements=requirements), []

    def run(command: list[str], *_: object) -> tuple[list[str], int]:
        commands.extend(command)
        return ["[INFO] - pip"], 0

    monkeypatch.setattr(new.container, "_run", run)
    assert new.container.install_requirements()
    assert new.log("requirements_install") == [*(FORCED if forced else []), "[INFO] - pip"]
    assert ("-c" in commands) is forced


def test_a_file_that_mwaa_cannot_decode_gets_its_constraints_too(
    started: Callable[..., Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = started(Requirements=b"\xff\xfe\x00\xd8")
    monkeypatch.setattr(new.container, "_run", lambda *_: ([], 1))
    assert not new.container.install_requirements()
    first, second = new.log("requirements_install")
    assert first.startswith("[WARNING] - Unable to scan requirements file: ")
    assert second.startswith("[WARNING] - Cannot determine whether the requirements.txt file has constraints or not")


def test_pip_reads_a_file_in_utf_16_and_its_failure_has_the_form_of_any_line(started: Callable[..., Started]) -> None:
    new = started(Requirements="-r /not/there.txt\n".encode("utf-16"))
    assert not new.container.install_requirements()
    lines = new.log("requirements_install")
    assert any(line.startswith("[INFO] - ERROR: Could not open requirements file") for line in lines)
    assert not any("exited with a non-zero" in line for line in lines)


def test_essential_constraints_are_those_of_the_version(started: Callable[..., Started]) -> None:
    lines = started().container.essential.read_text().splitlines()
    assert len(lines) == 22
    assert {"apache-airflow==3.3.1", "celery==5.6.3", "kombu==5.6.2", "flask-appbuilder==5.2.2"} <= set(lines)


@pytest.mark.parametrize("version", ["2.10.3", "2.11.2", "3.0.6", "3.2.1", "3.3.1"])
def test_each_version_has_its_essential_constraints(version: str) -> None:
    assert len(essential_constraints(version).splitlines()) >= 22


def test_a_protected_variable_that_a_script_exports_is_ignored(started: Callable[..., Started]) -> None:
    names = [*sorted(PROTECTED_VARIABLES), "MWAA__CORE__X"]
    new = started(StartupScript=b"export MINE=1 " + " ".join(f"{name}=theirs" for name in names).encode())
    new.container.run_startup_script()
    assert "theirs" not in new.container.environ.values()
    assert new.container.environ["MINE"] == "1"


def test_home_is_airflow_home_and_packages_go_to_its_local_folder(started: Callable[..., Started]) -> None:
    container = started().container
    assert container.environ["HOME"] == container.environ["AIRFLOW_HOME"] == str(container.airflow_home)
    assert str(container.programs) == f"{container.airflow_home}/.local/bin"


def test_a_sync_before_pip_replaces_a_containers_own_line_by_the_buckets(
    account: Account, started: Callable[..., Started]
) -> None:
    account.upload("dags/codeartifact.txt", b"from the bucket")
    new = started(StartupScript=b"echo mine >dags/codeartifact.txt; echo x >dags/mine.py\n")
    new.container.prepare()
    assert (new.container.airflow_home / "dags" / "codeartifact.txt").read_text() == "from the bucket"
    assert not (new.container.airflow_home / "dags" / "mine.py").exists()


def test_dags_are_mirrored_with_their_changes_and_deletions(account: Account, started: Callable[..., Started]) -> None:
    account.upload("dags/sub/one.py", b"1")
    account.upload("dags/two.py", b"2")
    container = started().container
    dags = container.airflow_home / "dags"
    container.sync_dags()
    assert (dags / "sub" / "one.py").read_text() + (dags / "two.py").read_text() == "12"
    account.upload("dags/two.py", b"3")
    account.s3.delete_object(Bucket=account.name, Key="dags/sub/one.py")
    container.sync_dags()
    assert (dags / "two.py").read_text() == "3"
    assert not (dags / "sub" / "one.py").exists()


def test_a_web_server_may_start_without_dags(started: Callable[..., Started]) -> None:
    container = started(component="WebServer").container
    container.prepare()
    assert not (container.airflow_home / "dags").exists()


def test_pip_without_a_way_to_any_index_says_so_itself(started: Callable[..., Started], account: Account) -> None:
    private = {"component": "WebServer", "WebserverAccessMode": "PRIVATE_ONLY"}
    index = f"--index-url {account.server.endpoint_url}/pypi/x/simple/\nmine\n"
    new = started(Requirements=f"{index}# -c \n".encode(), StartupScript=b"export PIP_RETRIES=1\n", **private)
    new.container.prepare()
    assert not new.container.install_requirements()
    lines = "\n".join(new.log("requirements_install"))
    assert "connection broken" in lines
    assert "Connection refused" in lines


def test_stopping_a_container_stops_its_script_at_once(started: Callable[..., Started]) -> None:
    new = started(StartupScript=b"echo began\nsleep 60\nsleep 60\n")
    errors: list[BaseException] = []

    def run() -> None:
        try:
            new.container.run_startup_script()
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 10
    while "began" not in new.said and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    new.container.stop()
    thread.join()
    assert errors
    assert time.monotonic() - began < 3
    with pytest.raises(StoppedError):
        new.container.start()
