"""The rigs of SynCamMaster's first release: one file per rig, such as `Hemi36_4m_15.json`.

    {"C_01_18mm": "[-0.95 -0.17 -0.26 0] [0.17 -0.98 0 0] [-0.25 -0.04 0.97 0] [380.5 67.1 103.5 1]", ..., "B_12_18mm": ...}

36 still cameras around the origin. The four rows are those of the SynCamVideo data set: forward, right and up axes and
position, in Unreal's axes (X forward, Y right, Z up) and centimetres. The end of a name is the focal length, on the
data set's 23.76 mm wide sensor (545.45 pixels of 720).
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from ..cameras.json_text import Json
from ..cameras.rig import Lens, Rig
from ..errors import UserError
from .axes_and_units import rig_of
from .files import chosen_of
from .json_values import read_json, write_json
from .syncamvideo import CENTIMETRES, ROWS_HINT, parse_rows, refuse_inverse_rows, refuse_other_unit, rig_c2w, rows_text

NAME = "SynCamMaster first release (36 cameras)"
SUFFIXES = (".json",)
UNIT = "centimetres"
WORDS = "one of its first release names like 'C_01_18mm'"
FILE_READ = "`Hemi36_...json` of SynCamMaster's first release"
CAMERA_AXES = "as above"
WORLD_AXES = "Unreal"
FILE_WRITTEN = "one file, still cameras only"
AXES_WRITTEN = "Unreal"
LOST = "colours, and lenses of cameras whose names do not end like `_18mm`"

_HEAD = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.){0,400}"\s*:\s*"\s*\[')
_FOCAL = re.compile(r".*_([0-9]{1,3}(?:\.[0-9]{1,3})?)mm")


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format: an object whose first value is a text with a bracket."""
    return bool(_HEAD.match(head.removeprefix(b"\xef\xbb\xbf")))


def is_first_release(document: Json) -> bool:
    """Whether a parsed JSON file looks like this format: an object of nothing but texts."""
    return isinstance(document, dict) and bool(document) and all(isinstance(text, str) for text in document.values())


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file; `unit_m` is for files in another unit than the format's centimetres.

    Raises UserError, naming the camera, for anything else than this format.
    """
    document = read_json(path)
    if not is_first_release(document):
        raise UserError('it does not hold cameras like {"C_01_18mm": "[...] [...] [...] [...]"} and nothing else.')
    names = list(document)
    chosen = [names[index] for index in chosen_of(cameras, names)]
    refuse_inverse_rows("{}:", document)
    rows = torch.tensor([parse_rows(document[name], f"{name[:60]}:") for name in chosen], dtype=torch.float64)
    return rig_of(chosen, rig_c2w(rows, unit_m)[:, None], [_lens(name) for name in chosen], ROWS_HINT)


def write(rig: Rig, path: Path, unit_m: float = 1 / CENTIMETRES) -> None:
    """Write the cameras of a rig under their names. The lens is lost where a name does not end with it ("_18mm").

    Raises UserError for another unit than the format's centimetres, and for cameras that move: it holds still ones.
    """
    refuse_other_unit(unit_m)
    if not rig.is_static:
        raise UserError(
            f"the cameras move over {rig.frames} frames, but files of the first release hold still cameras only; "
            "write another format, or make the rig still."
        )
    write_json(path, {name: rows_text(c2w[0]).rstrip() for name, c2w in zip(rig.names, rig.c2w, strict=True)})


def _lens(name: str) -> Lens:
    found = _FOCAL.fullmatch(name)
    return Lens(focal_mm=float(found[1])) if found and float(found[1]) > 0 else Lens()
