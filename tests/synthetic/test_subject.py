"""Rays against the subject, compared with marching through its solids in small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from syncam_core.synthetic import SHAPES
from syncam_core.synthetic.subject import BODIES, BOUND_M, is_hit


def is_inside(shape: str, p: np.ndarray, slack: float) -> np.ndarray:
    """Whether points lie in the solid grown by `slack` (shrunk where negative), written from its measures."""
    body = BODIES[shape]
    x, y, z = np.moveaxis(p, -1, 0)
    if shape == "ball":
        main = np.sqrt(x**2 + y**2 + z**2) < 0.66 + slack
    elif shape == "cube":
        main = np.max(np.abs(p + np.array([0, 0.03, 0])), -1) < 0.56 + slack  # its foot 0.53 m below the centre
    elif shape == "pillar":
        main = (np.hypot(x, z) < 0.40 + slack) & (np.abs(y - 0.01) < 0.70 + slack)
    else:  # 1.4 m high, its foot 0.30 m below the centre and 0.72 m in radius
        main = (np.hypot(x, z) < 0.72 * (y + 1.10) / 1.4 + slack) & (y < 0.30 + slack)
    along = z + body.front + 0.32
    beak = (np.hypot(x, y - body.beak_y) < 0.14 * along / 0.32 + slack) & (along < 0.32 + slack)
    tail = np.sqrt(x**2 + (y - body.base + 0.30) ** 2 + (z - 0.93 * body.radius) ** 2) < 0.19 + slack
    return main | beak | tail


def rays(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    origin = rng.normal(size=(count, 3))
    origin *= 3 / np.linalg.norm(origin, axis=1, keepdims=True)
    towards = rng.uniform(-1, 1, (count, 3)) - origin
    return origin, towards / np.linalg.norm(towards, axis=1, keepdims=True)


def hits(shape: str, origin: np.ndarray, ray: np.ndarray) -> np.ndarray:
    return is_hit(BODIES[shape], *(tuple(torch.from_numpy(v).float().unbind(-1)) for v in (origin, ray))).numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ray_hits_where_marching_along_it_enters_the_solid(shape):
    origin, ray = rays(1500, 1)
    steps = np.linspace(1.5, 4.6, 600)[None, :, None]
    points = origin[:, None] + steps * ray[:, None]
    surely = is_inside(shape, points, -0.01).any(1)
    perhaps = is_inside(shape, points, 0.01).any(1)
    hit = hits(shape, origin, ray)
    assert hit[surely].all()
    assert not hit[~perhaps].any()
    assert 200 < surely.sum() < perhaps.sum() < 1400


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bounding_sphere_holds_the_whole_subject(shape):
    rng = np.random.default_rng(2)
    foot = rng.normal(size=(4000, 3))
    foot *= BOUND_M / np.linalg.norm(foot, axis=1, keepdims=True)
    across = np.cross(foot, rng.normal(size=foot.shape))  # tangents: no point of theirs is nearer than BOUND_M
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    assert not hits(shape, foot - 3 * across, across).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ray_that_leads_away_or_starts_inside_hits_nothing(shape):
    origin, ray = rays(500, 3)
    assert not hits(shape, origin, -ray).any()
    inside = np.zeros_like(origin)
    sideways = ray * [1, 0.2, 0]  # neither beak nor tail, which a ray from within meets from outside
    assert not hits(shape, inside, sideways / np.linalg.norm(sideways, axis=1, keepdims=True)).any()
