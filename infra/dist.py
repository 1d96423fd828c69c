"""Build the release files in dist/: zips, templates, wheel, SBOM and their checksums.

Every file is byte-identical for the same source. (The wheel is compressed: another zlib may compress differently.)
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from infra import ROOT
from infra.build import build, write_zip
from infra.cli.console import say
from infra.cli.program import CommandError, run
from mwaa_codeartifact import __version__

# The modification time of every file in the wheel: 1980-01-01, the first that a zip can hold (reproducible-builds.org).
_ENVIRON = {"SOURCE_DATE_EPOCH": "315532800"}
_PROGRAMS = Path(sys.executable).parent


def dist(root: Path = ROOT) -> None:
    """Build all release files in dist/.

    :param root: the project's directory.
    :raises CommandError: if a program fails that builds one of them.
    """
    folder = root / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    build(root)
    for name in ("plugins", "refresher"):
        shutil.copyfile(root / "build" / f"{name}.zip", folder / f"{name}-{__version__}.zip")
    templates = root / "infra" / "cloudformation"
    write_zip(folder / f"templates-{__version__}.zip", ((file, templates) for file in templates.glob("*.yaml")))
    _run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(root))
    (folder / ".gitignore").unlink(missing_ok=True)  # written by uv
    (folder / f"sbom-{__version__}.cdx.json").write_text(_sbom(root / "pyproject.toml"))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))
    say(f"built dist/: {', '.join(file.name for file in sorted(folder.iterdir()))}")


def _sbom(pyproject: Path) -> str:
    """Return the SBOM (CycloneDX): this project, which contains no other code, and the wheel's declared dependencies.

    :param pyproject: path of pyproject.toml.
    """
    dependencies = "\n".join(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"])
    options = ["--pyproject", str(pyproject), "--mc-type", "library", "--output-reproducible", "--of", "JSON", "-"]
    bom = json.loads(_run("cyclonedx-py", "requirements", *options, given=dependencies))
    # The tool cannot read a dynamic version, and it does not connect the project with its dependencies.
    root = bom["metadata"]["component"]
    root["version"] = __version__
    for dependency in bom["dependencies"]:
        if dependency["ref"] == root["bom-ref"]:
            dependency["dependsOn"] = [component["bom-ref"] for component in bom["components"]]
    return json.dumps(bom, indent=2, sort_keys=True) + "\n"


def _run(program: str, *arguments: str, given: str | None = None) -> str:
    command = [str(_PROGRAMS / program), *arguments]
    # No warnings: the tool warns of version ranges, which are intended here.
    quiet = {"PYTHONWARNINGS": "ignore"}
    ended = subprocess.run(
        command, input=given, env=os.environ | _ENVIRON | quiet, stdout=subprocess.PIPE, text=True, check=False
    )
    if ended.returncode:
        fix = "if no index answered, check the one that pip is set up with (pip config list)"
        raise CommandError(f"{program} failed, see above: {fix}.")
    return ended.stdout


if __name__ == "__main__":
    sys.exit(run(dist))
