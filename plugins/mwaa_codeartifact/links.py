"""Links from a task to the AWS console and to the status page; they cost nothing to import."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from mwaa_codeartifact.compat import BaseOperatorLink, returned_by
from mwaa_codeartifact.settings import STATUS_PAGE, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Console hosts by the partition that a region's name begins with (AWS general reference: AWS Management Console).
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_CONSOLE = "console.aws.amazon.com"

log = logging.getLogger(__name__)


class _ConsoleLink(BaseOperatorLink):
    """Lead to the place in the AWS console that a task's settings name."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Give the address; empty where there is none.

        :param operator: the task; on Airflow 2 as the web server has it, with its templates not rendered.
        :param ti_key: names the task instance.
        """
        try:
            settings = settings_of(operator)
            if any("{{" in value for value in settings.values()):
                settings |= _settings_in(returned_by(ti_key) or {})
            return self.address(settings)
        except Exception:  # Airflow 3.0 runs this when a task ends, and would let it fail
            log.exception("There is no link %s", self.name)
            return ""

    def address(self, settings: Mapping[str, str]) -> str:
        """Give the address; empty where there is none.

        :param settings: of the target.
        """
        raise NotImplementedError


class RepositoryLink(_ConsoleLink):
    """Lead to the CodeArtifact repository."""

    name = "CodeArtifact repository"

    def address(self, settings: Mapping[str, str]) -> str:
        """Give the repository's address."""
        names = [quote(settings[option], safe="") for option in ("domain_owner", "domain", "repository")]
        if not all(names):
            return ""
        path = "/codesuite/codeartifact/d/{}/{}/r/{}".format(*names)
        return _console(settings["region"], path)


class IndexUrlFileLink(_ConsoleLink):
    """Lead to the index-url file in S3."""

    name = "index-url file in S3"

    def address(self, settings: Mapping[str, str]) -> str:
        """Give the object's address; a file outside AWS has none."""
        place = urlsplit(settings["destination"])
        if place.scheme != "s3":
            return ""
        return _console(settings["region"], f"/s3/object/{place.netloc}", prefix=place.path.lstrip("/"))


class StatusPageLink(BaseOperatorLink):
    """Lead to the status page of this Airflow."""

    name = "index-url status"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  (Airflow's signature)
        """Give the address, the same for every task."""
        return STATUS_PAGE


LINKS = (RepositoryLink, IndexUrlFileLink, StatusPageLink)


def _console(region: str, path: str, **parameters: str) -> str:
    if not region:
        return ""
    host = next((host for prefix, host in _CONSOLES.items() if region.startswith(prefix)), _CONSOLE)
    return f"https://{host}{path}?{urlencode({'region': region} | parameters)}"


def _settings_in(result: Mapping[str, Any]) -> dict[str, str]:
    """Read the target's settings out of what a refresh returned: see ``RefreshResult``."""
    if not result:
        return {}
    names = ("region", "domain_owner", "domain", "repository")
    return dict(zip(names, result["facts"]["repository"].split("/"), strict=True)) | {
        "destination": result["destination"]
    }
