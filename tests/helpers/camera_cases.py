"""Cameras for the tests of formats, made with numpy and scipy alone: no function of the pack computes them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Lens, Rig

NAMES = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12).filter(str.strip)
LENGTHS = st.floats(0.1, 500)


def orbit_in_the_rig(azimuth: float, elevation: float, distance: float, roll: float = 0.0) -> np.ndarray:
    """c2w of the convention's definition: OpenCV axes, world x right, y down, z away; degrees and metres."""
    a, e = math.radians(azimuth), math.radians(elevation)
    centre = distance * np.array([math.sin(a) * math.cos(e), -math.sin(e), -math.cos(a) * math.cos(e)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    c2w = np.eye(4)
    c2w[:3, :3] = (
        np.column_stack([right, np.cross(forward, right), forward])
        @ Rotation.from_euler("z", roll, degrees=True).as_matrix()
    )
    c2w[:3, 3] = centre
    return c2w


def orbit_with_z_up(azimuth: float, elevation: float, distance: float, roll: float = 0.0) -> np.ndarray:
    """c2w of the same camera in a world with z up, seen along +y, with the axes of a Blender or OpenGL camera.

    Blender's camera looks down (-z) without a rotation; turned by (90 - elevation, 0, azimuth) degrees, XYZ Euler as in
    its panel, it looks at the origin from there.
    """
    turn = Rotation.from_euler("xyz", [90 - elevation, 0, azimuth], degrees=True)
    c2w = np.eye(4)
    c2w[:3, :3] = (turn * Rotation.from_euler("z", -roll, degrees=True)).as_matrix()
    c2w[:3, 3] = turn.apply([0, 0, distance])  # backwards along its own z axis
    return c2w


@st.composite
def rigs(draw, moving: bool | None = None, most: int = 4) -> Rig:
    """Rigs of random rotations and positions, names and lenses; moving ones have 2 to 4 frames."""
    names = draw(st.lists(NAMES, min_size=1, max_size=most, unique=True))
    move = draw(st.booleans()) if moving is None else moving
    frames = draw(st.integers(2, 4)) if move else 1
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c2w = np.tile(np.eye(4), (len(names), frames, 1, 1))
    c2w[..., :3, :3] = (
        Rotation.random(len(names) * frames, random_state=generator).as_matrix().reshape(-1, frames, 3, 3)
    )
    c2w[..., :3, 3] = generator.normal(size=(len(names), frames, 3)) * draw(st.sampled_from([0.01, 3.0, 200.0]))
    if move and len(names) > 1 and draw(st.booleans()):
        c2w[0] = c2w[0, :1]  # one camera stands still beside the others
    lenses = [Lens(draw(LENGTHS), draw(LENGTHS)) for _ in names]
    return Rig(names=tuple(names), c2w=c2w, lenses=tuple(lenses))


def six_digits(c2w: np.ndarray) -> np.ndarray:
    """As a file of six decimals holds it: no longer exactly a rotation."""
    return np.round(c2w, 6)


def angle_of_view(lens) -> float:
    """Across, in radians."""
    return 2 * math.atan(lens.sensor_width_mm / 2 / lens.focal_mm)
