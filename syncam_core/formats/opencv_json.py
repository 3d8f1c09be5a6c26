"""A plain JSON for OpenCV cameras, for people who have K, R and t; the format is this file's own.

    {"format": "opencv-cameras", "version": 1, "unit_m": 1.0, "up": "-y",
     "cameras": [
       {"name": "left", "width": 832, "height": 480,
        "K": [[840.4, 0, 416], [0, 840.4, 240], [0, 0, 1]],
        "R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [0, 0, 3]},
       {"name": "right", "c2w": [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, -3]]}]}

Camera axes are OpenCV's: x right, y down, z forward. R and t map world to camera, x_camera = R x_world + t; instead of
R, the Rodrigues vector `rvec` may stand, and `tvec` instead of t. `c2w` maps camera to world. A moving camera has lists of these, one for each
frame. `unit_m` is the unit of t and c2w in metres and must be there, unless the reader is told it. `up` is the world's
up axis: "-y" (the default), "y" or "z". K with `width`, or `sensor_width_mm` with it, gives the lens; without K it is
the default one. `format` and `version` may be left out; other keys (distortion, ...) are not read.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import Lens, Rig, camera_problem, default_names, inverse
from ..errors import UserError
from .axes_and_units import (
    OPENCV_FORWARD,
    Z_UP_TO_RIG,
    first_poses,
    in_metres,
    in_units,
    metres_per_unit,
    refuse_inverted,
    rig_of,
)
from .files import chosen_of
from .json_values import (
    as_list,
    as_object,
    is_matrix,
    lens_of,
    number,
    numbers,
    pose,
    positive,
    read_json,
    refuse_foreign,
    rotation_rows,
    shown,
    write_json,
)
from .lost_of_lenses import pinhole_losses, say_lost, told

NAME = "OpenCV JSON (K, R, t)"
SUFFIXES = (".json",)
UNIT = "in the file"
WORDS = "OpenCV's have K, R and t"
FILE_READ = "JSON with K, R, t"
CAMERA_AXES = "x right, y down, z forward; world to camera"
WORLD_AXES = "y down, or as the file says"
FILE_WRITTEN = "one file"
AXES_WRITTEN = "x right, y down, z forward; world y down"
LOST = "colours"
FORMAT = "opencv-cameras"

# From the file's world to the rig's (x right, y down, z away), by the axis that points up.
_WORLDS = {
    "-y": torch.eye(4, dtype=torch.float64),
    "y": torch.diag(torch.tensor([1.0, -1, -1, 1]).double()),
    "z": Z_UP_TO_RIG,
}
_HINT = "Camera axes are OpenCV's (x right, y down, z forward)."
_KEY = re.compile(rb'"(R|rvec|tvec|K)"\s*:')


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format: by its name, with cameras that have R, rvec, tvec or K, or by its unit."""
    if f'"{FORMAT}"'.encode() in head:
        return True
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or b'"format"' in head:
        return False
    # A rig JSON has c2w, too, but no unit.
    return b'"cameras"' in head and bool(_KEY.search(head) or (b'"c2w"' in head and b'"unit_m"' in head))


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file. Raises UserError, naming the place, for anything else than this format."""
    document = read_json(path)
    refuse_foreign(document, FORMAT, "cameras")
    unit = metres_per_unit(unit_m, document.get("unit_m"), "unit_m")
    up = document.get("up", "-y")
    if not isinstance(up, str) or up not in _WORLDS:
        raise UserError(f"up is {shown(up)}, but it must be one of {', '.join(map(repr, _WORLDS))}.", field="up")
    entries, names, chosen = listed_cameras(document["cameras"], cameras)

    def pose_of(index: int) -> Tensor:  # (frames, 4, 4)
        return in_metres(_c2w(entries[index], f"cameras[{index}]"), unit)

    refuse_inverted(
        first_poses(lambda index: pose_of(index)[0], range(len(entries))),
        OPENCV_FORWARD,
        "inverted",
        "R and t map world to camera, c2w maps camera to world",
    )
    poses = {index: pose_of(index) for index in chosen}
    lenses = [_lens(entries[index], f"cameras[{index}]") for index in chosen]
    say_lost({names[index]: _lost(entries[index]) for index in chosen})
    return rig_of(
        [names[index] for index in chosen],
        [_WORLDS[up] @ poses[index] for index in chosen],
        lenses,
        _HINT,
    )


def write(rig: Rig, path: Path, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480)) -> None:
    """Write a rig with R and t in units of `unit_m` metres and K for pictures of `image_size` (width, height) pixels."""
    width, height = (positive(length, "image_size") for length in image_size)
    cameras = []
    for name, lens, c2w in zip(rig.names, rig.lenses, rig.c2w, strict=True):
        c2w = c2w[:1] if (c2w == c2w[:1]).all() else c2w
        w2c = inverse(in_units(c2w, unit_m)) + 0.0  # adding 0 turns -0 into 0
        rotation, translation = w2c[:, :3, :3], w2c[:, :3, 3]
        focal = lens.focal_mm / lens.sensor_width_mm * width
        still = len(c2w) == 1
        cameras.append(
            {
                "name": name,
                "width": width,
                "height": height,
                "sensor_width_mm": lens.sensor_width_mm,
                "K": [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]],
                "R": rotation[0].tolist() if still else rotation.tolist(),
                "t": translation[0].tolist() if still else translation.tolist(),
            }
        )
    write_json(path, {"format": FORMAT, "version": 1, "unit_m": unit_m, "up": "-y"}, "cameras", cameras)


def listed_cameras(given: Json, cameras: str) -> tuple[list[dict[str, Json]], list[str], list[int]]:
    """The entries and names of a list of cameras, and which ones `choose_cameras` picks. Raises UserError."""
    entries = [as_object(entry, f"cameras[{index}]") for index, entry in enumerate(as_list(given, "cameras"))]
    names = _camera_names(entries)
    return entries, names, chosen_of(cameras, names)


def _camera_names(entries: list[dict[str, Json]]) -> list[str]:
    """The names of cameras; cam01, cam02, ... where a camera has none. Raises UserError for one that stands twice."""
    names = []
    for index, (entry, default) in enumerate(zip(entries, default_names(len(entries)), strict=True)):
        name = entry.get("name", default)
        if not isinstance(name, str):
            raise UserError(f"cameras[{index}].name is {shown(name)}, but a text is needed.")
        names.append(name)
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            raise UserError(
                f"cameras[{index}] and cameras[{seen[name]}] are both named {name[:60]!r}; give every camera a name "
                "of its own."
            )
        seen[name] = index
    return names


def _c2w(entry: dict[str, Json], place: str) -> Tensor:  # (frames, 4, 4), in the file's world and unit
    rotations = [key for key in ("R", "rvec") if key in entry]
    translations = [key for key in ("t", "tvec") if key in entry]
    if "c2w" in entry:
        if rotations or translations:
            other = [*rotations, *translations][0]
            raise UserError(f"{place} has both c2w and {other}; give either c2w, or R and t.", place=place)
        given = entry["c2w"]
        matrices = {f"{place}.c2w": given} if is_matrix(given) else _each(given, f"{place}.c2w")
        return torch.tensor([pose(matrix, at) for at, matrix in matrices.items()], dtype=torch.float64)
    if len(rotations) != 1 or len(translations) != 1:
        raise UserError(
            f"{place} needs either R and t (world to camera), or rvec and tvec, or c2w (camera to world).", place=place
        )
    rotation = _rotation(entry, place)
    translation = _translations(entry[translations[0]], f"{place}.{translations[0]}")
    if len(rotation) != len(translation):
        raise UserError(
            f"{place} has {len(rotation)} rotations but {len(translation)} translations; give one of each per frame.",
            place=place,
        )
    return _inverse(rotation, translation)


def _inverse(rotation: Tensor, translation: Tensor) -> Tensor:
    """Camera-to-world poses (frames, 4, 4) of world-to-camera rotations (frames, 3, 3) and translations (frames, 3)."""
    c2w = torch.eye(4, dtype=torch.float64).repeat(len(rotation), 1, 1)
    c2w[:, :3, :3] = rotation.mT
    if camera_problem(c2w) is None:
        # Not the transpose: with it, six digits would move a camera that stands 100 m away by 0.1 mm.
        c2w = inverse(c2w.mT)
    c2w[:, :3, 3:] = -(c2w[:, :3, :3] @ translation[..., None])
    return c2w


def _rotation(entry: dict[str, Json], place: str) -> Tensor:  # (frames, 3, 3), world to camera
    if "R" in entry:
        given = entry["R"]
        matrices = {f"{place}.R": given} if is_matrix(given) else _each(given, f"{place}.R")
        return torch.tensor([rotation_rows(matrix, at) for at, matrix in matrices.items()], dtype=torch.float64)
    from scipy.spatial.transform import Rotation

    vectors = _translations(entry["rvec"], f"{place}.rvec")
    return torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())


def _translations(given: Json, place: str) -> Tensor:  # (frames, 3)
    """One vector, written as a row or as a column of three, or a list of them."""
    column = isinstance(given, list) and len(given) == 3 and all(isinstance(v, list) and len(v) == 1 for v in given)
    flat = isinstance(given, list) and bool(given) and not isinstance(given[0], list)
    vectors = {place: given} if column or flat else _each(given, place)
    return torch.tensor([numbers(vector, 3, at) for at, vector in vectors.items()], dtype=torch.float64)


def _each(given: Json, place: str) -> dict[str, Json]:
    return {f"{place}[{frame}]": value for frame, value in enumerate(as_list(given, place))}


def _lens(entry: dict[str, Json], place: str) -> Lens:
    if "K" not in entry:
        return Lens()
    focal = positive(rotation_rows(entry["K"], f"{place}.K")[0][0], f"{place}.K row 0[0]")
    if "width" not in entry:
        raise UserError(
            f"{place} has K but no width; the focal length in pixels needs the width of the picture.", place=place
        )
    width = positive(entry["width"], f"{place}.width")
    sensor = number(entry.get("sensor_width_mm", Lens().sensor_width_mm), f"{place}.sensor_width_mm")
    return lens_of(focal / width * sensor, sensor, f"{place}.K")


def _lost(entry: dict[str, Json]) -> list[str]:  # of an entry whose lens was read
    if "K" not in entry:
        return []
    across, down = rotation_rows(entry["K"], "K")[:2]
    return pinhole_losses((told(entry["width"]), told(entry.get("height"))), (across[2], down[2]), (across[0], down[1]))
