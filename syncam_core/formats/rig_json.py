"""The rig JSON as a camera file; the format itself is in cameras/rig_json."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..cameras.json_text import Json
from ..cameras.rig import PALETTE, Rig
from ..cameras.rig_json import FORMAT, rig_from_document, rig_to_json
from ..errors import UserError
from .axes_and_units import in_metres
from .files import chosen_of, write_text
from .json_values import positive, read_json

NAME = "SynCam rig JSON"
SUFFIXES = (".json",)
UNIT = "metres"
WORDS = "a rig JSON has 'cameras'"
FILE_READ = "`.json` of *SynCam Rig from JSON*"
CAMERA_AXES = "x right, y down, z forward; camera to world"
WORLD_AXES = "y down"
FILE_WRITTEN = "one file"
AXES_WRITTEN = "x right, y down, z forward"
LOST = "nothing"

_MARK = re.compile(rb'"format"\s*:\s*' + json.dumps(FORMAT).encode())


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file says that it is one. Those that do not say it are told by their cameras, as a last resort."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and bool(_MARK.search(head))


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file; `unit_m` is for one whose lengths are not in metres, as they should be. Raises UserError."""
    return rig_of_document(read_json(path), cameras, unit_m)


def rig_of_document(document: Json, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The cameras that `choose_cameras` picks of a parsed file. Raises UserError."""
    try:
        rig = rig_from_document(document)
    except UserError:
        if not cameras.strip():
            raise
        rig = rig_from_document(_only_chosen(document, cameras))  # what is wrong may be a camera that nobody asks for
        cameras = ""
    rig = rig.select(chosen_of(cameras, rig.names))
    if unit_m is None:
        return rig
    return Rig(rig.names, in_metres(rig.c2w, positive(unit_m, "unit_m")), rig.colors, rig.lenses)


def _only_chosen(document: Json, cameras: str) -> Json:
    """A document with the chosen cameras only; as it is where it has no list of cameras."""
    entries = document.get("cameras") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        return document
    given = [entry.get("name") for entry in entries]
    names = [name if isinstance(name, str) else f"cam{place:02d}" for place, name in enumerate(given, start=1)]
    chosen = chosen_of(cameras, names)
    return {
        **document,
        "cameras": [
            {"color": PALETTE[index % len(PALETTE)], **entries[index], "name": names[index]} for index in chosen
        ],
    }


def write(rig: Rig, path: Path, unit_m: float = 1.0) -> None:
    """Write a rig with its names, colours and lenses. Raises UserError for another unit than metres."""
    if unit_m != 1:
        raise UserError(
            f"'unit_m' is {unit_m}, but a rig JSON is in metres; set it to 1, or choose another format.", field="unit_m"
        )
    write_text(path, rig_to_json(rig))
