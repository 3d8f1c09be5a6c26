"""Lists as people write them: cameras by name, number, letter and place, ranges, exceptions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras.builders import ring_rig
from syncam_core.cameras.motion import Move, move_cameras
from syncam_core.cameras.spoken import (
    choose_cameras,
    choose_views,
    letter_of,
    order_of_views,
    parse_numbers,
    parse_point,
    view_of,
)
from syncam_core.cameras.transforms import retarget_rig, scale_rig, translate_rig, turn_rig
from syncam_core.errors import UserError

TEN = [f"cam{number:02d}" for number in range(1, 11)]


@pytest.mark.parametrize(
    ("wanted", "names", "chosen"),
    [
        ("1, 3", TEN, [0, 2]),
        ("3 1", TEN, [2, 0]),
        ("3;1", TEN, [2, 0]),
        ("cam10,cam02", TEN, [9, 1]),
        ("cam02, 7", TEN, [1, 6]),
        ("007", TEN, [6]),
        ("", TEN, list(range(10))),
        (" , ", TEN, list(range(10))),
        ("5", ["cam05", "cam01"], [0]),
        ("2, 1", ["front", "side"], [1, 0]),
        ("2", ["cam1", "cam2"], [1]),
        ("2", ["2", "cam02"], [0]),
        ("close up, wide", ["wide", "close up"], [1, 0]),
        ("close up", ["up", "close"], [1, 0]),
        ("left, high", ["front", "left, high"], [1]),
        ("正面，侧面", ["侧面", "正面"], [1, 0]),
        ("Cam01, CAM03", TEN, [0, 2]),
        ("cam, Cam", ["Cam", "cam"], [1, 0]),
        ("3-5", TEN, [2, 3, 4]),
        ("1, 3 - 5 9–10", TEN, [0, 2, 3, 4, 8, 9]),
        ("A, back", ["front", "back"], [0, 1]),
        ("c-a", ["a", "b", "c-a"], [2]),
        ("b, A", ["A", "B", "a"], [1, 0]),
        ("B-D, a", ["front", "side", "back", "top"], [1, 2, 3, 0]),
        ("AB, Z", [f"view {n}" for n in range(1, 65)], [27, 25]),
        ("all", TEN, list(range(10))),
        ("All but 2", TEN, [0, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("all but B-C, top", ["front", "side", "back", "top"], [0]),
        ("all but side", ["side", "all but side"], [1]),
        ('"left, high", 1', ["front", "left, high"], [1, 0]),
        ('"say ""B""" B', ["front", "side", 'say "B"'], [2, 1]),
        ('6" lens, 8" lens', ['8" lens', '6" lens'], [1, 0]),
        ("2\n1", ["front", "side"], [1, 0]),
        ("wide – left", ["wide – left", "wide"], [0]),
        ("\uff11\uff0d\uff13\u3001\uff22", ["front", "side", "back", "top", "b"], [0, 1, 2, 4]),  # full-width 1-3, B
        ("\uff21", ["a", "\uff21"], [1]),
    ],
)
def test_cameras_are_chosen_by_name_then_by_letter_then_by_number(wanted, names, chosen):
    assert choose_cameras(wanted, names) == chosen


@pytest.mark.parametrize(
    ("wanted", "names", "said"),
    [
        ("11", TEN, "'11'.*cam01, cam02"),
        ("0", TEN, "'0'.*the first has the number 1"),
        ("-1", TEN, "'-1'"),
        ("1.5", TEN, "'1.5'"),
        ("K", TEN, "'K'.*cam01, cam02"),
        ("9-11", TEN, "'11'.*cam01, cam02"),
        ("3-1", TEN, "the range '3-1', which falls; write '1-3'"),
        ("A-3", TEN, "'A-3'"),
        ("1-3", ["cam01", "cam03", "cam04"], "'2'.*cam01, cam03"),
        ("1-3-5", TEN, "'1-3-5'"),
        ("1 -", TEN, "'-'"),
        ("CAM", ["cam", "Cam"], "'cam' and 'Cam'"),
        ('"2"', ["front", "side"], "'\"2\"'"),
        ("all but", TEN, "'all but' nothing"),
        ("all but 1-10", TEN, "'all but' every camera"),
        ("all but 11", TEN, "'11'"),
        ("all but 2, 2", TEN, "twice"),
        ("allbut 2", TEN, "'allbut'"),
        ("2", ["cam05", "cam07"], "'2'.*cam05, cam07"),
        ("2", ["cam01", "cam03", "left"], "'2'.*cam01, cam03, left"),
        ("3", ["front", "side"], "'3'.*front, side"),
        ("²", ["front", "side"], "'²'"),
        ("1, cam01", TEN, "'cam01' twice"),
        ("1, 1", TEN, "twice"),
        ("x", [f"c{n}" for n in range(20)], "c11 and 8 more"),
        ("9" * 100, TEN, "9999"),
        ("1 " * 20_000, TEN, "characters"),
    ],
)
def test_unknown_and_repeated_cameras_are_refused_with_what_there_is(wanted, names, said):
    with pytest.raises(UserError, match=f"'cameras'.*{said}"):
        choose_cameras(wanted, names)


