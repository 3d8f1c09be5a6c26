"""How the stage comes onto the picture: seen from a raised place, or straight from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..cameras.orbit import orbit_c2w
from ..cameras.rig import inverse


@dataclass(frozen=True, eq=False)
class Projector:
    """Maps points of the world to pixels and depths; `scale` and `shift` fit the scene into the picture."""

    w2c: np.ndarray  # (4, 4), OpenCV axes
    perspective: bool
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def raised(azimuth_deg: float, elevation_deg: float, radius_m: float) -> Projector:
        """From outside of a sphere about the origin, with a long lens."""
        c2w = orbit_c2w(azimuth_deg, elevation_deg, 3.6 * radius_m)
        return Projector(inverse(c2w).numpy(), perspective=True)

    @staticmethod
    def from_above() -> Projector:
        """x to the right, z up in the picture: azimuth 0 is below the target."""
        return Projector(inverse(orbit_c2w(0, 90, 1)).numpy(), perspective=False)

    def fitted(self, points: np.ndarray, left: float, top: float, right: float, bottom: float) -> Projector:
        """The projector that puts all the points (count, 3) into a box, centred and as large as possible."""
        plane = self._plane(points)[0]
        low, high = plane.min(0), plane.max(0)
        size = np.maximum(high - low, 1e-9)
        scale = float(min((right - left) / size[0], (bottom - top) / size[1]))
        middle = (low + high) / 2 * scale
        shift = ((left + right) / 2 - middle[0], (top + bottom) / 2 - middle[1])
        return Projector(self.w2c, self.perspective, scale, (float(shift[0]), float(shift[1])))

    def pixels(self, points: np.ndarray) -> np.ndarray:  # (..., 3) -> (..., 2)
        return self._plane(points)[0] * self.scale + self.shift

    def length(self, point: np.ndarray, metres: float) -> float:
        """How many pixels long something at a point is."""
        depth = float(self.depths(point)) if self.perspective else 1.0
        return metres * self.scale / max(depth, 1e-6)

    def depths(self, points: np.ndarray) -> np.ndarray:  # (..., 3) -> (...), larger is farther
        return self._plane(points)[1]

    def _plane(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        there = points @ self.w2c[:3, :3].T + self.w2c[:3, 3]
        depth = there[..., 2]
        if not self.perspective:
            return there[..., :2], depth
        # nothing that is drawn comes close to the eye: it stands outside of the sphere that holds the scene
        return there[..., :2] / np.maximum(depth, 1e-6)[..., None], depth
