from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.configuration import conf

from mwaa_codeartifact.settings import setting_name, target_settings
from tests.airflow.support import DOMAIN, OWNER, REGION, REPOSITORY, section

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def configuration_file() -> Iterator[None]:
    """Add a section to airflow.cfg, over which the environment variables have priority."""
    conf.read_dict({"codeartifact": {"domain": "from-file", "repository": "from-file"}})
    yield
    conf.remove_section("codeartifact")


def test_settings_come_from_the_environment_options_that_mwaa_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in section("s3://bucket/dags/codeartifact.txt").items():
        monkeypatch.setenv(name, value)
    assert target_settings() == {
        "domain": DOMAIN,
        "domain_owner": OWNER,
        "repository": REPOSITORY,
        "region": REGION,
        "destination": "s3://bucket/dags/codeartifact.txt",
    }


def test_settings_that_are_not_set_are_empty() -> None:
    assert target_settings() == dict.fromkeys(("domain", "domain_owner", "repository", "region", "destination"), "")


@pytest.mark.usefixtures("configuration_file")
def test_settings_come_from_airflow_cfg_unless_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CODEARTIFACT__DOMAIN", "from-environment")
    settings = target_settings()
    assert settings["domain"] == "from-environment"
    assert settings["repository"] == "from-file"
    assert settings["region"] == ""


def test_an_owner_keeps_its_leading_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CODEARTIFACT__DOMAIN_OWNER", "001234567890")
    assert target_settings()["domain_owner"] == "001234567890"


def test_a_percent_sign_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CODEARTIFACT__DESTINATION", "file:///with%20space/codeartifact.txt")
    assert target_settings()["destination"] == "file:///with%20space/codeartifact.txt"


def test_a_setting_has_the_name_that_users_know() -> None:
    assert setting_name("domain_owner") == "[codeartifact] domain_owner"
