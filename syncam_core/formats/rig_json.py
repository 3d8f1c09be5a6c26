"""The rig JSON as a camera file; the format itself is in cameras/rig_json.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..cameras.rig import Rig
from ..cameras.rig_json import FORMAT, rig_from_document, rig_to_json
from ..errors import UserError
from .axes_and_units import in_metres
from .files import chosen_of, write_text
from .json_values import positive, read_json

NAME = "SynCam rig JSON"
SUFFIXES = (".json",)

_MARK = re.compile(rb'"format"\s*:\s*' + json.dumps(FORMAT).encode())


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file says that it is one. Those that do not say it are told by their cameras, as a last resort."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and bool(_MARK.search(head))


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file; `unit_m` is for one whose lengths are not in metres, as they should be. Raises UserError."""
    return rig_of_document(read_json(path), cameras, unit_m)


def rig_of_document(document: object, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The cameras that `choose_cameras` picks of a parsed file. Raises UserError."""
    rig = rig_from_document(document)
    rig = rig.select(chosen_of(cameras, rig.names))
    if unit_m is None:
        return rig
    return Rig(rig.names, in_metres(rig.c2w, positive(unit_m, "unit_m")), rig.colors, rig.lenses)


def write(rig: Rig, path: Path, unit_m: float = 1.0) -> None:
    """Write a rig with its names, colours and lenses. Raises UserError for another unit than metres."""
    if unit_m != 1:
        raise UserError(
            f"'unit_m' is {unit_m}, but a rig JSON is in metres; set it to 1, or choose another format.", field="unit_m"
        )
    write_text(path, rig_to_json(rig))
