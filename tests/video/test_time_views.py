"""Time across views: which view and which frame is seen when, stereo pairs, quilts."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import orbit_rig
from syncam_core.cameras.builders import arc_rig, stereo_rig
from syncam_core.errors import UserError
from syncam_core.video.bullet_time import (
    EASES,
    azimuths_of,
    bullet_time,
    filmed,
    from_left_to_right,
    interpolated,
    steps_between,
    view_sweep,
    way_through,
)
from syncam_core.video.clip import MadeClip, check_same_size, in_order
from syncam_core.video.quilt import check_left_to_right, quilt, quilt_shape, quilt_suffix
from syncam_core.video.stereo import STEREO, anaglyph_dubois, as_srgb, check_sides, linear_light, stereo

NAMES = ["a", "b", "c", "d", "e"]
DEPTHS = [np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)]


def counted(view, frames=6, height=4, width=6, dtype=np.uint8):
    """A clip whose pixels are 10 x view and 10 x frame: an eighth of a cross-fade can still be told."""
    dtype = np.dtype(dtype)
    unit = {"u1": 1, "u2": 257, "f4": 1 / 255}[dtype.str[1:]]

    def make(frame):
        picture = np.zeros((height, width, 3), np.float64)
        picture[:] = (10 * view, 10 * frame, 200)
        return (picture * unit).astype(dtype)

    return MadeClip(frames, height, width, dtype, make)


def seen(looks, views=5, frames=6):
    """(view, frame) of every frame of the film, read back from its pixels."""
    film = filmed([counted(view, frames) for view in range(views)], looks)
    assert len(film) == len(looks)
    return [(picture[0, 0, 0] / 10, picture[0, 0, 1] / 10) for picture in in_order(film)]


# ---- the way


def test_the_way_goes_through_all_views_in_their_order():
    assert way_through(NAMES, "", "") == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("first", "last", "way"),
    [
        ("b", "d", (1, 2, 3)),
        ("d", "b", (3, 2, 1)),
        ("5", "", (4, 0, 1, 2, 3, 4)),
        ("", "2", (0, 1)),
        ("", "a", (0, 1, 2, 3, 4, 0)),
        ("c", "c", (2, 3, 4, 0, 1, 2)),
    ],
)
def test_the_way_goes_forwards_backwards_or_once_around(first, last, way):
    assert way_through(NAMES, first, last) == way


def test_the_way_by_azimuth_goes_from_left_to_right_however_the_cameras_are_numbered():
    rig = orbit_rig([0, 170, -20, 40, -100])
    assert azimuths_of(rig) == pytest.approx([0, 170, -20, 40, -100])
    assert way_through(NAMES, "", "", azimuths_of(rig)) == (1, 4, 2, 0, 3), "behind the gap from 40 to 170 degrees"
    assert way_through(NAMES, "d", "c", azimuths_of(rig)) == (3, 0, 2)


@pytest.mark.parametrize("middle", [0, 60, 180, -180, -90, 175])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 0, 4, 1, 2)])
def test_cameras_of_an_arc_stay_together_whatever_side_of_the_scene_they_stand_on(middle, order):
    rig = orbit_rig([middle + 12 * (place - 2) for place in order])
    assert [order[view] for view in from_left_to_right(azimuths_of(rig))] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cameras", [1, 2, 3, 8, 12, 64])
def test_an_even_ring_begins_behind_minus_180_degrees(cameras):
    azimuths = [360 * camera / cameras - 179 for camera in range(cameras)]
    assert from_left_to_right(azimuths_of(orbit_rig(azimuths))) == list(range(cameras))
    assert from_left_to_right(azimuths_of(orbit_rig([5.0] * cameras))) == list(range(cameras))


def test_azimuths_are_those_of_the_frame_that_is_asked_for():
    rig = orbit_rig([0, 30])
    turned = orbit_rig([50, 10])
    both = type(rig)(rig.names, np.concatenate([rig.c2w, turned.c2w], axis=1))
    assert azimuths_of(both, 1) == pytest.approx([50, 10])
    assert azimuths_of(both, 40) == pytest.approx([50, 10]), "cameras stand still after their last frame"


@pytest.mark.parametrize(
    ("names", "first", "sentence"),
    [
        (["a"], "", "at least 2; .* SynCam Batch to Views"),
        (NAMES, "f", "'from_view' asks for 'f'"),
        (NAMES, "6", "'from_view' asks for '6'"),
    ],
)
def test_impossible_ways_are_refused(names, first, sentence):
    with pytest.raises(UserError, match=sentence):
        way_through(names, first, "")


# ---- bullet time


def test_time_runs_freezes_goes_from_view_to_view_and_runs_on():
    looks = bullet_time(6, 2, (0, 1, 2), frames_per_view=1, cuts=True)
    assert seen(looks) == [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 3), (2, 4), (2, 5)]


def test_with_cuts_every_further_view_is_seen_for_as_many_frames_as_asked():
    looks = bullet_time(3, 1, (4, 2, 0), frames_per_view=3, cuts=True, afterwards="end")
    assert seen(looks) == [(4, 0), (4, 1), (2, 1), (2, 1), (2, 1), (0, 1), (0, 1), (0, 1)]


def test_without_cuts_each_view_is_reached_exactly_and_mixed_evenly_on_the_way():
    looks = bullet_time(6, 0, (1, 2, 4), frames_per_view=2, afterwards="end")
    assert seen(looks) == [(1, 0), (1.5, 0), (2, 0), (3, 0), (4, 0)]


def test_the_picture_rests_at_both_ends_and_after_the_way_back():
    looks = bullet_time(3, 1, (0, 1), frames_per_view=1, hold=2, cuts=True, ping_pong=True)
    run, rest, turn, back = [(0, 0), (0, 1)], [(0, 1)] * 2, [(1, 1)] * 3, [(0, 1)] * 3
    assert seen(looks) == [*run, *rest, *turn, *back, (0, 2)]


def test_the_way_back_passes_the_same_pictures_backwards():
    looks = bullet_time(4, 3, (0, 1, 2), frames_per_view=4, ping_pong=True, afterwards="end")
    film = seen(looks)
    assert film[3:] == film[3:][::-1]
    assert film[3 + 8] == (2, 3)


@pytest.mark.parametrize(
    ("ease", "positions"),
    [
        ("none", [0.25, 0.5, 0.75, 1]),
        ("in", [1 / 16, 1 / 4, 9 / 16, 1]),
        ("out", [7 / 16, 3 / 4, 15 / 16, 1]),
        ("in_out", [5 / 32, 1 / 2, 27 / 32, 1]),
    ],
)
def test_an_ease_bends_the_whole_way(ease, positions):
    looks = bullet_time(1, 0, (0, 1, 2, 3, 4), frames_per_view=1, ease=ease, afterwards="end")
    assert [look.view + look.share for look in looks] == [0, *(Fraction(4 * position) for position in positions)]


def test_the_last_frame_can_be_the_frozen_one_and_then_nothing_runs_on():
    assert bullet_time(3, -1, (0, 1), 1) == bullet_time(3, 2, (0, 1), 1)
    assert seen(bullet_time(3, -1, (0, 1), 1, cuts=True)) == [(0, 0), (0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("freeze", [-2, 3, 100])
def test_a_frame_that_does_not_exist_cannot_be_frozen(freeze):
    with pytest.raises(UserError, match=f"'freeze_frame' is {freeze}, but the views have 3 frames; use 0 to 2"):
        bullet_time(3, freeze, (0, 1))


# A busy machine is no reason to fail.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.integers(1, 9),
    freeze=st.integers(0, 8),
    way=st.lists(st.integers(0, 4), min_size=2, max_size=6),
    per_view=st.integers(1, 5),
    hold=st.integers(0, 3),
    cuts=st.booleans(),
    ease=st.sampled_from(EASES),
    ping_pong=st.booleans(),
    afterwards=st.sampled_from(["continue", "end"]),
)
def test_every_bullet_time_has_the_length_it_says_and_shows_every_moment_in_order(
    frames, freeze, way, per_view, hold, cuts, ease, ping_pong, afterwards
):
    freeze = min(freeze, frames - 1)
    looks = bullet_time(frames, freeze, way, per_view, hold, cuts, ease, ping_pong, afterwards)
    ways = 2 if ping_pong else 1
    frozen = ways * per_view * (len(way) - 1) + (ways + 1) * hold
    rest = frames - freeze - 1 if afterwards == "continue" else 0
    assert len(looks) == freeze + 1 + frozen + rest
    moments = [look.frame for look in looks]
    assert moments == [*range(freeze), *[freeze] * (1 + frozen), *range(freeze + 1, freeze + 1 + rest)]
    assert all(0 <= look.share < 1 for look in looks)
    assert not cuts or not any(look.share for look in looks)
    end = looks[freeze + frozen]
    assert (end.view, end.share) == (way[0] if ping_pong else way[-1], 0)


# ---- interpolation between views


def between_straight(first, second, steps):
    """A model that happens to be exact for these clips, and says how often it was asked."""
    between_straight.calls += 1
    return [(first + (second.astype(float) - first) * k / steps).astype(first.dtype) for k in range(steps + 1)]


@pytest.mark.parametrize("ease", EASES)
def test_a_model_is_asked_once_for_two_views_and_its_pictures_stand_where_the_way_says(ease):
    clips = [counted(view, dtype=np.float32) for view in range(5)]
    looks = bullet_time(6, 1, (0, 2, 4), frames_per_view=5, ease=ease, ping_pong=True, afterwards="end")
    between_straight.calls = 0
    film = filmed(clips, looks, interpolated(clips, between_straight, steps_between(5, ease)))
    positions = [picture[0, 0, 0] * 25.5 for picture in in_order(film)]
    expected = [look.view + (look.next - look.view) * float(look.share) for look in looks]
    assert positions == pytest.approx(expected, abs=1e-4)
    assert between_straight.calls == 3, "the way there asks twice; the way back has the nearest pair still"


def test_as_many_steps_as_are_seen_where_they_are_even_and_fine_ones_where_not():
    assert [steps_between(n, "none") for n in (1, 2, 5, 16, 40)] == [2, 2, 5, 16, 16]
    assert steps_between(3, "in_out") == 16


def test_frames_of_the_film_can_be_changed_without_changing_the_next_ones():
    clips = [counted(view, dtype=np.float32) for view in range(2)]
    between_straight.calls = 0
    film = filmed(clips, bullet_time(1, 0, (0, 1), 2), interpolated(clips, between_straight, 2))
    before = film[1].copy()
    film[1][:] = 0
    np.testing.assert_array_equal(film[1], before)


# ---- sweeps


def test_every_view_is_seen_for_the_same_part_of_the_film():
    looks = view_sweep(8, (0, 1, 2, 3))
    assert seen(looks, frames=8) == [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (3, 7)]


@pytest.mark.parametrize(("ease", "first"), [("in", 8), ("out", 4), ("in_out", 6)])
def test_both_ways_of_a_sweep_there_and_back_begin_alike(ease, first):
    there_and_back = [look.view for look in view_sweep(24, (0, 1), ease=ease, ping_pong=True)]
    there, back = there_and_back[:12], there_and_back[12:]
    assert there == [0] * first + [1] * (12 - first)
    assert back == [1 - view for view in there]


def test_a_sweep_there_and_back_mirrors_itself():
    looks = view_sweep(8, (2, 0), ping_pong=True)
    assert [view for view, _ in seen(looks, frames=8)] == [2, 2, 0, 0, 0, 0, 2, 2]


def test_a_full_cross_fade_never_rests_between_the_first_half_and_the_last():
    # two views in 8 frames: half a view's time of each alone, between them a fade over frames 2 to 5
    looks = view_sweep(8, (0, 4), fade=1)
    assert [view for view, _ in seen(looks, frames=8)] == [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]


def test_a_short_cross_fade_lies_around_the_cut():
    looks = view_sweep(12, (0, 4), fade=Fraction(1, 3))
    assert [view for view, _ in seen(looks, frames=12)] == [0, 0, 0, 0, 0, 1, 3, 4, 4, 4, 4, 4]


def test_a_sweep_with_an_ease_stays_longer_where_it_is_slow():
    counts = {
        ease: [[look.view for look in view_sweep(64, (0, 1, 2, 3), ease=ease)].count(v) for v in range(4)]
        for ease in EASES
    }
    assert counts["none"] == [16] * 4
    # u^2 reaches 1/4, 1/2, 3/4 at 32, 45.25 and 55.43 of 64 frames
    assert counts["in"] == [32, 13, 10, 9]
    assert counts["out"] == counts["in"][::-1]
    assert counts["in_out"] == counts["in_out"][::-1]
    assert counts["in_out"][0] > 16 > counts["in_out"][1]


# A busy machine is no reason to fail.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.integers(1, 40),
    way=st.lists(st.integers(0, 4), min_size=2, max_size=6),
    fade=st.floats(0, 1),
    ease=st.sampled_from(EASES),
    ping_pong=st.booleans(),
)
def test_a_sweep_keeps_time_and_mixes_neighbours_only(frames, way, fade, ease, ping_pong):
    looks = view_sweep(frames, way, fade, ease, ping_pong)
    assert [look.frame for look in looks] == list(range(frames))
    neighbours = {*pairwise(way), *zip(way, way, strict=True)}
    assert {(look.view, look.next) for look in looks} <= neighbours
    assert all(0 <= look.share < 1 for look in looks)


# ---- stereo


@pytest.mark.parametrize("dtype", DEPTHS)
def test_side_by_side_and_top_bottom_hold_both_pictures_untouched(dtype):
    left, right = counted(1, dtype=dtype), counted(2, dtype=dtype)
    beside, above = stereo(left, right, "side by side"), stereo(left, right, "top/bottom")
    np.testing.assert_array_equal(beside[3], np.concatenate([left[3], right[3]], axis=1))
    np.testing.assert_array_equal(above[3], np.concatenate([left[3], right[3]], axis=0))
    assert beside.dtype == above.dtype == dtype == beside[3].dtype


def ramp(axis, dtype, height=48, width=64):
    """A still that gets brighter by one step of 8 bits per pixel along one axis."""
    unit = {"u1": 1, "u2": 257, "f4": 1 / 255}[dtype.str[1:]]
    level = np.arange((height, width)[axis]).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    picture = np.broadcast_to(level * unit, (height, width, 3)).astype(dtype)
    return MadeClip(1, height, width, dtype, lambda frame: picture.copy())


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize(("kind", "axis"), [("side by side half", 1), ("top/bottom half", 0)])
def test_half_formats_have_the_size_of_one_view_and_show_all_of_both(dtype, kind, axis):
    left, right = ramp(axis, dtype), ramp(1 - axis, dtype)
    film = stereo(left, right, kind)
    assert (film.height, film.width) == film[0].shape[:2] == (48, 64)
    assert film[0].dtype == dtype
    white = {"u1": 255, "u2": 65535, "f4": 1.0}[dtype.str[1:]]
    squeezed, other = (half.astype(float) / white * 255 for half in np.split(film[0], 2, axis))
    # a pixel covers the pixels 2k and 2k + 1, whose mean is 2k + 1/2; at the edges there is nothing to look beyond
    steps = squeezed[8, :, 0] if axis == 1 else squeezed[:, 8, 0]
    assert np.abs(steps - (2 * np.arange(len(steps)) + 0.5))[2:-2].max() <= 0.5 + 1e-3
    across = other[:, 8, 0] if axis == 1 else other[8, :, 0]
    assert np.abs(across - np.arange(len(across))).max() <= 1e-3


@pytest.mark.parametrize("kind", STEREO)
def test_crossed_eyes_exchange_the_two(kind):
    left, right = counted(1), counted(2)
    np.testing.assert_array_equal(stereo(left, right, kind, cross_eyed=True)[0], stereo(right, left, kind)[0])
    assert (stereo(left, right, kind)[0] != stereo(right, left, kind)[0]).any()


@pytest.mark.parametrize("kind", STEREO)
@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 1), (6, 9)])
def test_every_format_has_an_even_size_for_video(kind, height, width):
    film = stereo(counted(1, height=height, width=width), counted(2, height=height, width=width), kind)
    assert film[0].shape == (film.height, film.width, 3)
    if "half" not in kind:
        assert film.height % 2 == film.width % 2 == 0


def test_a_plain_anaglyph_is_red_of_the_left_and_the_rest_of_the_right():
    left, right = counted(1, frames=9), counted(2, frames=9)
    picture = stereo(left, right, "anaglyph (plain colours)")[4]
    assert (picture == (10, 40, 200)).all()


def test_dubois_anaglyph_is_the_published_sum_in_linear_light():
    left, right = np.array([[[0.2, 0.5, 0.7]]], np.float32), np.array([[[0.6, 0.4, 0.1]]], np.float32)

    def linear(value):
        return ((value + 0.055) / 1.055) ** 2.4

    red = 0.437 * linear(0.2) + 0.449 * linear(0.5) + 0.164 * linear(0.7)
    red += -0.011 * linear(0.6) - 0.032 * linear(0.4) - 0.007 * linear(0.1)
    green = -0.062 * linear(0.2) - 0.062 * linear(0.5) - 0.024 * linear(0.7)
    green += 0.377 * linear(0.6) + 0.761 * linear(0.4) + 0.009 * linear(0.1)
    blue = -0.048 * linear(0.2) - 0.050 * linear(0.5) - 0.017 * linear(0.7)
    blue += -0.026 * linear(0.6) - 0.093 * linear(0.4) + 1.234 * linear(0.1)
    expected = [
        1.055 * max(0, light) ** (1 / 2.4) - 0.055 if light > 0.0031308 else 12.92 * max(0, light)
        for light in (red, green, blue)
    ]
    assert anaglyph_dubois(left, right)[0, 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_a_gray_without_depth_stays_that_gray_in_a_dubois_anaglyph(dtype):
    white = {"u1": 255, "u2": 65535, "f4": 1.0}[dtype.str[1:]]
    for share in (0, 0.25, 0.5, 1):
        gray = np.full((2, 2, 3), share * white).astype(dtype)
        mixed = anaglyph_dubois(gray, gray)
        assert mixed.dtype == dtype
        assert np.abs(mixed.astype(float) - gray).max() <= 0.002 * white + 1


def test_srgb_and_linear_light_are_each_other_s_inverse():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal((as_srgb(linear_light(levels)) * 255 + 0.5).astype(np.uint8), levels)
    assert linear_light(np.float32([0.04045]))[0] == pytest.approx(0.04045 / 12.92)


def test_the_left_camera_must_be_the_left_one():
    rig = stereo_rig(0.1, 3, "toed-in")
    left, right = sorted((0, 1), key=lambda view: float(rig.c2w[view, 0, 0, 3]))
    check_sides(rig, left, right)
    with pytest.raises(
        ValueError, match=rf"'left' is '{rig.names[right]}', which stands on the right of '{rig.names[left]}'"
    ):
        check_sides(rig, right, left)


@pytest.mark.parametrize("azimuth", [0, 90, 180, -90, 135])
def test_left_and_right_are_as_the_cameras_see_it_whatever_side_they_stand_on(azimuth):
    rig = orbit_rig([azimuth - 2, azimuth + 2])  # a larger azimuth is farther to the right
    check_sides(rig, 0, 1)
    with pytest.raises(UserError, match="exchange"):
        check_sides(rig, 1, 0)


def test_cameras_above_each_other_are_neither_left_nor_right():
    rig = orbit_rig([10, 10], [0, 5])
    check_sides(rig, 0, 1)
    check_sides(rig, 1, 0)


# ---- quilts


@pytest.mark.parametrize("dtype", DEPTHS)
def test_a_quilt_begins_at_the_bottom_left_and_goes_right_then_up(dtype):
    clips = [counted(view, dtype=dtype) for view in range(6)]
    picture = quilt(clips, columns=3, rows=2)[4]
    assert picture.shape == (8, 18, 3)
    tiles = [[picture[4 * row : 4 * row + 4, 6 * column : 6 * column + 6] for column in range(3)] for row in range(2)]
    for row, views in enumerate([(3, 4, 5), (0, 1, 2)]):
        for column, view in enumerate(views):
            np.testing.assert_array_equal(tiles[row][column], clips[view][4])


def test_tiles_of_odd_size_grow_evenly():
    film = quilt([counted(view, height=5, width=3) for view in range(4)], 2, 2)
    assert (film.height, film.width) == film[0].shape[:2] == (12, 8)
    assert (film[0][6:, :4, 0] == 0).all()
    assert (film[0][:6, 4:, 0] == 30).all()


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (6, 1), (0, 5)])
def test_a_quilt_has_exactly_one_place_for_each_view(columns, rows):
    with pytest.raises(
        ValueError, match=rf"{columns} x {rows} = {columns * rows}, but there are 5 views.*5 x 1, 1 x 5"
    ):
        quilt([counted(view) for view in range(5)], columns, rows)


def test_a_quilt_too_large_for_a_video_is_refused_before_it_is_made():
    with pytest.raises(UserError, match="16640 x 16"):
        quilt([counted(view, height=16, width=1664) for view in range(10)], 10, 1)


@pytest.mark.parametrize(("views", "shape"), [(1, (1, 1)), (5, (5, 1)), (8, (4, 2)), (45, (9, 5)), (48, (8, 6))])
def test_quilts_are_as_square_as_their_views_allow(views, shape):
    assert quilt_shape(views) == shape


def test_the_suffix_names_places_and_the_aspect_of_a_view():
    assert quilt_suffix(8, 6, 560, 420) == "_qs8x6a0.75"
    assert quilt_suffix(5, 9, 480, 832) == "_qs5x9a1.733"


def test_a_quilt_wants_its_cameras_from_left_to_right():
    check_left_to_right(arc_rig(5, -20, 20, 0, 3))
    with pytest.raises(UserError, match="'order' to 'azimuth'"):
        check_left_to_right(arc_rig(5, 20, -20, 0, 3))


def test_views_of_different_size_are_named_with_their_sizes():
    clips = [counted(0), counted(1), counted(2, height=8)]
    check_same_size(clips[:2], NAMES[:2])
    with pytest.raises(UserError, match="'a' is 6 x 4 pixels and 'c' 6 x 8"):
        check_same_size(clips, NAMES[:3])
