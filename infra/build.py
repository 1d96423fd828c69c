"""Build what is uploaded: plugins.zip for MWAA and refresher.zip for the Lambda function.

Both are byte-identical wherever and whenever they are built, so that an unchanged source makes no new object version.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from infra import ROOT
from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_UNIX = 3  # ZipInfo.create_system; its default differs on Windows
_FILE_MODE = 0o100644  # Lambda runs the code as another user: everyone must be able to read it


def build(root: Path = ROOT) -> None:
    """Write build/plugins.zip and build/refresher.zip.

    :param root: the project's directory.
    """
    plugins, refresher = root / "plugins", root / "infra" / "refresher"
    package = plugins / "mwaa_codeartifact"
    library = [package / "__init__.py", *package.glob("core/**/*.py")]
    _write(root / "build" / "plugins.zip", ((file, plugins) for file in sources(plugins)))
    _write(
        root / "build" / "refresher.zip",
        [*((file, root) for file in refresher.glob("*.py")), *((file, plugins) for file in library)],
    )


def sources(folder: Path) -> Iterator[Path]:
    """List a folder's files at any depth, without what Python, editors and file managers leave behind.

    :param folder: where to look.
    """
    for file in sorted(folder.rglob("*")):
        names = file.relative_to(folder).parts
        hidden = any(name.startswith(".") and name != ".airflowignore" for name in names)
        if file.is_file() and "__pycache__" not in names and not hidden:
            yield file


def _write(target: Path, members: Iterable[tuple[Path, Path]]) -> None:
    content = _zip({file.relative_to(base).as_posix(): file.read_bytes() for file, base in members})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    say(f"built {target.parent.name}/{target.name} ({len(content):,} bytes)")


def _zip(files: dict[str, bytes]) -> bytes:
    """Make a zip of nothing but names and contents; stored, because deflate's bytes depend on zlib's version."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = _UNIX
            member.external_attr = _FILE_MODE << 16
            writer.writestr(member, files[name])
    return archive.getvalue()


if __name__ == "__main__":
    build()
