"""Package groups: which names of a domain may be published, and which may come from upstream.

Source: CodeArtifact user guide, "Package group definition syntax and matching behavior" and "Package group origin
controls". Weak matches need no rule of their own here: pypi names are normalized before they are matched.
"""

from __future__ import annotations

import enum
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = "/*"
_PATTERN = re.compile(r"/\*|/pypi/\*|/pypi//(?P<name>[^/\s]*[^\W_])(?P<suffix>[$~])")
_MODES = {"ALLOW", "BLOCK", "INHERIT"}


class OriginType(enum.StrEnum):
    """Name a way by which package versions enter a domain (API: PackageGroupOriginRestrictionType)."""

    PUBLISH = "PUBLISH"
    EXTERNAL_UPSTREAM = "EXTERNAL_UPSTREAM"
    INTERNAL_UPSTREAM = "INTERNAL_UPSTREAM"


@dataclass(frozen=True)
class PackageGroup:
    """Hold a pattern of package paths and what is allowed to the packages that match it.

    :param pattern: ``/*``, ``/pypi/*``, ``/pypi//name$`` or ``/pypi//prefix~``
    :param modes: ALLOW, BLOCK or INHERIT by way in; a way that is not named inherits
    :param description: free text
    :raises ValidationError: if the pattern is another one, or its name is not normalized
    """

    pattern: str
    modes: Mapping[OriginType, str] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        """Judge the pattern and the modes."""
        found = _PATTERN.fullmatch(self.pattern)
        if not found:
            raise ValidationError(f"This stand-in has no package groups of the pattern {self.pattern!r}.")
        if found["name"] and canonicalize_name(found["name"]) != found["name"]:
            raise ValidationError(f"The name in the pattern {self.pattern!r} is not normalized.")
        if unknown := set(self.modes.values()) - _MODES:
            raise ValidationError(f"This stand-in has no origin restriction {', '.join(sorted(unknown))}.")

    def matches(self, path: str) -> bool:
        """Tell whether a package's path fits the pattern; a prefix ends where a word ends.

        :param path: ``/pypi//name``
        """
        prefix, suffix = self.pattern[:-1], self.pattern[-1]
        if suffix == "*":
            return path.startswith(prefix)
        return path == prefix or (suffix == "~" and path.startswith(f"{prefix}-"))

    @property
    def specificity(self) -> tuple[int, bool]:
        """Order the patterns that a path matches: the last one is the most specific."""
        return len(self.pattern), self.pattern.endswith("$")


class PackageGroups:
    """Keep the package groups of one domain, the root group among them, which allows everything."""

    def __init__(self) -> None:
        """Start with the root group."""
        self._lock = threading.Lock()
        self._groups = {_ROOT: PackageGroup(_ROOT, dict.fromkeys(OriginType, "ALLOW"))}

    def create(self, group: PackageGroup) -> None:
        """Add a group.

        :raises ConflictError: if there is one of this pattern
        """
        with self._lock:
            if group.pattern in self._groups:
                raise ConflictError(f"Package group {group.pattern} exists already.")
            self._groups[group.pattern] = group

    def replace(self, group: PackageGroup) -> None:
        """Put a group in the place of the one of its pattern.

        :raises ResourceNotFoundError: if there is none
        """
        self.get(group.pattern)
        with self._lock:
            self._groups[group.pattern] = group

    def delete(self, pattern: str) -> None:
        """Remove a group.

        :raises ValidationError: if it is the root group
        :raises ResourceNotFoundError: if there is none
        """
        self.get(pattern)
        if pattern == _ROOT:
            raise ValidationError("The root package group cannot be deleted.")
        with self._lock:
            del self._groups[pattern]

    def get(self, pattern: str) -> PackageGroup:
        """Give the group of a pattern.

        :raises ResourceNotFoundError: if there is none
        """
        with self._lock:
            if pattern not in self._groups:
                raise ResourceNotFoundError(f"Package group not found. {pattern} does not exist.")
            return self._groups[pattern]

    def all(self) -> list[PackageGroup]:
        """List the groups."""
        with self._lock:
            return [self._groups[pattern] for pattern in sorted(self._groups)]

    def associated(self, name: str) -> PackageGroup:
        """Give the one group whose settings a package follows.

        :param name: normalized name of a pypi package
        """
        return self._lineage(f"/pypi//{name}")[-1]

    def origin(self, group: PackageGroup, origin_type: OriginType) -> tuple[str, PackageGroup]:
        """Give the mode in force and the group that sets it: this one, or the nearest parent that does not inherit."""
        lineage = self._lineage(group.pattern[:-1])
        elders = [elder for elder in lineage if elder.specificity <= group.specificity]
        return next(
            (mode, elder)
            for elder in reversed(elders)
            if (mode := elder.modes.get(origin_type, "INHERIT")) != "INHERIT"
        )

    def allow(self, name: str, origin_type: OriginType) -> bool:
        """Tell whether versions of a package may come this way.

        :param name: normalized name of a pypi package
        """
        return self.origin(self.associated(name), origin_type)[0] == "ALLOW"

    def _lineage(self, path: str) -> list[PackageGroup]:
        matching = [group for group in self.all() if group.matches(path)]
        return sorted(matching, key=lambda group: group.specificity)
