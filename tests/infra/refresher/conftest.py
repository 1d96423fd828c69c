from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.build import build
from tests.infra.refresher.support import CloudFormation, Function, cloudformation, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.plugins.mwaa_codeartifact.core.support import Bucket, RecordedAws


@pytest.fixture
def aws(recorded_aws: RecordedAws) -> RecordedAws:
    return recorded_aws


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """Return the real clock, which the function uses as well."""
    return lambda: datetime.now(UTC)


@pytest.fixture(scope="session")
def refresher_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the zip from the project's sources, away from its own build folder."""
    root = tmp_path_factory.mktemp("project")
    (root / "infra").mkdir()
    for folder in ("plugins", "infra/refresher"):
        (root / folder).symlink_to(ROOT / folder)
    build(root)
    return root / "build" / "refresher.zip"


@pytest.fixture
def function(refresher_zip: Path, aws: RecordedAws, bucket: Bucket, tmp_path: Path) -> Function:
    folder = tmp_path / "function"
    with zipfile.ZipFile(refresher_zip) as package:
        package.extractall(folder)
    return Function(folder, aws, settings_for(bucket.name))


@pytest.fixture
def cfn() -> Iterator[CloudFormation]:
    with cloudformation() as receiver:
        yield receiver
