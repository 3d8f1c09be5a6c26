"""Cut lists: what a person may type, and what is said about the rest."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras.spoken import letter_of
from syncam_core.errors import UserError
from syncam_core.video.cut_list import LONGEST_TEXT, Cut, check_cuts, cuts_of, entries_of, text_of

NAMES = ("front", "left, high", "Back")


def cuts(text, frames=81, fps=15, names=NAMES):
    return [(cut.start, cut.view, cut.fade) for cut in cuts_of(text, frames, Fraction(fps), names)]


def refused(text, sentence, **views):
    with pytest.raises(UserError, match=sentence) as caught:
        cuts(text, **views)
    message = str(caught.value)
    assert len(message) < 500
    assert message.isprintable()


# ---- what may be typed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 A; 24 B; 48 A", [(0, 0, 0), (24, 1, 0), (48, 0, 0)]),
        ("0 A;24 B;48 A;", [(0, 0, 0), (24, 1, 0), (48, 0, 0)]),
        ("0 a\n24 b\r\n\r\n48 a ~6", [(0, 0, 0), (24, 1, 0), (48, 0, 6)]),
        ("0 1; 24 2; 48 3", [(0, 0, 0), (24, 1, 0), (48, 2, 0)]),
        ("0 front; 24 BACK", [(0, 0, 0), (24, 2, 0)]),
        ('0 "left, high"~0; 24 "back"~4', [(0, 1, 0), (24, 2, 4)]),
        ("0 left, high; 24 front ~ 3", [(0, 1, 0), (24, 0, 3)]),
        ("0s A; 1.6s B; 4.s A", [(0, 0, 0), (24, 1, 0), (60, 0, 0)]),
        (".0s A; .2s B", [(0, 0, 0), (3, 1, 0)]),
        ("00:00:00:00 A; 00:00:01:09 B", [(0, 0, 0), (24, 1, 0)]),
        ("# the film; begins\n0 A # with A; 24 B\n24 C", [(0, 0, 0), (24, 2, 0)]),
        ("\t0\tA ;\t 24   B~2", [(0, 0, 0), (24, 1, 2)]),
        ("\uff10 \uff21\uff1b\uff12\uff14\u3000\uff22", [(0, 0, 0), (24, 1, 0)]),  # full-width, as input methods type
        ("80 A", None),
        ("", [(0, 0, 0)]),
        (" ;; \n# nothing\n", [(0, 0, 0)]),
    ],
)
def test_a_list_is_read_as_it_looks(text, expected):
    if expected is None:
        refused(text, "begin the list with an entry at 0")
    else:
        assert cuts(text) == expected


@pytest.mark.parametrize(
    ("seconds", "fps", "frame"),
    [
        ("1.6s", 15, 24),
        ("0.066s", 15, 1),
        ("0.03s", 15, 0),
        ("1.5s", 15, 23),  # between 22 and 23: the later one
        ("1s", Fraction(24000, 1001), 24),  # 23.976
        ("1.001s", Fraction(24000, 1001), 24),
        ("0.1s", 30, 3),  # a float would be 3.0000000000000004 or less than 3
    ],
)
def test_seconds_mean_the_frame_that_begins_nearest(seconds, fps, frame):
    assert cuts(f"0 A; {seconds} B" if frame else f"{seconds} B", fps=fps)[-1][0] == frame


def test_timecode_counts_by_the_frame_rate():
    for fps, frame in ((15, 17), (24, 26), (Fraction(24000, 1001), 26), (Fraction(30000, 1001), 32)):
        assert cuts("0 A; 00:00:01:02 B", fps=fps)[1][0] == frame


def test_names_win_over_letters_and_letters_over_numbers():
    names = ("B", "2", "a", "fourth")
    assert cuts("0 A; 1 B; 2 C; 3 D; 4 2; 5 1; 6 4", names=names) == [
        (0, 2, 0),
        (1, 0, 0),
        (2, 2, 0),
        (3, 3, 0),
        (4, 1, 0),
        (5, 0, 0),
        (6, 3, 0),
    ]
    refused('0 "C"', "asks for 'C'", names=names)


def test_names_that_differ_in_case_only_are_told_apart_by_it():
    names = ("cam", "Cam")
    assert cuts("0 Cam; 3 cam", names=names) == [(0, 1, 0), (3, 0, 0)]
    refused("0 CAM", "the entry '0 CAM' could mean 'cam' and 'Cam'", names=names)


def test_letters_go_on_after_z():
    assert [letter_of(view) for view in (0, 25, 26, 51, 52, 63)] == ["A", "Z", "AA", "AZ", "BA", "BL"]
    assert cuts("0 BL; 1 ba", names=[f"camera {n}" for n in range(64)]) == [(0, 63, 0), (1, 52, 0)]


def test_a_name_in_quotes_may_hold_everything_that_means_something():
    name = 'a; b # c ~2 "d" 00:00:01;09'
    quoted = name.replace('"', '""')
    assert cuts(f'0 x; 24 "{quoted}" ~2', names=("x", name)) == [(0, 0, 0), (24, 1, 2)]


# ---- what may not


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("24 A", "the first entry is '24 A', so that nothing is seen before frame 24; begin the list"),
        ("0 A; 48 B; 24 A", "the entry '24 A' begins at frame 24, before the one in front of it, '48 B'"),
        ("0 A; 24 B; 24 A", "the entries '24 B' and '24 A' both begin at frame 24; keep one"),
        ("0 A; 1.6s B; 00:00:01:09 A", "the entries '1.6s B' and '00:00:01:09 A' both begin at frame 24"),
        ("0 A; 81 B", "the entry '81 B' begins at frame 81, but the views have 81 frames; use 0 to 80"),
        ("0 A; 5.4s B", "the entry '5.4s B' begins at frame 81"),
        ("0 A; 999999999999999999 B", "the entry '999999999999999999 B' begins at frame 999999999999999999"),
        ("0 A; 24 D", "the entry '24 D' asks for 'D', but the cameras are A = 'front', B = 'left, high', C = 'Back'"),
        ("0 A; 24 4", "asks for '4'.*a number from 1 to 3"),
        ("0 A; 24 0", "asks for '0'"),
        ("0 A; 24 A B", "asks for 'A B'"),
        ("0 A; 24", "the entry '24' names no camera; write one behind the time, like '24 A'"),
        ("0 A; 24 ~6", "the entry '24 ~6' names no camera"),
        ("0 A, 24 B", "the entry '0 A, 24 B' holds several; put ';' or a line end between entries, like '0 A; 24 B'"),
        ("0 A -> 24 B", "holds several; put ';' or a line end between"),
        ("A 0; B 24", "the entry 'A 0' begins with no time; .*, then the camera, like '24 A'"),
        ("0 A; B", "the entry 'B' begins with no time; write a frame number"),
        ("0 A; -24 B", "the entry '-24 B' begins with no time"),
        ("0 A; nan B", "begins with no time"),
        ("0 A; nans B", "begins with no time"),
        ("0 A; infs B", "begins with no time"),
        ("0 A; 1e3s B", "begins with no time"),
        ("0 A; 1_000 B", "begins with no time"),
        ("0 A; ٢٤ B", "begins with no time"),
        ("0 A; 24.5 B", "begins with no time"),
        ("0 A; 00:00:01:15 B", "in the entry '00:00:01:15 B', '00:00:01:15' has 15 frames, but they go from 0 to 14"),
        ("0 A; a:b:c:d B", "in the entry 'a:b:c:d B', 'a:b:c:d' is no timecode"),
        ('0 A; 24 "left', "the name in '\"left' has no closing quotation mark"),
        ('0 A; 24 "Back" again', "the entry '24 \"Back\" again' goes on behind the camera's name"),
        ("0 A; 24 B ~x", "the entry '24 B ~x' has the cross-fade 'x'; write a whole number of frames"),
        ("0 A; 24 B ~", "has the cross-fade ''"),
        ("0 A; 24 B ~-2", "has the cross-fade '-2'"),
        ("0 A; 24 B ~2 ~3", "has the cross-fade '2 ~3'"),
        ("0 A ~4; 24 B", "the entry '0 A ~4' has a cross-fade, but nothing comes before it"),
    ],
)
def test_everything_else_is_refused_in_a_sentence_that_names_the_entry(text, sentence):
    refused(text, sentence)


@pytest.mark.parametrize(
    "text",
    [
        "0 A; 00:00:01;09 B",
        "0 A;00:00:01;09 B",
        "0 A\n00:00:01,09 B",
        "00;00;00;00 A",
        "0 A;00;00;01;09 B",
        "0:00:01;9 B",
    ],
)
def test_drop_frame_timecode_is_refused_by_its_name_although_a_semicolon_ends_an_entry(text):
    refused(text, "is drop-frame timecode, which leaves out numbers")
    with pytest.raises(UserError, match="drop-frame"):
        entries_of(text)


def test_a_timecode_at_the_end_of_an_entry_is_no_drop_frame_timecode():
    refused("0 A; 00:00:01:09;48 B", "the entry '00:00:01:09' names no camera")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 A; 4 B ~10", "the cross-fade of '4 B ~10' begins 5 frames before its cut, but the shot before it lasts 4"),
        (
            "0 A; 79 B ~6",
            "the cross-fade of '79 B ~6' ends 3 frames after its cut, but its shot lasts 2 frames; use at",
        ),
        (
            "0 A; 20 B ~8; 26 A ~6",
            "the cross-fade of '26 A ~6' begins 3 frames before its cut, but it would begin in the",
        ),
        ("0 A; 20 B ~8; 23 A", "the cross-fade of '20 B ~8' ends 4 frames after its cut, but its shot lasts 3 frames"),
        ("0 A; 40 B ~999999999", "the cross-fade of '40 B ~999999999' begins 499999999 frames before its cut"),
    ],
)
def test_cross_fades_that_do_not_fit_are_refused(text, sentence):
    refused(text, sentence)


def test_cross_fades_may_touch_each_other_and_the_ends_of_the_film():
    assert cuts("0 A; 4 B ~8; 12 C ~8", frames=16) == [(0, 0, 0), (4, 1, 8), (12, 2, 8)]


@pytest.mark.parametrize("text", ["0 A; 4 B ~10", "0 A; 79 B ~6", "0 A; 20 B ~8; 26 A ~6"])
def test_the_cross_fade_that_is_proposed_is_possible_and_the_next_longer_one_is_not(text):
    with pytest.raises(UserError, match="use at most") as caught:
        cuts(text)
    proposed = int(str(caught.value).split("'~")[1].split("'")[0])
    before = text.rpartition("~")[0]
    assert cuts(f"{before}~{proposed}")
    with pytest.raises(UserError, match="cross-fade"):
        cuts(f"{before}~{proposed + 1}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 A;" * (LONGEST_TEXT // 4 + 1), "the cut list has 1000004 characters; at most 1000000 are possible"),
        ("0 A;" * 200_000, "the cut list has 200000 entries; at most 20000 are possible"),
        ("0 A;" * 20_000, "the cut list has 20000 entries, but the views have 81 frames; remove some"),
        ("x" * LONGEST_TEXT, "begins with no time"),
        ('"' * (LONGEST_TEXT - 1), "no closing quotation mark"),
        ("0 " + " " * 900_000 + "~" * 90_000, "names no camera"),
        ("#" * LONGEST_TEXT + "\n", "characters"),
        ("0 \ud800\x00\x1b[31m", r"the entry '0 \\ud800\\x00\\x1b\[31m' asks for"),
        ("0 \u202eA", r"asks for '\\u202eA'"),
        ("0:" * 300_000, "begins with no time"),
        ('"a"b' * 250_000, "begins with no time"),
    ],
)
def test_hostile_texts_are_refused_in_one_short_sentence(text, sentence):
    refused(text, sentence)


def test_cuts_made_by_hand_are_judged_alike():
    with pytest.raises(UserError, match="the entry '81 B' begins at frame 81"):
        check_cuts([Cut(0, 0), Cut(81, 1)], 81, 2)
    with pytest.raises(UserError, match="asks for view 3, but there are 2"):
        check_cuts([Cut(0, 2)], 81, 2)
    with pytest.raises(UserError, match="there are no cuts"):
        check_cuts([], 81, 2)


# ---- round trips


@st.composite
def films(draw):
    """Names, a number of frames, and cuts with cross-fades that fit."""
    text = st.text(st.sampled_from("aAbBzZ0129 ;~#\",:.'ßİéカ\u00a0\u202e"), min_size=1, max_size=8)
    likely = st.sampled_from(["A", "b", "C", "1", "2", "aa", "view 1", '"', "~", ";", "#", "0 A", "ß", "SS", "İ"])
    drawn = draw(st.lists(st.one_of(likely, text), min_size=1, max_size=6, unique=True))
    names = [name for name in drawn if name.strip()] or ["A"]
    frames = draw(st.integers(1, 200))
    starts = sorted(draw(st.sets(st.integers(1, frames - 1), max_size=12))) if frames > 1 else []
    starts = [0, *starts]
    ends = [*starts[1:], frames]
    made, free = [], 0
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        most = min(2 * free, 2 * (end - start)) if index else 0
        fade = draw(st.integers(0, most))
        made.append(Cut(start, draw(st.integers(0, len(names) - 1)), fade))
        free = end - start - made[-1].after
    return tuple(names), frames, tuple(made)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(films(), st.sampled_from([Fraction(15), Fraction(24000, 1001)]))
def test_a_list_written_and_read_is_the_same_for_any_names(film, fps):
    names, frames, made = film
    text = text_of(made, names)
    assert cuts_of(text, frames, fps, names) == made
    assert text_of(cuts_of(text, frames, fps, names), names) == text


def read_or_refused(text, frames):
    """The cuts of a text, or the sentence by which it is refused."""
    try:
        return cuts_of(text, frames, Fraction(15), NAMES), ""
    except UserError as problem:
        return None, str(problem)


def judged(text, frames):
    made, sentence = read_or_refused(text, frames)
    if made is None:
        assert sentence.isprintable()
        assert 10 < len(sentence) < 500
    else:
        check_cuts(made, frames, len(NAMES))
        assert cuts_of(text_of(made, NAMES), frames, Fraction(15), NAMES) == made


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=60), st.integers(1, 100))
def test_any_text_is_read_or_refused_in_a_sentence(text, frames):
    judged(text, frames)


PIECES = ["0", "24", "1.5s", "00:00:01:09", "00:00:01;09", " ", " A", " B", ";", "\n", "~3", '"', "#", ","]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_any_row_of_pieces_of_the_grammar_is_read_or_refused(pieces):
    judged("".join(pieces), 81)


def test_the_plain_form_uses_letters_unless_a_camera_is_called_like_one():
    assert text_of([Cut(0, 0), Cut(24, 1), Cut(48, 0, 6)], NAMES) == "0 A; 24 B; 48 A ~6"
    assert text_of([Cut(0, 0), Cut(24, 1)], ("b", "x")) == '0 A; 24 "x"'
