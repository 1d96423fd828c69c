"""The ``[codeartifact]`` section of Airflow's configuration; on MWAA, the environment's options ``codeartifact.*``."""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf

SECTION = "codeartifact"
OPTIONS = ("domain", "domain_owner", "repository", "region", "destination")
REFRESH_DAG = "refresh_codeartifact_index_url"
# Where the web server serves the status page, on every Airflow; with this slash at its end.
STATUS_PAGE = "/codeartifact/"


def target_settings() -> dict[str, str]:
    """Read the target's settings as they are, empty where they are not set; Target validates them."""
    return {option: conf.get(SECTION, option, fallback="") for option in OPTIONS}


def settings_of(task: Any) -> dict[str, str]:
    """Read the settings that a task is given, and for those that it is not, the section.

    :param task: an operator or sensor of this project.
    """
    given = {option: getattr(task, "region_name" if option == "region" else option, None) for option in OPTIONS}
    return target_settings() | {option: str(value) for option, value in given.items() if value}


def setting_name(option: str) -> str:
    """Name a setting as people find it in Airflow's documentation and in the environment's options."""
    return f"[{SECTION}] {option}"
