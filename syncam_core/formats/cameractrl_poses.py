"""The pose lists of CameraCtrl nodes, `CAMERACTRL_POSES` (AnimateDiff-Evolved, WanVideoWrapper, KJNodes).

    [[frame, fx, fy, cx, cy, width, height, *3x4 world-to-camera], ...]        19 numbers, one row for each video frame

OpenCV axes; fx and cx are shares of the picture's width, fy and cy of its height. Positions have no unit. The two
numbers before the matrix are 0 in RealEstate10K's files, from which the rows come, and the picture's size elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import MAX_VIEWS, Lens, Rig, camera_problem, default_names, inverse
from ..errors import UserError
from .axes_and_units import OPENCV_FORWARD, in_metres, in_units, refuse_inverted, rig_of
from .files import MAX_FRAMES
from .json_values import number, positive

NUMBERS = 19
ROWS = ("frames", "cameras")

_HINT = "A row is [frame fx fy cx cy width height], then the 3x4 world-to-camera matrix in OpenCV axes."


def rig_from_cameractrl(lists: Sequence[Json], rows: str = "frames", unit_m: float = 1.0) -> Rig:
    """The rig of one or more pose lists; `unit_m` is the length of their unit in metres.

    rows "frames": each list is one camera, and its rows are video frames; "cameras": every row is a still camera.
    Raises UserError, naming list and row, for anything else than rows of 19 finite numbers that hold rigid poses.
    """
    if rows not in ROWS:
        raise UserError(f"rows is {rows!r}, but it must be one of {', '.join(ROWS)}.", field="rows")
    unit = positive(unit_m, "unit_m (metres per unit of the poses)")
    poses, lenses = [], []
    for index, given in enumerate(lists):
        place = f"pose list {index + 1}" if len(lists) > 1 else "the pose list"
        table = _table(given, place)
        c2w = in_metres(_c2w(table), unit)
        focal = table[:, 1]
        if not (focal > 0).all():
            raise UserError(
                f"{place} has the focal length {float(focal.min()):g}, but a share above 0 is needed.", place=place
            )
        poses += list(c2w[:, None]) if rows == "cameras" else [c2w]
        lenses += [_lens(float(fx), place) for fx in (focal if rows == "cameras" else focal[:1])]
    if not poses:
        raise UserError("there is no pose list; connect at least one.")
    refuse_inverted(
        [camera[0] for camera in poses[:MAX_VIEWS]],
        OPENCV_FORWARD,
        "like camera-to-world ones",
        "pose lists hold world-to-camera matrices, so invert each of them first",
    )
    if len(poses) > MAX_VIEWS:
        raise UserError(
            f"there are {len(poses)} cameras, but at most {MAX_VIEWS} are possible; use rows as frames, or fewer."
        )
    return rig_of(default_names(len(poses)), poses, lenses, _HINT)


def cameractrl_from_rig(
    rig: Rig, length: int = 81, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480)
) -> list[list[list[float]]]:
    """One pose list per camera, with a row for each of `length` video frames, in units of `unit_m` metres.

    Raises UserError for a length that a moving rig does not have.
    """
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MAX_FRAMES:
        raise UserError(f"length is {length}, but a whole number from 1 to {MAX_FRAMES} is needed.")
    if rig.frames not in (1, length):
        raise UserError(f"length is {length}, but the cameras of the rig move over {rig.frames} frames; give that.")
    width, height = (positive(size, "image_size") for size in image_size)
    w2c = (inverse(in_units(rig.c2w, unit_m)) + 0.0)[:, :, :3].flatten(2)  # adding 0 turns -0 into 0
    lists = []
    for lens, camera in zip(rig.lenses, w2c, strict=True):
        fx = lens.focal_mm / lens.sensor_width_mm
        matrices = camera.expand(length, -1).tolist()
        head = [fx, fx * width / height, 0.5, 0.5, width, height]
        lists.append([[float(frame), *head, *matrix] for frame, matrix in enumerate(matrices)])
    return lists


def _table(given: Json, place: str) -> Tensor:  # (rows, 19)
    if hasattr(given, "tolist"):  # an array or a tensor
        given = given.tolist()
    if not isinstance(given, (list, tuple)) or not given:
        raise UserError(f"{place} is empty or no list; rows of {NUMBERS} numbers are needed.", place=place)
    if len(given) > MAX_FRAMES:
        raise UserError(f"{place} has {len(given)} rows, but at most {MAX_FRAMES} are possible.", place=place)
    return torch.tensor([_row(row, f"{place}, row {index}") for index, row in enumerate(given)], dtype=torch.float64)


def _row(row: Json, place: str) -> list[float]:
    if hasattr(row, "tolist"):
        row = row.tolist()
    count = len(row) if isinstance(row, (list, tuple)) else 0
    if count == NUMBERS + 4:
        raise UserError(
            f"{place} has {count} numbers; rows with a 4x4 matrix hold camera-to-world in some packs and world-to-camera "
            f"in others, so give {NUMBERS} numbers, the last 12 of them world-to-camera.",
            place=place,
        )
    if count != NUMBERS:
        raise UserError(f"{place} has {count} numbers, but {NUMBERS} are needed. {_HINT}", place=place)
    return [
        number(value.item() if hasattr(value, "item") else value, f"{place}, number {n}") for n, value in enumerate(row)
    ]


def _c2w(table: Tensor) -> Tensor:  # (rows, 4, 4)
    w2c = torch.eye(4, dtype=torch.float64).repeat(len(table), 1, 1)
    w2c[:, :3] = table[:, 7:].reshape(-1, 3, 4)
    if camera_problem(w2c) is None:
        return inverse(w2c)
    c2w = w2c.mT.clone()  # of no rigid pose: refused by its name later; a transpose is as wrong as its matrix
    c2w[:, 3] = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    return c2w


def _lens(fx: float, place: str) -> Lens:
    try:
        return Lens(focal_mm=fx * Lens().sensor_width_mm)
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem
