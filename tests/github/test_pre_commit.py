"""The hooks of pre-commit run the checks of `make check`, and no others."""

from __future__ import annotations

import re

import yaml

from infra import ROOT


def checks(commands: list[str]) -> set[tuple[str, ...]]:
    """Return each command's tool and options, without its files and the way it is started."""
    found = set()
    for command in commands:
        words = re.sub(r"^(env \S+ )?(\$\(RUN\)|\.venv/bin/python -m) |^\.venv/bin/", "", command).split()
        tool = words[:2] if words[0] == "ruff" else words[:1]
        found.add((*tool, *(word for word in words if word.startswith(("--", "vendor.")) and word != "--")))
    return found


def test_the_hooks_are_the_checks() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    hooks = checks([hook["entry"] for hook in repository["hooks"]])
    assert hooks == checks([line.strip().lstrip("@") for line in recipe.splitlines()])


def test_every_hook_is_a_tool_of_the_project() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"  # so each version is pinned once, in requirements/dev.txt
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
