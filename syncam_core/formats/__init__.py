"""Camera files: one module per format; which one a file is, is told from its content and never from its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..cameras.json_text import parse_json
from ..cameras.rig import Rig
from ..cameras.rig_json import rig_from_document
from ..cameras.selection import choose_cameras
from .syncamvideo import is_syncamvideo, rig_from_syncamvideo

__all__ = ["read_rig_file"]

# 64 cameras over 2000 frames. Parsed, hostile JSON takes 25 times its size in memory.
MAX_BYTES = 16 * 2**20


def read_rig_file(path: str | os.PathLike[str], cameras: str = "") -> Rig:
    """The cameras of a SynCamVideo `camera_extrinsics.json`, or of a rig JSON file.

    `cameras` says which ones and in which order, as for `choose_cameras` ("1, 3"; the first becomes view 0); an
    empty text means all. Raises ValueError with a sentence that names the file and the place in it.
    """
    path = Path(path)
    try:
        document = parse_json(_read_text(path), MAX_BYTES)
        if is_syncamvideo(document):
            return rig_from_syncamvideo(document, cameras)
        if isinstance(document, dict) and ("cameras" in document or "format" in document):
            rig = rig_from_document(document)
            return rig.select(choose_cameras(cameras, rig.names))
        raise ValueError(
            f"it holds {_described(document)}; a SynCamVideo camera file has 'frame0', 'frame1', ..., and a rig JSON "
            "has 'cameras'. Give one of these."
        )
    except ValueError as problem:
        raise ValueError(f"file {path.name!r}: {problem}") from problem


def _read_text(path: Path) -> str:
    if not path.is_file():  # also keeps pipes and devices, which never end, from being read
        raise ValueError("there is no such file.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ValueError(f"it cannot be opened ({problem.strerror}).") from problem
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 2**20} MB, which no camera file needs.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"it is not UTF-8 text (byte {problem.start}); save it as UTF-8.") from problem


def _described(document: Any) -> str:
    if not isinstance(document, dict):
        return "a list" if isinstance(document, list) else "a single value"
    keys = [repr(key[:40]) for key in list(document)[:4]]
    return f"the keys {', '.join(keys)}" + (", ..." if len(document) > 4 else "") if keys else "an empty object"
