"""Cuts that nobody typed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.errors import UserError
from syncam_core.video.auto_cut import cuts_by_motion, cuts_every, cuts_in_shares, motion_of, order_of
from syncam_core.video.clip import BITS_8, BITS_16, FLOAT, WHITE, MadeClip
from syncam_core.video.cut_list import check_cuts

NAMES = ("front", "left, high", "back")


def plain(cuts):
    return [(cut.start, cut.view) for cut in cuts]


def test_every_n_frames_the_next_view_comes_and_the_first_again_after_the_last():
    assert plain(cuts_every(20, 6, [0, 1, 2])) == [(0, 0), (6, 1), (12, 2), (18, 0)]
    assert plain(cuts_every(18, 6, [2, 0])) == [(0, 2), (6, 0), (12, 2)]
    assert plain(cuts_every(5, 6, [1])) == [(0, 1)]
    with pytest.raises(UserError, match="a shot of 0 frames is not possible"):
        cuts_every(20, 0, [0])


def test_equal_shares_differ_by_one_frame_at_most():
    assert plain(cuts_in_shares(21, [0, 1, 2])) == [(0, 0), (7, 1), (14, 2)]
    assert plain(cuts_in_shares(2, [2, 1, 0])) == [(0, 2), (1, 1)]
    for frames in range(3, 40):
        starts = [start for start, _ in plain(cuts_in_shares(frames, [0, 1, 2]))] + [frames]
        lengths = [end - start for start, end in pairwise(starts)]
        assert len(lengths) == 3
        assert max(lengths) - min(lengths) <= 1


# ---- motion


def moving_in(when, frames=30, dtype=BITS_8):
    """A white square on black that moves in the frames `when`."""

    def make(t):
        picture = np.zeros((36, 64, 3), dtype)
        left = 2 * sum(1 for frame in range(1, t + 1) if frame in when)
        picture[10:20, left : left + 10] = WHITE[dtype]
        return picture

    return MadeClip(frames, 36, 64, dtype, make)


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16, FLOAT])
def test_motion_is_the_difference_to_the_frame_before_in_any_depth(dtype):
    motion = list(motion_of(moving_in({3, 4}, frames=6, dtype=dtype)))
    # the square of ten rows leaves two columns and enters two
    assert motion == [0, 0, 0, 10 * 4 * 255, 10 * 4 * 255, 0]


def test_the_first_frame_counts_as_much_as_the_second_and_a_single_one_nothing():
    assert list(motion_of(moving_in({1}, frames=3))) == [10_200, 10_200, 0]
    assert list(motion_of(moving_in(set(), frames=1))) == [0]


def test_the_film_shows_the_view_in_which_most_moves():
    clips = [moving_in(range(10)), moving_in(range(10, 20)), moving_in(range(20, 30))]
    motion = np.array([list(motion_of(clip)) for clip in clips])
    assert plain(cuts_by_motion(motion, 4, [0, 1, 2])) == [(0, 0), (10, 1), (20, 2)]
    assert plain(cuts_by_motion(motion, 4, [2, 1])) == [(0, 1), (20, 2)]


def test_where_nothing_is_gained_the_first_view_stays():
    still = np.zeros((3, 30), np.int64)
    assert plain(cuts_by_motion(still, 1, [0, 1, 2])) == [(0, 0)]
    assert plain(cuts_by_motion(still, 1, [2, 0])) == [(0, 2)]
    assert plain(cuts_by_motion(np.ones((3, 30), np.int64), 1, [0, 1, 2])) == [(0, 0)]


def test_no_shot_is_shorter_than_asked_for_and_a_short_film_is_one_shot():
    motion = np.zeros((2, 20), np.int64)
    motion[1, 7] = 100
    assert plain(cuts_by_motion(motion, 3, [0, 1])) == [(0, 1)]
    motion[0, 0] = 1
    assert plain(cuts_by_motion(motion, 3, [0, 1])) == [(0, 0), (3, 1)]
    assert plain(cuts_by_motion(motion, 30, [0, 1])) == [(0, 1)]
    with pytest.raises(UserError, match="shots of 0 frames are not possible"):
        cuts_by_motion(motion, 0, [0, 1])


def every_film(frames, views, shortest):
    """All cut lists whose shots have at least so many frames, made the plain way."""

    def go_on(start, last):
        for view in range(views):
            if view == last:
                continue
            yield [(start, view)]
            for end in range(start + shortest, frames - shortest + 1):
                for rest in go_on(end, view):
                    yield [(start, view), *rest]

    return go_on(0, None)


def shown(motion, film):
    ends = [start for start, _ in film[1:]] + [motion.shape[1]]
    return sum(motion[view, start:end].sum() for (start, view), end in zip(film, ends, strict=True))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.lists(st.integers(0, 9), min_size=7, max_size=7), min_size=1, max_size=3),
    shortest=st.integers(2, 4),
)
def test_no_other_film_of_long_enough_shots_shows_more_motion_or_as_much_with_fewer_cuts(rows, shortest):
    motion = np.array(rows)
    found = cuts_by_motion(motion, shortest, range(len(rows)))
    check_cuts(found, 7, len(rows))
    starts = [cut.start for cut in found] + [7]
    assert all(end - start >= shortest for start, end in pairwise(starts))
    assert all(one.view != other.view for one, other in pairwise(found))
    best = max((shown(motion, film), -len(film)) for film in every_film(7, len(rows), shortest))
    assert (shown(motion, plain(found)), -len(found)) == best


# ---- the order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", [0, 1, 2]),
        (" , ,", [0, 1, 2]),
        ("C, A", [2, 0]),
        ("1, 2, 1, 3", [0, 1, 0, 2]),
        ('back; "left, high"\nfront # as in the script', [2, 1, 0]),
    ],
)
def test_an_order_is_written_like_the_cameras_of_a_cut_list(text, order):
    assert order_of(text, NAMES) == order


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A, D", "'order' asks for 'D', but the cameras are A = 'front'"),
        ('"A', "has no closing quotation mark"),
        ("A " * 10_000, "'order' has 20000 characters"),
        (" " * 9_000 + '"', "has no closing quotation mark"),
    ],
)
def test_an_order_of_unknown_cameras_is_refused(text, sentence):
    with pytest.raises(UserError, match=sentence):
        order_of(text, NAMES)
