"""The pose of one camera to another from correspondences, against the pose that made them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from syncam_core.cameras import orbit_rig
from syncam_core.metrics.relative_pose import distances_to_lines, relative_pose

FOCAL = 840.4


def correspondences(
    angle_deg: float, count: int = 300, noise_px: float = 0.0, outliers: float = 0.0, flat: bool = False, seed: int = 1
):
    """Points before two cameras that look at one place, `angle_deg` apart: plane coordinates, rotation, translation."""
    draw = np.random.default_rng(seed)
    points = draw.uniform((-1, -0.6, -1), (1, 0.6, 1), (count, 3))
    if flat:
        points[:, 2] = 0.3 * points[:, 0]
    rotation = Rotation.from_euler("yxz", (angle_deg, 0.2 * angle_deg, 3), degrees=True).as_matrix()
    middle = np.array([0, 0, 4.0])
    first = points + middle
    second = points @ rotation.T + middle
    translation = middle - rotation @ middle
    planes = [p[:, :2] / p[:, 2:] + draw.normal(0, noise_px / FOCAL, (count, 2)) for p in (first, second)]
    wrong = int(outliers * count)
    planes[1][:wrong] = draw.uniform(-0.45, 0.45, (wrong, 2))
    return *(torch.from_numpy(p) for p in planes), rotation, translation / np.linalg.norm(translation)


def errors(found, rotation, translation):
    angle = np.degrees(np.linalg.norm(Rotation.from_matrix(found.rotation.numpy() @ rotation.T).as_rotvec()))
    return angle, np.linalg.norm(found.translation.numpy() - translation)


@pytest.mark.parametrize("angle", [2, 15, 60, 120])
def test_exact_correspondences_give_the_exact_pose(angle):
    first, second, rotation, translation = correspondences(angle)
    found = relative_pose(first, second, torch.ones(300), 1 / FOCAL)
    rot, trans = errors(found, rotation, translation)
    assert (rot < 1e-4, trans < 1e-5, bool(found.is_inlier.all())) == (True, True, True)


@pytest.mark.parametrize("angle", [15, 60])
def test_half_wrong_matches_and_a_pixel_of_noise_leave_a_small_error(angle):
    first, second, rotation, translation = correspondences(angle, 400, 0.5, 0.5)
    found = relative_pose(first, second, torch.ones(400), 1 / FOCAL)
    rot, trans = errors(found, rotation, translation)
    assert rot < 0.5
    assert trans < 0.01
    assert 170 <= found.is_inlier.sum() <= 206  # of 200 right ones; some wrong ones lie on their line by chance


@pytest.mark.parametrize("behind", ["first", "second"])
def test_points_that_would_lie_behind_one_of_the_cameras_do_not_agree(behind):
    """Their pictures lie on each other's lines all the same."""
    first, second, rotation, translation = correspondences(60)
    middle = np.array([0, 0, 4.0])
    points = np.random.default_rng(3).uniform(-8, 8, (4000, 3))
    seen = {"first": points, "second": (points - middle) @ rotation.T + middle}
    other = "second" if behind == "first" else "first"
    wrong = np.flatnonzero((seen[behind][:, 2] < -1) & (seen[other][:, 2] > 1))[:40]
    planes = [torch.from_numpy(seen[name][wrong, :2] / seen[name][wrong, 2:]) for name in ("first", "second")]
    found = relative_pose(torch.cat([first, planes[0]]), torch.cat([second, planes[1]]), torch.ones(340), 1 / FOCAL)
    assert errors(found, rotation, translation)[0] < 1e-3
    assert found.is_inlier[:300].all()
    assert not found.is_inlier[300:].any()


@pytest.mark.parametrize("noise_px", [0.05, 0.2])
def test_a_plane_alone_has_two_solutions_and_the_pose_says_so(noise_px):
    # a board of 1.6 m, 4 m before two cameras that stand 20 degrees apart
    draw = np.random.default_rng(0)
    across, down = np.array([np.cos(0.35), 0, np.sin(0.35)]), np.array([0, 1.0, 0])
    board = [-1.5, -0.9, -0.4] + draw.random((300, 1)) * 1.6 * across + draw.random((300, 1)) * 1.6 * down
    w2c = np.linalg.inv(orbit_rig([0.0, 20.0], [14.0], [4.0]).c2w[:, 0].numpy())
    turn = w2c[1, :3, :3] @ w2c[0, :3, :3].T
    way = w2c[1, :3, 3] - turn @ w2c[0, :3, 3]

    def found(points):
        seen = [points @ pose[:3, :3].T + pose[:3, 3] for pose in w2c]
        planes = [torch.from_numpy(p[:, :2] / p[:, 2:] + draw.normal(0, noise_px / 1077, (len(p), 2))) for p in seen]
        return relative_pose(*planes, torch.ones(len(points)), 1 / 1077)

    assert found(board).is_ambiguous
    solid = found(np.concatenate([board, draw.uniform(-0.8, 0.8, (60, 3))]))
    assert not solid.is_ambiguous
    rot, trans = errors(solid, turn, way / np.linalg.norm(way))
    assert rot < 0.2
    assert trans < 0.01


def test_the_two_solutions_of_a_plane_are_told_apart_by_the_few_points_off_it():
    first, second, rotation, translation = correspondences(30, 300, 0.3, flat=True)
    more = correspondences(30, 25, 0.3, seed=2)
    together = [torch.cat(pair) for pair in zip((first, second), more[:2], strict=True)]
    rot, trans = errors(relative_pose(*together, torch.ones(325), 1 / FOCAL), rotation, translation)
    assert rot < 0.5
    assert trans < 0.02


def test_the_same_matches_give_the_same_pose_bit_for_bit():
    first, second, *_ = correspondences(40, 200, 0.5, 0.4)
    one, two = (relative_pose(first, second, torch.ones(200), 1 / FOCAL) for _ in range(2))
    assert torch.equal(one.rotation, two.rotation)
    assert torch.equal(one.translation, two.translation)


def test_too_few_correspondences_and_repeated_ones_have_no_pose():
    first, second, *_ = correspondences(15)
    assert relative_pose(first[:7], second[:7], torch.ones(7), 1 / FOCAL) is None
    same = torch.zeros(20, 2)
    found = relative_pose(same, same, torch.ones(20), 1 / FOCAL)
    assert found is None or torch.isfinite(found.rotation).all()


def test_random_pairs_find_few_that_agree():
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.rand(300, 2, generator=draw) - 0.5 for _ in range(2))
    found = relative_pose(first, second, torch.ones(300), 1 / FOCAL)
    assert found is None or found.is_inlier.sum() < 30


def test_distances_to_lines_are_those_of_the_correspondences_on_the_diagonal_and_zero_for_exact_ones():
    first, second, *_ = correspondences(20, 40)
    pose = relative_pose(first, second, torch.ones(40), 1 / FOCAL)
    distances = distances_to_lines(pose, first, second)
    assert distances.shape == (40, 40)
    assert distances.diagonal().max() < 1e-9
    assert (distances[~torch.eye(40, dtype=torch.bool)] > 1e-6).double().mean() > 0.95
    moved = second + torch.tensor([0.0, 3 / FOCAL])  # mostly across the lines, which run along the picture's width
    off = distances_to_lines(pose, first, moved).diagonal() * FOCAL
    assert 1.5 < off.median() < 3.0  # shared between the two pictures
