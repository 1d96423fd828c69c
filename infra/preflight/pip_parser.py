"""Parse a requirements file as pip does, in a process of its own: pip does not support imports of its modules.

The program reads the file's bytes from standard input and writes one JSON object for each logical line. pip expands
the variables of its environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pip._internal.req import req_file

_OPTIONS = (
    "index_url", "extra_index_urls", "no_index", "find_links", "requirements", "constraints", "editables", "pre",
    "require_hashes"
)  # fmt: skip


def _read(line: str) -> dict[str, Any]:
    try:
        requirement, options = req_file.get_line_parser(None)(line)
    except req_file.OptionParsingError as error:
        return {"error": error.msg.strip().splitlines()[-1].removeprefix("Usage: ")}
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name, None)}
    given["no_binary"] = sorted(options.format_control.no_binary) if options.format_control else []
    hashes = getattr(options, "hashes", None) or {}
    given["hashes"] = [f"{algorithm}:{digest}" for algorithm, digests in hashes.items() for digest in digests]
    return {"requirement": requirement, **given}


def main() -> None:
    """Parse standard input."""
    text = req_file._decode_req_file(sys.stdin.buffer.read(), "requirements.txt")  # noqa: SLF001 - see the module
    for number, line in req_file.preprocess(text):
        print(json.dumps({"line": number, "text": line, **_read(line)}))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
