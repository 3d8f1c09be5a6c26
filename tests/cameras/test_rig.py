"""The rig type: what it keeps, and what it refuses by the name of the camera."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import MAX_VIEWS, PALETTE, Lens, Rig
from syncam_core.cameras.rig import inverse
from syncam_core.errors import UserError


def still(views: int = 2) -> torch.Tensor:
    return torch.eye(4, dtype=torch.float64).repeat(views, 1, 1, 1)


def names(views: int) -> tuple[str, ...]:
    return tuple(f"c{view}" for view in range(views))


def test_a_rig_keeps_the_numbers_it_was_given():
    rounded = still()
    rounded[1, 0, :3, :3] = torch.tensor([[0.866025, 0, 0.5], [0, 1, 0], [-0.5, 0, 0.866025]])
    rig = Rig(names=names(2), c2w=rounded)
    assert torch.equal(rig.c2w, rounded)
    assert rig.c2w.dtype == torch.float64
    assert (rig.views, rig.frames, rig.is_static) == (2, 1, True)


def test_a_rig_takes_arrays_lists_and_other_dtypes_and_does_not_share_memory():
    array = np.tile(np.eye(4), (2, 3, 1, 1))
    for given_c2w in (array, array.tolist(), torch.from_numpy(array).float(), array.astype(np.int64)):
        assert torch.equal(Rig(names=names(2), c2w=given_c2w).c2w, torch.from_numpy(array))
    rig = Rig(names=names(2), c2w=torch.from_numpy(array))
    array[:] = 7
    assert torch.equal(rig.c2w[0, 0], torch.eye(4, dtype=torch.float64))


def test_colours_and_lenses_have_defaults_and_belong_to_their_cameras():
    rig = Rig(names=names(14), c2w=still(14), lenses=(Lens(50.0, 36.0),) * 14)
    assert rig.colors == (*PALETTE, PALETTE[0], PALETTE[1])
    picked = rig.select([13, 2])
    assert picked.names == ("c13", "c2")
    assert picked.colors == (PALETTE[1], PALETTE[2])
    assert picked.lenses[0].focal_mm == 50.0


def test_selecting_reorders_the_cameras():
    c2w = still(3)
    c2w[:, 0, 0, 3] = torch.tensor([10.0, 11.0, 12.0])
    picked = Rig(names=names(3), c2w=c2w).select([2, 0])
    assert picked.c2w[:, 0, 0, 3].tolist() == [12.0, 10.0]


@pytest.mark.parametrize(
    ("indices", "said"), [([3], "number 3.*0 to 2"), ([-1], "number -1"), ([1, 1], "'c1'"), ([], "no cameras")]
)
def test_selecting_what_does_not_exist_is_refused(indices, said):
    with pytest.raises(UserError, match=said):
        Rig(names=names(3), c2w=still(3)).select(indices)


def test_one_changed_number_in_one_frame_makes_a_rig_move():
    c2w = still().repeat(1, 5, 1, 1)
    assert Rig(names=names(2), c2w=c2w).is_static
    c2w[1, 3, 2, 3] = 1e-9
    assert not Rig(names=names(2), c2w=c2w).is_static


def test_the_default_colours_differ_for_colour_blind_eyes_as_well():
    # Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB; distances in CIELAB
    sights = [
        np.eye(3),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ]
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    rgb = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for sight in sights:
        xyz = np.clip(linear @ np.transpose(sight), 0, 1) @ to_xyz.T / [0.95047, 1, 1.08883]
        f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
        distances = np.linalg.norm(lab[:, None] - lab, axis=2) + 1000 * np.eye(len(PALETTE))
        assert distances.min() > 20
    assert len(PALETTE) == 12


def broken(view: int, frame: int, change) -> torch.Tensor:
    c2w = still(3).repeat(1, 4, 1, 1)
    change(c2w[view, frame])
    return c2w


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m[0].fill_(math.nan), "NaN"),
        (lambda m: m[0, 3].fill_(math.inf), "infinite"),
        (lambda m: m[3, 0].fill_(1.0), "last row 1 0 0 1"),
        (lambda m: m[:].copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [5, 6, 7, 1]])), "transposed"),
        (lambda m: m[:3, 0].neg_(), "mirrored"),
        (lambda m: m[:3, :3].mul_(2.0), "scaled by 2"),
        (lambda m: m[:3, :3].mul_(1.002), "scaled by 1.002"),
        (lambda m: m[0, 1].fill_(0.1), "not a rotation"),
        (lambda m: m[:3, :3].zero_(), "not a rotation"),
        (lambda m: m[:3, :3].fill_(1e200), "not a rotation"),
        (lambda m: m[1, 3].fill_(1e12), "1e\\+12.*metres"),
    ],
)
def test_a_pose_that_is_no_rigid_camera_is_refused_by_camera_and_frame(change, said):
    with pytest.raises(UserError, match=f"camera 'c1', frame 2, .*{said}"):
        Rig(names=names(3), c2w=broken(1, 2, change))


def test_a_static_camera_is_refused_without_a_frame_number():
    c2w = still()
    c2w[1, 0, 0, 0] = -1
    with pytest.raises(UserError, match="camera 'c1' is mirrored"):
        Rig(names=names(2), c2w=c2w)


@pytest.mark.parametrize("scale", [1.0, 1.0004, 0.9996])
def test_rounded_rotations_within_a_thousandth_are_accepted(scale):
    c2w = still()
    c2w[..., :3, :3] *= scale
    assert Rig(names=names(2), c2w=c2w).views == 2


@pytest.mark.parametrize(
    ("given_names", "said"),
    [
        ((), "no cameras"),
        (("a", "a"), "two cameras are named 'a'"),
        (("a", " "), "camera 2 of the rig has an empty name"),
        (("a", ""), "empty name"),
        (("a", "b\nc"), "control character"),
        (("a", "b\x7f"), "control character"),
        (("a", "\ud800"), "control character"),
        (("a", "x" * 65), "65 characters"),
        (("a", 3), "not text"),
        (("a", "b", "c"), "3 names but matrices of 2"),
    ],
)
def test_names_that_cannot_label_a_camera_are_refused(given_names, said):
    with pytest.raises(UserError, match=said):
        Rig(names=given_names, c2w=still(2))


def test_names_may_be_of_any_script():
    assert Rig(names=("正面", "x" * 64), c2w=still()).names == ("正面", "x" * 64)


def test_a_hundred_cameras_are_refused_and_sixty_four_are_not():
    assert Rig(names=names(MAX_VIEWS), c2w=still(MAX_VIEWS)).views == 64
    with pytest.raises(UserError, match=r"100 cameras.*at most 64"):
        Rig(names=names(100), c2w=still(100))


@pytest.mark.parametrize(
    ("c2w", "said"),
    [
        (torch.eye(4).expand(2, 4, 4), r"\(2, 4, 4\)"),
        (torch.zeros(2, 0, 4, 4), "at least one frame"),
        (torch.zeros(2, 1, 3, 4), r"\(2, 1, 3, 4\)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.complex64), "real numbers"),
        ([["x"]], "array of numbers"),
        ([[1.0], [1.0, 2.0]], "array of numbers"),
    ],
)
def test_matrices_of_another_shape_are_refused(c2w, said):
    with pytest.raises(UserError, match=said):
        Rig(names=names(2), c2w=c2w)


@pytest.mark.parametrize("color", ["red", "#12345", "#1234567", "#ggyyzz", 5])
def test_colours_are_written_like_in_css(color):
    with pytest.raises(UserError, match=r"'c0'.*#3399ff"):
        Rig(names=names(2), c2w=still(), colors=(color, "#000000"))


def test_there_is_one_colour_and_one_lens_for_each_camera():
    with pytest.raises(UserError, match="2 cameras but 1 colors"):
        Rig(names=names(2), c2w=still(), colors=("#000000",))
    with pytest.raises(UserError, match="2 cameras but 3 lenses"):
        Rig(names=names(2), c2w=still(), lenses=(Lens(),) * 3)


@pytest.mark.parametrize("length", [0, -1.0, math.nan, math.inf, True, "24"])
def test_a_lens_has_positive_lengths(length):
    with pytest.raises(UserError, match="focal_mm"):
        Lens(focal_mm=length)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=16, max_size=16))
def test_any_sixteen_numbers_give_a_rig_or_a_sentence(numbers):
    c2w = torch.tensor(numbers, dtype=torch.float64).reshape(1, 1, 4, 4)
    try:
        kept, sentence = Rig(names=("any",), c2w=c2w).c2w, None
    except UserError as problem:
        kept, sentence = None, str(problem)
    assert "'any'" in sentence if sentence else torch.equal(kept, c2w)


def moving(frames: int = 5) -> Rig:
    c2w = torch.eye(4, dtype=torch.float64).repeat(2, frames, 1, 1)
    c2w[1, :, 0, 3] = torch.arange(frames).double()
    return Rig(("a", "b"), c2w, ("#111111", "#222222"), (Lens(50.0), Lens(24.0)))


def test_a_moment_of_a_rig_is_its_cameras_standing_still_there():
    rig = moving()
    there = rig.at_frame(3)
    assert there.frames == 1
    assert there.c2w[1, 0, 0, 3] == 3
    assert (there.names, there.colors, there.lenses) == (rig.names, rig.colors, rig.lenses)
    assert torch.equal(there.at_frame(80).c2w, there.c2w)  # still cameras stand so at every frame
    for frame in (-1, 5):
        with pytest.raises(UserError, match=f"'frame' is {frame}, .*over frames 0 to 4") as refused:
            rig.at_frame(frame)
        assert refused.value.field == "frame"
    with pytest.raises(UserError):
        there.at_frame(-1)


def test_a_cut_of_a_rig_keeps_the_frames_it_names():
    rig = moving()
    assert rig.cut(1, 3).c2w[1, :, 0, 3].tolist() == [1, 2, 3]
    assert rig.cut(0, 5).c2w.equal(rig.c2w)
    assert rig.cut(4, 1).lenses == rig.lenses
    still_rig = rig.at_frame(0)
    assert still_rig.cut(70, 11) is still_rig
    for start, count in ((0, 6), (-1, 2), (3, 3), (2, 0)):
        with pytest.raises(UserError, match="move over frames 0 to 4"):
            rig.cut(start, count)


@given(
    st.lists(st.floats(-180, 180), min_size=3, max_size=3),
    st.lists(st.floats(-1000, 1000), min_size=3, max_size=3),
    st.integers(4, 15),
)
def test_world_to_camera_is_the_inverse_also_of_rotations_with_few_digits(angles, place, digits):
    c2w = np.eye(4)
    c2w[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix().round(digits)
    c2w[:3, 3] = place
    rig = Rig(("a",), c2w[None, None])
    assert torch.equal(rig.w2c[..., 3, :], torch.tensor([[[0.0, 0.0, 0.0, 1.0]]], dtype=torch.float64))
    torch.testing.assert_close(rig.w2c[0, 0] @ rig.c2w[0, 0], torch.eye(4).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(inverse(rig.w2c), rig.c2w, atol=1e-9, rtol=0)