@settings(deadline=None)
@given(st.text())
def test_any_text_chooses_existing_cameras_once_or_is_refused(wanted):
    try:
        chosen, sentence = choose_cameras(wanted, TEN), None
    except UserError as problem:
        chosen, sentence = [0], str(problem)
    assert sentence is None or "'cameras'" in sentence
    assert len(set(chosen)) == len(chosen) > 0
    assert set(chosen) <= set(range(10))


NAMES = ["front", "B", "side", "left, high"]


@pytest.mark.parametrize(
    "entry", ["front", "Side", "B", "4", '"left, high"', '"b"', "D", "5", "E", '"2"', "0", "cam01"]
)
def test_one_entry_means_the_same_alone_and_in_every_list(entry):
    def told(read):
        try:
            return read()
        except UserError as problem:
            return problem

    alone = told(lambda: [view_of(entry, NAMES, "'camera'")])
    twice = told(lambda: order_of_views(f"{entry}, {entry}", NAMES, "order"))
    chosen = told(lambda: choose_cameras(entry, NAMES))
    if isinstance(alone, UserError):
        assert isinstance(twice, UserError)
        assert isinstance(chosen, UserError)
    else:
        assert twice == alone * 2
        assert chosen == alone


@given(st.integers(0, 63), st.integers(0, 63))
def test_numbers_from_0_and_letters_are_the_same_views(first, last):
    first, last = sorted((first, last))
    by_number = choose_views(f"{first}-{last}", 64, "views")
    assert by_number == choose_views(f"{letter_of(first)} - {letter_of(last)}", 64, "views")
    assert by_number == choose_cameras(f"{first + 1}-{last + 1}", [f"view {n}" for n in range(1, 65)])
    assert by_number == list(range(first, last + 1))


CHANGES = {
    "select": lambda rig, cameras: rig.select(cameras),
    "translate": lambda rig, cameras: translate_rig(rig, (1, 0, 0), cameras),
    "turn": lambda rig, cameras: turn_rig(rig, 10, cameras=cameras),
    "scale": lambda rig, cameras: scale_rig(rig, 2, cameras=cameras),
    "retarget": lambda rig, cameras: retarget_rig(rig, (0, 1, 0), cameras),
    "move": lambda rig, cameras: move_cameras(rig, [Move("pan", 5)], 5, cameras),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("position", [3, -1])
def test_every_change_of_a_rig_refuses_a_camera_that_does_not_exist(change, position):
    said = f"camera number {position} does not exist; the rig has cameras 0 to 2."
    with pytest.raises(UserError, match=said):
        CHANGES[change](ring_rig(3), [0, position])


@pytest.mark.parametrize(
    "text", ["0, 30.5, -15", "\uff10\u3001\uff13\uff10\uff0e\uff15\uff0c\uff0d\uff11\uff15", "0\u300030.5 \u221215"]
)
def test_numbers_are_read_as_every_keyboard_types_them(text):
    assert parse_numbers(text, "azimuths") == [0, 30.5, -15]


def test_what_a_refusal_shows_as_possible_is_possible_there():
    for read, field, example in (
        (lambda text: parse_numbers(text, "distances", "3, 4.5"), "distances", "3, 4.5"),
        (lambda text: parse_point(text, "target"), "target", "0, -1.5, 0"),
    ):
        with pytest.raises(UserError, match=f"'{field}' holds 'near'.*like \"{example}\"") as refused:
            read("near")
        assert read(str(refused.value).split('"')[1])
