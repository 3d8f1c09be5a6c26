"""Random rigs for property tests, made with scipy and numpy alone."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Lens, Rig


def c2w_matrices(rng: np.random.Generator, views: int, frames: int, size_m: float = 5.0) -> np.ndarray:
    c2w = np.tile(np.eye(4), (views, frames, 1, 1))
    c2w[..., :3, :3] = Rotation.random(views * frames, rng=rng).as_matrix().reshape(views, frames, 3, 3)
    c2w[..., :3, 3] = rng.normal(size=(views, frames, 3)) * size_m
    return c2w


def random_rig(views: int, frames: int, seed: int = 0) -> Rig:
    """Cameras that move, of which the last one stands still, with a lens each."""
    rng = np.random.default_rng(seed)
    c2w = c2w_matrices(rng, views, frames)
    c2w[-1] = c2w[-1, :1]
    lenses = tuple(Lens(float(rng.uniform(14, 60)), float(rng.uniform(15, 40))) for _ in range(views))
    return Rig(tuple(f"camera {place}" for place in range(views)), c2w, lenses=lenses)


@st.composite
def rigs(draw: st.DrawFn, moving: bool | None = None, max_views: int = 5) -> Rig:
    """Cameras anywhere, turned anyhow, with a lens each; still ones, moving ones, or some of both."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    views = draw(st.integers(1, max_views))
    frames = 1 if moving is False else draw(st.integers(2 if moving else 1, 6))
    c2w = c2w_matrices(rng, views, frames, draw(st.sampled_from([0.01, 1.0, 500.0])))
    for view in range(1, views):  # the first one moves, so that the rig keeps its frames
        if draw(st.booleans()):
            c2w[view] = c2w[view, :1]
    names = draw(st.permutations([f"{place}-{word}" for place, word in enumerate(("b", "a", "Low", "x2", "10"))]))
    lenses = tuple(Lens(float(rng.uniform(8, 200)), float(rng.uniform(5, 60))) for _ in range(views))
    return Rig(tuple(names[:views]), c2w, lenses=lenses)


def same_cameras(got: Rig, wanted: Rig, metres: float = 1e-9) -> None:
    """Assert the same names and poses, relative to the size of the rig."""
    assert got.names == wanted.names
    size = max(1.0, float(wanted.c2w[..., :3, 3].abs().max()))
    scale = np.array([1, 1, 1, size])
    np.testing.assert_allclose(got.c2w.numpy() / scale, wanted.c2w.numpy() / scale, rtol=0, atol=metres)


def same_fields_of_view(got: Rig, wanted: Rig) -> None:
    shares = [[lens.focal_mm / lens.sensor_width_mm for lens in rig.lenses] for rig in (got, wanted)]
    np.testing.assert_allclose(*shares, rtol=1e-12)
