from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.codeartifact import mint
from mwaa_codeartifact.core.log_filter import keep_token_out
from tests.plugins.mwaa_codeartifact.core.support import assert_no_token

if TYPE_CHECKING:
    import pytest

    from mwaa_codeartifact.core.connections import Clients
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Aws


def test_the_answer_that_holds_a_token_is_not_logged(
    aws: Aws, clients: Clients, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mint(clients.codeartifact, target)
    assert "Making request for OperationModel(name=GetAuthorizationToken)" in caplog.text
    assert_no_token(aws.state, caplog.text)


def test_an_answer_that_holds_none_is(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clients.codeartifact.list_domains()
    assert '"domains":[{' in caplog.text


def test_asking_twice_adds_one_filter() -> None:
    filters = list(logging.getLogger("botocore.parsers").filters)
    keep_token_out()
    assert logging.getLogger("botocore.parsers").filters == filters
