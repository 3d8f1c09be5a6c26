"""Timecode: counting frames in hours, minutes and seconds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncam_core.errors import UserError
from syncam_core.video.timecode import frame_of_timecode, timecode

RATES = [Fraction(15), Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(120)]


@pytest.mark.parametrize(
    ("frame", "fps", "text"),
    [
        (0, 15, "00:00:00:00"),
        (24, 15, "00:00:01:09"),
        (14, 15, "00:00:00:14"),
        (15 * 3661, 15, "01:01:01:00"),
        (359, 120, "00:00:02:119"),
        (24, Fraction(24000, 1001), "00:00:01:00"),
        # Drop-frame timecode would say 00:01:00;02 here.
        (1800, Fraction(30000, 1001), "00:01:00:00"),
        (3, Fraction(1, 100), "00:00:03:00"),
    ],
)
def test_frames_have_the_timecode_that_counting_by_hand_gives(frame, fps, text):
    assert timecode(frame, Fraction(fps)) == text
    assert frame_of_timecode(text, Fraction(fps)) == frame


@given(frame=st.integers(0, 10**6), fps=st.sampled_from(RATES))
def test_a_timecode_read_back_is_the_frame(frame, fps):
    assert frame_of_timecode(timecode(frame, fps), fps) == frame


@given(frame=st.integers(0, 10**6), fps=st.sampled_from(RATES))
def test_later_frames_have_later_timecodes_in_the_alphabet_too(frame, fps):
    assert timecode(frame, fps) < timecode(frame + 1, fps)


@pytest.mark.parametrize("text", ["00:00:01;09", "00:00:01,09", "00;00;01;09", "1:2:3;4"])
def test_drop_frame_timecode_is_refused_by_its_name(text):
    with pytest.raises(UserError, match=r"is drop-frame timecode, which leaves out numbers.*non-drop"):
        frame_of_timecode(text, Fraction(30000, 1001))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("00:00:01:15", "has 15 frames, but they go from 0 to 14 at 15 frames per second"),
        ("00:60:00:00", "has 60 minutes, but they go from 0 to 59"),
        ("00:00:99:00", "has 99 seconds"),
        ("00:00:01", "is no timecode; write hours:minutes:seconds:frames"),
        ("00:00:-1:00", "is no timecode"),
        ("٠٠:00:01:00", "is no timecode"),
        ("1" * 100_000, "is no timecode"),
    ],
)
def test_other_texts_are_refused_in_a_short_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        frame_of_timecode(text, Fraction(15))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("frame", [-1, 100 * 3600 * 15])
def test_frames_before_the_start_and_after_the_last_hour_have_none(frame):
    with pytest.raises(UserError, match="has no timecode"):
        timecode(frame, Fraction(15))
