"""The ``[codeartifact]`` section of Airflow's configuration; on MWAA, the environment's options ``codeartifact.*``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

from mwaa_codeartifact.core.target import SETTINGS, Target, read_target

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION = "codeartifact"
REFRESH_DAG = "refresh_codeartifact_index_url"
# The address of the status page on every Airflow; the slash at the end is needed.
STATUS_PAGE = "/codeartifact/"


def target_settings() -> dict[str, str]:
    """Return the section's settings of the target, unchecked; empty where they are not set."""
    return {name: conf.get(SECTION, name, fallback="") for name in SETTINGS}


def settings_of(task: Any) -> dict[str, str]:
    """Return the target's settings for a task: its own arguments, or else the section's settings; unchecked.

    :param task: an operator or sensor of this project.
    """
    given = {name: getattr(task, "region_name" if name == "region" else name, None) for name in SETTINGS}
    return target_settings() | {name: str(value) for name, value in given.items() if value}


def target_from(settings: Mapping[str, str]) -> Target:
    """Build the target of these settings.

    :param settings: from :func:`target_settings` or :func:`settings_of`.
    :raises ConfigError: naming every setting that is missing or malformed.
    """
    return read_target(settings.get, named=setting_name)


def setting_name(name: str) -> str:
    """Return a setting's name as in Airflow's documentation and in the environment's options.

    :param name: such as ``domain``.
    """
    return f"[{SECTION}] {name}"
