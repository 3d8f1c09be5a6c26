"""The rig that SynCam Render Views and SynCam Save Views put into its videos: read from the tags of an mp4, mov or mkv.

Only the tags are looked for, by the sizes of the parts before them; pictures are neither read nor decoded, and a file
may end behind the tags (the beginning of a large video will do). Tags are found in ISO base media (ISO/IEC 14496-12; keys and values as
in Apple's QuickTime File Format, "Metadata") and in Matroska (RFC 9559).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from ..cameras.json_text import parse_json
from ..cameras.rig import Rig
from ..disk.bounded import MAX_BYTES, open_file
from ..errors import UserError

NAME = "video with a rig"
SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm")
RIG_TAG = "syncam_rig"

MOST_PARTS = 100_000  # boxes or elements that are passed: hours of video in fragments
LONGEST_NAME = 1000  # bytes, of a tag's name

EBML, SEGMENT, TAGS, TAG, SIMPLE_TAG = 0x1A45DFA3, 0x18538067, 0x1254C367, 0x7373, 0x67C8
TAG_NAME, TAG_STRING = 0x45A3, 0x4487
SIZE_UNKNOWN = -1

Kind = TypeVar("Kind", bytes, int)
Part = tuple[Kind, int, int]  # kind, start of its content, end


def looks_like(path: Path, head: bytes) -> bool:
    return head[4:8] == b"ftyp" or head[:4] == EBML.to_bytes(4, "big")


def has_rig(path: Path) -> bool:
    """Whether a video carries a rig; False for whatever cannot be read."""
    try:
        return rig_text(path) is not None
    except UserError:
        return False


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a video. Raises UserError with a sentence where it carries none, or a damaged one."""
    from .rig_json import rig_of_document

    text = rig_text(path)
    if text is None:
        raise UserError(
            "it is a video without a rig in it; SynCam Render Views puts one into its files when a rig is connected "
            "(other programs may drop it)."
        )
    return rig_of_document(parse_json(text, MAX_BYTES), cameras, unit_m)


def rig_text(path: Path) -> str | None:
    """The rig JSON in a video's tags, None where there is none. Raises UserError with a sentence."""
    try:
        with open_file(path) as file:
            is_matroska = file.read(4) == EBML.to_bytes(4, "big")
            value = (_matroska_tag if is_matroska else _isobmff_tag)(file, os.fstat(file.fileno()).st_size)
    except OSError as problem:
        raise UserError(f"it cannot be read ({problem.strerror}).") from problem
    if value is None:
        return None
    try:
        return value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"the rig in it is not UTF-8 text (byte {problem.start}); render the video again.") from problem


def _content(file: BinaryIO, start: int, end: int, most: int) -> bytes:
    if end - start > most:
        raise UserError(f"a tag in it is larger than {most // 2**20} MB, which no rig needs.")
    file.seek(start)
    return file.read(end - start)


# ---- ISO base media: mp4, mov


def _isobmff_tag(file: BinaryIO, size: int) -> bytes | None:
    for _, start, end in _boxes(file, 0, size, b"moov"):
        places = [(start, end), *((first, last) for _, first, last in _boxes(file, start, end, b"udta"))]
        for first, last in places:
            for _, meta, meta_end in _boxes(file, first, last, b"meta"):
                value = _keyed_value(file, meta, meta_end)
                if value is not None:
                    return value
    return None


def _keyed_value(file: BinaryIO, start: int, end: int) -> bytes | None:
    # QuickTime's "meta" has its boxes at once, that of ISO four bytes of version and flags before them.
    file.seek(start + 4)
    start += 0 if file.read(4) == b"hdlr" else 4
    names = [
        _content(file, first, min(last, first + LONGEST_NAME), LONGEST_NAME)
        for _, keys, keys_end in _boxes(file, start, end, b"keys")
        for _, first, last in _boxes(file, keys + 8, keys_end)
    ]
    wanted = {place + 1 for place, name in enumerate(names) if name.decode("latin-1").lower() == RIG_TAG}
    for _, items, items_end in _boxes(file, start, end, b"ilst"):
        for kind, first, last in _boxes(file, items, items_end):
            if int.from_bytes(kind, "big") in wanted:
                for _, data, data_end in _boxes(file, first, last, b"data"):
                    return _content(file, data + 8, data_end, MAX_BYTES)
    return None


def _boxes(file: BinaryIO, start: int, end: int, wanted: bytes = b"") -> Iterator[Part[bytes]]:
    """The boxes between two places, or those of one kind; what reaches beyond the end is left out."""
    for _ in range(MOST_PARTS):
        if start + 8 > end:
            return
        file.seek(start)
        header = file.read(16)
        length, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16], "big"), start + 16
        stop = end if length == 0 else start + length
        if stop < content or stop > end:
            return
        if not wanted or kind == wanted:
            yield kind, content, stop
        start = stop


# ---- Matroska


def _matroska_tag(file: BinaryIO, size: int) -> bytes | None:
    for _, segment, segment_end in _elements(file, 0, size, SEGMENT):
        for _, tags, tags_end in _elements(file, segment, segment_end, TAGS):
            for _, tag, tag_end in _elements(file, tags, tags_end, TAG):
                for _, simple, simple_end in _elements(file, tag, tag_end, SIMPLE_TAG):
                    parts = {kind: (first, last) for kind, first, last in _elements(file, simple, simple_end)}
                    if TAG_NAME not in parts or TAG_STRING not in parts:
                        continue
                    first, last = parts[TAG_NAME]
                    name = _content(file, first, min(last, first + LONGEST_NAME), LONGEST_NAME)
                    if name.rstrip(b"\0").decode("latin-1").lower() == RIG_TAG:
                        return _content(file, *parts[TAG_STRING], MAX_BYTES)
    return None


def _elements(file: BinaryIO, start: int, end: int, wanted: int = 0) -> Iterator[Part[int]]:
    """The elements between two places, or those of one kind. Of unknown size, as in a live stream, is only a segment."""
    for _ in range(MOST_PARTS):
        if start + 2 > end:
            return
        file.seek(start)
        kind = _number(file, keep_marker=True)
        length = _number(file, keep_marker=False)
        if kind is None or length is None:
            return
        content = file.tell()
        is_open = length == SIZE_UNKNOWN or (kind == SEGMENT and content + length > end)
        if is_open and kind != SEGMENT:
            return
        stop = end if is_open else content + length
        if stop > end:
            return
        if not wanted or kind == wanted:
            yield kind, content, stop
        start = stop


def _number(file: BinaryIO, keep_marker: bool) -> int | None:
    """A number of variable length (RFC 8794); None where there is none, SIZE_UNKNOWN where all its bits are set."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        return None
    number = int.from_bytes(first + rest, "big")
    if keep_marker:
        return number
    number &= (1 << 7 * length) - 1
    return SIZE_UNKNOWN if number == (1 << 7 * length) - 1 else number
