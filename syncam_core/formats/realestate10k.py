"""RealEstate10K and CameraCtrl pose files: one text file per moving camera.

    https://www.youtube.com/watch?v=...                    any line: the clip's name or address
    0 0.5 0.888889 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 3     timestamp (microseconds), fx fy cx cy (as shares of width and
    66667 ...                                              height), 0 0, and world-to-camera 3 x 4, row by row

OpenCV axes; a world of arbitrary unit, whose axes stay as they are. A rig of several cameras is a folder of such files.

What a rig does not hold is lost: times between frames (frames count one by one), the principal point, fy (written for
square pixels), a lens that changes over time (the first frame's is kept).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig, camera_problem, inverse
from ..disk.bounded import file_text, head_of
from ..errors import UserError
from .axes_and_units import OPENCV_FORWARD, first_poses, in_metres, in_units, metres_per_unit, refuse_inverted, rig_of
from .files import (
    MAX_FRAMES,
    are_numbers,
    camera_paths,
    files_in,
    first_rows,
    most_files_look,
    numbers,
    read_camera_files,
    rows_of,
    write_text,
)
from .lost_of_lenses import say_lost, shift_losses, zoom_losses

NAME = "RealEstate10K / CameraCtrl (.txt)"
SUFFIXES = (".txt",)
UNIT = "asked for"
WORDS = "a RealEstate10K file has rows of 19 numbers"
FILE_READ = "`.txt` of RealEstate10K and CameraCtrl, one moving camera each, or a folder of them"
CAMERA_AXES = "x right, y down, z forward; world to camera"
WORLD_AXES = "as it is"
FILE_WRITTEN = "one camera: `.txt`; several: a folder with `01_<name>.txt`, ..."
AXES_WRITTEN = "x right, y down, z forward; world to camera"
LOST = "colours; names become safe file names"
FILE_PER_CAMERA = True

ROW_NUMBERS = 19
_HINT = "The last 12 numbers of a row are world-to-camera, 3 x 4, in OpenCV axes (its rows are right, down, forward)."


def looks_like(path: Path, head: bytes) -> bool:
    """Whether one of the first two lines is a row of poses; for a folder, whether this holds for most of its .txt files."""
    if not head and path.is_dir():
        return most_files_look(path, SUFFIXES, looks_like)
    return any(map(_is_row, first_rows(head, 2)))


def _is_row(words: Sequence[str]) -> bool:
    return len(words) == ROW_NUMBERS and are_numbers(words)


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a pose file, or of a folder of them: a camera for each, named after its file.

    Raises UserError with a sentence that names the file and the line.
    """
    scale = metres_per_unit(unit_m, None, "")
    names, poses, lenses = read_camera_files(path, SUFFIXES, cameras, _read_file)
    refuse_inverted(
        first_poses(
            lambda file: in_metres(_first_pose(file), scale), files_in(path, SUFFIXES) if path.is_dir() else ()
        ),
        OPENCV_FORWARD,
        "like camera-to-world ones",
        "the format holds world-to-camera matrices, so invert each of them first",
    )
    return rig_of(names, [in_metres(pose, scale) for pose in poses], lenses)


def write(
    rig: Rig,
    path: Path,
    unit_m: float = 1.0,
    image_size: tuple[int, int] = (1280, 720),  # width, height: gives fy; CameraCtrl's readers expect 16:9
    fps: float = 15.0,  # gives the timestamps
) -> None:
    """Write a rig: one camera as a file at `path`, several as a folder there with a numbered file for each.

    Raises UserError for what cannot be written.
    """
    width, height = checked_size(image_size)
    if not 0 < fps < 1e6:
        raise UserError(f"fps is {fps:g}, but a number of frames per second above 0 is needed.", field="fps")
    w2c = inverse(in_units(rig.c2w, unit_m))[..., :3, :].flatten(2).tolist()
    for name, lens, rows, file in zip(
        rig.names, rig.lenses, w2c, camera_paths(rig.names, path, SUFFIXES[0]), strict=True
    ):
        fx = lens.focal_mm / lens.sensor_width_mm
        # Fewer digits than a float64 has, so that the numbers of a file come back as they were written there.
        intrinsics = f"{fx:.15g} {fx * width / height:.15g} 0.5 0.5 0 0"
        lines = [
            f"{round(frame * 1e6 / fps)} {intrinsics} {' '.join(map(repr, row))}" for frame, row in enumerate(rows)
        ]
        # Other programs skip the first line, whatever it is.
        write_text(file, "\n".join(["_".join(name.split()), *lines]) + "\n")


