"""The scenes and cameras that a demo model is judged by."""

from __future__ import annotations

from ..cameras import Rig, orbit_rig
from ..synthetic import Scene
from .batches import generator

HELD_OUT = 10_000_000  # scenes from this seed on are never trained on
SIZE = 64  # pixels of the square pictures of a demo model
PLACE_RADII_M = {1: 1.0, 2: 0.8}  # how far from the origin, at which all cameras look, the subject may be


def held_out_scene(
    number: int, views: int, seed: int = 0, place_radius_m: float = 1.0, world: int = 1
) -> tuple[Scene, Rig]:
    """A scene and a rig around it: the reference, and the other cameras spread over the full circle with some chance."""
    draw = generator(seed, number, views)
    step = 360 / views if views > 2 else 90.0
    azimuths = [0.0, *(i * step + draw.uniform(-25, 25) for i in range(1, views))]
    elevations = [20.0, *(draw.uniform(8, 35) for _ in range(1, views))]
    distances = [5.0, *(draw.uniform(4.5, 5.5) for _ in range(1, views))]
    azimuths = [(a + 180) % 360 - 180 for a in azimuths]
    scene = Scene.random(HELD_OUT + seed * 1_000_000 + number, place_radius_m, world)
    return scene, orbit_rig(azimuths, elevations, distances)
