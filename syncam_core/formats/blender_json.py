"""Cameras as Blender has them; the format is this file's own, and its help page has the script that exports it.

    {"format": "blender-cameras", "version": 1, "unit_scale": 1.0,
     "cameras": [
       {"name": "Camera", "lens_mm": 50.0, "sensor_width_mm": 36.0,
        "matrix_world": [[1, 0, 0, 0], [0, 0, -1, -3], [0, 1, 0, 1.5], [0, 0, 0, 1]]}]}

`matrix_world` is the camera object's own: camera to world, camera axes x right, y up, z back (the camera looks along
-z), world z up; for a moving camera a list of them, one for each frame. `unit_scale` is the scene's (metres per Blender
unit) and must be there, unless the reader is told the unit. Without a lens a camera has the default one. Scripts that name the
lens as Blender does, `lens` and `sensor_width`, are understood, and `sensor_fit` with `sensor_height`, `resolution_x` and
`resolution_y`, of a camera or of the file: the sensor is for the picture's height where Blender takes it so.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import Lens, Rig
from ..errors import UserError
from .axes_and_units import (
    FLIP_YZ,
    OPENGL_FORWARD,
    Z_UP_TO_RIG,
    first_poses,
    in_metres,
    in_units,
    metres_per_unit,
    refuse_inverted,
    rig_of,
)
from .json_values import as_list, is_matrix, lens_of, pose, positive, read_json, refuse_foreign, shown, write_json
from .opencv_json import listed_cameras

NAME = "Blender cameras JSON"
SUFFIXES = (".json",)
UNIT = "in the file"
WORDS = "Blender's cameras have a 'matrix_world'"
FILE_READ = "JSON of Blender's cameras"
CAMERA_AXES = "x right, y up, z back; camera to world"
WORLD_AXES = "z up"
FILE_WRITTEN = "one file"
AXES_WRITTEN = "camera x right, y up, z back; world z up"
LOST = "colours"
FORMAT = "blender-cameras"

_HINT = "(A scaled camera object: apply its scale in Blender with Ctrl+A, or export `matrix_world.normalized()`.)"


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format: by its name, or with cameras that have a matrix_world."""
    return f'"{FORMAT}"'.encode() in head or (b'"matrix_world"' in head and b'"cameras"' in head)


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file. Raises UserError, naming the place, for anything else than this format."""
    document = read_json(path)
    refuse_foreign(document, FORMAT, "cameras")
    unit = metres_per_unit(unit_m, document.get("unit_scale"), "unit_scale")
    entries, names, chosen = listed_cameras(document["cameras"], cameras)

    def pose_of(index: int) -> Tensor:  # (frames, 4, 4)
        return in_metres(_matrices(entries[index], f"cameras[{index}]"), unit)

    refuse_inverted(
        first_poses(lambda index: pose_of(index)[0], range(len(entries))),
        OPENGL_FORWARD,
        "like world-to-camera ones",
        "matrix_world maps camera to world, so export it without inverting it",
    )
    poses = [pose_of(index) for index in chosen]
    lenses = [_lens({**document, **entries[index]}, f"cameras[{index}]") for index in chosen]
    return rig_of(
        [names[index] for index in chosen], [Z_UP_TO_RIG @ camera @ FLIP_YZ for camera in poses], lenses, _HINT
    )


def write(rig: Rig, path: Path, unit_m: float = 1.0) -> None:
    """Write a rig for a scene whose unit is `unit_m` metres (its unit scale)."""
    cameras = []
    for name, lens, c2w in zip(rig.names, rig.lenses, in_units(rig.c2w, unit_m), strict=True):
        matrices = Z_UP_TO_RIG.mT @ c2w @ FLIP_YZ + 0.0  # adding 0 turns -0 into 0
        still = bool((c2w == c2w[:1]).all())
        cameras.append(
            {
                "name": name,
                "lens_mm": lens.focal_mm,
                "sensor_width_mm": lens.sensor_width_mm,
                "matrix_world": matrices[0].tolist() if still else matrices.tolist(),
            }
        )
    write_json(path, {"format": FORMAT, "version": 1, "unit_scale": unit_m}, "cameras", cameras)


def _matrices(entry: dict[str, Json], place: str) -> Tensor:  # (frames, 4, 4)
    if "matrix_world" not in entry:
        raise UserError(
            f"{place} has no matrix_world: a 4x4 matrix, or for a moving camera one for each frame.", place=place
        )
    given, at = entry["matrix_world"], f"{place}.matrix_world"
    if is_matrix(given):
        return torch.tensor([pose(given, at)], dtype=torch.float64)
    frames = [pose(matrix, f"{at}[{frame}]") for frame, matrix in enumerate(as_list(given, at))]
    return torch.tensor(frames, dtype=torch.float64)


def _lens(entry: dict[str, Json], place: str) -> Lens:
    default = Lens()
    focal, sensor = (entry.get(f"{key}_mm", entry.get(key)) for key in ("lens", "sensor_width"))
    if focal is not None and sensor is None:
        raise UserError(f"{place} has lens_mm but no sensor_width_mm; the angle of view needs both.", place=place)
    if focal is not None:
        sensor = _across(entry, sensor, place)
    return lens_of(
        default.focal_mm if focal is None else focal, default.sensor_width_mm if sensor is None else sensor, place
    )


def _across(entry: dict[str, Json], sensor: Json, place: str) -> Json:
    """The width of the sensor that goes with the picture's width."""
    fit = entry.get("sensor_fit", "HORIZONTAL")
    if fit not in ("AUTO", "HORIZONTAL", "VERTICAL"):
        raise UserError(f"{place}.sensor_fit is {shown(fit)}; possible are AUTO, HORIZONTAL and VERTICAL.", place=place)
    size = [entry.get(f"resolution_{axis}") for axis in "xy"]
    if fit == "HORIZONTAL" or (fit == "AUTO" and None in size):
        return sensor
    height = entry.get("sensor_height_mm", entry.get("sensor_height"))
    if None in size or (fit == "VERTICAL" and height is None):
        raise UserError(
            f"{place}.sensor_fit is VERTICAL, so its angle across needs sensor_height, resolution_x and resolution_y, too.",
            place=place,
        )
    x, y = (positive(side, f"{place}, resolution_{axis}") for side, axis in zip(size, "xy", strict=True))
    if fit == "AUTO":  # the sensor is for the longer side
        return positive(sensor, f"{place}.sensor_width") * min(1.0, x / y)
    return positive(height, f"{place}.sensor_height") * x / y
