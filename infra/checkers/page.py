"""Write the table of the accepted findings in docs/security-review.md from the templates: `make generate`."""

from __future__ import annotations

from infra import ROOT
from infra.checkers.findings import suppressions
from infra.cli.templates import STACKS, TEMPLATES, parse

PAGE = ROOT / "docs" / "security-review.md"

_BEGIN, _END = "<!-- make generate writes this table -->\n", "<!-- end of the table -->\n"


def table() -> str:
    """Return the table: a row for each finding that a template accepts."""
    lines = ["| resource | rule | why it is accepted |", "|---|---|---|"]
    for stack in STACKS:
        template = parse((TEMPLATES / f"{stack}.yaml").read_text(encoding="utf-8"))
        for place, reason in suppressions(stack, template).items():
            lines.append(f"| {stack}: `{place.resource}` | {place.checker} {place.rule} | {reason} |")
    return "".join(f"{line}\n" for line in lines)


def page(old: str) -> str:
    """Return the page with the table of today.

    :param old: the page's text.
    """
    top, _, rest = old.partition(_BEGIN)
    return f"{top}{_BEGIN}{table()}{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
