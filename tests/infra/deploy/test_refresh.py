"""The error of `make refresh` without a refresher; the AWS CLI is real, AWS is moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.cli.settings import Settings
from infra.deploy.refresh import refresh
from infra.deploy.stacks import StackError

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def test_refresh_without_a_refresher_fails_and_names_make_deploy(aws: Aws) -> None:
    with pytest.raises(StackError, match="nothing-refresher is not deployed: run `make deploy` first"):
        refresh(aws, Settings("eu-central-1", "nothing", {}, {}))
