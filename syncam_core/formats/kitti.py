"""Trajectories as the KITTI odometry benchmark and evo write them: one text file per camera, a frame in each line.

    1 0 0 0.5 0 1 0 0 0 0 1 -3        the first three rows of the pose, row by row

Poses are camera to world in metres; camera axes are OpenCV's (x right, y down, z forward), and so is the world, which
begins at the first camera. What such a file does not hold is lost: the lens.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig, camera_problem
from ..disk.bounded import file_text
from .axes_and_units import in_metres, in_units, metres_per_unit, rig_of
from .files import are_numbers, camera_paths, first_rows, most_files_look, number_rows, read_camera_files, write_text

NAME = "KITTI trajectory (.txt)"
SUFFIXES = (".txt",)
UNIT = "metres"
WORDS = "KITTI's has rows of 12"
FILE_READ = "KITTI trajectory, one camera each, or a folder of them"
CAMERA_AXES = "x right, y down, z forward; camera to world"
WORLD_AXES = "y down"
FILE_WRITTEN = "one camera: `.txt`; several: a folder with `01_<name>.txt`, ..."
AXES_WRITTEN = "x right, y down, z forward; world y down"
LOST = "lenses, colours; names become safe file names"
FILE_PER_CAMERA = True


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line has twelve numbers that are a rigid pose."""
    if not head and path.is_dir():
        return most_files_look(path, SUFFIXES, looks_like)
    rows = first_rows(head, 1)
    if not rows or len(rows[0]) != 12 or not are_numbers(rows[0]):
        return False
    return camera_problem(_matrices(torch.tensor([[*map(float, rows[0])]], dtype=torch.float64))) is None


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file, or of a folder of them: a camera for each, named after its file.

    Raises UserError with a sentence that names the file and the line.
    """
    scale = metres_per_unit(unit_m, 1.0, "")

    def read_one(file: Path) -> tuple[Tensor, Lens]:
        return in_metres(_matrices(number_rows(file_text(file), 12, "three rows of a pose")), scale), Lens()

    return rig_of(*read_camera_files(path, SUFFIXES, cameras, read_one))


def write(rig: Rig, path: Path, unit_m: float = 1.0) -> None:
    """Write a rig: one camera as a file at `path`, several as a folder there with a numbered file for each."""
    poses = in_units(rig.c2w, unit_m)
    for camera, file in zip(poses, camera_paths(rig.names, path, SUFFIXES[0]), strict=True):
        write_text(file, "".join(" ".join(map(repr, row)) + "\n" for row in camera[:, :3].flatten(1).tolist()))


def _matrices(rows: Tensor) -> Tensor:  # (frames, 12) -> (frames, 4, 4)
    poses = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    poses[:, :3] = rows.reshape(-1, 3, 4)
    return poses
