"""The statuses of an environment and LastUpdate after each change, with a fake Airflow."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.mwaa import environment as environment_module
from infra.local.mwaa.rules import ValidationError
from tests.infra.local.mwaa.support import denying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.mwaa.environments import Environments
    from tests.infra.local.mwaa.support import Account

UNHEALTHY = "the startup script did not reach its end"


class FakeAirflow:
    """A fake Airflow that records its calls, and fails in those that `fails` names."""

    fails: dict[str, str]
    waits: threading.Event
    acts: list[str]

    def __init__(self, containers: list[Any], **_: Any) -> None:
        assert not containers
        self.containers = containers
        self.number = sum(act.endswith("made") for act in self.acts) + 1
        self._act("made")

    def _act(self, act: str) -> None:
        self.acts.append(f"{self.number} {act}")
        if sentence := self.fails.pop(f"{self.number} {act}", ""):
            raise RuntimeError(sentence)

    def prepare(self, *, migrate: bool) -> None:
        self.waits.wait(10)
        self._act("migrates" if migrate else "prepares")

    def start(self) -> None:
        self._act("starts")

    def stop(self) -> None:
        self._act("stops")

    def remove(self) -> None:
        self._act("is removed")

    def release(self, seconds: float) -> None:
        del seconds
        self._act("is released")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> type[FakeAirflow]:
    FakeAirflow.fails, FakeAirflow.acts, FakeAirflow.waits = {}, [], threading.Event()
    FakeAirflow.waits.set()
    monkeypatch.setattr(environment_module, "Airflow", FakeAirflow)
    return FakeAirflow


@pytest.fixture
def environments(account: Account, airflow: type[FakeAirflow]) -> Iterator[Environments]:
    environments = account.environments()
    yield environments
    airflow.waits.set()
    environments.stop()


def update(environments: Environments, account: Account, **changed: Any) -> dict[str, Any]:
    """Update the environment, wait for the end, and return LastUpdate."""
    environments.update(account.name, account.properties | changed).wait(10)
    described: dict[str, Any] = environments[account.name].describe()["LastUpdate"]
    return described


def test_a_creation_takes_a_while(environments: Environments, account: Account, airflow: type[FakeAirflow]) -> None:
    airflow.waits.clear()
    environment = environments.create(account.properties)
    assert (environment.status, environment.describe()["LastUpdate"]["Status"]) == ("CREATING", "PENDING")
    with pytest.raises(TimeoutError, match="is still CREATING after"):
        environment.wait(0.1)
    with pytest.raises(ValidationError, match="cannot be updated in status CREATING"):
        environments.update(account.name, account.properties)
    airflow.waits.set()
    environment.wait(10)
    assert (environment.status, environment.describe()["LastUpdate"]["Status"]) == ("AVAILABLE", "SUCCESS")
    assert airflow.acts == ["1 made", "1 migrates", "1 starts"]


def test_an_unhealthy_container_fails_the_creation(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    airflow.fails["1 migrates"] = UNHEALTHY
    environment = environments.create(account.properties)
    environment.wait(10)
    assert environment.status == "CREATE_FAILED"
    assert environment.describe()["LastUpdate"]["Error"]["ErrorMessage"] == UNHEALTHY
    with pytest.raises(ValidationError, match="cannot be updated in status CREATE_FAILED"):
        environments.update(account.name, account.properties)


def test_new_containers_start_next_to_the_old_ones_and_then_replace_them(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    last_update = update(environments, account, MaxWorkers=3)
    assert (last_update["Status"], last_update["WorkerReplacementStrategy"]) == ("SUCCESS", "FORCED")
    assert airflow.acts[3:] == ["2 made", "2 prepares", "1 stops", "2 starts", "1 is removed"]
    assert environments[account.name].describe()["MaxWorkers"] == 3


def test_a_graceful_update_keeps_the_old_workers_next_to_the_new_ones(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    last_update = update(environments, account, WorkerReplacementStrategy="GRACEFUL")
    assert (last_update["Status"], last_update["WorkerReplacementStrategy"]) == ("SUCCESS", "GRACEFUL")
    assert airflow.acts[5:] == ["1 is released", "2 starts", "1 is removed"]


def test_an_update_with_an_unhealthy_container_keeps_the_running_airflow(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    airflow.fails["2 prepares"] = UNHEALTHY
    last_update = update(environments, account, MaxWorkers=3)
    assert (last_update["Status"], last_update["Error"]["ErrorMessage"]) == ("FAILED", UNHEALTHY)
    assert environments[account.name].status == "AVAILABLE"
    assert environments[account.name].describe()["MaxWorkers"] == 2
    assert airflow.acts[3:] == ["2 made", "2 prepares", "2 is removed"]


def test_an_airflow_that_does_not_start_is_rolled_back_to_the_last_good_one(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    airflow.fails["2 starts"] = "airflow scheduler ended"
    assert update(environments, account)["Status"] == "FAILED"
    assert environments[account.name].status == "AVAILABLE"
    assert airflow.acts[5:] == ["1 stops", "2 starts", "2 is removed", "1 stops", "1 starts"]


def test_a_roll_back_can_end_as_the_api_reference_says(account: Account, airflow: type[FakeAirflow]) -> None:
    environments = account.environments(rolls_back_to="UPDATE_FAILED")
    environments.create(account.properties).wait(10)
    airflow.fails["2 starts"] = "airflow scheduler ended"
    assert update(environments, account)["Status"] == "FAILED"
    assert environments[account.name].status == "UPDATE_FAILED"
    assert update(environments, account)["Status"] == "SUCCESS"  # it is ready to use
    environments.stop()


def test_a_roll_back_that_fails_leaves_the_environment_unavailable(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    airflow.fails |= {"2 starts": "airflow scheduler ended", "1 starts": "the port is taken"}
    assert update(environments, account)["Error"]["ErrorMessage"] == "the port is taken"
    assert environments[account.name].status == "UNAVAILABLE"


def test_a_failed_update_leaves_no_error_in_the_next(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    airflow.fails["2 prepares"] = UNHEALTHY
    assert update(environments, account)["Status"] == "FAILED"
    last_update = update(environments, account)
    assert (last_update["Status"], "Error" in last_update) == ("SUCCESS", False)
    assert environments[account.name].error == ""


def test_an_update_fails_after_a_grant_was_removed(account: Account, airflow: type[FakeAirflow]) -> None:
    gone: set[str] = set()
    environments = account.environments(role_may=lambda *asked: not gone or denying("logs:PutLogEvents")(*asked))
    environments.create(account.properties).wait(10)
    gone.add("logs:PutLogEvents")
    assert update(environments, account)["Error"]["ErrorCode"] == "INCORRECT_CONFIGURATION"
    assert environments[account.name].status == "AVAILABLE"
    assert airflow.acts == ["1 made", "1 migrates", "1 starts"]
    environments.stop()


@pytest.mark.parametrize("status", ["MAINTENANCE", "PENDING"])
def test_a_busy_environment_is_not_updated(status: str, environments: Environments, account: Account) -> None:
    environment = environments.create(account.properties)
    environment.wait(10)
    with environment.held(status), pytest.raises(ValidationError, match=f"in status {status}"):
        environments.update(account.name, account.properties)
    assert environment.status == "AVAILABLE"


def test_a_deleted_environment_is_stopped_and_gone(
    environments: Environments, account: Account, airflow: type[FakeAirflow]
) -> None:
    environments.create(account.properties).wait(10)
    environments.delete(account.name)
    assert account.name not in environments
    assert airflow.acts[-1] == "1 stops"


def test_get_environment_returns_the_properties_and_the_log_groups(account: Account) -> None:
    environments = account.server.environments
    environments.create(account.properties | {"AirflowConfigurationOptions": {"core.x": "y"}})
    environments[account.name].stop()
    described = account.server.client("mwaa").get_environment(Name=account.name)["Environment"]
    assert described["AirflowConfigurationOptions"] == {"core.x": "y"}
    assert described["LoggingConfiguration"]["WebserverLogs"]["CloudWatchLogGroupArn"].endswith(
        ":airflow-" + account.name + "-WebServer"
    )
    assert described["NetworkConfiguration"] == account.properties["NetworkConfiguration"]
    assert described["MinWorkers"] == 1
    environments.delete(account.name)
