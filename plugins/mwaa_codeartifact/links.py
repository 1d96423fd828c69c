"""Links from a task to the AWS console and to the status page; cheap to import."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mwaa_codeartifact.compat import BaseOperatorLink, returned_by
from mwaa_codeartifact.core.destinations import S3Location
from mwaa_codeartifact.core.target import Repository
from mwaa_codeartifact.settings import STATUS_PAGE, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Console hosts by the partition that a region's name begins with (AWS general reference: AWS Management Console).
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_CONSOLE = "console.aws.amazon.com"

log = logging.getLogger(__name__)


class _ConsoleLink(BaseOperatorLink):
    """A link to a page of the AWS console about a task's target."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address; empty if there is none.

        :param operator: the task; on Airflow 2 the web server's copy, with unrendered templates.
        :param ti_key: key of the task instance.
        """
        try:
            settings = settings_of(operator)
            if any("{{" in value for value in settings.values()):
                settings |= _settings_in(returned_by(ti_key) or {})
            return self.address(settings)
        except Exception:  # Airflow 3.0 runs this when a task ends, and an error would fail the task
            log.exception("There is no link %s", self.name)
            return ""

    def address(self, settings: Mapping[str, str]) -> str:
        """Return the address; empty if there is none.

        :param settings: of the target.
        """
        raise NotImplementedError


class RepositoryLink(_ConsoleLink):
    """A link to the CodeArtifact repository."""

    name = "CodeArtifact repository"

    def address(self, settings: Mapping[str, str]) -> str:
        """Return the repository's address; empty if a setting is missing."""
        names = [quote(settings[name], safe="") for name in ("domain_owner", "domain", "repository")]
        if not all(names):
            return ""
        path = "/codesuite/codeartifact/d/{}/{}/r/{}".format(*names)
        return _console(settings["region"], path)


class IndexUrlFileLink(_ConsoleLink):
    """A link to the index-url file in S3."""

    name = "index-url file in S3"

    def address(self, settings: Mapping[str, str]) -> str:
        """Return the object's address; empty for a file outside AWS."""
        location = S3Location.parse(settings["destination"])
        if not location:
            return ""
        return _console(settings["region"], f"/s3/object/{location.bucket}", prefix=location.key)


class StatusPageLink(BaseOperatorLink):
    """A link to the status page of this Airflow."""

    name = "index-url status"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  (Airflow's signature)
        """Return the address, the same for every task."""
        return STATUS_PAGE


LINKS = (RepositoryLink, IndexUrlFileLink, StatusPageLink)


def _console(region: str, path: str, **parameters: str) -> str:
    if not region:
        return ""
    host = next((host for prefix, host in _CONSOLES.items() if region.startswith(prefix)), _CONSOLE)
    return f"https://{host}{path}?{urlencode({'region': region} | parameters)}"


def _settings_in(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the target's settings from the result of a refresh, see ``RefreshResult``."""
    if not result:
        return {}
    repository = Repository.parse(result["facts"]["repository"])
    return {
        "domain": repository.domain.name,
        "domain_owner": repository.domain.owner,
        "repository": repository.name,
        "region": repository.domain.region,
        "destination": result["destination"],
    }
