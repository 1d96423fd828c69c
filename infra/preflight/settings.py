"""The settings of a check, from .env and the process environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra import ROOT
from infra.cli.aws import Aws
from infra.cli.env_file import read_env_file
from infra.cli.settings import SettingsError, load, settable
from infra.cli.templates import read_templates
from infra.preflight.constraints import OFFICIAL_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

# The first of these that is set counts; they are those of the AWS CLI, pip, OpenSSL and requests.
_CA_BUNDLES = ("AWS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class Repository:
    """The CodeArtifact repository to check against.

    :param aws: the runner, with the deployer's credentials.
    :param domain: the domain.
    :param name: the repository.
    """

    aws: Aws = field(repr=False)
    domain: str
    name: str


@dataclass(frozen=True)
class PreflightSettings:
    """The settings of a check.

    :param airflow_version: such as 3.0.6.
    :param source: the repository, or the URL of any other index.
    :param constraints: a file to use as Airflow's constraints (default: the best available source).
    :param ca_bundle: path of the CA certificates (default: those of requests and uv).
    :param root: the project's directory.
    :param official_url: of Airflow's constraints, see OFFICIAL_URL.
    """

    airflow_version: str
    source: Repository | str = field(repr=False)  # a URL may contain a password
    constraints: Path | None = None
    ca_bundle: str | None = None
    root: Path = ROOT
    official_url: str = OFFICIAL_URL

    @property
    def cache(self) -> Path:
        """Return the folder for files that are kept between checks."""
        return self.root / ".local" / "preflight"


def read_settings(env_file: Path, environ: Mapping[str, str]) -> PreflightSettings:
    """Read the settings; with PREFLIGHT_INDEX_URL, no AWS settings are needed.

    :param env_file: the .env file, which may be missing.
    :param environ: the process environment, which wins over the file.
    :raises SettingsError: with every problem at once.
    """
    values = {name: value for name, value in {**read_env_file(env_file), **environ}.items() if value}
    templates = read_templates()
    version = settable(templates)["AirflowVersion"]
    airflow = values.get("AIRFLOW_VERSION") or version.default or ""
    source: Repository | str = values.get("PREFLIGHT_INDEX_URL", "")
    if not source:
        deployed = load(env_file, environ, templates, to_deploy=False)
        aws = Aws(deployed.region, deployed.environ)
        source = Repository(aws, deployed.parameters["DomainName"], deployed.parameters["RepositoryName"])
    elif rule := version.broken_rule(airflow):
        raise SettingsError([f'AIRFLOW_VERSION is "{airflow}" but {rule}: change it in .env or in the environment.'])
    constraints = values.get("PREFLIGHT_CONSTRAINTS")
    ca_bundle = next((values[name] for name in _CA_BUNDLES if name in values), None)
    return PreflightSettings(airflow, source, Path(constraints) if constraints else None, ca_bundle)
