"""An in-house package from end to end: published, installed by a container's start, and imported there."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.build import build
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container
from infra.local.server import REGION
from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target
from tests.infra.local.codeartifact.support import OWNER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.local.codeartifact.support import PublicIndex
    from tests.infra.publish.support import Published

pytestmark = pytest.mark.long

REQUIREMENTS = b"--constraint ${AIRFLOW_CONSTRAINTS_FILE}\n-r ${AIRFLOW_HOME}/dags/codeartifact.txt\nacme-greeting\n"
GREET = "import acme_greeting; print(acme_greeting.__file__); print(acme_greeting.greet('MWAA'))"


@pytest.fixture
def configuration(published: Published, tmp_path: Path) -> Configuration:
    """Upload the files of an environment, and write its index-url file as the Lambda does."""
    s3, bucket = published.server.client("s3"), published.name
    for folder in ("plugins", "infra"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    build(tmp_path)
    names = {"domain": bucket, "domain_owner": OWNER, "repository": bucket, "region": REGION}
    target = Target.from_settings(names | {"destination": f"s3://{bucket}/dags/codeartifact.txt"})
    connections = BotoConnections(lambda service, **_: published.server.client(service))
    refresh(target, refresher="lambda", min_remaining=timedelta(hours=1), connections=connections)

    def upload(name: str, key: str, body: bytes) -> dict[str, str]:
        version = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
        return {f"{name}S3Path": key, f"{name}S3ObjectVersion": version}

    return Configuration(
        {
            "Name": bucket,
            "AirflowVersion": "3.3.1",
            "SourceBucketArn": f"arn:aws:s3:::{bucket}",
            "DagS3Path": "dags",
            **upload("Plugins", "plugins.zip", (tmp_path / "build" / "plugins.zip").read_bytes()),
            **upload("Requirements", "requirements.txt", REQUIREMENTS),
        }
    )


def test_the_example_is_published_installed_and_imported_even_if_the_public_index_has_its_name(
    published: Published, configuration: Configuration, public_index: PublicIndex, tmp_path: Path
) -> None:
    public_index.add("acme_greeting", "99.0", "def greet(name): return 'attacked'\n")
    (public_index.folder / "simple" / "acme_greeting").rename(public_index.folder / "simple" / "acme-greeting")
    status, _, errors = published.publish(ROOT / "examples" / "acme-greeting")
    assert (status, errors) == (0, "")

    lines: list[str] = []
    aws = published.server.environ
    container = Container(tmp_path / "container", configuration, aws, lines.append)
    assert container.start(), lines
    command = [str(container.programs / "python"), "-c", GREET]
    ended = subprocess.run(command, env=container.environ, capture_output=True, text=True, check=True)
    path, greeting = ended.stdout.splitlines()
    assert greeting == "Hello MWAA, from an in-house package"
    assert path.startswith(f"{container.packages}/")
    assert "/simple/acme-greeting/" not in public_index.paths()
