"""A file that is no valid .env is refused with one sentence, which shows none of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.cli.env_file import EnvFileError, read_env_file

if TYPE_CHECKING:
    from pathlib import Path

NOT_UTF8 = ".env is not text in UTF-8: save it in this encoding with your editor."


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_settings_comments_and_quotes_are_read(env_file: Path) -> None:
    env_file.write_text("# comment\n\nA=1\nexport B='two words' # comment\nEMPTY=\n", encoding="utf-8")
    assert read_env_file(env_file) == {"A": "1", "B": "two words"}


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(env_file: Path) -> None:
    env_file.write_bytes("A=größe\r\nB=2\r\n".encode("utf-8-sig"))
    assert read_env_file(env_file) == {"A": "größe", "B": "2"}


def test_no_file_sets_nothing(env_file: Path) -> None:
    assert read_env_file(env_file) == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_named(env_file: Path, encoding: str) -> None:
    env_file.write_bytes("A=1 # größe\n".encode(encoding))
    with pytest.raises(EnvFileError) as raised:
        read_env_file(env_file)
    assert str(raised.value) == NOT_UTF8


@pytest.mark.parametrize("line", ["hello world", "canary", "A B=canary"])
def test_a_line_that_is_no_setting_is_named_by_its_number(env_file: Path, line: str) -> None:
    env_file.write_text(f"A=1\n# comment\n{line}\nB=2\n", encoding="utf-8")
    with pytest.raises(EnvFileError) as raised:
        read_env_file(env_file)
    assert str(raised.value) == ".env, line 3, is not a setting: write NAME=value, or # before a comment."


def test_a_folder_is_no_file(env_file: Path) -> None:
    env_file.mkdir()
    with pytest.raises(EnvFileError, match=r"is a folder: remove it, copy \.env\.example to \.env"):
        read_env_file(env_file)
