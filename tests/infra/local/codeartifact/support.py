"""A clock, wheels, a public index and servers for the tests of this folder."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

from tests.serving import running

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


def wheel(name: str, version: str, source: str = "") -> tuple[str, bytes]:
    """Build a wheel of one module, always with the same bytes."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_record_hash(text)},{len(text)}\n" for path, text in members.items())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in (members | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-py3-none-any.whl", content.getvalue()


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


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
