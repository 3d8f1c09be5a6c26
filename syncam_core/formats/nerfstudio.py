"""The `transforms.json` of nerfstudio and instant-ngp (and of the NeRF synthetic scenes).

    {"camera_model": "OPENCV", "w": 832, "h": 480, "fl_x": 840.4, "fl_y": 840.4, "cx": 416, "cy": 240,
     "frames": [{"file_path": "images/cam01/00000.png", "transform_matrix": [[...], [...], [...], [0, 0, 0, 1]]}, ...]}

`transform_matrix` maps camera to world; camera axes are OpenGL's (x right, y up, z back), world z up. Focal lengths stand
at the top or with each frame, in pixels, or as the angle `camera_angle_x`. The format has no unit, so the reader must be
told it; files written here say it under a key of their own, "syncam", with the name of the camera and its frame.

`applied_transform`, `applied_scale` and instant-ngp's `scale` and `offset` tell how the file's world was made or will be
shown; the matrices are read as they stand, so `unit_m` is the unit of the numbers in the file. `orientation_override`
and distortion are not read.

Which camera and which time an image belongs to is told from its `file_path` (`cam01/0003.png`, `cam01_frame0003.png`,
`frame0003/cam01.png`, or folders that all hold the same numbers); a camera of several times moves. Where the paths do
not tell it, frames that differ in their `time` are one moving camera, and otherwise every image is a still camera.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
from .files import chosen_of
from .json_values import as_list, as_object, number, pose, positive, read_json, shown, write_json

NAME = "nerfstudio / instant-ngp transforms.json"
SUFFIXES = (".json",)

Shot = tuple[str, float]  # camera and time

_HINT = "transform_matrix is camera-to-world in OpenGL axes (x right, y up, z back)."
_CAMERA = r"(?:cam(?:era)?|view|c|v)[ _-]?[0-9]{1,9}"
_TIME = r"(?:frame|time|f|t)?[ _-]?([0-9]{1,15})"
_CAMERA_THEN_TIME = re.compile(rf"({_CAMERA})[ _-]+{_TIME}", re.IGNORECASE)
_TIME_THEN_CAMERA = re.compile(rf"(?:frame|time|f|t)[ _-]?([0-9]{{1,15}})[ _-]+({_CAMERA})", re.IGNORECASE)
_ENDS_IN_NUMBER = re.compile(r".{0,80}?([0-9]{1,15})")
_SPLITS = {"train", "test", "val", "eval", "validation"}
_LONGEST_PATH = 1000


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file begins like this format, or a folder holds a transforms.json."""
    if not head:
        return (Path(path) / "transforms.json").is_file()
    return b'"transform_matrix"' in head and b'"frames"' in head


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a file, or of the transforms.json of a folder; the format has no unit, so `unit_m` is needed.

    Raises UserError, naming the place, for anything else than this format.
    """
    path = Path(path)
    document = read_json(path / "transforms.json" if path.is_dir() else path)
    if not isinstance(document, dict) or "frames" not in document:
        raise UserError(f"it holds {shown(document)} without 'frames'; a transforms.json has them.")
    if document.get("from_na") is True:
        raise UserError(
            "'from_na' says that its matrices are in OpenCV axes, as NeuS2 has them; save it without.", field="from_na"
        )
    ours = document.get("syncam")
    unit = metres_per_unit(unit_m, ours.get("unit_m") if isinstance(ours, dict) else None, "syncam.unit_m")
    frames = [as_object(frame, f"frames[{index}]") for index, frame in enumerate(as_list(document["frames"], "frames"))]
    found: dict[str, dict[float, int]] = {}  # camera -> time -> index of the frame
    for index, (camera, time) in enumerate(_shots(frames)):
        times = found.setdefault(camera, {})
        if time in times:
            raise UserError(
                f"frames[{times[time]}] and frames[{index}] are both camera {camera[:60]!r} at {time:g}; leave one out."
            )
        times[time] = index
    names = list(found)
    chosen = [names[index] for index in chosen_of(cameras, names)]
    _refuse_uneven({name: found[name] for name in chosen})
    order = {name: [index for _, index in sorted(found[name].items())] for name in chosen}
    refuse_inverted(
        first_poses(
            lambda index: _poses(frames, [index], unit)[0], (min(times.items())[1] for times in found.values())
        ),
        OPENGL_FORWARD,
        "like world-to-camera ones",
        "transform_matrix maps camera to world, so invert each of them first",
    )
    poses = {name: _poses(frames, indices, unit) for name, indices in order.items()}
    return rig_of(
        chosen,
        [Z_UP_TO_RIG @ camera @ FLIP_YZ for camera in poses.values()],
        [_lens(frames[indices[0]], document, indices[0]) for indices in order.values()],
        _HINT,
    )


def write(rig: Rig, path: Path, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480)) -> None:
    """Write a rig in units of `unit_m` metres, with focal lengths for pictures of `image_size` (width, height) pixels.

    Pictures are called images/cam01.png, or images/cam01/00000.png, ... where cameras move.
    """
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
    frames = []
    for camera, (name, slug) in enumerate(zip(rig.names, file_slugs(rig.names), strict=True)):
        for frame in range(rig.frames):
            moving = rig.frames > 1
            frames.append(
                {
                    "file_path": f"images/{slug}/{frame:05d}.png" if moving else f"images/{slug}.png",
                    **({} if shared else intrinsics[camera]),
                    "transform_matrix": matrices[camera, frame].tolist(),
                    "syncam": {"camera": name, "frame": frame},
                }
            )
    head = {"camera_model": "OPENCV", **(intrinsics[0] if shared else {}), "syncam": {"unit_m": unit_m}}
    write_json(path, head, "frames", frames)


def _poses(frames: list[dict[str, Any]], indices: Sequence[int], unit: float) -> Tensor:  # (indices, 4, 4)
    return in_metres(torch.tensor([_matrix(frames[index], index) for index in indices], dtype=torch.float64), unit)


def _matrix(frame: dict[str, Any], index: int) -> list[list[float]]:
    if "transform_matrix" not in frame:
        raise UserError(f"frames[{index}] has no transform_matrix.")
    return pose(frame["transform_matrix"], f"frames[{index}].transform_matrix")


def _whole(length: float) -> int | float:
    return int(length) if length == int(length) else length


# -- which camera, and when ------------------------------------------------------------------------------------------


def _shots(frames: list[dict[str, Any]]) -> list[Shot]:
    """Camera and time of every frame."""
    ours = [_ours(frame) for frame in frames]
    if all(ours):
        return ours
    paths = [_parts(frame, index) for index, frame in enumerate(frames)]
    for told in ([_of_path(parts) for parts in paths], _of_folders(paths), _of_times(frames)):
        if all(told):
            return told
    return [(name, 0.0) for name in _image_names(paths)]


def _ours(frame: dict[str, Any]) -> Shot | None:
    said = frame.get("syncam")
    if not isinstance(said, dict) or not isinstance(said.get("camera"), str):
        return None
    when = said.get("frame", 0)
    return (said["camera"], float(when)) if type(when) is int and abs(when) < 1e9 else None


def _parts(frame: dict[str, Any], index: int) -> list[str]:
    """The folders and the name, without its ending, of an image."""
    path = frame.get("file_path", f"cam{index + 1:02d}")
    if not isinstance(path, str) or len(path) > _LONGEST_PATH:
        raise UserError(
            f"frames[{index}].file_path is {shown(path)}, but a text of at most {_LONGEST_PATH} characters is needed."
        )
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not parts:
        return [f"cam{index + 1:02d}"]
    stem = re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}\Z", "", parts[-1])
    return [*parts[:-1], stem]


def _of_path(parts: list[str]) -> Shot | None:
    stem, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if found := _CAMERA_THEN_TIME.fullmatch(stem):
        return found[1], float(found[2])
    if found := _TIME_THEN_CAMERA.fullmatch(stem):
        return found[2], float(found[1])
    if re.fullmatch(_CAMERA, folder, re.IGNORECASE) and (found := _ENDS_IN_NUMBER.fullmatch(stem)):
        return folder, float(found[1])
    if re.fullmatch(_CAMERA, stem, re.IGNORECASE) and (found := re.fullmatch(_TIME, folder, re.IGNORECASE)):
        return stem, float(found[1])
    return None


def _of_folders(paths: list[list[str]]) -> list[Shot | None]:
    """Cameras as folders: two or more, which hold the same numbers and are not the parts of a data set."""
    folders: dict[str, set[float]] = {}
    shots: list[Shot | None] = []
    for parts in paths:
        folder, found = "/".join(parts[:-1]), _ENDS_IN_NUMBER.fullmatch(parts[-1])
        if not found or not folder or parts[-2].lower() in _SPLITS:
            return [None]
        folders.setdefault(folder, set()).add(float(found[1]))
        shots.append((folder, float(found[1])))
    if len(folders) < 2 or any(times != folders[shots[0][0]] for times in folders.values()):
        return [None]
    short = {folder: folder.rsplit("/", 1)[-1] for folder in folders}
    if len(set(short.values())) < len(short):
        return shots
    return [(short[folder], time) for folder, time in shots]


def _of_times(frames: list[dict[str, Any]]) -> list[Shot | None]:
    """One camera, where every frame has a time and they all differ, as in D-NeRF's scenes."""
    times = [frame.get("time") for frame in frames]
    if len(frames) < 2 or any(time is None for time in times):
        return [None]
    times = [number(time, f"frames[{index}].time") for index, time in enumerate(times)]
    if len(set(times)) == 1:
        return [None]
    if len(set(times)) < len(times):
        first = next(index for index, time in enumerate(times) if times.count(time) > 1)
        second = times.index(times[first], first + 1)
        raise UserError(
            f"frames[{first}] and frames[{second}] have the same time, but their file_path does not tell which camera "
            "each is; name the pictures like 'cam01/0000.png'."
        )
    return [("cam01", time) for time in times]


