"""Package groups: which names of a domain may be published, and which may come from upstream.

Source: CodeArtifact user guide, "Package group definition syntax and matching behavior" and "Package group origin
controls". Weak matches need no rule of their own here: pypi names are normalized before they are matched.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = "/*"
_PATTERN = re.compile(r"/\*|/pypi/\*|/pypi//(?P<name>[^/\s]*[^\W_])[$~]")


class OriginType(enum.StrEnum):
    """Name a way by which package versions enter a domain (API: PackageGroupOriginRestrictionType)."""

    PUBLISH = "PUBLISH"
    EXTERNAL_UPSTREAM = "EXTERNAL_UPSTREAM"
    INTERNAL_UPSTREAM = "INTERNAL_UPSTREAM"


@dataclass(frozen=True)
class PackageGroup:
    """Describe what is allowed to the packages whose path matches a pattern.

    :param pattern: ``/*``, ``/pypi/*``, ``/pypi//name$`` or ``/pypi//prefix~``
    :param modes: ALLOW, BLOCK or INHERIT by way in; a way that is not named inherits
    """

    pattern: str
    modes: Mapping[OriginType, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the pattern and the modes."""
        found = _PATTERN.fullmatch(self.pattern)
        if not found:
            raise ValidationError(f"This stand-in has no package groups of the pattern {self.pattern!r}.")
        if found["name"] and canonicalize_name(found["name"]) != found["name"]:
            raise ValidationError(f"The name in the pattern {self.pattern!r} is not normalized.")
        if unknown := {*self.modes.values()} - {"ALLOW", "BLOCK", "INHERIT"}:
            raise ValidationError(f"This stand-in has no origin restriction {', '.join(sorted(unknown))}.")


class PackageGroups(dict[str, PackageGroup]):
    """Keep the package groups of one domain by their patterns, the root group among them, which allows everything.

    Each change is one operation on the dictionary: threads need no lock.
    """

    def __init__(self) -> None:
        super().__init__({_ROOT: PackageGroup(_ROOT, dict.fromkeys(OriginType, "ALLOW"))})

    def create(self, group: PackageGroup) -> None:
        """Add a group, or raise ConflictError if there is one of its pattern."""
        if self.setdefault(group.pattern, group) is not group:
            raise ConflictError(f"Package group {group.pattern} exists already.")

    def replace(self, group: PackageGroup) -> None:
        """Put a group in the place of the one of its pattern, or raise ResourceNotFoundError if there is none."""
        if group.pattern not in self:
            raise ResourceNotFoundError(f"Package group not found. {group.pattern} does not exist.")
        self[group.pattern] = group

    def delete(self, pattern: str) -> None:
        """Remove a group, or raise ResourceNotFoundError if there is none."""
        if self.pop(pattern, None) is None:
            raise ResourceNotFoundError(f"Package group not found. {pattern} does not exist.")

    def lineage(self, name: str) -> list[PackageGroup]:
        """Return the groups that a package matches, by its normalized name; the most specific comes first."""
        words = name.split("-")  # a prefix ends where a word ends
        prefixes = ["-".join(words[:count]) for count in range(len(words), 0, -1)]
        patterns = [f"/pypi//{name}$", *(f"/pypi//{prefix}~" for prefix in prefixes), "/pypi/*", _ROOT]
        return [self[pattern] for pattern in patterns if pattern in self]

    def allow(self, name: str, way: OriginType) -> bool:
        """Return whether versions of a package may come this way: the first group that does not inherit decides."""
        modes = (group.modes.get(way, "INHERIT") for group in self.lineage(name))
        return next(mode for mode in modes if mode != "INHERIT") == "ALLOW"
