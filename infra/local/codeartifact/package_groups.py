"""Package groups: which package names of a domain may be published, and which may come from upstream.

Source: CodeArtifact user guide, "Package group definition syntax and matching behavior" and "Package group origin
controls". Weak matches need no rule here, because pypi names are normalized before they are matched.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = "/*"
_PATTERN = re.compile(r"/\*|/pypi/\*|/pypi//(?P<name>[^/\s]*[^\W_])[$~]")


class OriginType(enum.StrEnum):
    """A way for package versions to enter a domain (API: PackageGroupOriginRestrictionType)."""

    PUBLISH = "PUBLISH"
    EXTERNAL_UPSTREAM = "EXTERNAL_UPSTREAM"
    INTERNAL_UPSTREAM = "INTERNAL_UPSTREAM"


class PackageGroups(dict[str, "Mapping[OriginType, str]"]):
    """The package groups of one domain: pattern to ALLOW, BLOCK or INHERIT (default) for each origin type.

    Patterns are ``/*`` (always exists; allows everything at first), ``/pypi/*``, ``/pypi//name$`` and
    ``/pypi//prefix~``. Each change is one operation on the dictionary, so threads need no lock.
    """

    def __init__(self) -> None:
        super().__init__({_ROOT: dict.fromkeys(OriginType, "ALLOW")})

    def create(self, pattern: str, modes: Mapping[OriginType, str]) -> None:
        """Add a group, or raise ConflictError if its pattern exists, ValidationError if it is malformed."""
        own = _checked(pattern, modes)
        if self.setdefault(pattern, own) is not own:
            raise ConflictError(f"Package group {pattern} exists already.")

    def replace(self, pattern: str, modes: Mapping[OriginType, str]) -> None:
        """Replace the group with this pattern, or raise ResourceNotFoundError if there is none."""
        if pattern not in self:
            raise ResourceNotFoundError(f"Package group not found. {pattern} does not exist.")
        self[pattern] = _checked(pattern, modes)

    def delete(self, pattern: str) -> None:
        """Delete a group, or raise ResourceNotFoundError if there is none."""
        if self.pop(pattern, None) is None:
            raise ResourceNotFoundError(f"Package group not found. {pattern} does not exist.")

    def lineage(self, name: str) -> list[str]:
        """Return the patterns that a normalized package name matches, the most specific first."""
        words = name.split("-")  # a prefix ends at the end of a word
        prefixes = ["-".join(words[:count]) for count in range(len(words), 0, -1)]
        patterns = [f"/pypi//{name}$", *(f"/pypi//{prefix}~" for prefix in prefixes), "/pypi/*", _ROOT]
        return [pattern for pattern in patterns if pattern in self]

    def allow(self, name: str, way: OriginType) -> bool:
        """Return whether versions of a package may enter this way: the first group that does not inherit decides."""
        modes = (self[pattern].get(way, "INHERIT") for pattern in self.lineage(name))
        return next(mode for mode in modes if mode != "INHERIT") == "ALLOW"


def _checked(pattern: str, modes: Mapping[OriginType, str]) -> Mapping[OriginType, str]:
    found = _PATTERN.fullmatch(pattern)
    if not found:
        raise ValidationError(f"This stand-in does not support the package group pattern {pattern!r}.")
    if found["name"] and canonicalize_name(found["name"]) != found["name"]:
        raise ValidationError(f"The name in the pattern {pattern!r} is not normalized.")
    if unknown := {*modes.values()} - {"ALLOW", "BLOCK", "INHERIT"}:
        raise ValidationError(f"This stand-in does not support the origin restriction {', '.join(sorted(unknown))}.")
    return dict(modes)
