from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugins.mwaa_codeartifact.core.support import RecordedAws


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(no_aws_settings: None) -> None:
    pass


@pytest.fixture
def aws(recorded_aws: RecordedAws) -> RecordedAws:
    return recorded_aws
