"""Render the whole page, the part of it that changes, and JSON, without any web framework."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mwaa_codeartifact import __version__
from mwaa_codeartifact.settings import REFRESH_DAG
from mwaa_codeartifact.status.verdict import USABLE
from mwaa_codeartifact.ui import picture
from mwaa_codeartifact.ui.dag import refresh_dag
from mwaa_codeartifact.ui.source import statuses

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The response to a browser or a monitor.

    :param body: the content.
    :param media_type: its type.
    :param status: of the HTTP answer (default: 200).
    """

    body: str
    media_type: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers: the response is not stored, and the page loads and runs nothing from elsewhere."""
        return {
            "Content-Type": self.media_type,
            "Content-Security-Policy": _content_security_policy(),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }


def page(*, home: str = "") -> Answer:
    """Render the page with its facts.

    :param home: link back to Airflow (default: none, for a page inside Airflow's frame).
    """
    return Answer(body=_render("page.html", home=home, is_shell=False, **_facts()))


def shell(*, home: str) -> Answer:
    """Render the page without facts: its script fetches them with the login that only scripts can read.

    :param home: link back to Airflow.
    """
    return Answer(body=_render("page.html", home=home, is_shell=True))


def facts() -> Answer:
    """Render the part of the page that changes."""
    return Answer(body=_render("facts.html", **_facts()))


def status_json() -> Answer:
    """Render the facts for monitors, with status 503 unless pip can install with the line of each target."""
    now = datetime.now(UTC)
    dag, problem = refresh_dag()
    found = statuses(dag)
    known = dag.as_dict() if dag else {}
    body = {
        "version": __version__,
        "targets": [status.as_dict(now) for status in found],
        "dag": {"dag_id": REFRESH_DAG, "problem": problem, **known},
    }
    working = all(status.verdict in USABLE for status in found)
    return Answer(
        body=json.dumps(body, indent=2) + "\n",
        media_type="application/json",
        status=HTTPStatus.OK if working else HTTPStatus.SERVICE_UNAVAILABLE,
    )


def _facts() -> dict[str, object]:
    dag, problem = refresh_dag()
    return {"statuses": statuses(dag), "dag": dag, "dag_problem": problem, "now": datetime.now(UTC)}


def _render(template: str, **values: object) -> str:
    always = {"dag_id": REFRESH_DAG, "version": __version__}
    return _templates().get_template(template).render(values | _assets() | always)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"duration": duration, "moment": moment}
    templates.globals |= {"bars": picture.bars, "look": picture.look, "NOW": picture.NOW, "WIDTH": picture.WIDTH}
    return templates


@cache
def _assets() -> dict[str, str]:
    return {name: (_TEMPLATES / f"page.{name}").read_text() for name in ("css", "js")}


@cache
def _content_security_policy() -> str:
    """Return the policy that allows only this page's style and script (W3C: Content Security Policy level 3)."""
    hashes = {
        name: base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode() for name, asset in _assets().items()
    }
    return (
        f"default-src 'none'; style-src 'sha256-{hashes['css']}'; script-src 'sha256-{hashes['js']}'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def duration(value: timedelta) -> str:
    """Return a duration as text, like the page's script: ``11 h 24 min 05 s``."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60} h {minutes % 60:02} min {seconds:02} s"


def moment(value: datetime) -> str:
    """Return a moment as text, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
