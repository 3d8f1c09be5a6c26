"""The camera files of the SynCamVideo and MultiCamVideo data sets, `camera_extrinsics.json`.

    {"frame0": {"cam01": "[0.866 -0.5 0 0] [0.5 0.866 0 0] [0 0 1 0] [-260 150 0 1] ", "cam02": ...}, "frame1": ...}

The four rows of a camera are its forward, right and up axes and its position, in Unreal's world axes: X forward,
Y right, Z up, left-handed, centimetres. SynCamVideo's cameras stand still over all frames, MultiCamVideo's move.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import Rig, camera_problem
from ..errors import UserError
from .axes_and_units import UNREAL_FORWARD, first_poses, in_metres, refuse_inverted
from .files import MAX_FRAMES, chosen_of, printable
from .json_values import positive, read_json, write_json

NAME = "SynCamVideo / MultiCamVideo (Unreal)"
SUFFIXES = (".json",)
UNIT = "centimetres"
WORDS = "a SynCamVideo camera file has 'frame0'"
FILE_READ = "`camera_extrinsics.json` of SynCamVideo and MultiCamVideo"
CAMERA_AXES = "forward, right, up; rows, camera to world"
WORLD_AXES = "Unreal: x forward, y right, z up, left-handed"
FILE_WRITTEN = "one file; still cameras over 81 frames"
AXES_WRITTEN = "Unreal: x forward, y right, z up, left-handed"
LOST = "lenses, colours"

CENTIMETRES = 100.0  # in a metre
DATA_SET_FRAMES = 81

ROWS_HINT = "In the file, rows are forward, right, up and position in Unreal's axes (X forward, Y right, Z up)."

_FRAME = re.compile("frame([0-9]{1,9})")
_ROW = re.compile(r"\[([^\[\]]*)\]")
_HEAD = re.compile(rb'\s*\{\s*"frame[0-9]{1,9}"\s*:')


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format: an object whose first key is a frame."""
    return bool(_HEAD.match(head.removeprefix(b"\xef\xbb\xbf")))


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file; `unit_m` is for files in another unit than the format's centimetres.

    Raises UserError, naming frame and camera, for anything else than this format.
    """
    document = read_json(path)
    if not is_syncamvideo(document):
        raise UserError("it has no 'frame0', 'frame1', ...; a SynCamVideo camera file has these.")
    return rig_from_syncamvideo(document, cameras, unit_m)


def write(rig: Rig, path: Path, unit_m: float = 1 / CENTIMETRES, frames: int | None = None) -> None:
    """Write a rig as a file that the data sets' own readers take; `frames` of them (still cameras: 81).

    Raises UserError for another unit than the format's centimetres, and for `frames` that a moving rig does not have.
    """
    refuse_other_unit(unit_m)
    count = _frame_count(rig, frames)
    texts = [[rows_text(pose) for pose in camera] for camera in rig.c2w]
    document = {
        f"frame{frame}": {
            name: camera[frame if len(camera) > 1 else 0] for name, camera in zip(rig.names, texts, strict=True)
        }
        for frame in range(count)
    }
    write_json(path, document)


def refuse_other_unit(unit_m: float) -> None:
    """Unreal's files are in centimetres by definition: no reader would know of another unit."""
    if abs(positive(unit_m, "unit_m (metres per unit of the file)") * CENTIMETRES - 1) > 1e-9:
        raise UserError(
            f"unit_m is {unit_m:g}, but files of this format are in centimetres; give 0.01, or leave it out.",
            field="unit_m",
        )


def _frame_count(rig: Rig, frames: int | None) -> int:
    if frames is None:
        return rig.frames if rig.frames > 1 else DATA_SET_FRAMES
    if isinstance(frames, bool) or not isinstance(frames, int) or not 1 <= frames <= MAX_FRAMES:
        raise UserError(f"frames is {frames}, but a whole number from 1 to {MAX_FRAMES} is needed.", field="frames")
    if rig.frames not in (1, frames):
        raise UserError(
            f"frames is {frames}, but the cameras of the rig move over {rig.frames} frames; give that.", field="frames"
        )
    return frames


