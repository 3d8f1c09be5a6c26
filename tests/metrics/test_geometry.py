"""Triangulation and epipolar lines against points that are known, and against the fundamental matrix in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Lens, orbit_c2w, orbit_rig
from syncam_core.metrics.geometry import (
    epipolar_distances,
    epipolar_line,
    reproject,
    reprojection_errors,
    triangulate,
)
from syncam_core.synthetic import focal_px, project

angles = st.floats(-180, 180)
coordinates = st.floats(-0.8, 0.8)
LENSES = (Lens(), Lens(35, 36), Lens(18, 24), Lens(50, 36))


def seen_by(points, c2w, lenses, height=48, width=80):
    return torch.stack([project(points, c, lens, height, width)[0] for c, lens in zip(c2w, lenses, strict=True)])


def fundamental(first, first_lens, second, second_lens, height, width):
    """K2^-T [t]x R K1^-1 written out."""

    def intrinsics(lens):
        f = focal_px(lens, width)
        return np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])

    relative = np.linalg.inv(second.numpy()) @ first.numpy()
    (x, y, z), rotation = relative[:3, 3], relative[:3, :3]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.linalg.inv(intrinsics(second_lens)).T @ cross @ rotation @ np.linalg.inv(intrinsics(first_lens))


@settings(deadline=None)
@given(
    st.lists(st.tuples(angles, st.floats(-20, 60), st.floats(3, 8)), min_size=2, max_size=4),
    st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=1, max_size=3),
    st.floats(0, 1e4),
)
def test_a_point_that_cameras_see_is_triangulated_to_where_it_is(cameras, points, far):
    if abs(cameras[0][0] - cameras[1][0]) % 180 < 10:  # rays that are nearly one line tell no distance
        cameras[1] = (cameras[0][0] + 60, *cameras[1][1:])
    target = (far, 0.0, -far)  # wherever the rig stands
    c2w = torch.stack([orbit_c2w(*camera, target=target) for camera in cameras])[:, None]
    points = torch.tensor(points, dtype=torch.float64) + torch.tensor(target)
    lenses = LENSES[: len(cameras)]
    pixels = seen_by(points, c2w, lenses)
    torch.testing.assert_close(triangulate(pixels, c2w, lenses, 48, 80), points, atol=1e-6, rtol=0)
    assert reprojection_errors(pixels, c2w, lenses, 48, 80).max() < 1e-6
    assert epipolar_distances(pixels, c2w, lenses, 48, 80).nan_to_num().max() < 1e-5


def test_moving_cameras_are_triangulated_frame_by_frame():
    c2w = torch.stack([torch.stack([orbit_c2w(a + 9 * f, 10 + f, 5) for f in range(5)]) for a in (0, 80, 200)])
    points = torch.tensor([[0.1 * f, -0.05 * f, 0.2] for f in range(5)], dtype=torch.float64)
    pixels = seen_by(points, c2w, LENSES[:3])
    torch.testing.assert_close(triangulate(pixels, c2w, LENSES[:3], 48, 80), points, atol=1e-9, rtol=0)
    torch.testing.assert_close(reproject(points, c2w, LENSES[:3], 48, 80), pixels)


def test_a_view_that_does_not_see_the_point_is_left_out():
    rig = orbit_rig([0.0, 90.0, 200.0], [20.0], [5.0])
    points = torch.tensor([[0.3, 0.1, -0.2]] * 3, dtype=torch.float64)
    pixels = seen_by(points, rig.c2w, rig.lenses, 64, 64)
    pixels[2, 1], pixels[:2, 2] = torch.nan, torch.nan
    found = triangulate(pixels, rig.c2w, rig.lenses, 64, 64)
    torch.testing.assert_close(found[:2], points[:2])
    assert found[2].isnan().all()
    errors = reprojection_errors(pixels, rig.c2w, rig.lenses, 64, 64)
    assert torch.isfinite(errors).tolist() == [[True, True, False], [True, True, False], [True, False, False]]
    distances = epipolar_distances(pixels, rig.c2w, rig.lenses, 64, 64)
    assert torch.isfinite(distances).tolist() == [[True, True, False], [True, False, False], [True, False, False]]


def test_an_error_across_the_epipolar_line_is_shared_by_two_views():
    # Opposite sides at right angles on the horizon: rows alone disagree. 1 px up in one view puts the point half-way.
    rig = orbit_rig([0.0, 90.0], [0.0], [5.0])
    pixels = seen_by(torch.zeros(1, 3, dtype=torch.float64), rig.c2w, rig.lenses, 64, 64)
    pixels[0, :, 1] -= 1.0
    errors = reprojection_errors(pixels, rig.c2w, rig.lenses, 64, 64)
    assert errors.flatten().tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert epipolar_distances(pixels, rig.c2w, rig.lenses, 64, 64).item() == pytest.approx(1.0, abs=0.02)


@settings(deadline=None)
@given(
    st.tuples(angles, st.floats(-20, 60), st.floats(3, 8)),
    st.tuples(angles, st.floats(-20, 60), st.floats(3, 8)),
    st.tuples(st.floats(0, 80), st.floats(0, 48)),
    st.tuples(st.floats(0, 80), st.floats(0, 48)),
)
def test_the_epipolar_distance_is_the_mean_of_both_point_to_line_distances(first, second, x1, x2):
    c2w = torch.stack([orbit_c2w(*first), orbit_c2w(*second)])[:, None]
    if (c2w[0, 0, :3, 3] - c2w[1, 0, :3, 3]).norm() < 0.1:
        return
    matrix = fundamental(c2w[0, 0], LENSES[0], c2w[1, 0], LENSES[1], 48, 80)
    p1, p2 = np.array([*x1, 1]), np.array([*x2, 1])
    lines = matrix @ p1, matrix.T @ p2
    if min(np.hypot(*line[:2]) for line in lines) < 1e-6:
        return
    expected = np.mean([abs(p1 @ matrix.T @ p2) / np.hypot(*line[:2]) for line in lines])
    pixels = torch.tensor([[x1], [x2]], dtype=torch.float64)
    got = epipolar_distances(pixels, c2w, LENSES[:2], 48, 80).item()
    assert got == pytest.approx(min(80, expected), rel=1e-5, abs=1e-6)


def test_cameras_at_one_place_have_no_epipolar_line():
    c2w = orbit_c2w(0, 20, 5)[None]
    line = epipolar_line(torch.tensor([[10.0, 20.0]]).double(), c2w, LENSES[0], c2w, LENSES[0], 64, 64)
    assert line.isnan().all()


def test_what_lies_behind_a_camera_counts_as_the_whole_width():
    # rays that part in front of the cameras meet behind them
    rig = orbit_rig([0.0, 20.0], [0.0], [5.0])
    pixels = torch.tensor([[[2.0, 32.0]], [[62.0, 32.0]]], dtype=torch.float64)
    assert reprojection_errors(pixels, rig.c2w, rig.lenses, 64, 64).flatten().tolist() == [64, 64]
