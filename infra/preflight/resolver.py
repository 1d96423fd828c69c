"""Resolve requirements with uv: the packages that would be installed, or uv's reason why none can be.

uv instead of pip, because uv resolves for another Python and platform in one pass, caches metadata, and explains
conflicts. There is only one index, so uv's rule for several indexes has no effect.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.pylock import PackageWheel, Pylock
from packaging.version import Version

from infra.preflight.candidates import versions
from infra.preflight.container import UV_PLATFORM
from infra.preflight.problems import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.preflight.container import Container
    from infra.preflight.index import Index

Stub = tuple[str, Version]

_UNSOLVABLE = 1  # uv's exit status; any other, except 0, means that there is no result
_TIMEOUT_SECONDS = 540
_KEPT = re.compile(r"PATH|HOME|TMPDIR|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE)
_YANKED = re.compile(r'warning: `(?P<name>[^=`]+)==(?P<version>[^`]+)` is yanked(?: \(reason: "(?P<reason>.*)"\))?')


@dataclass(frozen=True)
class Package:
    """One package that would be installed.

    :param name: normalized.
    :param version: its version.
    :param url: of its wheel; empty for a local wheel.
    :param size: bytes; None if not known.
    :param local: whether the container has it without an index.
    """

    name: str
    version: Version
    url: str
    size: int | None
    local: bool


@dataclass(frozen=True)
class Resolved:
    """The packages that would be installed.

    :param packages: by name.
    :param yanked: the reasons of yanked packages, by name.
    """

    packages: dict[str, Package]
    yanked: dict[str, str]


@dataclass(frozen=True)
class Unsolvable:
    """Requirements that cannot be installed.

    :param reason: uv's, on one line.
    """

    reason: str


@dataclass(frozen=True)
class Resolver:
    """uv with one index for one kind of container.

    :param index: the index.
    :param container: the container to resolve for.
    :param cache: uv's cache folder.
    :param pre: whether pre-releases are allowed (default: no).
    :param options: further options of uv, such as --no-index (default: none).
    """

    index: Index
    container: Container
    cache: Path
    pre: bool = False
    options: tuple[str, ...] = ()

    def resolve(
        self, requirements: Iterable[str], constraints: Iterable[str], stubs: Sequence[Stub] = ()
    ) -> Resolved | Unsolvable:
        """Resolve requirements.

        pip takes a pre-release only if there is no final version; uv also if no final version is compatible with the
        rest. So uv's result with pre-releases counts only if it stays the same with final versions that need nothing.

        :param requirements: lines.
        :param constraints: lines.
        :param stubs: names and versions to treat as installable and without dependencies (default: none).
        :raises CannotCheckError: if uv has no result.
        """
        requirements, constraints = list(requirements), list(constraints)
        result = self.attempt(requirements, constraints, stubs)
        if isinstance(result, Resolved) or self.pre:
            return result
        other = self._run(requirements, constraints, stubs, "if-necessary")
        if isinstance(other, Unsolvable):
            return result
        finals = [
            (name, version)
            for name, package in other.packages.items()
            if package.version.is_prerelease and (name, package.version) not in stubs
            for version in versions(self.index.files(name) or [])
            if not version.is_prerelease
        ]
        again = self._run(requirements, constraints, [*stubs, *finals], "if-necessary")
        chosen = (
            {(name, package.version) for name, package in again.packages.items()}
            if isinstance(again, Resolved)
            else set()
        )
        return result if chosen & set(finals) else other

    def attempt(
        self,
        requirements: list[str],
        constraints: list[str],
        stubs: Sequence[Stub] = (),
        seconds: float = _TIMEOUT_SECONDS,
    ) -> Resolved | Unsolvable:
        """Resolve requirements by one run of uv, with final versions and the pre-releases that the lines name.

        :param requirements: lines.
        :param constraints: lines.
        :param stubs: as for resolve.
        :param seconds: after which uv is stopped (default: 540).
        :raises CannotCheckError: if uv fails or takes longer.
        """
        return self._run(requirements, constraints, stubs, "allow" if self.pre else "explicit", seconds)

    def _run(
        self,
        requirements: list[str],
        constraints: list[str],
        stubs: Sequence[Stub],
        prerelease: str,
        seconds: float = _TIMEOUT_SECONDS,
    ) -> Resolved | Unsolvable:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "requirements.in").write_text("\n".join([*requirements, ""]), encoding="utf-8")
            (folder / "constraints.txt").write_text("\n".join([*constraints, ""]), encoding="utf-8")
            for project, version in stubs:
                _write_stub(folder, project, version)
            command = [
                *self._command(),
                "--prerelease",
                prerelease,
                "--find-links",
                name,
                "--constraints",
                "constraints.txt",
                "requirements.in",
            ]
            try:
                ended = subprocess.run(
                    command,
                    cwd=folder,
                    env=self._environ(),
                    capture_output=True,
                    encoding="utf-8",
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise CannotCheckError(
                    f"uv did not finish within {seconds:.0f} s: pin more requirements, so that it has fewer to try."
                ) from None
            return self._result(ended, set(stubs))

    def _result(self, ended: subprocess.CompletedProcess[str], stubs: set[Stub]) -> Resolved | Unsolvable:
        errors = self._without_secret(ended.stderr)
        if "could not be queried due to" in errors:
            raise CannotCheckError(
                f"The index {self.index.url} refuses the credentials: check AWS_PROFILE, or PREFLIGHT_INDEX_URL."
            )
        if ended.returncode == _UNSOLVABLE:
            cause = errors.partition("cause: ")[2].partition("hint: ")[0] or errors
            return Unsolvable(" ".join(cause.split()))
        if ended.returncode:
            raise CannotCheckError(f"uv could not resolve the requirements: {' '.join(errors.split())}")
        lock = Pylock.from_dict(tomllib.loads(ended.stdout))
        packages = {}
        for package, source in lock.select(environment=self.container.markers(), tags=self.container.tags()):
            url = (source.url if isinstance(source, PackageWheel) else None) or ""
            if url.startswith("file:"):
                url = ""
            version = package.version or Version("0")
            local = not url and (package.name, version) not in stubs
            size = getattr(source, "size", None)
            packages[str(package.name)] = Package(str(package.name), version, url, size, local)
        yanked = {found["name"]: found["reason"] or "no reason given" for found in _YANKED.finditer(errors)}
        return Resolved(packages, yanked)

    def _command(self) -> list[str]:
        command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--format", "pylock.toml"]
        command += ["--python", sys.executable, "--no-python-downloads", "--no-config", "--no-progress"]
        command += ["--python-version", self.container.python_version, "--python-platform", UV_PLATFORM]
        command += ["--only-binary", ":all:", "--keyring-provider", "disabled", "--color", "never"]
        return [*command, "--cache-dir", str(self.cache), *self.options]

    def _environ(self) -> dict[str, str]:
        """Return uv's environment, with the credentials: other users of the machine could see them in arguments."""
        environ = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        environ["UV_DEFAULT_INDEX"] = f"preflight={self.index.url}"
        if self.index.credentials:
            user, password = self.index.credentials
            environ |= {"UV_INDEX_PREFLIGHT_USERNAME": user, "UV_INDEX_PREFLIGHT_PASSWORD": password}
        if self.index.ca_bundle:
            environ["SSL_CERT_FILE"] = self.index.ca_bundle
        return environ

    def _without_secret(self, text: str) -> str:
        password = (self.index.credentials or ("", ""))[1]
        return text.replace(password, "****") if password else text


def _write_stub(folder: Path, name: str, version: Version) -> None:
    """Write an empty wheel (PyPA specification: Binary distribution format)."""
    stem = f"{name.replace('-', '_')}-{version}"
    members = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: preflight\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        for member, text in members.items():
            wheel.writestr(f"{stem}.dist-info/{member}", text)
    (folder / f"{stem}-py3-none-any.whl").write_bytes(content.getvalue())
