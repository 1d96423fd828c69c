"""The page's address without its final slash on Airflow 3, whose API server mounts the page with the slash only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mwaa_codeartifact_plugin import SlashAtTheEnd

PASSED_ON = {"status": 404}


def first_message(**scope: Any) -> dict[str, Any]:
    """Return the first message of the response to a request; the application behind it responds 404."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, send: Any) -> None:
        await send(PASSED_ON)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(SlashAtTheEnd(app)({"type": "http", "query_string": b""} | scope, None, send))
    return sent[0]


@pytest.mark.parametrize(
    ("scope", "location"),
    [
        ({"path": "/codeartifact"}, b"codeartifact/"),
        ({"path": "/codeartifact", "query_string": b"a=b"}, b"codeartifact/?a=b"),
        ({"path": "/team/codeartifact", "root_path": "/team"}, b"codeartifact/"),
        ({"path": "/codeartifact", "root_path": "/team"}, b"codeartifact/"),
    ],
)
def test_the_address_redirects_to_the_page_below_every_prefix(scope: dict[str, Any], location: bytes) -> None:
    found = first_message(**scope)
    assert (found["status"], found["headers"]) == (307, [(b"location", location)])


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/codeartifact/"},
        {"path": "/codeartifact/facts"},
        {"path": "/api/v2/dags/codeartifact"},
        {"path": "/codeartifact", "type": "websocket"},
    ],
)
def test_all_other_requests_are_passed_to_airflow(scope: dict[str, Any]) -> None:
    assert first_message(**scope) is PASSED_ON
