"""What other programs write into an mp4, written into one of ours byte by byte."""

from __future__ import annotations

from pathlib import Path


def number_at(content: bytearray, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


def turn(file: Path) -> Path:
    """Say that it was filmed upright: it is shown a quarter turn clockwise."""
    content = bytearray(file.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 4 + 5 * 4 + 2 * 4 + 4 * 2  # after version, times, id, layer, volume
    fixed = {what: round(what * 65536).to_bytes(4, "big", signed=True) for what in (-1, 0, 1)}
    assert content[matrix : matrix + 4] == fixed[1]
    content[matrix : matrix + 8] = fixed[0] + fixed[1]  # x' = -y, y' = x
    content[matrix + 12 : matrix + 20] = fixed[-1] + fixed[0]
    file.write_bytes(content)
    return file


def show_only(file: Path, first: int, frames: int, fps: int) -> Path:
    """Say in the edit list that only some frames are shown; the index goes on counting all of them."""
    content = bytearray(file.read_bytes())
    movie, media = (number_at(content, content.index(kind) + 4 + 12) for kind in (b"mvhd", b"mdhd"))  # units per second
    entry = content.index(b"elst") + 4 + 4 + 4  # after version and number of entries
    begin = number_at(content, entry + 4) + first * media // fps
    content[entry : entry + 8] = (frames * movie // fps).to_bytes(4, "big") + begin.to_bytes(4, "big")
    file.write_bytes(content)
    return file
