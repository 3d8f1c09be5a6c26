"""What is drawn of a rig, in metres: where its cameras, their pictures, its target and the floor are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..cameras.meter import ASSUMED_DISTANCE_M, PICTURE_ASPECT, Meter
from ..cameras.orbit import orbit_matrices
from ..cameras.rig import Rig
from ..synthetic import GROUND_Y_M

MOST_PATH_POINTS = 160


@dataclass(frozen=True, eq=False)
class Stage:
    """A rig about its target. Positions are relative to the target, in the rig's world axes."""

    kind: str  # of the target: common, axis, none
    c2w: np.ndarray  # (views, frames, 4, 4) float64
    half_width: np.ndarray  # (views,) tangent of half the horizontal angle of view
    floor_y: float  # below the target, so positive

    @staticmethod
    def of(rig: Rig, meter: Meter, figure_scale: float = 1.0) -> Stage:
        """The stage of a rig; the figure stands at its common look-at point, or 3 m before view 0 without one."""
        c2w = np.array(rig.c2w.numpy(), dtype=np.float64)
        before_view_0 = c2w[0, 0, :3, 3] + ASSUMED_DISTANCE_M * c2w[0, 0, :3, 2]
        target = before_view_0 if meter.target is None else np.array(meter.target)
        c2w[..., :3, 3] -= target
        half_width = np.array([lens.sensor_width_mm / lens.focal_mm / 2 for lens in rig.lenses])
        return Stage(meter.target_kind, c2w, half_width, GROUND_Y_M * figure_scale)

    @property
    def views(self) -> int:
        return len(self.c2w)

    @property
    def centres(self) -> np.ndarray:  # (views, 3) of the first frame
        return self.c2w[:, 0, :3, 3]

    def path(self, view: int) -> np.ndarray:  # (points, 3), one point for a camera that stays where it is
        centres = self.c2w[view, :, :3, 3]
        if np.abs(centres - centres[0]).max() < 1e-6:
            return centres[:1]
        step = max(1, math.ceil(len(centres) / MOST_PATH_POINTS))
        return np.concatenate([centres[::step], centres[-1:]])

    def turns(self, view: int) -> bool:
        """Whether the camera does not end with the pose that it began with."""
        return bool(np.abs(self.c2w[view, -1] - self.c2w[view, 0]).max() > 1e-6)

    def picture_corners(self, view: int, depth: float, frame: int = 0) -> np.ndarray:  # (4, 3)
        """The corners of what the camera sees at a depth: top left, top right, bottom right, bottom left."""
        x, y = self.half_width[view] * depth, self.half_width[view] * depth / PICTURE_ASPECT
        corners = np.array([(-x, -y, depth), (x, -y, depth), (x, y, depth), (-x, y, depth)])
        c2w = self.c2w[view, frame]
        return corners @ c2w[:3, :3].T + c2w[:3, 3]

    def picture_depths(self) -> np.ndarray:  # (views,) metres
        """How long frusta are drawn: alike for all cameras, but never as far as the target, shorter among many."""
        distances = np.linalg.norm(self.centres, axis=1)
        typical = float(np.median(distances)) or ASSUMED_DISTANCE_M
        depth = typical * 0.27 * min(1.0, math.sqrt(8 / self.views))
        # a wide lens is drawn shorter, a long one longer: pictures stay of one size
        depths = depth * np.clip(0.495 / self.half_width, 0.4, 1.8)
        return np.minimum(depths, np.where(distances > 0.05 * typical, 0.6 * distances, depths))


def orbit_point(azimuth_deg: ArrayLike, elevation_deg: ArrayLike, distance_m: ArrayLike) -> np.ndarray:  # (..., 3)
    """Where a camera at these angles about the target stands; arrays broadcast."""
    orbits = np.stack(np.broadcast_arrays(azimuth_deg, elevation_deg, distance_m, 0.0, 0.0, 0.0, 0.0), axis=-1)
    return orbit_matrices(orbits.reshape(-1, 7))[:, :3, 3].reshape(*orbits.shape[:-1], 3)


def nice_step(length: float, parts: float) -> float:
    """1, 2 or 5 times a power of ten: the smallest that divides a length into at most `parts` steps."""
    least = max(length, 1e-9) / parts
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
