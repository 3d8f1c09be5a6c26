"""Cut lists in the player's library are read as the node reads them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from syncam_core.errors import UserError
from syncam_core.video.cut_list import cuts_of

READ = """async ([text, rate, names]) => {
    const { readCuts } = await import("/cuts.mjs");
    const cuts = readCuts(text, rate, names);
    return typeof cuts === "string" ? null : cuts.map(({ frame, view, fade }) => [frame, view, fade]);
}"""
NAMES = ["left", "middle", "right"]
RATES = [Fraction(15), Fraction(24000, 1001), Fraction(120)]
WHEN = ["1", "0.1s", "1.5s", ".5s", "00:00:01:00", "0:0:1:9", "00:00:01:14", "00:00:59:23", "00:00:02:119"]
NEVER = ["00:00:01:15", "00:00:01:24", "00:00:01:120", "00:00:60:00", "00:60:00:00", "1x", "-1", "00:00:01"]


def read(text: str, rate: Fraction) -> list[list[int]] | None:
    try:
        return [[cut.start, cut.view, cut.fade] for cut in cuts_of(text, 10**6, rate, NAMES)]
    except UserError:
        return None


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("when", [*WHEN, *NEVER])
def test_every_moment_is_read_or_refused_as_the_node_does(javascript, when, rate):
    text = f"0 A; {when} right"
    assert javascript.evaluate(READ, [text, float(rate), NAMES]) == read(text, rate)


@pytest.mark.parametrize(
    "text", ["\uff10 \uff21\uff1b\uff12\uff14\u3000\uff22", "0 A\uff1b\uff11\uff0e\uff15s \uff52ight", "0 A, 24 B"]
)
def test_what_input_methods_type_is_read_or_refused_as_the_node_does(javascript, text):
    assert javascript.evaluate(READ, [text, 15, NAMES]) == read(text, Fraction(15))


def test_the_last_frame_of_a_second_is_a_moment_and_the_one_after_it_is_none():
    assert [read(f"0 A; 00:00:01:{frame} B", Fraction(15)) for frame in (14, 15)] == [[[0, 0, 0], [29, 1, 0]], None]
