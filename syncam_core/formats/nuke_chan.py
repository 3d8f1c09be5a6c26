"""Nuke's .chan files: one text file per camera, a line per frame.

    1 0.0 1.5 4.0 -10.0 0.0 0.0 31.4     frame, position x y z, rotation x y z (degrees), vertical field of view (degrees)

World and camera have x right and y up; the camera looks along -z. The unit is that of the scene. Rotations are about
fixed axes in the order that the camera's "rotation order" names: Nuke's default ZXY turns about z first, then x, then
y. The file does not say it, so that it is an option here; Houdini, Maya and Blender can write any. Another program's
world with z up must be turned before.

What a rig does not hold is lost: the number of the first frame, a lens that changes over time (the first frame's is
kept). The field of view is vertical, the rig's lens horizontal: `image_size` says the picture between them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig
from ..disk.bounded import file_text
from ..errors import UserError
from .axes_and_units import FLIP_YZ, in_metres, in_units, metres_per_unit, rig_of
from .files import (
    MAX_FRAMES,
    are_numbers,
    camera_paths,
    first_rows,
    most_files_look,
    number,
    read_camera_files,
    rows_of,
    write_text,
)
from .lost_of_lenses import say_lost, zoom_losses
from .realestate10k import checked_size

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

NAME = "Nuke (.chan)"
SUFFIXES = (".chan",)
UNIT = "asked for"
WORDS = "a .chan has rows of 8 numbers: frame, position, rotation and field of view"
FILE_READ = "`.chan` of Nuke, one camera each, or a folder of them"
CAMERA_AXES = "x right, y up, z back; angles, rotation order ZXY"
WORLD_AXES = "y up"
FILE_WRITTEN = "one camera: `.chan`; several: a folder with `01_<name>.chan`, ..."
AXES_WRITTEN = "x right, y up, z back; rotation order ZXY"
LOST = "colours; names become safe file names"
FILE_PER_CAMERA = True

ROTATION_ORDERS = ("ZXY", "XYZ", "XZY", "YXZ", "YZX", "ZYX")


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line is a frame number, six numbers, and perhaps a field of view.

    Trajectories of other programs have eight columns, too (a time, a position and a quaternion).
    """
    if not head and path.is_dir():
        return most_files_look(path, SUFFIXES, looks_like)
    rows = first_rows(head, 1)
    if not rows or len(rows[0]) not in (7, 8) or not are_numbers(rows[0]):
        return False
    frame, *_ = values = [*map(float, rows[0])]
    if not math.isfinite(frame) or not frame.is_integer():
        return False
    return len(values) == 7 or (0 < values[7] < 180 and abs(math.hypot(*values[4:]) - 1) > 1e-3)


def read(
    path: Path,
    cameras: str = "",
    unit_m: float | None = None,
    rotation_order: str = "ZXY",
    image_size: tuple[int, int] = (832, 480),  # width, height: relates the field of view to the lens
) -> Rig:
    """The rig of a .chan file, or of a folder of them: a camera for each, named after its file.

    Raises UserError with a sentence that names the file and the line.
    """
    scale = metres_per_unit(unit_m, None, "")
    order, (width, height) = _checked_order(rotation_order), checked_size(image_size)

    def read_one(file: Path) -> tuple[Tensor, Lens]:
        nuke, vfov_deg = _read_file(file, order)
        return in_metres(FLIP_YZ @ nuke @ FLIP_YZ, scale), Lens() if vfov_deg is None else _lens(
            vfov_deg, width, height
        )

    return rig_of(*read_camera_files(path, SUFFIXES, cameras, read_one))


def write(
    rig: Rig,
    path: Path,
    unit_m: float = 1.0,
    rotation_order: str = "ZXY",
    image_size: tuple[int, int] = (832, 480),
    first_frame: int = 1,
) -> None:
    """Write a rig: one camera as a file at `path`, several as a folder there with a numbered file for each.

    Raises UserError for what cannot be written.
    """
    from scipy.spatial.transform import Rotation

    order, (width, height) = _checked_order(rotation_order), checked_size(image_size)
    nuke = FLIP_YZ @ in_units(rig.c2w, unit_m) @ FLIP_YZ
    for camera, lens, file in zip(nuke, rig.lenses, camera_paths(rig.names, path, SUFFIXES[0]), strict=True):
        angles = _angles_deg(Rotation.from_matrix(camera[:, :3, :3].numpy()), order)
        vfov_deg = math.degrees(2 * math.atan(lens.sensor_width_mm * height / width / lens.focal_mm / 2))
        rows = [
            [*position, *turns, vfov_deg] for position, turns in zip(camera[:, :3, 3].tolist(), angles, strict=True)
        ]
        lines = [f"{frame} {' '.join(map(repr, row))}" for frame, row in enumerate(rows, start=first_frame)]
        write_text(file, "\n".join(lines) + "\n")


