"""The `transforms.json` of nerfstudio and instant-ngp (and of the NeRF synthetic scenes).

    {"camera_model": "OPENCV", "w": 832, "h": 480, "fl_x": 840.4, "fl_y": 840.4, "cx": 416, "cy": 240,
     "frames": [{"file_path": "images/cam01/00000.png", "transform_matrix": [[...], [...], [...], [0, 0, 0, 1]]}, ...]}

`transform_matrix` maps camera to world; camera axes are OpenGL's (x right, y up, z back), world z up. Focal lengths stand
at the top or with each frame: in pixels (`fl_x`, `fl_y`), as an angle in radians (`camera_angle_x`, `camera_angle_y`) or
degrees (`x_fov`, `y_fov`), or as a matrix (`intrinsic_matrix`); as instant-ngp takes them, what is said of the height
counts where nothing is said of the width. The format has no unit, so the reader must be told it; files written here say it
under a key of their own, "syncam", with the name of the camera and its frame.

`applied_transform`, `applied_scale` and instant-ngp's `scale` and `offset` tell how the file's world was made or will be
shown; the matrices are read as they stand, so `unit_m` is the unit of the numbers in the file. `orientation_override`
and distortion are not read.

Which camera and which moment an image is of is told from its `file_path`, its lens and its `time` (shots.py).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import Lens, Rig
from ..disk.names import file_slugs
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
from .json_values import as_list, as_object, number, pose, positive, read_json, shown, write_json
from .lost_of_lenses import pinhole_losses, say_lost, told, zoom_losses
from .shots import Listed, choose_shots

NAME = "nerfstudio / instant-ngp transforms.json"
SUFFIXES = (".json",)
UNIT = "asked for"
WORDS = "a transforms.json has 'frames' with a 'transform_matrix'"
FILE_READ = "`transforms.json` of nerfstudio and instant-ngp"
CAMERA_AXES = "x right, y up, z back; camera to world"
WORLD_AXES = "z up"
FILE_WRITTEN = "one file"
AXES_WRITTEN = "camera x right, y up, z back; world z up"
LOST = "colours"
HAS_PICTURES = True
FILE = "transforms.json"

_HINT = "transform_matrix is camera-to-world in OpenGL axes (x right, y up, z back)."
# How a lens is told, in the order in which they count.
_FOCAL_KEYS = ("fl_x", "camera_angle_x", "x_fov", "intrinsic_matrix", "fl_y", "camera_angle_y", "y_fov")
_LENS_KEYS = (*_FOCAL_KEYS, "cx", "cy", "w", "h")
_PINHOLES = ("OPENCV", "FULL_OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
_LONGEST_PATH = 1000


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format, or a folder holds a transforms.json."""
    if not head:
        return (Path(path) / FILE).is_file()
    return b'"transform_matrix"' in head and b'"frames"' in head


