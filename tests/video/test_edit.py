"""The film that an edit makes: every frame from the right view at the right time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.errors import UserError
from syncam_core.video.clip import BITS_8, BITS_16, FLOAT, WHITE, MadeClip, in_order
from syncam_core.video.cut_list import Cut
from syncam_core.video.edit import Edit, edit_of, edited

FPS = Fraction(15)
NAMES = ("left", "middle", "right")


def clip_of(view, frames=20, height=4, width=6, dtype=BITS_8, asked=None):
    """Frames whose first channel says the view and whose second says the time, as far as the depth has steps for it."""
    step = WHITE[dtype] / 255 if dtype == FLOAT else 1

    def make(frame):
        if asked is not None:
            asked.append((view, frame))
        picture = np.zeros((height, width, 3), dtype)
        picture[..., 0], picture[..., 1], picture[..., 2] = (10 + view) * step, (100 + frame) * step, 50 * step
        return picture

    return MadeClip(frames, height, width, dtype, make)


def film(text, frames=20, **options):
    clips = [clip_of(view, frames, **options) for view in range(3)]
    return edited(clips, edit_of(text, frames, FPS, NAMES))


def seen(clip):
    """(view, frame) of each frame of a film without cross-fades."""
    return [(int(picture[0, 0, 0]) - 10, int(picture[0, 0, 1]) - 100) for picture in in_order(clip)]


@pytest.mark.parametrize(
    ("text", "views"),
    [
        ("", [0] * 20),
        ("0 B", [1] * 20),
        ("0 A; 8 C; 9 B", [0] * 8 + [2] + [1] * 11),
        ("0 right; 19 A", [2] * 19 + [0]),
        ("0 A; 1 A; 2 B", [0, 0] + [1] * 18),
        ("0 A; 1s B", [0] * 15 + [1] * 5),
        ("0 A; 00:00:01:02 B", [0] * 17 + [1] * 3),
    ],
)
def test_each_frame_is_the_same_frame_of_the_view_on_screen(text, views):
    assert seen(film(text)) == [(view, frame) for frame, view in enumerate(views)]


def test_frames_can_be_asked_for_in_any_order_and_again():
    clip = film("0 A; 8 C")
    assert [int(clip[t][0, 0, 0]) - 10 for t in (19, 0, 8, 7, 8)] == [2, 0, 2, 0, 2]
    with pytest.raises(IndexError):
        clip[20]


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16, FLOAT])
def test_the_depth_and_the_pixels_of_the_views_are_kept_bit_for_bit(dtype):
    clips = [clip_of(view, dtype=dtype) for view in range(3)]
    clip = edited(clips, edit_of("0 A; 8 C", 20, FPS, NAMES))
    assert clip.dtype == dtype
    for t in range(20):
        assert clip[t].dtype == dtype
        assert np.array_equal(clip[t], clips[0 if t < 8 else 2][t])


def test_only_the_views_on_screen_are_asked_for_their_frames():
    asked = []
    clips = [clip_of(view, asked=asked) for view in range(3)]
    list(in_order(edited(clips, edit_of("0 A; 8 C ~2", 20, FPS, NAMES))))
    on_screen = [(0, t) for t in range(9)] + [(2, t) for t in range(7, 20)]
    assert sorted(asked) == sorted(on_screen)


# ---- cross-fades


@pytest.mark.parametrize(
    ("fade", "first", "shares"),
    [
        (1, 8, [1 / 2]),
        (2, 7, [1 / 4, 3 / 4]),
        (3, 7, [1 / 6, 1 / 2, 5 / 6]),
        (4, 6, [1 / 8, 3 / 8, 5 / 8, 7 / 8]),
    ],
)
def test_a_cross_fade_lies_around_its_cut_the_longer_half_behind_it(fade, first, shares):
    clips = [clip_of(0, dtype=FLOAT), clip_of(2, dtype=FLOAT)]
    clip = edited(clips, edit_of(f"0 A; 8 B ~{fade}", 20, FPS, ("a", "b")))
    expected = [0.0] * first + shares + [1.0] * (20 - first - len(shares))
    found = [(picture[0, 0, 0] * 255 - 10) / 2 for picture in in_order(clip)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    times = [picture[0, 0, 1] * 255 - 100 for picture in in_order(clip)]
    np.testing.assert_allclose(times, range(20), atol=1e-4)


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16])
def test_a_cross_fade_rounds_to_the_nearest_value(dtype):
    def flat(value):
        return MadeClip(20, 2, 2, dtype, lambda t: np.full((2, 2, 3), value, dtype))

    clip = edited([flat(0), flat(WHITE[dtype])], edit_of("0 A; 8 B ~3", 20, FPS, ("a", "b")))
    shares = [int(clip[t][0, 0, 0]) for t in (6, 7, 8, 9, 10)]
    assert shares == [0, *(int(WHITE[dtype] * share + 0.5) for share in (1 / 6, 1 / 2, 5 / 6)), WHITE[dtype]]


def test_two_cross_fades_may_follow_each_other_without_a_frame_between():
    edit = edit_of("0 A; 4 B ~8; 12 C ~8", 16, FPS, NAMES)
    pairs = [edit.views_at(t)[:2] for t in range(16)]
    assert pairs == [(0, 1)] * 8 + [(1, 2)] * 8


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    starts=st.sets(st.integers(1, 59), max_size=8),
    fades=st.lists(st.integers(0, 12), min_size=9, max_size=9),
    views=st.lists(st.integers(0, 2), min_size=9, max_size=9),
)
def test_shares_equal_those_of_drawing_the_shots_over_each_other(starts, fades, views):
    frames, made, free = 60, [], 0
    starts = [0, *sorted(starts)]
    for start, end, fade, view in zip(starts, [*starts[1:], frames], fades, views, strict=False):
        fade = min(fade, 2 * free, 2 * (end - start)) if start else 0
        made.append(Cut(start, view, fade))
        free = end - start - made[-1].after
    edit = Edit(FPS, frames, NAMES, tuple(made))

    # Each shot begins where its fade begins and covers what was there before, more and more.
    weights = np.zeros((frames, 3))
    for cut in made:
        for t in range(cut.start - cut.fade // 2, frames):
            step = t - (cut.start - cut.fade // 2)
            share = 1.0 if step >= cut.fade else (step + 0.5) / cut.fade
            weights[t] *= 1 - share
            weights[t, cut.view] += share

    for t in range(frames):
        below, above, share = edit.views_at(t)
        found = np.zeros(3)
        found[below] += 1 - float(share)
        found[above] += float(share)
        np.testing.assert_allclose(found, weights[t], atol=1e-12)


def test_the_text_of_an_edit_makes_the_same_edit():
    edit = edit_of("0 left; 0.5s middle ~3; 00:00:01:00 3", 20, FPS, NAMES)
    assert edit.text == "0 A; 8 B ~3; 15 C"
    assert edit_of(edit.text, 20, FPS, NAMES) == edit


# ---- views of several sizes


def test_views_of_other_sizes_fill_the_largest_height_and_width_undistorted_on_black():
    def flat(height, width, value):
        return MadeClip(2, height, width, BITS_8, lambda t: np.full((height, width, 3), value, np.uint8))

    clip = edited([flat(32, 64, 200), flat(48, 24, 100)], edit_of("0 A; 1 B", 2, FPS, ("a", "b")))
    assert (clip.height, clip.width) == (48, 64)
    wide, upright = clip[0], clip[1]
    assert (wide[8:40] == 200).all()
    assert not wide[:8].any()
    assert not wide[40:].any()
    assert (upright[:, 20:44] == 100).all()
    assert not upright[:, :20].any()
    assert not upright[:, 44:].any()


# ---- timecode in the picture


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16, FLOAT])
def test_the_timecode_is_another_in_every_frame_and_stands_at_the_bottom(dtype):
    def gray(t):
        return np.full((96, 128, 3), WHITE[dtype] / 2).astype(dtype)

    clips = [MadeClip(31, 96, 128, dtype, gray)]
    plain, burnt = (edited(clips, edit_of("", 31, FPS, ("a",)), on) for on in (False, True))
    pictures = [burnt[t] for t in range(31)]
    changed = (pictures[0] != plain[0]).any(-1)
    rows, columns = changed.any(1).nonzero()[0], changed.any(0).nonzero()[0]
    assert rows.min() > 70
    assert abs((columns.min() + columns.max()) / 2 - 63.5) <= 1.5
    assert pictures[0].dtype == dtype
    assert len({picture.tobytes() for picture in pictures}) == 31


def test_the_timecode_in_the_picture_is_the_one_that_the_rate_gives():
    from syncam_core.video.labels import label_plate
    from syncam_core.video.timecode import timecode

    clip = edited([clip_of(0, height=96, width=128)], edit_of("", 20, FPS, ("a",)), True)
    for t in (0, 14, 15, 19):
        plate = label_plate(timecode(t, FPS), "#ffffff", 96, 10_000)
        expected = np.tile(np.array([10, 100 + t, 50]) / 255, (*plate.keep.shape[:2], 1)) * plate.keep + plate.ink
        tall, wide = plate.keep.shape[:2]
        left = (128 - wide) // 2
        found = clip[t][96 - tall - plate.margin : 96 - plate.margin, left : left + wide] / 255
        np.testing.assert_allclose(found, expected, atol=1 / 255)


def test_the_small_views_of_the_demo_have_room_for_a_timecode():
    clips = [clip_of(0, height=64, width=64)]
    plain, burnt = (edited(clips, edit_of("", 20, FPS, ("a",)), on) for on in (False, True))
    changed = (plain[3] != burnt[3]).any(-1)
    assert not changed[:40].any()
    assert 0 < changed.mean() < 0.25


def test_pictures_too_small_for_a_timecode_are_refused_before_the_first_frame():
    with pytest.raises(
        ValueError, match="pictures of 6 x 4 pixels are too small to write a timecode into; switch it off"
    ):
        edited([clip_of(0)], edit_of("", 20, FPS, ("a",)), True)


# ---- what does not belong together


@pytest.mark.parametrize(
    ("clips", "sentence"),
    [
        ([clip_of(0)] * 2, "the edit is for 3 views, but there are 2"),
        ([clip_of(0), clip_of(1), clip_of(2, frames=19)], "the edit is for 20 frames, but 'right' has 19"),
    ],
)
def test_clips_of_another_edit_are_refused(clips, sentence):
    with pytest.raises(UserError, match=sentence):
        edited(clips, edit_of("", 20, FPS, NAMES))


def test_an_edit_cannot_be_made_of_cuts_that_make_no_film():
    with pytest.raises(UserError, match="begin the list with an entry at 0"):
        Edit(FPS, 20, NAMES, (Cut(3, 0),))
