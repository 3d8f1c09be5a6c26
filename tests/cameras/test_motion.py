"""Moves of cameras against scipy, closed forms, and what a move must not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Rig, encode_cameras, orbit_c2w
from syncam_core.cameras.builders import camera_rig, close_wide_rig, ring_rig, stereo_rig
from syncam_core.cameras.keyframes import eased
from syncam_core.cameras.motion import MOVE_EASES, MOVES, Move, move_cameras
from syncam_core.errors import UserError

LENGTH = 9
angles = st.floats(-180, 180)
points = st.tuples(*[st.floats(-5, 5)] * 3)
eases = st.sampled_from(MOVE_EASES)
CURVES = {
    "none": lambda u: u,
    "in": lambda u: u * u,
    "out": lambda u: u * (2 - u),
    "in_out": lambda u: 3 * u * u - 2 * u**3,
}


@st.composite
def cameras(draw):
    """One still camera at any place, looking in any direction."""
    c2w = np.eye(4)
    c2w[:3, :3] = Rotation.random(rng=np.random.default_rng(draw(st.integers(0, 2**31)))).as_matrix()
    c2w[:3, 3] = draw(points)
    return Rig(names=("a",), c2w=c2w[None, None])


def path(rig, *moves, length=LENGTH, **options) -> np.ndarray:  # (frames, 4, 4) of the first camera
    return move_cameras(rig, moves, length, **options).c2w[0].numpy()


def progress(ease: str, frame: int, start: int = 0, end: int = LENGTH - 1) -> float:
    return CURVES[ease](min(max((frame - start) / (end - start), 0), 1))


@pytest.mark.parametrize("ease", MOVE_EASES)
def test_an_ease_goes_from_0_to_1_and_starts_and_stops_as_it_says(ease):
    u = np.linspace(0, 1, 1001)
    curve = eased(u, ease)
    assert np.allclose(curve, [CURVES[ease](one) for one in u], atol=1e-15)
    assert (curve[0], curve[-1]) == (0, 1)
    assert (np.diff(curve) > 0).all()
    speed = np.gradient(curve, u, edge_order=2)
    assert speed[0] == pytest.approx({"none": 1, "in": 0, "out": 2, "in_out": 0}[ease], abs=1e-4)
    assert speed[-1] == pytest.approx({"none": 1, "in": 2, "out": 0, "in_out": 0}[ease], abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(cameras(), angles, eases)
def test_pan_tilt_and_roll_turn_the_camera_on_its_spot_as_scipy_does(rig, amount, ease):
    start = rig.c2w[0, 0].numpy()
    for kind, turned in (
        ("pan", lambda angle: Rotation.from_euler("y", angle, degrees=True).as_matrix() @ start[:3, :3]),
        ("tilt", lambda angle: start[:3, :3] @ Rotation.from_euler("x", angle, degrees=True).as_matrix()),
        ("roll", lambda angle: start[:3, :3] @ Rotation.from_euler("z", angle, degrees=True).as_matrix()),
    ):
        for frame, c2w in enumerate(path(rig, Move(kind, amount, ease))):
            assert np.allclose(c2w[:3, :3], turned(amount * progress(ease, frame)), atol=1e-9)
            assert np.array_equal(c2w[:3, 3], start[:3, 3])


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("kind", "amount", "centre", "forward"),
    [
        ("dolly", 1, (0, 0, -2), (0, 0, 1)),
        ("truck", 1, (1, 0, -3), (0, 0, 1)),
        ("pedestal", 1, (0, -1, -3), (0, 0, 1)),
        ("orbit", 90, (3, 0, 0), (-1, 0, 0)),
        ("rise", 45, (0, -3 * HALF, -3 * HALF), (0, HALF, HALF)),
        ("crane", 3, (0, -3, -3), (0, HALF, HALF)),
        ("push_in", 1, (0, 0, -2), (0, 0, 1)),
        ("pan", 90, (0, 0, -3), (1, 0, 0)),
        ("tilt", 90, (0, 0, -3), (0, -1, 0)),
    ],
)
def test_every_move_goes_the_way_that_its_unit_says(kind, amount, centre, forward):
    last = path(camera_rig(distance_m=3), Move(kind, amount))[-1]
    assert np.allclose(last[:3, 3], centre, atol=1e-12)
    assert np.allclose(last[:3, 2], forward, atol=1e-12)
    back = path(camera_rig(distance_m=3), Move(kind, amount), Move(kind, -amount))[-1]
    assert np.allclose(back, path(camera_rig(distance_m=3), Move("pan", 0))[-1], atol=1e-12)


def test_pan_goes_right_tilt_goes_up_and_roll_goes_clockwise():
    level = camera_rig(0, 0, 3)  # looks along +z; x right, y down
    assert np.allclose(path(level, Move("pan", 90))[-1][:3, 2], [1, 0, 0], atol=1e-12)
    assert np.allclose(path(level, Move("tilt", 90))[-1][:3, 2], [0, -1, 0], atol=1e-12)
    assert np.allclose(path(level, Move("roll", 90))[-1][:3, 0], [0, 1, 0], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(cameras(), st.floats(-10, 10), eases)
def test_dolly_truck_and_pedestal_shift_the_camera_along_a_straight_track(rig, amount, ease):
    start = rig.c2w[0, 0].numpy()
    for kind, way in (("dolly", start[:3, 2]), ("truck", start[:3, 0]), ("pedestal", np.array([0, -1, 0]))):
        for frame, c2w in enumerate(path(rig, Move(kind, amount, ease))):
            assert np.allclose(c2w[:3, 3], start[:3, 3] + amount * progress(ease, frame) * way, atol=1e-12)
            assert np.array_equal(c2w[:3, :3], start[:3, :3])


@settings(deadline=None, max_examples=30)
@given(angles, st.floats(-89, 89), st.floats(0.5, 20), st.floats(-720, 720), points, eases)
def test_an_orbit_stays_at_the_distance_and_elevation_given_and_on_the_target(az, el, distance, amount, target, ease):
    rig = camera_rig(az, el, distance, 0, target)
    for frame, c2w in enumerate(path(rig, Move("orbit", amount, ease, target=target))):
        expected = orbit_c2w(az + amount * progress(ease, frame), el, distance, 0, target)
        assert np.allclose(c2w, expected, atol=1e-9)
        assert np.linalg.norm(c2w[:3, 3] - target) == pytest.approx(distance, abs=1e-12 * (distance + 20))


@settings(deadline=None, max_examples=30)
@given(cameras(), angles, points)
def test_an_orbit_keeps_what_the_camera_frames_even_where_that_is_not_the_target(rig, amount, target):
    start = np.linalg.inv(rig.c2w[0, 0].numpy()) @ [*target, 1]
    for c2w in path(rig, Move("orbit", amount, target=target)):
        assert np.allclose(np.linalg.inv(c2w) @ [*target, 1], start, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(angles, st.floats(-80, 80), st.floats(-80, 80), st.floats(0.5, 20), points, eases)
def test_a_rise_changes_the_elevation_alone(az, start, end, distance, target, ease):
    rig = camera_rig(az, start, distance, 0, target)
    for frame, c2w in enumerate(path(rig, Move("rise", end - start, ease, target=target))):
        elevation = start + (end - start) * progress(ease, frame)
        assert np.allclose(c2w, orbit_c2w(az, elevation, distance, 0, target), atol=1e-9)


def test_a_rise_may_begin_and_end_straight_above():
    down = path(camera_rig(40, 90, 3), Move("rise", -60))
    assert np.allclose(down[-1], orbit_c2w(40, 30, 3), atol=1e-9)
    up = path(camera_rig(40, 30, 3), Move("rise", 60))
    assert np.allclose(up[-1], orbit_c2w(40, 90, 3), atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(angles, st.floats(-80, 80), st.floats(0.5, 20), st.floats(-10, 10), points)
def test_a_crane_goes_straight_up_and_holds_the_target_in_the_picture(az, el, distance, amount, target):
    rig = camera_rig(az, el, distance, 0, target)
    start = rig.c2w[0, 0, :3, 3].numpy()
    for frame, c2w in enumerate(path(rig, Move("crane", amount, "none", target=target))):
        assert np.allclose(c2w[:3, 3] - start, [0, -amount * frame / (LENGTH - 1), 0], atol=1e-9)
        assert np.allclose((np.linalg.inv(c2w) @ [*target, 1])[:2], 0, atol=1e-8)
        assert abs(c2w[1, 0]) < 1e-9  # the horizon stays level


@settings(deadline=None, max_examples=30)
@given(cameras(), st.floats(-20, 20), points)
def test_a_push_in_comes_closer_by_its_amount_and_keeps_the_way_to_the_target(rig, amount, target):
    start = np.linalg.inv(rig.c2w[0, 0].numpy()) @ [*target, 1]
    distance = np.linalg.norm(start[:3])
    assume(distance > 0.01)
    assume(amount < distance - 1e-6)
    for frame, c2w in enumerate(path(rig, Move("push_in", amount, "none", target=target))):
        left = 1 - amount * frame / (LENGTH - 1) / distance
        seen = np.linalg.inv(c2w) @ [*target, 1]
        assert np.allclose(seen[:3], start[:3] * left, atol=1e-8)
        assert np.array_equal(c2w[:3, :3], rig.c2w[0, 0, :3, :3])


@settings(deadline=None, max_examples=30)
@given(
    cameras(),
    st.sampled_from(["pan", "tilt", "roll", "dolly", "truck", "pedestal", "orbit"]),
    st.floats(-50, 50),
    eases,
    st.integers(0, 3),
    st.integers(4, 8),
)
def test_a_move_waits_until_it_starts_and_holds_when_it_is_over(rig, kind, amount, ease, start, end):
    c2w = path(rig, Move(kind, amount, ease, start, end))
    assert np.allclose(c2w[: start + 1], rig.c2w[0].numpy(), atol=1e-12)
    assert (c2w[end:] == c2w[end]).all()
    whole = path(rig, Move(kind, amount, ease), length=LENGTH)
    assert np.allclose(c2w[-1], whole[-1], atol=1e-12)


def test_moves_add_up_an_orbit_and_a_push_in_are_a_spiral():
    c2w = path(camera_rig(0, 10, 4), Move("orbit", 90, "none"), Move("push_in", 2, "none"))
    for frame in range(LENGTH):
        expected = orbit_c2w(90 * frame / 8, 10, 4 - 2 * frame / 8)
        assert np.allclose(c2w[frame], expected, atol=1e-12)


def test_a_truck_and_then_a_pan_ride_on_a_straight_track():
    c2w = path(camera_rig(0, 0, 3), Move("truck", 2, "none"), Move("pan", 40, "none"))
    assert np.allclose(c2w[:, :3, 3], [[2 * frame / 8, 0, -3] for frame in range(LENGTH)], atol=1e-12)
    assert np.allclose(c2w[-1][:3, 2], [math.sin(math.radians(40)), 0, math.cos(math.radians(40))], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    cameras(), st.lists(st.tuples(st.sampled_from(["pan", "tilt", "truck", "orbit"]), st.floats(-30, 30)), max_size=4)
)
def test_several_moves_at_once_are_the_same_as_one_after_the_other(rig, given_moves):
    moves = [Move(kind, amount) for kind, amount in given_moves]
    at_once = move_cameras(rig, moves, LENGTH)
    one_by_one = rig
    for move in moves:
        one_by_one = move_cameras(one_by_one, [move], LENGTH)
    if moves:
        assert np.allclose(at_once.c2w, one_by_one.c2w.expand(1, LENGTH, 4, 4), atol=1e-9)


def test_one_move_after_the_other_in_time():
    c2w = path(camera_rig(0, 0, 4), Move("orbit", 90, "in_out", 0, 4), Move("push_in", 1, "in_out", 4, 8))
    assert np.allclose(c2w[4], orbit_c2w(90, 0, 4), atol=1e-12)
    assert np.allclose(c2w[8], orbit_c2w(90, 0, 3), atol=1e-12)


def test_cameras_that_are_not_chosen_stand_still():
    rig = ring_rig(3)
    moved = move_cameras(rig, [Move("orbit", 30)], LENGTH, [1])
    assert moved.frames == LENGTH
    assert torch.equal(moved.c2w[[0, 2]], rig.c2w[[0, 2]].expand(2, LENGTH, 4, 4))
    assert not torch.equal(moved.c2w[1], rig.c2w[1].expand(LENGTH, 4, 4))
    poses = encode_cameras(moved, LENGTH).poses
    assert (poses[0] == torch.eye(4)[:3].flatten()).all()  # the reference stood still


@pytest.mark.parametrize("kind", MOVES)
def test_together_the_cameras_stay_one_solid_body(kind):
    rig = stereo_rig(0.2, 3, "toed-in", 30, 10, 4)
    moved = move_cameras(rig, [Move(kind, 0.7)], LENGTH, together=True).c2w.numpy()
    between = np.linalg.inv(moved[0]) @ moved[1]
    assert np.allclose(between, between[0], atol=1e-9)
    alone = move_cameras(rig, [Move(kind, 0.7)], LENGTH).c2w.numpy()
    assert np.array_equal(moved[0], alone[0])  # the first camera moves as it would alone


def test_on_its_own_every_camera_pans_on_its_spot():
    moved = move_cameras(close_wide_rig(), [Move("pan", 20)], LENGTH)
    assert torch.equal(moved.c2w[:, 0, :3, 3], moved.c2w[:, -1, :3, 3])


def test_a_rig_that_moves_for_longer_keeps_its_frames():
    rig = move_cameras(camera_rig(), [Move("pan", 10, "none")], 17)
    moved = move_cameras(rig, [Move("truck", 1, "none")], 9)
    assert moved.frames == 17
    places = np.linalg.norm((moved.c2w - rig.c2w)[0, :, :3, 3].numpy(), axis=1)
    assert np.allclose(places, np.minimum(np.arange(17) / 8, 1), atol=1e-12)


def test_names_colours_and_lenses_stay():
    rig = stereo_rig()
    moved = move_cameras(rig, [Move("dolly", 1)], LENGTH)
    assert (moved.names, moved.colors, moved.lenses) == (rig.names, rig.colors, rig.lenses)


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (lambda: Move("zoom", 1), "'move' is 'zoom', but only pan, tilt"),
        (lambda: Move("pan", 1, "bounce"), "'ease' is 'bounce', but only none, in, out, in_out"),
        (lambda: Move("pan", math.nan), "'amount' is nan.*degrees to the right"),
        (lambda: Move("orbit", 1, target=(0, math.inf, 0)), "'target' is .*three finite"),
        (lambda: Move("pan", 1, start_frame=-1), "'start_frame' is -1"),
        (lambda: Move("pan", 1, "in", 5, 5), "'end_frame' is 5, but the move starts at frame 5"),
    ],
)
def test_a_move_that_cannot_be_is_refused_with_a_sentence(move, said):
    with pytest.raises(UserError, match=said):
        move()


@pytest.mark.parametrize(
    ("rig", "move", "length", "said"),
    [
        (camera_rig(), Move("pan", 1), 80, "'length' is 80, but Wan makes 4n[+]1 frames; use 77 or 81"),
        (camera_rig(), Move("pan", 1), 1, "'length' is 1, but a camera needs at least 5 frames"),
        (camera_rig(), Move("pan", 1, "in", 0, 81), 81, "frame 0 to frame 81.*81 frames ends with frame 80"),
        (camera_rig(), Move("pan", 1, "in", 8), 9, "frame 8 to frame 8.*ends with frame 8"),
        (camera_rig(0, 30), Move("rise", 70), 9, "'cam01' would rise to an elevation of 100 degrees"),
        (camera_rig(0, 0, 3), Move("push_in", 3), 9, "'cam01' is 3 m from its target and cannot push in by 3 m"),
        (camera_rig(0, 90, 3), Move("crane", -4), 9, "'cam01' stands straight above .* crane through"),
        (camera_rig(0, 0, 3), Move("rise", 10, target=(0, 0, -3)), 9, "'cam01' stands at its target"),
        (camera_rig(0, 0, 3), Move("dolly", 1e12), 9, "camera 'cam01', frame .*metres"),
    ],
)
def test_a_move_that_a_rig_cannot_make_is_refused_with_a_sentence(rig, move, length, said):
    with pytest.raises(UserError, match=said):
        move_cameras(rig, [move], length)


def test_a_rig_that_moves_over_fewer_frames_is_refused_with_both_numbers():
    moving = move_cameras(camera_rig(), [Move("pan", 10)], 41)
    with pytest.raises(UserError, match=r"'length' is 81, .*41 frames already"):
        move_cameras(moving, [Move("pan", 10)], 81)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (81, "would rise to an elevation of 91 degrees, over the top of its target; 90 is straight above it"),
        (-101, "would sink to an elevation of -91 degrees, under its target; -90 is straight below it"),
    ],
)
def test_a_rise_past_the_top_or_the_bottom_is_refused_with_the_side_that_it_passes(amount, said):
    with pytest.raises(UserError, match=said):
        move_cameras(camera_rig(0, 10, 3), [Move("rise", amount)], LENGTH)
