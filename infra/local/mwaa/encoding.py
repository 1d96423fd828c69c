"""How MWAA decodes a requirements.txt (image: utils/encoding.py)."""

from __future__ import annotations

import codecs
import re

# UTF-32's little-endian mark begins with UTF-16's: the image asks for UTF-16 first, and takes it for that.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
)
_NAMED = re.compile(rb"^#.*coding[:=]\s*([-\w.]+)")


def decode(data: bytes) -> str:
    """Return a file's text: by its byte order mark, by what one of its first two lines names (PEP 263), or as UTF-8.

    :raises UnicodeError: when it is no such text.
    :raises LookupError: when the named encoding is unknown.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n")[:2]:
        if named := _NAMED.match(line):
            return data.decode(named[1].decode("ascii"))
    return data.decode()
