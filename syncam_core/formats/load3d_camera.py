"""ComfyUI's own camera dict, `LOAD3D_CAMERA`: one still camera of its 3D viewers.

    {"position": {"x": 0, "y": 0, "z": 3}, "target": {"x": 0, "y": 0, "z": 0}, "zoom": 1, "cameraType": "perspective",
     "quaternion": {"x": 0, "y": 0, "z": 0, "w": 1}, "fov": 35, "aspect": 1.73}

three.js axes: world right-handed, y up; a camera without rotation looks along -z. The viewer's front (a camera on +z)
is the rig's azimuth 0, so a turn by 180 degrees about x leads from one world to the other. `quaternion`, `fov`
(vertical, degrees) and `aspect` may be missing. Positions are in the scene's unit, which the dict does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..cameras.json_text import Json
from ..cameras.rig import Lens, Rig, default_names
from ..errors import UserError
from .axes_and_units import FLIP_YZ, in_metres, in_units, rig_of
from .json_values import as_object, number, numbers, positive

ASPECT = 832 / 480  # of a camera that does not tell its own; for the drawn lens only
TARGET_M = 3.0  # how far ahead the target of a camera lies that looks at nothing in common with the others


def rig_from_load3d(cameras: Sequence[Json], unit_m: float = 1.0, names: Sequence[str] = ()) -> Rig:
    """A rig of still cameras; `unit_m` is the length of one scene unit in metres.

    As in three.js, a quaternion counts more than the target; without one the horizon is level, and a camera that looks
    straight up or down has its right side along +x. Raises UserError, naming the camera, for an orthographic one, for
    a position on the target, and for numbers that are missing or not finite.
    """
    if not cameras:
        raise UserError("there is no camera; connect at least one.")
    unit = positive(unit_m, "unit_m (metres per unit of the scene)")
    poses, lenses = [], []
    for index, camera in enumerate(cameras):
        place = f"camera {index + 1}"
        info = as_object(camera, place)
        if str(info.get("cameraType", "perspective")).lower().startswith("ortho"):
            raise UserError(
                f"{place} is orthographic, but the model knows perspective cameras only; switch it over.", place=place
            )
        c2w = torch.eye(4, dtype=torch.float64)
        c2w[:3, :3] = _rotation(info, place)
        c2w[:3, 3] = _vector(info, "position", place)
        poses.append(FLIP_YZ @ in_metres(c2w, unit) @ FLIP_YZ)
        lenses.append(_lens(info, place))
    return rig_of(tuple(names) or default_names(len(poses)), [pose[None] for pose in poses], lenses)


def load3d_from_rig(rig: Rig, frame: int = 0, unit_m: float = 1.0, aspect: float = ASPECT) -> list[dict[str, Json]]:
    """One camera dict per camera of a rig, at a video frame, in scene units of `unit_m` metres.

    The target lies on the viewing ray, as deep as the point that the cameras look at together.
    Raises UserError for a frame that a moving rig does not have.
    """
    from scipy.spatial.transform import Rotation

    aspect = positive(aspect, "aspect")
    c2w = rig.at_frame(frame).c2w[:, 0]
    depths = _depths(c2w)
    c2w = FLIP_YZ @ in_units(c2w, unit_m) @ FLIP_YZ
    infos = []
    for pose, depth, lens in zip(c2w, depths, rig.lenses, strict=True):
        half = lens.sensor_width_mm / 2 / lens.focal_mm / aspect
        quaternion = Rotation.from_matrix(pose[:3, :3].numpy()).as_quat().tolist()
        infos.append(
            {
                "position": dict(zip("xyz", pose[:3, 3].tolist(), strict=True)),
                "target": dict(zip("xyz", (pose[:3, 3] - depth / unit_m * pose[:3, 2]).tolist(), strict=True)),
                "zoom": 1.0,
                "cameraType": "perspective",
                "quaternion": dict(zip("xyzw", quaternion, strict=True)),
                "fov": math.degrees(2 * math.atan(half)),
                "aspect": aspect,
            }
        )
    return infos


def _vector(info: dict[str, Json], key: str, place: str) -> Tensor:  # (3,)
    given = info.get(key)
    if isinstance(given, dict):
        given = [given.get(axis) for axis in "xyz"]
    elif isinstance(given, tuple):
        given = list(given)
    return torch.tensor(numbers(given, 3, f"{place}: {key}"), dtype=torch.float64)


def _rotation(info: dict[str, Json], place: str) -> Tensor:  # (3, 3), columns right, up, back
    from scipy.spatial.transform import Rotation

    given = info.get("quaternion")
    if given:
        parts = [given.get(axis) for axis in "xyzw"] if isinstance(given, dict) else given
        quaternion = numbers(parts, 4, f"{place}: quaternion")
        length = math.sqrt(sum(part * part for part in quaternion))
        if not 1e-3 < length < 1e3:
            raise UserError(
                f"{place}: quaternion has the length {length:g}, which is no rotation; it must be 1.", place=place
            )
        return torch.from_numpy(Rotation.from_quat(quaternion).as_matrix())
    back = _vector(info, "position", place) - _vector(info, "target", place)
    longest = float(back.abs().max())
    if not longest > 0:
        raise UserError(
            f"{place} stands at its own target, so it has no viewing direction; move one of them.", place=place
        )
    back = back / longest  # the square of a huge number would be infinite
    x, y, z = (back / back.norm()).tolist()
    azimuth = math.atan2(x, z)
    # The closed form of a look-at: it has no gap straight above and below the target.
    right = [math.cos(azimuth), 0.0, -math.sin(azimuth)]
    level = math.hypot(x, z)
    up = [-math.sin(azimuth) * y, level, -math.cos(azimuth) * y]
    return torch.tensor([right, up, [x, y, z]], dtype=torch.float64).mT


def _lens(info: dict[str, Json], place: str) -> Lens:
    if info.get("fov") is None:
        return Lens()
    fov = number(info["fov"], f"{place}: fov")
    if not 0 < fov < 180:
        raise UserError(f"{place}: fov is {fov:g}, but it must lie between 0 and 180 degrees.", place=place)
    zoom = positive(1.0 if info.get("zoom") is None else info["zoom"], f"{place}: zoom")
    aspect = positive(ASPECT if info.get("aspect") is None else info["aspect"], f"{place}: aspect")
    sensor = Lens().sensor_width_mm
    try:
        return Lens(focal_mm=sensor / 2 / (math.tan(math.radians(fov) / 2) * aspect) * zoom)
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem


def _depths(c2w: Tensor) -> list[float]:
    """How far along each viewing ray the point lies that comes nearest to all rays; TARGET_M where it is behind."""
    forward, position = c2w[:, :3, 2], c2w[:, :3, 3]
    across = torch.eye(3, dtype=c2w.dtype) - forward[:, :, None] * forward[:, None]
    point = torch.linalg.lstsq(across.sum(0), (across @ position[:, :, None]).sum(0), driver="gelsd").solution[:, 0]
    depth = ((point - position) * forward).sum(1)
    return [float(one) if one > 0.01 else TARGET_M for one in depth]