def read(path: Path, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto") -> Rig:
    """The rig of a file, or of the transforms.json of a folder; the format has no unit, so `unit_m` is needed.

    Raises UserError, naming the place, for anything else than this format.
    """
    return read_with_pictures(path, cameras, unit_m, pictures)[0]


def read_with_pictures(
    path: Path, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto"
) -> tuple[Rig, list[list[str]]]:
    """As `read`, and the file_path of each camera's pictures, in the order of their moments."""
    path = Path(path)
    return cameras_of_document(read_json(path / FILE if path.is_dir() else path), cameras, unit_m, pictures)


def cameras_of_document(
    document: Json, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto"
) -> tuple[Rig, list[list[str]]]:
    """As `read_with_pictures`, of a parsed file."""
    frames = frames_of(document)
    ours = document.get("syncam")
    unit = metres_per_unit(unit_m, ours.get("unit_m") if isinstance(ours, dict) else None, "syncam.unit_m")
    chosen = choose_shots(_listed(frames), cameras, pictures)
    refuse_inverted(
        first_poses(lambda index: in_metres(pose_of(frames[index], index), unit), chosen.first_of_each),
        OPENGL_FORWARD,
        "like world-to-camera ones",
        "transform_matrix maps camera to world, so invert each of them first",
    )
    shots = [*chosen.shots.values()]
    _say_round({_model(frames[indices[0]], document) for indices in shots})
    poses = [in_metres(torch.stack([pose_of(frames[index], index) for index in indices]), unit) for indices in shots]
    say_lost({name: _lost(frames, document, indices) for name, indices in chosen.shots.items()})
    rig = rig_of(
        [*chosen.shots],
        [Z_UP_TO_RIG @ camera @ FLIP_YZ for camera in poses],
        [_lens(frames[indices[0]], document, indices[0]) for indices in shots],
        _HINT,
    )
    return rig, [[frames[index].get("file_path", "") for index in indices] for indices in shots]


def frames_of(document: Json) -> list[dict[str, Json]]:
    """The frames of a parsed file. Raises UserError."""
    if not isinstance(document, dict) or "frames" not in document:
        raise UserError(f"it holds {shown(document)} without 'frames'; {WORDS}.")
    if document.get("from_na") is True:
        raise UserError(
            "'from_na' says that its matrices are in OpenCV axes, as NeuS2 has them; save it without.", field="from_na"
        )
    return [as_object(frame, f"frames[{index}]") for index, frame in enumerate(as_list(document["frames"], "frames"))]


def pose_of(frame: dict[str, Json], index: int) -> Tensor:  # (4, 4) in the file's axes and unit
    if "transform_matrix" not in frame:
        raise UserError(f"frames[{index}] has no transform_matrix.")
    return torch.tensor(pose(frame["transform_matrix"], f"frames[{index}].transform_matrix"), dtype=torch.float64)


def write(rig: Rig, path: Path, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480)) -> None:
    """Write a rig in units of `unit_m` metres, with focal lengths for pictures of `image_size` (width, height) pixels.

    Pictures are called images/cam01.png, or images/cam01/00000.png, ... where cameras move.
    """
    head, frames = document_of(rig, unit_m, image_size)
    write_json(path, head, "frames", [frame for camera in frames for frame in camera])


def document_of(
    rig: Rig, unit_m: float, image_size: tuple[int, int]
) -> tuple[dict[str, Json], list[list[dict[str, Json]]]]:  # per view, per frame
    """What `write` writes, without its frames, and they."""
    width, height = (positive(length, "image_size") for length in image_size)
    intrinsics = []
    for lens in rig.lenses:
        focal = lens.focal_mm / lens.sensor_width_mm * width
        pixels = {
            "w": _whole(width),
            "h": _whole(height),
            "fl_x": focal,
            "fl_y": focal,
            "cx": width / 2,
            "cy": height / 2,
        }
        intrinsics.append(pixels)
    shared = all(one == intrinsics[0] for one in intrinsics)
    matrices = Z_UP_TO_RIG.mT @ in_units(rig.c2w, unit_m) @ FLIP_YZ + 0.0  # adding 0 turns -0 into 0
    moving = rig.frames > 1
    frames = [
        [
            {
                "file_path": f"images/{slug}/{frame:05d}.png" if moving else f"images/{slug}.png",
                **({} if shared else intrinsics[camera]),
                "transform_matrix": matrices[camera, frame].tolist(),
                "syncam": {"camera": name, "frame": frame},
            }
            for frame in range(rig.frames)
        ]
        for camera, (name, slug) in enumerate(zip(rig.names, file_slugs(rig.names), strict=True))
    ]
    return {"camera_model": "OPENCV", **(intrinsics[0] if shared else {}), "syncam": {"unit_m": unit_m}}, frames


def _whole(length: float) -> int | float:
    return int(length) if length == int(length) else length


def _listed(frames: list[dict[str, Json]]) -> Listed:
    """What tells the frames' cameras and moments; files written here say both."""

    def said(index: int) -> str:
        return f"frames[{index}]"

    ours = [one for one in map(_ours, frames) if one is not None]
    times = [number(frame["time"], f"frames[{index}].time") for index, frame in enumerate(frames) if "time" in frame]
    lenses = [tuple(map(repr, map(frame.get, _LENS_KEYS))) for frame in frames]
    return Listed(
        [_path(frame, index) for index, frame in enumerate(frames)],
        said,
        lenses=lenses if len({*lenses}) > 1 else (),
        times=times if len(times) == len(frames) else (),
        known=ours if len(ours) == len(frames) else (),
    )


