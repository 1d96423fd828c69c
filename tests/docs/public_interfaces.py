"""The tables of public interfaces in docs/compatibility.md: the names that users may rely on."""

from __future__ import annotations

import re

from infra import ROOT


def public_interfaces() -> dict[str, list[str]]:
    """Return the names by interface; that of a row "its …" begins with the interface above it."""
    found: dict[str, list[str]] = {}
    parent = ""
    for line in (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 2 or not (names := re.findall(r"`([^`]+)`", cells[1])):
            continue
        if cells[0].startswith("its "):
            found[f"{parent}: {cells[0]}"] = names
        else:
            parent = cells[0]
            found[parent] = names
    return found
