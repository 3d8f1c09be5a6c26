"""Rigs made from rigs: conserved quantities, and the same changes computed with scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import PALETTE, Lens, Rig, encode_cameras, orbit_c2w
from syncam_core.cameras.builders import arc_rig, ring_rig, stereo_rig
from syncam_core.cameras.transforms import (
    merge_rigs,
    reorder_rig,
    retarget_rig,
    scale_rig,
    translate_rig,
    turn_rig,
)
from syncam_core.errors import UserError

points = st.tuples(*[st.floats(-10, 10)] * 3)
angles = st.floats(-180, 180)


@st.composite
def rigs(draw, frames=(1, 3)):
    """Cameras with any place and direction."""
    views, length = draw(st.integers(1, 4)), draw(st.sampled_from(frames))
    seed = draw(st.integers(0, 2**31))
    random = np.random.default_rng(seed)
    c2w = np.zeros((views, length, 4, 4))
    c2w[..., :3, :3] = Rotation.random(views * length, rng=random).as_matrix().reshape(views, length, 3, 3)
    c2w[..., :3, 3] = random.uniform(-5, 5, (views, length, 3))
    c2w[..., 3, 3] = 1
    return Rig(names=tuple(f"c{view}" for view in range(views)), c2w=c2w)


def relative(rig) -> np.ndarray:
    c2w = rig.c2w.numpy()
    return np.linalg.inv(c2w[0, 0]) @ c2w


@settings(deadline=None, max_examples=30)
@given(rigs(), points)
def test_a_move_shifts_every_place_and_no_direction(rig, offset):
    moved = translate_rig(rig, offset)
    assert np.allclose(moved.c2w[..., :3, 3] - rig.c2w[..., :3, 3], offset, atol=1e-12)
    assert torch.equal(moved.c2w[..., :3, :3], rig.c2w[..., :3, :3])


@settings(deadline=None, max_examples=30)
@given(rigs(), angles, st.floats(-90, 90), angles, points, points)
def test_what_moves_a_rig_as_one_body_leaves_the_relative_poses(rig, azimuth, elevation, roll, pivot, offset):
    changed = translate_rig(turn_rig(rig, azimuth, elevation, roll, pivot), offset)
    assert np.allclose(relative(changed), relative(rig), atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(rigs(), angles, st.floats(-90, 90), angles, points)
def test_a_turn_agrees_with_scipy(rig, azimuth, elevation, roll, pivot):
    # about the vertical (azimuth counts against the right-handed turn about +y), then down, then about the axis
    turn = Rotation.from_euler("YXZ", [-azimuth, -elevation, roll], degrees=True).as_matrix()
    turned = turn_rig(rig, azimuth, elevation, roll, pivot).c2w.numpy()
    expected = rig.c2w.numpy().copy()
    expected[..., :3, :3] = turn @ expected[..., :3, :3]
    expected[..., :3, 3] = (turn @ (expected[..., :3, 3] - pivot)[..., None])[..., 0] + pivot
    assert np.allclose(turned, expected, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(angles, angles, st.floats(-80, 80), points)
def test_a_turn_by_an_azimuth_adds_it_to_that_of_every_camera(by, azimuth, elevation, target):
    rig = Rig(names=("a",), c2w=orbit_c2w(azimuth, elevation, 3, 7, target)[None, None])
    expected = orbit_c2w(azimuth + by, elevation, 3, 7, target)
    assert np.allclose(turn_rig(rig, by, pivot=target).c2w[0, 0], expected, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(rigs(), st.floats(0.01, 100), points)
def test_scaling_multiplies_every_distance_and_can_be_undone(rig, factor, pivot):
    scaled = scale_rig(rig, factor, pivot)
    before = np.linalg.norm(rig.c2w[..., :3, 3].numpy() - pivot, axis=-1)
    after = np.linalg.norm(scaled.c2w[..., :3, 3].numpy() - pivot, axis=-1)
    assert np.allclose(after, factor * before, rtol=1e-9, atol=1e-9)
    assert torch.equal(scaled.c2w[..., :3, :3], rig.c2w[..., :3, :3])
    assert np.allclose(scale_rig(scaled, 1 / factor, pivot).c2w, rig.c2w, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(rigs(), points)
def test_after_retargeting_every_camera_has_the_point_straight_ahead_from_its_old_place(rig, target):
    offset = np.array(target) - rig.c2w[..., :3, 3].numpy()
    assume(np.linalg.norm(offset, axis=-1).min() > 1e-3)
    aimed = retarget_rig(rig, target)
    assert torch.equal(aimed.c2w[..., :3, 3], rig.c2w[..., :3, 3])
    seen = np.linalg.inv(aimed.c2w.numpy()) @ [*target, 1]
    assert np.allclose(seen[..., :3], np.linalg.norm(offset, axis=-1)[..., None] * [0, 0, 1], atol=1e-8)


@settings(deadline=None, max_examples=30)
@given(angles, st.floats(-85, 85), st.floats(-179, 179), points)
def test_retargeting_keeps_the_roll_and_changes_nothing_where_the_camera_looks_there_already(az, el, roll, target):
    rig = Rig(names=("a",), c2w=orbit_c2w(az, el, 3, roll, target)[None, None])
    assert np.allclose(retarget_rig(rig, target).c2w, rig.c2w, atol=1e-8)


@pytest.mark.parametrize("elevation", [90, -90])
def test_a_camera_straight_above_the_point_keeps_its_way_up(elevation):
    rig = Rig(names=("a",), c2w=orbit_c2w(50, elevation, 3)[None, None])
    assert np.allclose(retarget_rig(rig, (0, 0, 0)).c2w, rig.c2w, atol=1e-9)


def test_a_camera_at_the_point_is_refused_by_its_name():
    rig = Rig(names=("near", "far"), c2w=torch.stack([orbit_c2w(0, 0, 1), orbit_c2w(0, 0, 3)])[:, None])
    with pytest.raises(UserError, match=r"camera 'far': .*at its target \(0, 0, -3\)"):
        retarget_rig(rig, (0, 0, -3))


def test_only_the_chosen_cameras_change():
    rig = ring_rig(4)
    for changed in (
        translate_rig(rig, (1, 2, 3), [1, 3]),
        turn_rig(rig, 30, cameras=[1, 3]),
        scale_rig(rig, 2, cameras=[1, 3]),
        retarget_rig(rig, (0, -1, 0), [1, 3]),
    ):
        assert [torch.equal(a, b) for a, b in zip(changed.c2w, rig.c2w, strict=True)] == [True, False, True, False]
        assert (changed.names, changed.colors) == (rig.names, rig.colors)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rig: scale_rig(rig, 0), "'scale' is 0.*above 0"),
        (lambda rig: scale_rig(rig, math.nan), "'scale' is nan"),
        (lambda rig: scale_rig(rig, 1e300), "camera 'cam01' .*metres"),
        (lambda rig: turn_rig(rig, math.nan), "azimuth is nan"),
        (lambda rig: turn_rig(rig, 0, 91), "elevation is 91"),
        (lambda rig: translate_rig(rig, (0, math.inf, 0)), "three finite numbers"),
        (lambda rig: translate_rig(rig, (0, 1)), "three finite numbers"),
        (lambda rig: retarget_rig(rig, (0, 1, math.nan)), "three finite numbers"),
    ],
)
def test_an_impossible_change_is_refused_with_a_sentence(change, said):
    with pytest.raises(UserError, match=said):
        change(ring_rig(3))


# -- merge -----------------------------------------------------------------------------------------------------------


def test_merged_cameras_keep_their_poses_lenses_and_order():
    one, two = ring_rig(2), stereo_rig()
    lenses = (Lens(50, 36), Lens(85, 36))
    two = Rig(names=two.names, c2w=two.c2w, colors=("#112233", "#445566"), lenses=lenses)
    merged = merge_rigs([one, two])
    assert merged.names == ("cam01", "cam02", "left", "right")
    assert merged.colors == (*one.colors, "#112233", "#445566")
    assert merged.lenses[2:] == lenses
    assert torch.equal(merged.c2w, torch.cat([one.c2w, two.c2w]))


def test_a_camera_keeps_its_name_and_colour_unless_an_earlier_one_has_it():
    merged = merge_rigs([ring_rig(2), ring_rig(3), stereo_rig(), stereo_rig()])
    assert merged.names == ("cam01", "cam02", "cam04", "cam05", "cam03", "left", "right", "left 2", "right 2")
    assert len(set(merged.colors)) == 9
    assert merged.colors[:2] == PALETTE[:2]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([1, 2, 5, 12]), min_size=1, max_size=4))
def test_any_merge_has_names_of_its_own(counts):
    merged = merge_rigs([ring_rig(count) for count in counts])
    assert merged.views == sum(counts)
    assert len(set(merged.names)) == merged.views
    assert len(set(merged.colors)) == min(merged.views, len(PALETTE))


def test_a_color_that_is_given_out_again_is_none_that_a_later_camera_brings():
    one, same, other = (
        Rig((name,), ring_rig(1).c2w, (color,))
        for name, color in zip("abc", (PALETTE[0], PALETTE[0], PALETTE[1]), strict=True)
    )
    assert merge_rigs([one, same, other]).colors == (PALETTE[0], PALETTE[2], PALETTE[1])


def test_long_names_are_cut_to_stay_names():
    long = Rig(names=("x" * 64,), c2w=np.eye(4)[None, None])
    assert merge_rigs([long, long, long]).names == ("x" * 64, "x" * 62 + " 2", "x" * 62 + " 3")


def test_still_cameras_are_held_beside_moving_ones():
    moving = Rig(names=("m",), c2w=torch.stack([orbit_c2w(angle, 0, 3) for angle in range(5)])[None])
    merged = merge_rigs([ring_rig(2), moving])
    assert merged.frames == 5
    assert torch.equal(merged.c2w[:2], ring_rig(2).c2w.expand(2, 5, 4, 4))
    assert encode_cameras(merged, 5).views == 3


def test_rigs_that_cannot_be_one_are_refused():
    short, long = (Rig(names=("m",), c2w=torch.stack([orbit_c2w(a, 0, 3) for a in range(n)])[None]) for n in (5, 9))
    with pytest.raises(UserError, match=r"over 5 and 9 frames.*the same length"):
        merge_rigs([short, ring_rig(2), long])
    with pytest.raises(UserError, match=r"40 \+ 30 = 70 cameras, but at most 64"):
        merge_rigs([ring_rig(40), ring_rig(30)])
    with pytest.raises(UserError, match="no rig"):
        merge_rigs([])


# -- reorder ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cameras", "others", "names"),
    [
        ("3", "follow", ["cam03", "cam01", "cam02", "cam04"]),
        ("4, 2", "follow", ["cam04", "cam02", "cam01", "cam03"]),
        ("cam04 2", "are left out", ["cam04", "cam02"]),
        ("", "follow", ["cam01", "cam02", "cam03", "cam04"]),
        ("", "are left out", ["cam01", "cam02", "cam03", "cam04"]),
    ],
)
def test_the_first_named_camera_becomes_the_reference(cameras, others, names):
    rig = arc_rig(4, 0, 90)
    reordered = reorder_rig(rig, cameras, others)
    assert list(reordered.names) == names
    for name, color, c2w in zip(reordered.names, reordered.colors, reordered.c2w, strict=True):
        before = rig.names.index(name)
        assert color == rig.colors[before]
        assert torch.equal(c2w, rig.c2w[before])
    assert torch.equal(encode_cameras(reordered, 1).poses[0, 0], torch.eye(4)[:3].flatten())


@pytest.mark.parametrize(
    ("cameras", "others", "said"),
    [("9", "follow", "asks for '9'"), ("1 1", "follow", "twice"), ("1", "vanish", "'others' is 'vanish'")],
)
def test_an_order_that_cannot_be_is_refused(cameras, others, said):
    with pytest.raises(UserError, match=said):
        reorder_rig(ring_rig(4), cameras, others)


def test_a_rig_turns_about_the_origin_unless_another_point_is_said():
    rig = ring_rig(3, target=(1, 2, 3))
    assert torch.equal(turn_rig(rig, 30, 20, 10).c2w, turn_rig(rig, 30, 20, 10, (0, 0, 0)).c2w)
    assert torch.allclose(turn_rig(rig, 30).c2w[..., :3, 3].norm(dim=-1), rig.c2w[..., :3, 3].norm(dim=-1))