def is_syncamvideo(document: Json) -> bool:
    """Whether a parsed JSON file looks like this format: an object with a key "frame0" or the like."""
    return isinstance(document, dict) and "format" not in document and any(map(_FRAME.fullmatch, document))


def rig_from_syncamvideo(
    document: dict[str, Json], cameras: str | Sequence[str] = "", unit_m: float | None = None
) -> Rig:
    """The rig of a parsed file, with the cameras that `choose_cameras` picks; only these are read.

    The world turns from Unreal's axes to the rig's by an exact exchange (x = Y, y = -Z, z = X), which leaves
    relative poses as they are, and from left-handed to right-handed. Cameras that all stand still over the whole
    file become a rig of one frame. Raises UserError, naming frame and camera, for anything else than this format.
    """
    frames = _sorted_frames(document)
    names = list(document[frames[0]])
    if not cameras:
        _refuse_extra_cameras(document, frames)
    chosen = [names[index] for index in chosen_of(cameras, names)]
    refuse_inverse_rows(f"{frames[0]}, {{}}:", document[frames[0]])
    rows = torch.tensor([[_rows(document, frame, name) for frame in frames] for name in chosen], dtype=torch.float64)
    if (rows == rows[:, :1]).all():
        rows = rows[:, :1]
    c2w = rig_c2w(rows, unit_m)
    for name, camera in zip(chosen, c2w, strict=True):
        problem = camera_problem(camera)
        if problem:
            frame, what = problem
            raise UserError(f"{frames[frame]}, {name}: the matrix {what} {ROWS_HINT}")
    return Rig(names=tuple(chosen), c2w=c2w)


# -- the rows of a camera, which the first release's files have, too --------------------------------------------------


def rig_c2w(rows: Tensor, unit_m: float | None = None) -> Tensor:
    """Camera-to-world matrices (..., 4, 4) in metres of the rows [forward, right, up, position] (..., 4, 4)."""
    units = CENTIMETRES if unit_m is None else 1 / positive(unit_m, "unit_m (metres per unit of the file)")
    forward, right, up, position = rows[..., :3].unbind(-2)
    unreal = torch.stack([right, -up, forward, position / units], dim=-1)  # columns, (..., 3, 4)
    x, y, z = unreal.unbind(-2)
    last_row = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=rows.dtype).expand_as(x)
    return torch.stack([y, -z, x, last_row], dim=-2)


def rows_text(c2w: Tensor) -> str:
    """The four rows in brackets, in centimetres, of a pose (4, 4) of a rig: the inverse of `rig_c2w`."""
    x, y, z = c2w[:3]
    right, down, forward, position = torch.stack([z, x, -y], dim=-1)  # the four columns, in Unreal's world axes
    rows = [[*forward, 0], [*right, 0], [*-down, 0], [*position * CENTIMETRES, 1]]
    return "".join(f"[{' '.join(_shortest(float(number)) for number in row)}] " for row in rows)


def _shortest(number: float) -> str:
    return repr(number + 0.0).removesuffix(".0")  # adding 0 turns -0 into 0; repr gives the same float64 back


def refuse_inverse_rows(place: str, cameras: dict[str, Json]) -> None:
    """Refuse cameras whose matrices are beyond doubt world-to-camera ones. `place` has a gap for the camera's name."""

    def c2w(camera: tuple[str, Json]) -> Tensor:  # in Unreal's axes: columns forward, right, up, position
        name, text = camera
        rows = torch.tensor(parse_rows(text, place.format(name[:60])), dtype=torch.float64)
        return in_metres(rows.T, 1 / CENTIMETRES)

    refuse_inverted(
        first_poses(c2w, cameras.items()),
        UNREAL_FORWARD,
        "like world-to-camera ones",
        "the format holds camera-to-world matrices, so invert each of them first",
    )


