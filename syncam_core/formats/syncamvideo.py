"""The camera files of the SynCamVideo data set, `camera_extrinsics.json`.

    {"frame0": {"cam01": "[0.866 -0.5 0 0] [0.5 0.866 0 0] [0 0 1 0] [-260 150 0 1] ", "cam02": ...}, "frame1": ...}

The four rows of a camera are its forward, right and up axes and its position, in Unreal's world axes: X forward,
Y right, Z up, left-handed, centimetres.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

import torch
from torch import Tensor

from ..cameras.rig import MAX_VIEWS, Rig, camera_problem
from ..cameras.selection import choose_cameras

CENTIMETRES = 100.0  # in a metre

_FRAME = re.compile("frame([0-9]{1,9})")
_ROW = re.compile(r"\[([^\[\]]*)\]")


def is_syncamvideo(document: Any) -> bool:
    """Whether a parsed JSON file looks like this format: an object with a key "frame0" or the like."""
    return isinstance(document, dict) and "format" not in document and any(map(_FRAME.fullmatch, document))


def rig_from_syncamvideo(document: dict[str, Any], cameras: str = "") -> Rig:
    """The rig of a parsed file, with the cameras that `choose_cameras` picks; only these are read.

    The world turns from Unreal's axes to the rig's by an exact exchange (x = Y, y = -Z, z = X), which leaves
    relative poses as they are, and from left-handed to right-handed. Cameras that all stand still over the whole
    file become a rig of one frame. Raises ValueError, naming frame and camera, for anything else than this format.
    """
    frames = _sorted_frames(document)
    names = list(document[frames[0]])
    chosen = [names[index] for index in choose_cameras(cameras, names)]
    if len(chosen) > MAX_VIEWS:
        raise ValueError(f"it has {len(chosen)} cameras, but at most {MAX_VIEWS} are possible; choose some by name.")
    _refuse_world_to_camera(document, frames[0])
    rows = torch.tensor([[_rows(document, frame, name) for frame in frames] for name in chosen], dtype=torch.float64)
    if (rows == rows[:, :1]).all():
        rows = rows[:, :1]
    c2w = _c2w(rows)
    for name, camera in zip(chosen, c2w, strict=True):
        problem = camera_problem(camera)
        if problem:
            frame, what = problem
            raise ValueError(
                f"{frames[frame]}, {name}: the matrix {what} In the file, rows are forward, right, up and position in "
                "Unreal's axes (X forward, Y right, Z up)."
            )
    return Rig(names=tuple(chosen), c2w=c2w)


def _c2w(rows: Tensor) -> Tensor:
    """Camera-to-world matrices (..., 4, 4) of the rows [forward, right, up, position] (..., 4, 4), cm to metres."""
    forward, right, up, position = rows[..., :3].unbind(-2)
    unreal = torch.stack([right, -up, forward, position / CENTIMETRES], dim=-1)  # columns, (..., 3, 4)
    x, y, z = unreal.unbind(-2)
    last_row = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=rows.dtype).expand_as(x)
    return torch.stack([y, -z, x, last_row], dim=-2)


def _sorted_frames(document: dict[str, Any]) -> list[str]:
    """The frame keys in the order of their numbers, which must run from 0 without gaps."""
    numbers: dict[int, str] = {}
    for key in document:
        match = _FRAME.fullmatch(key)
        if not match:
            raise ValueError(
                f"it has the key {key[:60]!r} beside its frames; only 'frame0', 'frame1', ... can stand there."
            )
        number = int(match[1])
        if number in numbers:
            raise ValueError(f"{numbers[number]!r} and {key!r} are the same frame; leave one out.")
        numbers[number] = key
    missing = next((number for number in range(len(numbers)) if number not in numbers), None)
    if missing is not None:
        raise ValueError(
            f"'frame{missing}' is missing, but there is '{numbers[max(numbers)]}'; frames must run from 0 without gaps."
        )
    for number in sorted(numbers):
        cameras = document[numbers[number]]
        if not isinstance(cameras, dict) or not cameras:
            raise ValueError(f'\'{numbers[number]}\' holds no cameras; it must look like {{"cam01": "[...] ..."}}.')
    return [numbers[number] for number in sorted(numbers)]


def _rows(document: dict[str, Any], frame: str, name: str) -> list[list[float]]:
    """The 4x4 numbers of one camera in one frame."""
    place = f"{frame}, {name[:60]}:"
    if name not in document[frame]:
        raise ValueError(f"{frame} has no camera {name!r}, but the first frame has; every frame needs every camera.")
    text = document[frame][name]
    if not isinstance(text, str):
        raise ValueError(f'{place} a text with four rows is needed, like "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]".')
    rows = _ROW.findall(text)
    if len(rows) != 4 or _ROW.sub("", text).strip(" \t\r\n,;"):
        raise ValueError(f"{place} {text[:60]!r} is not four rows in brackets (forward, right, up, position).")
    return [_row(row, place, index) for index, row in enumerate(rows)]


def _row(text: str, place: str, index: int) -> list[float]:
    words = text.replace(",", " ").split()
    try:
        row = [float(word) for word in words]
    except ValueError as problem:
        raise ValueError(f"{place} row {index} holds something that is not a number: [{text[:60]}].") from problem
    if not all(map(math.isfinite, row)):
        raise ValueError(f"{place} row {index} holds NaN or an infinite number: [{text[:60]}].")
    if len(row) == 3:
        row.append(0.0 if index < 3 else 1.0)
    if len(row) != 4:
        raise ValueError(f"{place} row {index} has {len(row)} numbers, but 3 or 4 are needed: [{text[:60]}].")
    if abs(row[3] - (index == 3)) > 1e-6:
        raise ValueError(
            f"{place} row {index} ends with {row[3]:g}, but it must end with {int(index == 3)}; rows are forward, right, "
            "up and position, and this matrix looks transposed."
        )
    return row


def _refuse_world_to_camera(document: dict[str, Any], frame: str) -> None:
    """Refuse a file of inverse matrices, where that is beyond doubt.

    The cameras of a scene look at it together. If three or more viewing rays meet in a point in front of all cameras
    only once the matrices are inverted, and then ten times more exactly than any hand aims, the file holds
    world-to-camera matrices. Parallel cameras, cameras at one place and those that look away from each other say
    nothing either way. (An orbit read as its inverse misses by 1 to 10 %; the six digits of a file cost 0.02 %.)
    """
    matrices = []
    for name in list(document[frame])[:MAX_VIEWS]:
        with contextlib.suppress(ValueError):  # a broken camera is reported when it is one of those to be read
            matrices.append(_rows(document, frame, name))
    rows = torch.tensor(matrices, dtype=torch.float64)
    if len(rows) < 3 or not (torch.linalg.det(rows[:, :3, :3]).abs() > 0.5).all():
        return
    as_given, as_inverse = _ray_miss(rows), _ray_miss(torch.linalg.inv(rows))
    if as_given is not None and as_inverse is not None and as_given > 0.005 and as_inverse < 0.0005:
        raise ValueError(
            "the matrices look like world-to-camera ones (only their inverses look at a common point); the format "
            "holds camera-to-world matrices, so invert each of them first."
        )


def _ray_miss(rows: Tensor) -> float | None:
    """How far viewing rays pass by their nearest common point, as a share of the distance to it.

    rows: (cameras, 4, 4). None where the point lies behind a camera, for nearly parallel rays, and
    for cameras within a centimetre.
    """
    forward, position = rows[:, 0, :3], rows[:, 3, :3]
    across = torch.eye(3, dtype=rows.dtype) - forward[:, :, None] * forward[:, None]  # removes the part along the ray
    system = across.mean(0)
    spread_cm = (position - position.mean(0)).norm(dim=1).max()
    if spread_cm < 1 or torch.linalg.eigvalsh(system)[0] < 1e-3:
        return None
    point = torch.linalg.solve(system, (across @ position[:, :, None]).mean(0))[:, 0]
    depth = ((point - position) * forward).sum(1)
    if depth.min() <= 0:
        return None
    miss = (across @ (point - position)[:, :, None])[:, :, 0].norm(dim=1)
    return float((miss / depth).max())
