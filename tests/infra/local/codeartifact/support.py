"""A clock, a public index and servers for the tests of this folder."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

from tests.serving import running
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

OWNER = "123456789012"


@dataclass
class Clock:
    time: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@dataclass
class PublicIndex:
    """A static PEP 503 folder behind an HTTP server, and its requests."""

    folder: Path
    url: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def add(self, name: str, version: str, source: str = "", attributes: str = "") -> bytes:
        filename, content = wheel(name, version, source)
        (self.folder / "files").mkdir(exist_ok=True)
        (self.folder / "files" / filename).write_bytes(content)
        page = self.folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(content).hexdigest()
        with page.open("a") as file:
            file.write(f'<a href="../../files/{filename}#sha256={digest}" {attributes}>{filename}</a>\n')
        return content

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, public_index: PublicIndex, *args: Any, **kwargs: Any) -> None:
        self.public_index = public_index
        super().__init__(*args, directory=str(public_index.folder), **kwargs)

    def do_GET(self) -> None:
        self.public_index.requests.append((self.path, self.headers.get("Authorization")))
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[PublicIndex]:
    public_index = PublicIndex(folder)
    with running(ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, public_index))) as public_index.url:
        yield public_index


@contextmanager
def serve(app: WSGIApplication) -> Iterator[str]:
    with running(make_server("127.0.0.1", 0, app, threaded=True)) as url:
        yield url
