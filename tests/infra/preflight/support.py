"""Wheels and source distributions made by hand, on an index of their own."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.preflight import PreflightSettings
    from tests.infra.local.codeartifact.support import PublicIndex

# The discard port: nothing listens there.
NOWHERE = "http://127.0.0.1:9/{airflow}/{python}"


def constrain(settings: PreflightSettings, *lines: str) -> PreflightSettings:
    """Return settings with these lines as Airflow's constraints."""
    path = settings.root / "airflow.txt"
    path.write_text("\n".join(["# Airflow's", *lines, ""]))
    return replace(settings, constraints=path)


def wheel(name: str, version: str, requires: tuple[str, ...] = (), tag: str = "py3-none-any") -> tuple[str, bytes]:
    """Build a wheel that contains only its metadata."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    members = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        "RECORD": "",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for member, text in members.items():
            archive.writestr(f"{info}/{member}", text)
    return f"{name}-{version}-{tag}.whl", content.getvalue()


@dataclass
class Shelf:
    """An index that a test fills."""

    public: PublicIndex
    has_hashes: bool = True

    @property
    def url(self) -> str:
        return f"{self.public.url}/simple/"

    def wheel(self, name: str, version: str, *requires: str, tag: str = "py3-none-any", attributes: str = "") -> bytes:
        filename, content = wheel(name, version, requires, tag)
        self._put(name, filename, content, attributes)
        return content

    def source(self, name: str, version: str) -> None:
        self._put(name, f"{name}-{version}.tar.gz", b"source", "")

    def _put(self, name: str, filename: str, content: bytes, attributes: str) -> None:
        files = self.public.folder / "files"
        files.mkdir(exist_ok=True)
        (files / filename).write_bytes(content)
        page = self.public.folder / "simple" / name.replace("_", "-") / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as file:
            digest = f"#sha256={hashlib.sha256(content).hexdigest()}" if self.has_hashes else ""
            file.write(f'<a href="../../files/{filename}{digest}" {attributes}>{filename}</a>\n')