def _image_names(paths: list[list[str]]) -> list[str]:
    names = [parts[-1] for parts in paths]
    return names if len(set(names)) == len(names) else ["/".join(parts) for parts in paths]


def _refuse_uneven(found: dict[str, dict[float, int]]) -> None:
    """Cameras of several times must share them, and the times must be evenly spaced: nothing is filled in."""
    moving = {name: sorted(times) for name, times in found.items() if len(times) > 1}
    for name, times in moving.items():
        first, others = next(iter(moving.items()))
        if len(times) == len(others) and times != others:
            at = next(index for index in range(len(times)) if times[index] != others[index])
            raise UserError(
                f"camera {name[:60]!r} has a picture at {times[at]:g} where camera {first[:60]!r} has one at "
                f"{others[at]:g}; all moving cameras need the same times."
            )
        step = (times[-1] - times[0]) / (len(times) - 1)
        for before, after in itertools.pairwise(times):
            if abs(after - before - step) > 0.01 * step:
                raise UserError(
                    f"camera {name[:60]!r} has a picture at {before:g} and the next one at {after:g}, but one every "
                    f"{_step(times):g} elsewhere; give all of them, or an even selection."
                )


def _step(times: Sequence[float]) -> float:
    return min(after - before for before, after in itertools.pairwise(times))


