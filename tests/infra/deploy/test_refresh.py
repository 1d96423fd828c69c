"""What refresh tells; the AWS CLI is real, AWS is moto's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.cli.settings import Settings
from infra.deploy.refresh import refresh
from infra.deploy.stacks import StackError

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def test_refresh_without_a_refresher_says_what_to_do_first(aws: Aws) -> None:
    with pytest.raises(StackError, match="nothing-refresher is not deployed: run `make deploy` first"):
        refresh(aws, Settings("eu-central-1", "nothing", {}, {}))
