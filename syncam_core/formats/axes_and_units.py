"""From a file's axes and unit to the rig's, and whether its matrices are the right way round."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ..cameras.rig import MAX_VIEWS, Lens, Rig, camera_problem
from ..errors import UserError
from .json_values import positive

Entry = TypeVar("Entry")  # of a file, about one camera

ONE_SPOT_M = 0.01

OPENCV_FORWARD = (0.0, 0.0, 1.0)  # x right, y down, z forward
OPENGL_FORWARD = (0.0, 0.0, -1.0)  # x right, y up, z back; Blender's cameras, too
UNREAL_FORWARD = (1.0, 0.0, 0.0)  # x forward, y right, z up

# Between OpenGL's camera axes and OpenCV's; its own inverse.
FLIP_YZ = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
# From a world with z up and y away from the viewer (Blender, nerfstudio) to the rig's (x right, y down, z away).
Z_UP_TO_RIG = torch.tensor([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)


# -- units -----------------------------------------------------------------------------------------------------------


def metres_per_unit(given: float | None, in_file: object, place: str) -> float:
    """The unit: the one that the caller gives, else the one in the file. Raises UserError where neither says it."""
    if given is not None:
        return positive(given, "unit_m (metres per unit of the file)")
    if in_file is None:
        raise UserError(
            "it does not say its unit; give 'unit_m', the metres per unit of the file (1 for metres, 0.01 for "
            "centimetres).",
            field="unit_m",
        )
    return positive(in_file, place)


def in_metres(matrices: Tensor, unit_m: float) -> Tensor:
    """Poses (..., 4, 4) with their positions scaled to metres."""
    scaled = matrices.clone()
    scaled[..., :3, 3] *= unit_m
    return scaled


def in_units(matrices: Tensor, unit_m: float) -> Tensor:
    """Poses (..., 4, 4) in metres with their positions in units of `unit_m` metres."""
    scaled = matrices.clone()
    scaled[..., :3, 3] /= positive(unit_m, "unit_m (metres per unit of the file)")
    return scaled


# -- rigs ------------------------------------------------------------------------------------------------------------


def rig_of(
    names: Sequence[str],
    poses: Sequence[Tensor] | Tensor,  # per camera (frames, 4, 4): c2w, in the rig's axes and metres
    lenses: Sequence[Lens] = (),
    hint: str = "",
) -> Rig:
    """The rig of cameras whose frame counts are 1 or all the same; cameras that all stand still become one frame.

    `hint` is a sentence about the format's matrices that stands behind what is wrong with one. Raises UserError,
    naming camera and frame, for mixed frame counts and for matrices that are no rigid poses.
    """
    frames = max(map(len, poses))
    if {*map(len, poses)} - {1, frames} or camera_problem(torch.cat([*poses])):
        _refuse_poses(names, poses, hint)
    c2w = torch.stack([camera.expand(frames, 4, 4) for camera in poses])
    if (c2w == c2w[:, :1]).all():
        c2w = c2w[:, :1]
    return Rig(names=tuple(names), c2w=c2w, lenses=tuple(lenses))


def _refuse_poses(names: Sequence[str], poses: Sequence[Tensor] | Tensor, hint: str) -> None:
    frames = max(map(len, poses))
    longest = next(name for name, camera in zip(names, poses, strict=True) if len(camera) == frames)
    for name, camera in zip(names, poses, strict=True):
        if len(camera) not in (1, frames):
            raise UserError(
                f"camera {name[:60]!r} has {len(camera)} frames but camera {longest[:60]!r} {frames}; give every "
                "moving camera the same number of frames."
            )
        problem = camera_problem(camera)
        if problem:
            frame, what = problem
            at = f", frame {frame}" if len(camera) > 1 else ""
            raise UserError(f"camera {name[:60]!r}{at}: the matrix {what} {hint}".rstrip())


def refuse_no_pose(matrix: Tensor, hint: str = "") -> None:
    """Raises UserError with half a sentence for a matrix (4, 4) that is no rigid pose."""
    problem = camera_problem(matrix[None])
    if problem:
        raise UserError(f"the matrix {problem[1]} {hint}".rstrip())


def refuse_inverted(c2w: Sequence[Tensor], forward: Sequence[float], what: str, advice: str) -> None:
    """Raises UserError for matrices that `looks_inverted`: `what` they look like, and what to do about it."""
    if c2w and looks_inverted(torch.stack([*c2w]), forward):
        raise UserError(
            f"the matrices look {what} (only their inverses look at a common point); {advice}; if they are meant so, "
            "bring them as a rig JSON, which is not judged."
        )


def first_poses(
    read_pose: Callable[[Entry], Tensor],
    entries: Iterable[Entry],
    read_poses: Callable[[list[Entry]], Tensor] | None = None,  # of whole ones: quicker
) -> list[Tensor]:
    """The poses (4, 4) of the first MAX_VIEWS entries of a file, chosen ones or not; broken ones are left out."""
    entries = [*itertools.islice(entries, MAX_VIEWS)]
    if read_poses and entries:
        with contextlib.suppress(UserError):
            return [*read_poses(entries)]
    found = []
    for entry in entries:
        with contextlib.suppress(UserError):  # reported when it is one of those to be read
            found.append(read_pose(entry))
    return found


def looks_inverted(c2w: Tensor, forward: Sequence[float]) -> bool:
    """Whether camera-to-world matrices are beyond doubt world-to-camera ones.

    c2w: (cameras, 4, 4) float64, metres, any world. forward: the viewing direction in camera axes.

    The cameras of a scene look at it together. If three or more viewing rays meet in a point in front of all cameras
    only once the matrices are inverted, and then ten times more exactly than any hand aims, they are world-to-camera.
    (An orbit read as its inverse misses by 1 to 10 %; the six digits of a file cost 0.02 %.) Parallel cameras say
    nothing either way.

    An orbit around the world's origin, read as its inverse, is a set of cameras on one spot. So is a panorama, which
    may be meant; but only by a rare accident on the axis that a camera at rest looks along, as the inverses are.
    """
    usable = (c2w.abs() < 1e12).all((1, 2))
    c2w = c2w[usable]
    c2w = c2w[torch.linalg.det(c2w[:, :3, :3]).abs() > 0.5][:MAX_VIEWS]
    if len(c2w) < 3:
        return False
    as_given = _ray_miss(c2w, forward)
    if as_given is None:
        return False
    if as_given == math.inf and _spread_m(c2w) < ONE_SPOT_M and not _on_axis(c2w, forward):
        return False
    as_inverse = _ray_miss(torch.linalg.inv(c2w), forward)
    return as_inverse is not None and as_given > 0.005 and as_inverse < 0.0005


def _spread_m(c2w: Tensor) -> float:
    position = c2w[:, :3, 3]
    return float((position - position.mean(0)).norm(dim=1).max())


def _on_axis(c2w: Tensor, forward: Sequence[float]) -> bool:
    """Whether the cameras' common spot lies ahead of a camera at rest in the origin, in the middle of its picture."""
    spot, axis = c2w[:, :3, 3].mean(0), torch.tensor(forward, dtype=c2w.dtype)
    ahead = float(spot @ axis)
    return ahead > ONE_SPOT_M and float((spot - ahead * axis).norm()) < 0.0005 * ahead


def _ray_miss(c2w: Tensor, forward: Sequence[float]) -> float | None:
    """How far viewing rays pass by their nearest common point, as a share of the distance to it.

    Infinite where the point lies behind a camera, and for cameras on one spot; None for nearly parallel rays.
    """
    direction = c2w[:, :3, :3] @ torch.tensor(forward, dtype=c2w.dtype)
    direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
    position = c2w[:, :3, 3]
    across = (
        torch.eye(3, dtype=c2w.dtype) - direction[:, :, None] * direction[:, None]
    )  # removes the part along the ray
    system = across.mean(0)
    if torch.linalg.eigvalsh(system)[0] < 1e-3:
        return None
    if _spread_m(c2w) < ONE_SPOT_M:
        return math.inf
    point = torch.linalg.solve(system, (across @ position[:, :, None]).mean(0))[:, 0]
    depth = ((point - position) * direction).sum(1)
    if depth.min() <= 0:
        return math.inf
    miss = (across @ (point - position)[:, :, None])[:, :, 0].norm(dim=1)
    return float((miss / depth).max())
