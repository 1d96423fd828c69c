"""Read .env; a file that is not a valid .env is refused in one sentence."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from infra.cli.program import CommandError

if TYPE_CHECKING:
    from pathlib import Path


class EnvFileError(CommandError):
    """A settings file that cannot be read."""

    exit_status = 2


def read_env_file(path: Path) -> dict[str, str]:
    """Return the settings in the file; none if there is no file.

    :param path: the .env file.
    :raises EnvFileError: if it is not a text file of NAME=value lines.
    """
    if path.is_dir():
        raise EnvFileError(f"{path.name} is a folder: remove it, copy .env.example to .env and fill it in.")
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise EnvFileError(f"{path.name} cannot be read ({error.strerror}): change its permissions.") from error
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    if "\0" in text:
        raise _not_utf8(path)  # UTF-16 without a byte order mark
    # The line itself is not shown, because it may contain a secret.
    wrong = [
        f"{path.name}, line {binding.original.line}, is not a setting: write NAME=value, or # before a comment."
        for binding in parse_stream(StringIO(text))
        if binding.error or (binding.key and binding.value is None)
    ]
    if wrong:
        raise EnvFileError("\n".join(wrong))
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


def _not_utf8(path: Path) -> EnvFileError:
    return EnvFileError(f"{path.name} is not text in UTF-8: save it in this encoding with your editor.")