def _checked_order(rotation_order: str) -> str:
    if rotation_order not in ROTATION_ORDERS:
        raise UserError(f"rotation_order is {rotation_order!r}; possible are {', '.join(ROTATION_ORDERS)}.")
    return rotation_order


def _read_file(path: Path, order: str) -> tuple[Tensor, float | None]:  # c2w in Nuke's axes (frames, 4, 4); degrees
    from scipy.spatial.transform import Rotation

    frames: list[float] = []
    rows, vfov_deg, columns = [], None, 0
    focals: list[float] = []  # in heights of the picture
    for line, words in rows_of(file_text(path)):
        if len(words) not in (7, 8) or (columns and len(words) != columns):
            wanted = columns or "8 (frame, position, rotation, field of view) or 7"
            raise UserError(f"line {line} has {len(words)} numbers, but {wanted} are needed.")
        columns = len(words)
        try:
            values = [*map(number, words)]
        except UserError as problem:
            raise problem.told(f"line {line} {problem}") from problem
        if columns == 8 and not 0 < values[7] < 180:
            raise UserError(f"line {line} has the field of view {values[7]:g}, but 0 to 180 degrees are possible.")
        if columns == 8 and vfov_deg is None:
            vfov_deg = values[7]
        if columns == 8:
            focals.append(0.5 / math.tan(math.radians(values[7]) / 2))
        _check_frame(values[0], frames, line)
        frames.append(values[0])
        rows.append(values[1:7])
        if len(rows) > MAX_FRAMES:
            raise UserError(f"it has more than {MAX_FRAMES} frames; cut it.")
    if not rows:
        raise UserError("it holds no frames; a line has 8 numbers (frame, position, rotation, field of view).")
    say_lost({path.stem: zoom_losses(focals)})
    numbers = torch.tensor(rows, dtype=torch.float64)
    turns = numbers[:, 3:].numpy()[:, ["XYZ".index(axis) for axis in order]]
    c2w = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    # lower case: about fixed axes, the first one first
    c2w[:, :3, :3] = torch.from_numpy(Rotation.from_euler(order.lower(), turns, degrees=True).as_matrix())
    c2w[:, :3, 3] = numbers[:, :3]
    return c2w, vfov_deg


def _check_frame(frame: float, before: list[float], line: int) -> None:
    """Frames are whole numbers and equally far apart. Raises UserError."""
    if not frame.is_integer():
        raise UserError(f"line {line} has the frame number {frame:g}, but whole numbers are needed.")
    if before and frame <= before[-1]:
        raise UserError(f"line {line} has frame {frame:g} after frame {before[-1]:g}; frames must rise.")
    if len(before) > 1 and frame - before[-1] != before[1] - before[0]:
        raise UserError(
            f"line {line} has frame {frame:g} after frame {before[-1]:g}, but the frames before are "
            f"{before[1] - before[0]:g} apart; export every frame."
        )


def _angles_deg(rotations: Rotation, order: str) -> list[list[float]]:  # (frames, 3): about x, y, z
    """Each turn as close to the one of the frame before as its meaning allows, so that no angle jumps by 360."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at a gimbal lock, where one of many answers is as good as any other
        turns = rotations.as_euler(order.lower(), degrees=True)
    return np.unwrap(turns, axis=0, period=360)[:, [order.index(axis) for axis in "XYZ"]].tolist()


def _lens(vfov_deg: float, width: int, height: int) -> Lens:
    sensor_width_mm = Lens().sensor_width_mm
    focal_mm = sensor_width_mm * height / width / 2 / math.tan(math.radians(vfov_deg) / 2)
    if not 1e-3 < focal_mm < 1e5:
        raise UserError(f"the field of view {vfov_deg:g} degrees is none that a lens has.")
    return Lens(focal_mm)
