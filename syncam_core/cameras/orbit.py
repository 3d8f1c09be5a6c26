"""Where a camera is that looks at a point: from an angle and a distance, or from a place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..errors import UserError


def orbit_c2w(
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float,
    roll_deg: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),  # metres, world axes
) -> Tensor:  # (4, 4) float64
    """A camera that looks at `target` from an angle and a distance.

    Its centre is `target + distance (sin az cos el, -sin el, -cos az cos el)`: azimuth 0 stands in front of the
    target, positive azimuth moves the camera to its right, positive elevation moves it up. The horizon is level
    before `roll`, which turns the camera clockwise about its viewing direction. Straight above or below the target
    the up direction of the picture is the one that the azimuth would approach.

    Raises UserError for a number that is not finite, a distance that is not above 0, or |elevation| above 90.
    """
    for what, value in (("azimuth", azimuth_deg), ("roll", roll_deg)):
        if not math.isfinite(value):
            raise UserError(f"{what} is {value}, but a finite number of degrees is needed.", field=what)
    if not -90 <= elevation_deg <= 90:
        raise UserError(
            f"elevation is {elevation_deg:g}, but it must lie between -90 (straight below) and 90 (straight above).",
            field="elevation",
        )
    if not 0 < distance_m < math.inf:
        raise UserError(f"distance is {distance_m:g}, but it must be a number of metres above 0.", field="distance")
    numbers = [azimuth_deg, elevation_deg, distance_m, roll_deg, *(float(coordinate) for coordinate in target)]
    return torch.from_numpy(orbit_matrices(np.array([numbers], dtype=np.float64))[0])


def orbit_matrices(
    orbits: ndarray,  # (n, 7) azimuth, elevation, distance, roll, target x, y, z; degrees and metres
) -> ndarray:  # (n, 4, 4) float64
    """`orbit_c2w` for many cameras at once, with none of its refusals.

    It is the closed form of a look-at: unlike a cross product with the up vector it has no gap at the poles.
    """
    azimuth, elevation, roll = np.radians(orbits[:, [0, 1, 3]]).T
    distance, target = orbits[:, 2:3], orbits[:, 4:7]
    sin_az, cos_az, sin_el, cos_el = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    sin_roll, cos_roll = np.sin(roll)[:, None], np.cos(roll)[:, None]
    right = np.stack([cos_az, np.zeros_like(azimuth), sin_az], axis=1)
    down = np.stack([sin_az * sin_el, cos_el, -cos_az * sin_el], axis=1)
    forward = np.stack([-sin_az * cos_el, sin_el, cos_az * cos_el], axis=1)
    c2w = np.zeros((len(orbits), 4, 4))
    c2w[:, :3, 0] = cos_roll * right + sin_roll * down
    c2w[:, :3, 1] = cos_roll * down - sin_roll * right
    c2w[:, :3, 2] = forward
    c2w[:, :3, 3] = target - distance * forward
    c2w[:, 3, 3] = 1.0
    return c2w


def look_at_c2w(
    centre: Sequence[float],  # metres, world axes
    target: Sequence[float] = (0.0, 0.0, 0.0),
    roll_deg: float = 0.0,
    azimuth_deg: float = 0.0,
) -> Tensor:  # (4, 4) float64
    """A camera at `centre` that looks at `target` with a level horizon, before `roll` turns it clockwise.

    Straight above or below the target the horizon has no direction; there the top of the picture points where it
    would for a camera that comes from `azimuth_deg`.

    Raises UserError for a camera that stands at its target, and for numbers that are not finite.
    """
    x, y, z = (a - b for a, b in zip(centre, target, strict=True))
    ground, distance = math.hypot(x, z), math.hypot(x, y, z)
    if not math.isfinite(distance):
        raise UserError("the place of a camera or its target is not finite; give three finite numbers of metres.")
    if distance < 1e-9:
        raise UserError(
            f"a camera would stand at its target {_point(target)}, where it has no direction to look in; move one of them."
        )
    if ground > 1e-9 * distance:
        azimuth_deg = math.degrees(math.atan2(x, -z))
    c2w = orbit_c2w(azimuth_deg, math.degrees(math.atan2(-y, ground)), distance, roll_deg, target)
    c2w[:3, 3] = torch.tensor(centre, dtype=torch.float64)
    return c2w


def _point(point: Sequence[float]) -> str:
    return f"({', '.join(f'{coordinate:g}' for coordinate in point)})"
