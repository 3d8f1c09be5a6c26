"""Rigs made from rigs: moved, turned, scaled, aimed at a point, merged, put into another order.

Every function returns a new rig. `cameras` are the positions of those that change, counted from 0; None means all of
them, and UserError is raised for one that does not exist. A rig that moves is changed in every frame alike.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import UserError
from .orbit import look_at_c2w, orbit_c2w
from .rig import MAX_NAME_LENGTH, MAX_VIEWS, PALETTE, Rig
from .spoken import choose_cameras

OTHERS = ("follow", "are left out")


def translate_rig(rig: Rig, offset_m: Sequence[float], cameras: Sequence[int] | None = None) -> Rig:
    """Cameras moved by an offset in world axes: right, down, away. Their directions stay."""
    c2w = rig.c2w.clone()
    c2w[rig.positions(cameras), :, :3, 3] += _vector(offset_m, "the offset")
    return dataclasses.replace(rig, c2w=c2w)


def turn_rig(
    rig: Rig,
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    roll_deg: float = 0.0,
    pivot: Sequence[float] = (0.0, 0.0, 0.0),  # metres, world axes
    cameras: Sequence[int] | None = None,
) -> Rig:
    """Cameras turned about a point, as one solid body.

    It is the turn that takes a camera at azimuth 0 and elevation 0 around `pivot` to the given azimuth, elevation and
    roll. With an azimuth alone every camera keeps its elevation and gains that azimuth.

    Raises UserError for angles that are not finite, and for |elevation| above 90.
    """
    turn = orbit_c2w(azimuth_deg, elevation_deg, 1.0, roll_deg)[:3, :3]
    centre = _vector(pivot, "the pivot")
    c2w, chosen = rig.c2w.clone(), rig.positions(cameras)
    c2w[chosen, :, :3, :3] = turn @ rig.c2w[chosen, :, :3, :3]
    c2w[chosen, :, :3, 3] = (rig.c2w[chosen, :, :3, 3] - centre) @ turn.mT + centre
    return dataclasses.replace(rig, c2w=c2w)


def scale_rig(
    rig: Rig,
    factor: float,
    pivot: Sequence[float] = (0.0, 0.0, 0.0),  # metres, world axes
    cameras: Sequence[int] | None = None,
) -> Rig:
    """Cameras whose distance to a point is multiplied by a factor; their directions stay.

    Raises UserError for a factor that is not above 0.
    """
    if not 0 < factor < math.inf:
        raise UserError(
            f"'scale' is {factor:g}, but it must be a number above 0; 1 leaves the cameras where they are.",
            field="scale",
        )
    centre = _vector(pivot, "the pivot")
    c2w, chosen = rig.c2w.clone(), rig.positions(cameras)
    c2w[chosen, :, :3, 3] = (c2w[chosen, :, :3, 3] - centre) * factor + centre
    return dataclasses.replace(rig, c2w=c2w)


def retarget_rig(rig: Rig, target: Sequence[float], cameras: Sequence[int] | None = None) -> Rig:
    """Cameras turned on their spots until each looks at a point; each keeps its roll against the horizon.

    Raises UserError, naming the camera, for one that stands at the point.
    """
    _vector(target, "the target")
    c2w = rig.c2w.clone()
    for view in rig.positions(cameras):
        for frame, pose in enumerate(rig.c2w[view]):
            try:
                c2w[view, frame] = look_at_c2w(pose[:3, 3].tolist(), target, _roll_deg(pose), _heading_deg(pose))
            except UserError as problem:
                raise problem.told(f"camera {rig.names[view]!r}: {problem}") from problem
    return dataclasses.replace(rig, c2w=c2w)


def merge_rigs(rigs: Sequence[Rig]) -> Rig:
    """All cameras of several rigs in one, in the order given; the first camera of the first rig is the reference.

    A camera keeps its name and colour unless an earlier one has it. Instead of a name of the form camNN it then gets
    the first of them that is free, instead of another name that name and a number ("left 2"); its colour becomes the
    first free one of the palette, as long as there is one. Cameras that stand still are held beside moving ones.

    Raises UserError for no rig, more than MAX_VIEWS cameras, and rigs that move over different numbers of frames.
    """
    if not rigs:
        raise UserError("no rig is connected; connect at least one.")
    views = sum(rig.views for rig in rigs)
    if views > MAX_VIEWS:
        counts = " + ".join(str(rig.views) for rig in rigs)
        raise UserError(
            f"the rigs hold {counts} = {views} cameras, but at most {MAX_VIEWS} are possible; leave some out."
        )
    lengths = sorted({rig.frames for rig in rigs if not rig.is_static})
    if len(lengths) > 1:
        raise UserError(
            f"the rigs move over {' and '.join(map(str, lengths))} frames, but in one rig all cameras need the same "
            "number; give their motions the same length."
        )
    frames = lengths[0] if lengths else 1
    all_names = [name for rig in rigs for name in rig.names]
    all_colors = [color for rig in rigs for color in rig.colors]
    names: list[str] = []
    colors: list[str] = []
    for name, color in zip(all_names, all_colors, strict=True):
        names.append(_free_name(name, {*all_names, *names}) if name in names else name)
        free = (candidate for candidate in PALETTE if candidate not in {*all_colors, *colors})
        colors.append(next(free, color) if color in colors else color)
    c2w = [rig.c2w[:, :1].expand(-1, frames, 4, 4) if rig.is_static else rig.c2w for rig in rigs]
    return Rig(
        names=tuple(names),
        c2w=torch.cat(c2w),
        colors=tuple(colors),
        lenses=tuple(lens for rig in rigs for lens in rig.lenses),
    )


def reorder_rig(rig: Rig, cameras: str, others: str = "follow") -> Rig:
    """The cameras that `cameras` names (as `choose_cameras` reads it) first; the first of them is the reference.

    `others` says what becomes of the rest: they "follow" in their old order, or they "are left out". An empty text
    changes nothing. Raises UserError for a camera that does not exist, and for one that is named twice.
    """
    if others not in OTHERS:
        raise UserError(f"'others' is {others!r}, but only {', '.join(OTHERS)} are possible.", field="others")
    chosen = choose_cameras(cameras, rig.names)
    rest = [view for view in range(rig.views) if view not in chosen] if others == "follow" else []
    return rig.select([*chosen, *rest])


def _free_name(name: str, taken: set[str]) -> str:
    if re.fullmatch(r"cam\d{2,}", name):
        candidates = (f"cam{number:02d}" for number in itertools.count(1))
    else:
        endings = (f" {number}" for number in itertools.count(2))
        candidates = (name[: MAX_NAME_LENGTH - len(ending)] + ending for ending in endings)
    return next(candidate for candidate in candidates if candidate not in taken)


def _vector(numbers: Sequence[float], what: str) -> Tensor:  # (3,) float64
    vector = torch.tensor([float(number) for number in numbers], dtype=torch.float64)
    if vector.shape != (3,) or not torch.isfinite(vector).all():
        raise UserError(f"{what} is {tuple(numbers)}, but three finite numbers of metres are needed.")
    return vector


def _roll_deg(c2w: Tensor) -> float:
    """The roll of a camera against the horizon; 0 for one that looks straight up or down, where it has none."""
    across, down = float(c2w[1, 0]), float(c2w[1, 1])
    return math.degrees(math.atan2(across, down)) if math.hypot(across, down) > 1e-9 else 0.0


def _heading_deg(c2w: Tensor) -> float:
    """The azimuth whose cameras have this right axis; it says where up is for one that looks straight down."""
    return math.degrees(math.atan2(float(c2w[2, 0]), float(c2w[0, 0])))