def rows_of_text(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file with their lines, without a first line that is the clip's name or address. Raises UserError."""
    for place, (line, words) in enumerate(rows_of(text)):
        if place > 0 or len(words) == ROW_NUMBERS or (len(words) > 6 and are_numbers(words)):
            yield line, words


def pose_of_row(words: Sequence[str]) -> tuple[float, Tensor]:
    """fx as a share of the picture's width, and camera-to-world (4, 4) in the file's unit.

    Raises UserError with half a sentence for anything else than 19 finite numbers that hold a rigid pose.
    """
    if len(words) != ROW_NUMBERS:
        raise UserError(f"has {len(words)} numbers, but {ROW_NUMBERS} are needed.")
    values = numbers(words)
    w2c = torch.eye(4, dtype=torch.float64)
    w2c[:3] = torch.tensor(values[7:], dtype=torch.float64).view(3, 4)
    problem = camera_problem(w2c[None])
    if problem:
        raise UserError(f"holds no pose: the matrix {problem[1]} {_HINT}")
    return values[1], inverse(w2c)


def lens_of(focal: float) -> Lens:
    """The lens of a focal length in picture widths, on the default sensor. Raises UserError with half a sentence."""
    if not 0 < focal < 4e4:
        raise UserError(f"has the focal length {focal:g}, but a share of the picture's width is needed (like 0.5).")
    return Lens(focal * Lens().sensor_width_mm)


def checked_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels. Raises UserError."""
    width, height = image_size
    if not (0 < width <= 1e6 and 0 < height <= 1e6):
        raise UserError(
            f"image_size is {width} x {height}, but a width and a height in pixels are needed.", field="image_size"
        )
    return width, height


def _read_file(path: Path) -> tuple[Tensor, Lens]:  # c2w (frames, 4, 4) in the file's unit, lens of the first frame
    rows, lines = [], []
    for line, words in rows_of_text(file_text(path)):
        try:
            if len(words) != ROW_NUMBERS:
                raise UserError(f"has {len(words)} numbers, but {ROW_NUMBERS} are needed.")
            rows.append(numbers(words))
        except UserError as problem:
            raise problem.told(f"line {line} {problem}") from problem
        lines.append(line)
        if len(rows) > MAX_FRAMES:
            raise UserError(f"it has more than {MAX_FRAMES} frames; cut it.")
    if not rows:
        raise UserError(f"it holds no poses; a row has {ROW_NUMBERS} numbers (timestamp fx fy cx cy 0 0, then 3 x 4).")
    w2c = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    w2c[:, :3] = torch.tensor(rows, dtype=torch.float64)[:, 7:].view(-1, 3, 4)
    wrong = camera_problem(w2c)
    if wrong:
        frame, what = wrong
        raise UserError(f"line {lines[frame]}: the matrix {what} {_HINT}")
    lost = shift_losses([rows[0][3] - 0.5, rows[0][4] - 0.5]) + zoom_losses([row[1] for row in rows])
    say_lost({path.stem: lost})
    return inverse(w2c), lens_of(rows[0][1])


def _first_pose(path: Path) -> Tensor:  # c2w (4, 4)
    """Raises UserError where none of the first two lines is a row of poses."""
    return pose_of_row(next(filter(_is_row, first_rows(head_of(path), 2)), []))[1]
