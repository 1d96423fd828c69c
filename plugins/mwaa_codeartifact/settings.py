"""The ``[codeartifact]`` section of Airflow's configuration; on MWAA, the environment's options ``codeartifact.*``."""

from __future__ import annotations

from airflow.configuration import conf

SECTION = "codeartifact"
OPTIONS = ("domain", "domain_owner", "repository", "region", "destination")


def target_settings() -> dict[str, str]:
    """Read the target's settings as they are, empty where they are not set; Target validates them."""
    return {option: conf.get(SECTION, option, fallback="") for option in OPTIONS}


def setting_name(option: str) -> str:
    """Name a setting as people find it in Airflow's documentation and in the environment's options."""
    return f"[{SECTION}] {option}"
