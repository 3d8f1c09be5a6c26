"""Open3D's camera JSON: PinholeCameraParameters, one camera, and PinholeCameraTrajectory, a list of them.

    {"class_name": "PinholeCameraParameters", "version_major": 1, "version_minor": 0,
     "extrinsic": [16 numbers],
     "intrinsic": {"width": 832, "height": 480, "intrinsic_matrix": [9 numbers]}}
    {"class_name": "PinholeCameraTrajectory", ..., "parameters": [camera, ...]}

`extrinsic` maps world to camera; both matrices stand column by column. Camera axes are OpenCV's (x right, y down, z
forward). A trajectory is one camera that moves, as Open3D's name says, unless `pictures` says that each of its items is
a camera that stands still. Open3D's other files lose more: its writer of .log drops the lens, that of TUM trajectories
the first pose (0.19).
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig, default_names, inverse
from ..errors import UserError
from .axes_and_units import (
    OPENCV_FORWARD,
    in_metres,
    in_units,
    metres_per_unit,
    refuse_inverted,
    refuse_no_pose,
    rig_of,
)
from .files import camera_paths, chosen_of, most_files_look, read_camera_files
from .json_values import as_list, as_object, lens_of, numbers, positive, read_json, shown, write_json
from .lost_of_lenses import pinhole_losses, say_lost, told, zoom_losses

NAME = "Open3D JSON"
SUFFIXES = (".json",)
UNIT = "metres"
WORDS = "Open3D's name their class"
FILE_READ = "Open3D camera parameters or trajectory, one camera each, or a folder of them"
CAMERA_AXES = "x right, y down, z forward; world to camera, column by column"
WORLD_AXES = "y down"
FILE_WRITTEN = "one camera: `.json`; several: a folder with `01_<name>.json`, ..."
AXES_WRITTEN = "x right, y down, z forward; world y down"
LOST = "colours; names become safe file names"
FILE_PER_CAMERA = True
HAS_PICTURES = True

ONE, MANY = "PinholeCameraParameters", "PinholeCameraTrajectory"
_CLASS = re.compile(rb'"class_name"\s*:\s*"PinholeCamera(?:Parameters|Trajectory)"')
_HINT = "Open3D's 'extrinsic' stands column by column and maps world to camera."


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a file names Open3D's classes; they may stand behind a long list."""
    if not head and path.is_dir():
        return most_files_look(path, SUFFIXES, looks_like)
    return bool(_CLASS.search(head)) or (b'"extrinsic"' in head and b'"intrinsic_matrix"' in head)


def read(path: Path, cameras: str = "", unit_m: float | None = None, pictures: str = "auto") -> Rig:
    """The rig of a file, or of a folder of them. `pictures` "stills": every item of a trajectory is a camera.

    Raises UserError, naming the place, for anything else than this format.
    """
    unit = metres_per_unit(unit_m, 1.0, "")

    def read_one(file: Path) -> tuple[Tensor, Lens]:
        items = _items(file)
        found = [_camera(item, place, unit) for item, place in items]
        zoom = zoom_losses([lens.focal_mm for _, lens in found])
        say_lost({file.stem: _lost(items[0][0]) + zoom})
        return torch.stack([pose for pose, _ in found]), found[0][1]

    if path.is_dir() or pictures != "stills":
        return rig_of(*read_camera_files(path, SUFFIXES, cameras, read_one), _HINT)
    items = _items(path)
    names = default_names(len(items))
    found = [_camera(*items[index], unit) for index in chosen_of(cameras, names)]
    refuse_inverted(
        [pose for pose, _ in found], OPENCV_FORWARD, "inverted", "Open3D's 'extrinsic' maps world to camera"
    )
    indices = chosen_of(cameras, names)
    chosen = [names[index] for index in indices]
    say_lost({names[index]: _lost(items[index][0]) for index in indices})
    return rig_of(chosen, [pose[None] for pose, _ in found], [lens for _, lens in found], _HINT)


def write(rig: Rig, path: Path, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480)) -> None:
    """Write a rig: one camera as a file at `path`, several as a folder there; lenses for pictures of `image_size`."""
    width, height = (int(positive(length, "image_size")) for length in image_size)
    for c2w, lens, file in zip(rig.c2w, rig.lenses, camera_paths(rig.names, path, SUFFIXES[0]), strict=True):
        c2w = c2w[:1] if (c2w == c2w[:1]).all() else c2w
        focal = lens.focal_mm / lens.sensor_width_mm * width
        # Open3D's own viewer takes a principal point in the middle as half a pixel less.
        matrix = [focal, 0.0, 0.0, 0.0, focal, 0.0, width / 2 - 0.5, height / 2 - 0.5, 1.0]
        intrinsic = {"height": height, "intrinsic_matrix": matrix, "width": width}
        version = {"version_major": 1, "version_minor": 0}
        items = [
            {"class_name": ONE, "extrinsic": pose.T.flatten().tolist(), "intrinsic": intrinsic, **version}
            for pose in inverse(in_units(c2w, unit_m)) + 0.0
        ]
        if len(items) == 1:
            write_json(file, items[0])
        else:
            write_json(file, {"class_name": MANY, **version}, "parameters", items)


def _items(file: Path) -> list[tuple[object, str]]:
    """The cameras of a file with their places."""
    document = as_object(read_json(file), "the document")
    kind = document.get("class_name", MANY if "parameters" in document else ONE)
    if kind == ONE:
        return [(document, "the camera")]
    if kind != MANY:
        raise UserError(f"class_name is {shown(kind)}, but {MANY} or {ONE} is needed.", field="class_name")
    items = as_list(document.get("parameters"), "parameters")
    return [(item, f"parameters[{index}]") for index, item in enumerate(items)]


def _camera(given: object, place: str, unit_m: float) -> tuple[Tensor, Lens]:  # c2w (4, 4) in metres
    camera = as_object(given, place)
    rows = numbers(camera.get("extrinsic"), 16, f"{place}.extrinsic")
    w2c = torch.tensor(rows, dtype=torch.float64).reshape(4, 4).T
    if (w2c[3] - torch.tensor([0.0, 0, 0, 1])).abs().max() > 1e-6:
        raise UserError(f"{place}.extrinsic has no row 0 0 0 1 at its end; {_HINT}", place=place)
    try:
        refuse_no_pose(w2c, _HINT)
    except UserError as problem:
        raise problem.told(f"{place}.extrinsic: {problem}", place=place) from problem
    intrinsic = as_object(camera.get("intrinsic"), f"{place}.intrinsic")
    focal = positive(numbers(intrinsic.get("intrinsic_matrix"), 9, f"{place}.intrinsic_matrix")[0], f"{place}.fx")
    width = positive(intrinsic.get("width"), f"{place}.width")
    sensor = Lens().sensor_width_mm
    return in_metres(inverse(w2c), unit_m), lens_of(focal / width * sensor, sensor, f"{place}.intrinsic")


def _lost(given: object) -> list[str]:  # of a camera that was read
    intrinsic = as_object(as_object(given, "camera").get("intrinsic"), "intrinsic")
    fx, _, _, _, fy, _, cx, cy, _ = numbers(intrinsic.get("intrinsic_matrix"), 9, "intrinsic_matrix")
    return pinhole_losses((told(intrinsic.get("width")), told(intrinsic.get("height"))), (cx, cy), (fx, fy))
