from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.local.mwaa.support import Account

if TYPE_CHECKING:
    from infra.local.server import Server


@pytest.fixture(scope="module")
def account(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return Account(server, tmp_path_factory.mktemp("account"))