def _ours(frame: dict[str, Json]) -> tuple[str, float] | None:
    said = frame.get("syncam")
    if not isinstance(said, dict) or not isinstance(said.get("camera"), str):
        return None
    when = said.get("frame", 0)
    return (said["camera"], float(when)) if type(when) is int and abs(when) < 1e9 else None


def _path(frame: dict[str, Json], index: int) -> str:
    path = frame.get("file_path", "")
    if not isinstance(path, str) or len(path) > _LONGEST_PATH:
        raise UserError(
            f"frames[{index}].file_path is {shown(path)}, but a text of at most {_LONGEST_PATH} characters is needed."
        )
    return path


# -- lenses ----------------------------------------------------------------------------------------------------------


def _lens(frame: dict[str, Json], document: dict[str, Json], index: int) -> Lens:
    """The lens on the default sensor width, or the default lens where the file does not tell it."""
    if _model(frame, document) not in _PINHOLES:
        return Lens()
    for holder, place in ((frame, f"frames[{index}]."), (document, "")):
        key = next((key for key in _FOCAL_KEYS if key in holder), None)
        if key is None:
            continue
        widths = _focal_widths(key, holder[key], place + key, *_size(frame, document, index))
        return Lens() if widths is None else _made(widths * Lens().sensor_width_mm, place + key)
    return Lens()


def _lost(frames: list[dict[str, Json]], document: dict[str, Json], indices: Sequence[int]) -> list[str]:
    first = frames[indices[0]]
    if _model(first, document) not in _PINHOLES:
        return []
    width, height, cx, cy, fx, fy = (
        told(first.get(key, document.get(key))) for key in ("w", "h", "cx", "cy", "fl_x", "fl_y")
    )
    zoom = zoom_losses([told(frames[index].get("fl_x")) or 0.0 for index in indices])
    return pinhole_losses((width, height), (cx, cy), (fx, fy)) + zoom


def _focal_widths(key: str, value: Json, place: str, width: float | None, height: float | None) -> float | None:
    """The focal length in widths of the picture; None where that needs a size of the picture which is not told."""
    if key == "intrinsic_matrix":
        row = as_list(as_list(value, place)[0], f"{place}[0]")
        return None if width is None else positive(row[0], f"{place}[0][0]") / width
    number_of = positive(value, place)
    if key in ("fl_x", "fl_y"):
        return None if width is None else number_of / width
    half, unit = (180.0, "degrees below 180") if key.endswith("_fov") else (math.pi, "radians below pi")
    if number_of >= half:
        raise UserError(f"{place} is {number_of:g}, but an angle in {unit} is needed.", place=place)
    sides = 0.5 / math.tan(number_of / half * math.pi / 2)
    if key in ("camera_angle_x", "x_fov"):
        return sides
    return None if width is None or height is None else sides * height / width


def _size(frame: dict[str, Json], document: dict[str, Json], index: int) -> tuple[float | None, float | None]:
    """Width and height of the pictures, which the principal point tells where nothing else does."""

    def side(*keys: tuple[str, float]) -> float | None:
        for key, factor in keys:
            for holder, place in ((frame, f"frames[{index}]."), (document, "")):
                if key in holder:
                    return factor * positive(holder[key], f"{place}{key}")
        return None

    return side(("w", 1.0), ("cx", 2.0)), side(("h", 1.0), ("cy", 2.0))


def _model(frame: dict[str, Json], document: dict[str, Json]) -> str:
    return str(frame.get("camera_model", document.get("camera_model", "OPENCV")))


def _say_round(models: set[str]) -> None:
    if round_ := models - {*_PINHOLES}:
        logging.getLogger(__name__).warning(
            "SynCam: the cameras of the transforms.json are no pinhole cameras (%s); their poses are read, and they are "
            "drawn with the default lens.",
            ", ".join(sorted(model[:40] for model in round_)),
        )


def _made(focal_mm: float, place: str) -> Lens:
    try:
        return Lens(focal_mm=focal_mm)
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem
