"""The encoding: what it accepts, and which poses it picks for which latent frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from syncam_core.cameras import CameraEncoding, Rig, encode_cameras, orbit_rig
from syncam_core.errors import UserError

IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


def yaw(degrees: float, position=(0.0, 0.0, 0.0)) -> torch.Tensor:
    """Camera-to-world of a camera turned to its right by `degrees`, written out by hand."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y, z = position
    return torch.tensor([[c, 0, s, x], [0, 1, 0, y], [-s, 0, c, z], [0, 0, 0, 1]], dtype=torch.float64)


def moving_rig(frames: int) -> Rig:
    """View 0 turns and advances along x, view 1 stands still 2 m to the right of where view 0 starts."""
    first = torch.stack([yaw(frame, (0.1 * frame, 0, 0)) for frame in range(frames)])
    second = yaw(0, (2.0, 0, 0)).expand(frames, 4, 4)
    return Rig(names=("moving", "still"), c2w=torch.stack([first, second]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64])
def test_an_encoding_takes_tensors_of_any_real_dtype(dtype):
    poses = torch.arange(2 * 3 * 12).reshape(2, 3, 12).to(dtype)
    encoding = CameraEncoding(poses)
    assert (encoding.views, encoding.latent_frames) == (2, 3)
    assert encoding.poses.dtype == torch.float32
    assert encoding.poses.is_contiguous()
    assert torch.equal(encoding.poses, poses.float())


def test_an_encoding_takes_arrays_and_nested_lists():
    array = np.random.default_rng(0).normal(size=(3, 2, 12))
    assert torch.equal(CameraEncoding(array).poses, torch.from_numpy(array).float())
    assert torch.equal(CameraEncoding(array.tolist()).poses, CameraEncoding(array).poses)


def test_an_encoding_keeps_its_numbers_when_the_given_tensor_changes():
    poses = torch.zeros(1, 1, 12)
    encoding = CameraEncoding(poses)
    poses += 1
    assert encoding.poses.sum() == 0


def test_encodings_can_be_compared_and_hashed_without_comparing_tensors():
    one, other = CameraEncoding(torch.zeros(2, 1, 12)), CameraEncoding(torch.zeros(2, 1, 12))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize(
    ("poses", "said"),
    [
        (torch.zeros(2, 12), r"\(2, 12\)"),
        (torch.zeros(2, 21, 3, 4), r"\(2, 21, 3, 4\)"),
        (torch.zeros(2, 21, 16), r"\(2, 21, 16\)"),
        (torch.zeros(0, 21, 12), "at least one view"),
        (torch.zeros(2, 0, 12), "one latent frame"),
        (torch.zeros(65, 1, 12), "65 views.*at most 64"),
        (torch.zeros(2, 1, 12, dtype=torch.complex64), "real numbers"),
        ([[["a"] * 12]], "not numbers"),
        ([[[1.0] * 12], [[1.0] * 11]], "not numbers"),
        ([[[10**400] * 12]], "not numbers"),
        (None, "not numbers"),
        (torch.full((1, 1, 12), 1e300, dtype=torch.float64), "inf at view 0, latent frame 0"),
    ],
)
def test_an_encoding_refuses_what_is_no_set_of_poses(poses, said):
    with pytest.raises(UserError, match=said):
        CameraEncoding(poses)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_encoding_names_the_view_and_frame_of_a_number_that_is_not_finite(value):
    poses = torch.zeros(3, 5, 12)
    poses[2, 4, 7] = value
    with pytest.raises(UserError, match="view 2, latent frame 4, number 7"):
        CameraEncoding(poses)


@pytest.mark.parametrize(("length", "latent_frames"), [(1, 1), (5, 2), (77, 20), (81, 21), (85, 22), (161, 41)])
def test_a_static_rig_is_encoded_for_any_length_of_4n_plus_1(length, latent_frames):
    encoding = encode_cameras(orbit_rig([0, 30, -15]), length)
    assert encoding.poses.shape == (3, latent_frames, 12)
    assert torch.equal(encoding.poses, encoding.poses[:, :1].expand_as(encoding.poses))


@pytest.mark.parametrize(
    ("length", "nearest"), [(80, "77 or 81"), (82, "81 or 85"), (2, "1 or 5"), (0, "use 1"), (-7, "use 1")]
)
def test_other_lengths_are_refused_with_the_two_nearest(length, nearest):
    with pytest.raises(UserError, match=f"'length' is {length}, .*4n\\+1.*{nearest}"):
        encode_cameras(orbit_rig([0, 30]), length)


def test_view_0_of_a_static_rig_is_exactly_the_identity():
    rig = orbit_rig([17.3, -31.9, 211.7], [12.1, 44.4, -3.3], [3.3, 7.7, 0.1])
    assert torch.equal(encode_cameras(rig, 81).poses[0], torch.tensor(IDENTITY).float().expand(21, 12))


def test_latent_frame_k_of_a_moving_rig_is_video_frame_4k_relative_to_view_0_at_frame_0():
    poses = encode_cameras(moving_rig(81), 81).poses
    assert poses.shape == (2, 21, 12)
    for k in range(21):
        # view 0 starts at the world's origin and axes, so its pose is its own c2w; 0.1 m per frame, 2 m is one unit
        expected = yaw(4 * k, (0.1 * 4 * k / 2, 0, 0))[:3].flatten()
        torch.testing.assert_close(poses[0, k].double(), expected, atol=1e-7, rtol=0)
        torch.testing.assert_close(poses[1, k].double(), yaw(0, (1.0, 0, 0))[:3].flatten(), atol=1e-7, rtol=0)


def test_a_rig_that_moves_longer_than_the_video_is_cut():
    longer, exact = moving_rig(100), moving_rig(41)
    assert torch.equal(encode_cameras(longer, 41).poses, encode_cameras(exact, 41).poses)


def test_a_moving_rig_shorter_than_the_video_is_refused_with_both_numbers():
    with pytest.raises(UserError, match=r"'length' is 81.*40 frames.*at most 37"):
        encode_cameras(moving_rig(40), 81)


def test_a_rig_that_repeats_one_pose_counts_as_static():
    still = orbit_rig([0, 30])
    repeated = Rig(names=still.names, c2w=still.c2w.expand(2, 5, 4, 4))
    assert torch.equal(encode_cameras(repeated, 81).poses, encode_cameras(still, 81).poses)


def test_common_motion_of_all_cameras_is_kept():
    rig = moving_rig(9)
    both = Rig(names=("a", "b"), c2w=rig.c2w[[0, 0]])
    poses = encode_cameras(both, 9).poses
    assert torch.allclose(poses[0], poses[1], atol=1e-7)
    assert not torch.allclose(poses[0, 0], poses[0, 2])


def test_moving_the_whole_world_leaves_the_encoding_as_it_is():
    rig = orbit_rig([0, 30, 60], [0, 10, -20], [3, 4, 5])
    world = yaw(77.0, (4.0, -3.0, 9.0))
    moved = Rig(names=rig.names, c2w=world @ rig.c2w)
    torch.testing.assert_close(encode_cameras(moved, 5).poses, encode_cameras(rig, 5).poses, atol=1e-6, rtol=0)
