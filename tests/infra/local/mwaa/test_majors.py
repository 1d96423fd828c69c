"""How to log in to each of Airflow's major versions, and how to see that it is healthy; the demo has the real ones."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests
from flask import Flask, Response, jsonify, redirect, request
from werkzeug.serving import make_server

from infra.local.mwaa.airflow import major_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = {"metadatabase": "healthy", "scheduler": "healthy", "triggerer": "healthy", "dag_processor": "healthy"}
FORM = '<form><input id="csrf_token" name="csrf_token" type="hidden" value="c-s-r-f"></form>'


class WebServer:
    """Answer like the parts of Airflow 2 and 3 that are asked here."""

    def __init__(self) -> None:
        self.parts: dict[str, str | None] = dict(PARTS)
        self.app = Flask(__name__)
        self.app.add_url_rule("/health", view_func=self.health)
        self.app.add_url_rule("/api/v2/monitor/health", "health_3", self.health)
        self.app.add_url_rule("/login/", view_func=self.form, methods=["GET", "POST"])
        self.app.add_url_rule("/auth/token", view_func=self.token, methods=["POST"])
        self.app.add_url_rule("/who", view_func=self.who)
        self.app.add_url_rule("/", "home", lambda: "home")

    def health(self) -> Response:
        return jsonify({part: {"status": status} for part, status in self.parts.items()})

    def form(self) -> Response | str:
        if request.method == "GET":
            return FORM
        answer = redirect("/")
        if request.form.to_dict() == {"username": "admin", "password": "secret", "csrf_token": "c-s-r-f"}:
            answer.set_cookie("session", "logged-in")
        return Response(answer.data, answer.status, answer.headers)

    def token(self) -> Response:
        if request.get_json() != {"username": "admin", "password": "secret"}:
            return Response(status=401)
        return Response('{"access_token": "j-w-t"}', 201, content_type="application/json")

    def who(self) -> str:
        return f"{request.cookies.get('session')} {request.headers.get('Authorization')}"


@pytest.fixture
def web_server() -> WebServer:
    return WebServer()


@pytest.fixture
def url(web_server: WebServer) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, web_server.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("version", "shown"), [("2.10.3", "logged-in None"), ("3.0.6", "None Bearer j-w-t")])
def test_a_session_shows_its_login_with_every_request(version: str, shown: str, url: str) -> None:
    with major_of(version).log_in(url, "admin", "secret") as session:
        assert session.get(f"{url}/who", timeout=10).text == shown


def test_a_wrong_password_for_airflow_3_is_an_error(url: str) -> None:
    with pytest.raises(requests.HTTPError, match="401"):
        major_of("3.0.6").log_in(url, "admin", "wrong")


@pytest.mark.parametrize(
    ("version", "parts", "healthy"),
    [
        ("2.10.3", {"dag_processor": None}, True),  # it is a part of Airflow 2's scheduler
        ("3.0.6", {}, True),
        ("3.0.6", {"dag_processor": None}, False),
        ("2.10.3", {"scheduler": "unhealthy"}, False),
        ("3.3.1", {"scheduler": "unhealthy"}, False),
        ("2.10.3", {"triggerer": None}, False),
        ("3.0.6", {"triggerer": None}, False),
    ],
)
def test_airflow_is_healthy_when_each_of_its_parts_is(
    version: str, parts: dict[str, str | None], web_server: WebServer, url: str, *, healthy: bool
) -> None:
    web_server.parts = web_server.parts | parts
    assert major_of(version).is_healthy(url) is healthy


def test_a_server_that_is_not_there_is_not_healthy() -> None:
    assert not major_of("3.0.6").is_healthy("http://127.0.0.1:9")
