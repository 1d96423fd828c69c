"""Read the resolver's own reason: which packages it names, and what of it a person can read."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

# Where uv's reason names packages. What it wrongly finds does no harm: nothing comes of a name that nobody requires.
_NAMES = re.compile(
    r"([A-Za-z][\w.-]*)(?:\[[^\]]*\])?(?===|[<>!~]=?| (?:was|depends|has|is|cannot))"
    r"|(?:depends? on|versions? of|require) (?:one of: )?([A-Za-z][\w.-]*)"
)
_READABLE = 300  # characters


def names_in(reason: str) -> list[str]:
    """List the packages that a reason names, normalized, in its order.

    :param reason: uv's.
    """
    found = (canonicalize_name(first or second) for first, second in _NAMES.findall(reason))
    return list(dict.fromkeys(map(str, found)))


def plain(reason: str) -> str:
    """Cut a reason down to what it begins with; what is too long even so is of no help.

    :param reason: uv's.
    """
    said = reason.partition(", we can conclude")[0].rstrip(".").removeprefix("Because ")
    if len(said) <= _READABLE:
        return said
    return "the resolver's reason is too long to be of help, so pin one version and check again"
