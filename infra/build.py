"""Build the uploaded files: plugins.zip for MWAA, refresher.zip for the Lambda function, the program in startup.sh.

The zips are byte-identical on every machine and at any time: an unchanged source makes no new object version.
"""

from __future__ import annotations

import ast
import io
import re
import zipfile
from typing import TYPE_CHECKING

from infra import ROOT
from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_UNIX = 3  # ZipInfo.create_system; its default differs on Windows
# In requirements/startup.sh, the program is between these two lines.
_PROGRAM = re.compile(r"(?<=<<'PYTHON' \|\| true\n).*?(?=^PYTHON$)", re.DOTALL | re.MULTILINE)
_CORE = "mwaa_codeartifact.core."
_FILE_MODE = 0o100644  # Lambda runs the code as another user: everyone must be able to read it


def build(root: Path = ROOT) -> None:
    """Write build/plugins.zip and build/refresher.zip.

    :param root: the project's directory.
    """
    plugins, refresher = root / "plugins", root / "infra" / "refresher"
    package = plugins / "mwaa_codeartifact"
    library = [package / "__init__.py", *package.glob("core/**/*.py")]
    write_zip(root / "build" / "plugins.zip", ((file, plugins) for file in sources(plugins)))
    write_zip(
        root / "build" / "refresher.zip",
        [*((file, root) for file in refresher.glob("*.py")), *((file, plugins) for file in library)],
    )


def write_startup_script(root: Path = ROOT) -> None:
    """Paste the startup program into requirements/startup.sh if it has changed; a script without it stays as it is.

    :param root: the project's directory.
    """
    script = root / "requirements" / "startup.sh"
    written = script.read_text(encoding="utf-8")
    changed = _PROGRAM.sub(lambda _: startup_program(root / "plugins"), written)
    if changed != written:
        script.write_text(changed, encoding="utf-8")
        say("wrote the program in requirements/startup.sh")


def startup_program(plugins: Path) -> str:
    """Return startup_alone.py and the core modules that it imports as one program that needs no plugins folder.

    :param plugins: the plugins folder.
    """
    pasted: dict[Path, str] = {}

    def paste(module: Path) -> None:
        if module in pasted:
            return
        lines = module.read_text(encoding="utf-8").splitlines()
        for node in reversed(ast.parse("\n".join(lines)).body):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            if node.module.startswith(_CORE):
                paste(plugins / (node.module.replace(".", "/") + ".py"))
            if node.module.startswith((_CORE, "__future__")):
                del lines[node.lineno - 1 : node.end_lineno]
        name = module.relative_to(plugins.parent).as_posix()
        pasted[module] = f"\n\n# From {name}\n" + "\n".join(lines) + "\n"

    paste(plugins / "mwaa_codeartifact" / "startup_alone.py")
    header = "# Written by `make build`: edit the files that are named below, not this copy.\n"
    program = header + "from __future__ import annotations\n" + "".join(pasted.values())
    return re.sub(r"\n{4,}", "\n\n\n", program)


def sources(folder: Path) -> Iterator[Path]:
    """List a folder's files at any depth, except hidden files and Python's caches.

    :param folder: the folder.
    """
    for file in sorted(folder.rglob("*")):
        names = file.relative_to(folder).parts
        hidden = any(name.startswith(".") and name != ".airflowignore" for name in names)
        if file.is_file() and "__pycache__" not in names and not hidden:
            yield file


def write_zip(target: Path, members: Iterable[tuple[Path, Path]]) -> None:
    """Write a reproducible zip.

    :param target: path of the zip.
    :param members: files, each with the folder to which its name in the zip is relative.
    """
    content = _zip({file.relative_to(base).as_posix(): file.read_bytes() for file, base in members})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    say(f"built {target.parent.name}/{target.name} ({len(content):,} bytes)")


def _zip(files: dict[str, bytes]) -> bytes:
    """Return a zip of names and contents only; uncompressed, because deflate's output depends on zlib's version."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = _UNIX
            member.external_attr = _FILE_MODE << 16
            writer.writestr(member, files[name])
    return archive.getvalue()


if __name__ == "__main__":
    write_startup_script()
    build()