def parse_rows(text: Json, place: str) -> list[list[float]]:
    """The 4x4 numbers of a text with four rows in brackets. Raises UserError that begins with `place`."""
    if not isinstance(text, str):
        raise UserError(
            f'{place} a text with four rows is needed, like "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]".', place=place
        )
    rows = _ROW.findall(text)
    if len(rows) != 4 or _ROW.sub("", text).strip(" \t\r\n,;"):
        raise UserError(
            f"{place} {text[:60]!r} is not four rows in brackets (forward, right, up, position).", place=place
        )
    return [_row(row, place, index) for index, row in enumerate(rows)]


def _row(text: str, place: str, index: int) -> list[float]:
    words = text.replace(",", " ").split()
    try:
        row = [float(word) for word in words]
    except ValueError as problem:
        raise UserError(
            f"{place} row {index} holds something that is not a number: [{printable(text[:60])}].", place=place
        ) from problem
    if not all(map(math.isfinite, row)):
        raise UserError(f"{place} row {index} holds NaN or an infinite number: [{printable(text[:60])}].", place=place)
    if len(row) == 3:
        row.append(0.0 if index < 3 else 1.0)
    if len(row) != 4:
        raise UserError(
            f"{place} row {index} has {len(row)} numbers, but 3 or 4 are needed: [{printable(text[:60])}].", place=place
        )
    if abs(row[3] - (index == 3)) > 1e-6:
        raise UserError(
            f"{place} row {index} ends with {row[3]:g}, but it must end with {int(index == 3)}; rows are forward, right, "
            "up and position, and this matrix looks transposed.",
            place=place,
        )
    return row


# -- frames ----------------------------------------------------------------------------------------------------------


def _sorted_frames(document: dict[str, Json]) -> list[str]:
    """The frame keys in the order of their numbers, which must run from 0 without gaps."""
    numbers: dict[int, str] = {}
    for key in document:
        match = _FRAME.fullmatch(key)
        if not match:
            raise UserError(
                f"it has the key {key[:60]!r} beside its frames; only 'frame0', 'frame1', ... can stand there."
            )
        number = int(match[1])
        if number in numbers:
            raise UserError(f"{numbers[number]!r} and {key!r} are the same frame; leave one out.")
        numbers[number] = key
    if len(numbers) > MAX_FRAMES:
        raise UserError(f"it has {len(numbers)} frames, but at most {MAX_FRAMES} are read; cut it.")
    missing = next((number for number in range(len(numbers)) if number not in numbers), None)
    if missing is not None:
        raise UserError(
            f"'frame{missing}' is missing, but there is '{numbers[max(numbers)]}'; frames must run from 0 without gaps."
        )
    for number in sorted(numbers):
        cameras = document[numbers[number]]
        if not isinstance(cameras, dict) or not cameras:
            raise UserError(f'\'{numbers[number]}\' holds no cameras; it must look like {{"cam01": "[...] ..."}}.')
    return [numbers[number] for number in sorted(numbers)]


def _refuse_extra_cameras(document: dict[str, Json], frames: list[str]) -> None:
    for frame in frames:
        extra = next((name for name in document[frame] if name not in document[frames[0]]), None)
        if extra is not None:
            raise UserError(
                f"{frame} has the camera {extra[:60]!r}, which the first frame does not have; every frame needs every "
                "camera, so add it there, or choose others in 'cameras'."
            )


def _rows(document: dict[str, Json], frame: str, name: str) -> list[list[float]]:
    """The 4x4 numbers of one camera in one frame."""
    if name not in document[frame]:
        raise UserError(f"{frame} has no camera {name!r}, but the first frame has; every frame needs every camera.")
    return parse_rows(document[frame][name], f"{frame}, {name[:60]}:")