# -- lenses ----------------------------------------------------------------------------------------------------------


def _lens(frame: dict[str, Any], document: dict[str, Any], index: int) -> Lens:
    """The lens on the default sensor width, or the default lens where the file does not tell it."""
    sensor = Lens().sensor_width_mm
    for holder, place in ((frame, f"frames[{index}]."), (document, "")):
        if "fl_x" in holder:
            focal = positive(holder["fl_x"], f"{place}fl_x")
            width = _width(frame, document, index)
            return Lens() if width is None else _made(focal / width * sensor, f"{place}fl_x")
        if "camera_angle_x" in holder:
            angle = positive(holder["camera_angle_x"], f"{place}camera_angle_x")
            if angle >= math.pi:
                raise UserError(
                    f"{place}camera_angle_x is {angle:g}, but an angle in radians below pi is needed.", place=place
                )
            return _made(sensor / 2 / math.tan(angle / 2), f"{place}camera_angle_x")
    return Lens()


def _width(frame: dict[str, Any], document: dict[str, Any], index: int) -> float | None:
    for key, factor in (("w", 1.0), ("cx", 2.0)):
        for holder, place in ((frame, f"frames[{index}]."), (document, "")):
            if key in holder:
                return factor * positive(holder[key], f"{place}{key}")
    return None


def _made(focal_mm: float, place: str) -> Lens:
    try:
        return Lens(focal_mm=focal_mm)
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem
