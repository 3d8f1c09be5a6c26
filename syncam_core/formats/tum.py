"""Trajectories as the TUM RGB-D benchmark, ORB-SLAM, evo and Open3D write them: one text file per camera.

    # timestamp tx ty tz qx qy qz qw
    0.0 0.5 0 -3 0 0 0 1              seconds, position in metres, rotation as a quaternion with its real part last

Commas and tabs separate as blanks do, which the benchmark's own tools take, too.

Rows are camera to world; camera axes are OpenCV's (x right, y down, z forward), and so is the world of a visual
odometry, which begins at its first camera. What such a file does not hold is lost: the lens.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig
from ..disk.bounded import file_text
from ..errors import UserError
from .axes_and_units import in_metres, in_units, metres_per_unit, rig_of
from .files import are_numbers, camera_paths, first_rows, most_files_look, number_rows, read_camera_files, write_text

NAME = "TUM trajectory (.txt)"
SUFFIXES = (".txt",)
UNIT = "metres"
WORDS = "a TUM trajectory has rows of 8 numbers"
FILE_READ = "TUM trajectory, one camera each, or a folder of them"
CAMERA_AXES = "x right, y down, z forward; camera to world"
WORLD_AXES = "y down"
FILE_WRITTEN = "one camera: `.txt`; several: a folder with `01_<name>.txt`, ..."
AXES_WRITTEN = "x right, y down, z forward; world y down"
LOST = "lenses, colours; names become safe file names"
FILE_PER_CAMERA = True

_OPEN3D = "# TUM trajectory, format:"


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line has eight numbers whose last four are a unit quaternion."""
    if not head and path.is_dir():
        return most_files_look(path, SUFFIXES, looks_like)
    plain = _plain(head.decode("utf-8", "replace")).encode()
    rows = first_rows(head.replace(b",", b" "), 1) or first_rows(plain, 1)
    if path.suffix.lower() == ".chan" or not rows or len(rows[0]) != 8 or not are_numbers(rows[0]):
        return False
    return abs(math.hypot(*map(float, rows[0][4:])) - 1) < 1e-3


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file, or of a folder of them: a camera for each, named after its file.

    Rows are frames, in their order; their times are not read. Raises UserError that names the file and the line.
    """
    scale = metres_per_unit(unit_m, 1.0, "")
    return rig_of(*read_camera_files(path, SUFFIXES, cameras, lambda file: (in_metres(_poses(file), scale), Lens())))


def write(rig: Rig, path: Path, unit_m: float = 1.0, fps: float = 16.0) -> None:
    """Write a rig: one camera as a file at `path`, several as a folder there; frame k has the time k / `fps`."""
    from scipy.spatial.transform import Rotation

    poses = in_units(rig.c2w, unit_m)
    for camera, file in zip(poses, camera_paths(rig.names, path, SUFFIXES[0]), strict=True):
        turns = Rotation.from_matrix(camera[:, :3, :3].numpy()).as_quat()
        rows = np.concatenate([np.arange(len(camera))[:, None] / fps, camera[:, :3, 3].numpy(), turns], 1)
        lines = ["# timestamp tx ty tz qx qy qz qw", *(" ".join(map(repr, row)) for row in rows.tolist())]
        write_text(file, "\n".join(lines) + "\n")


def _plain(text: str) -> str:
    """The text with blanks for commas, and the first pose on a line of its own.

    Open3D 0.20 writes that behind the comment, where it is lost.
    """
    first, _, rest = text.partition("\n")
    row = first.rpartition("<qw>")[2]
    if first.startswith(_OPEN3D) and row.split():
        text = f"{first.removesuffix(row)} \n{row}\n{rest}"
    return text.replace(",", " ")


def _poses(file: Path) -> Tensor:  # (frames, 4, 4), camera to world
    from scipy.spatial.transform import Rotation

    rows = number_rows(_plain(file_text(file)), 8, "seconds, position, quaternion")
    lengths = rows[:, 4:].norm(dim=1)
    wrong = next((row for row, length in enumerate(lengths.tolist()) if abs(length - 1) > 1e-2), None)
    if wrong is not None:
        raise UserError(f"row {wrong + 1} has a quaternion of length {lengths[wrong]:.4g}, but 1 is needed.")
    poses = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    poses[:, :3, :3] = torch.from_numpy(Rotation.from_quat(rows[:, 4:].numpy()).as_matrix())
    poses[:, :3, 3] = rows[:, 1:4]
    return poses
