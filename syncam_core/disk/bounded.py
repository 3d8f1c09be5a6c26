"""Files that others made, read within bounds: of this size at most, no pipes, text in UTF-8."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path

from ..errors import UserError

# 64 cameras over 2000 frames. Parsed, hostile JSON takes 25 times its size in memory.
MAX_BYTES = 16 * 2**20
HEAD_BYTES = 64 * 2**10


def open_file(path: Path, called: str = "it") -> BufferedReader:
    """Raises UserError with a sentence for what is no file or cannot be opened."""
    try:
        if not path.is_file():  # also keeps pipes and devices, which never end, from being read
            raise UserError("there is no such file." if called == "it" else f"{called} is missing.")
        return path.open("rb")
    except OSError as problem:
        raise UserError(f"{called} cannot be opened ({problem.strerror}).") from problem


def file_bytes(path: Path, most: int = MAX_BYTES, called: str = "it", kind: str = "camera file") -> bytes:
    """The content of a file of bounded size. Raises UserError with a sentence for anything else."""
    with open_file(path, called) as file:
        content = file.read(most + 1)
    if len(content) > most:
        size = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} KB"
        raise UserError(f"{called} is larger than {size}, which no {kind} needs.")
    return content


def file_text(path: Path, most: int = MAX_BYTES, called: str = "it", kind: str = "camera file") -> str:
    """The text of a UTF-8 file of bounded size. Raises UserError with a sentence for anything else."""
    content = file_bytes(path, most, called, kind)
    zero = content.find(b"\0")
    if zero >= 0:
        raise UserError(
            f"{called} is not UTF-8 text (byte {zero} is 0, as in UTF-16 or in binary files); save it as UTF-8."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UserError(f"{called} is not UTF-8 text (byte {problem.start}); save it as UTF-8.") from problem


def head_of(path: Path) -> bytes:
    """The first 64 kB of a file, by which formats are told apart; nothing for what cannot be read."""
    try:
        with open_file(path) as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""
