from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.codeartifact import mint
from mwaa_codeartifact.core.log_filter import keep_token_out
from tests.plugins.mwaa_codeartifact.core.support import TARGET_REPOSITORY, assert_no_token

if TYPE_CHECKING:
    import pytest

    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import RecordedAws


def test_a_response_with_a_token_is_not_logged(
    aws: RecordedAws, connections: BotoConnections, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mint(connections.codeartifact(target.repository.domain), target.repository)
    assert "Making request for OperationModel(name=GetAuthorizationToken)" in caplog.text
    assert_no_token(aws.state, caplog.text)


def test_a_response_without_a_token_is_logged(connections: BotoConnections, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connections.codeartifact(TARGET_REPOSITORY.domain).list_domains()
    assert '"domains":[{' in caplog.text


def test_two_calls_add_one_filter() -> None:
    keep_token_out()
    filters = list(logging.getLogger("botocore.parsers").filters)
    keep_token_out()
    assert logging.getLogger("botocore.parsers").filters == filters
