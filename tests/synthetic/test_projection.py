"""Projection against the textbook's 3x4 matrix in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Lens, orbit_c2w, orbit_rig
from syncam_core.synthetic import focal_px, project

coordinates = st.floats(-5, 5)


@settings(deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.floats(1, 20),
    st.floats(-180, 180),
    st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=5),
    st.floats(8, 200),
    st.floats(5, 60),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_projection_agrees_with_a_homogeneous_camera_matrix(az, el, r, roll, points, focal, sensor, height, width):
    c2w = orbit_c2w(az, el, r, roll)
    pixels, depth = project(torch.tensor(points, dtype=torch.float64), c2w, Lens(focal, sensor), height, width)
    f = focal * width / sensor
    intrinsics = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
    camera = intrinsics @ np.linalg.inv(c2w.numpy())[:3]
    for point, pixel, z in zip(points, pixels.numpy(), depth.numpy(), strict=True):
        u, v, w = camera @ [*point, 1]
        assert z == pytest.approx(w, abs=1e-9)
        if w > 1e-3:
            assert np.allclose(pixel, [u / w, v / w], rtol=1e-6, atol=1e-6)
        elif w < 0:
            assert np.isnan(pixel).all()


def test_a_point_by_hand():
    # 3 m in front of the camera, 0.5 m right and 0.25 m up of its axis; focal length 32 px of a 64 px picture
    pixels, depth = project(torch.tensor([0.5, -0.25, 0.0]), orbit_c2w(0, 0, 3), Lens(12, 24), 48, 64)
    assert depth.item() == pytest.approx(3)
    assert pixels.tolist() == pytest.approx([32 + 32 * 0.5 / 3, 24 - 32 * 0.25 / 3])


def test_leading_axes_broadcast():
    rig = orbit_rig([0.0, 90.0, 180.0])
    pixels, depth = project(torch.zeros(7, 3), rig.c2w, rig.lenses[0], 64, 64)  # (7, 3) with (3, 1, 4, 4)
    assert pixels.shape == (3, 7, 2)
    assert depth.shape == (3, 7)
    torch.testing.assert_close(pixels, torch.full_like(pixels, 32.0))  # all look at the origin


def test_the_default_lens_sees_52_7_degrees():
    half = np.degrees(np.arctan(832 / 2 / focal_px(Lens(), 832)))
    assert 2 * half == pytest.approx(52.7, abs=0.05)
