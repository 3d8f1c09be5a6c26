"""Lists and block ranges as a person types them."""

import dataclasses
import re

import pytest

from syncam_core.errors import UserError
from syncam_core.view_sync.control import ViewControl, parse_blocks, view_control


def test_as_it_stands_it_is_all_views_all_blocks_the_whole_time():
    assert view_control() == ViewControl() == ViewControl((1.0,), (0.0,), (1.0,), None)
    assert ViewControl().changes_nothing
    assert view_control("1, 1, 1", "0 0 0", "1.0").changes_nothing


@pytest.mark.parametrize(
    "texts", [{"strengths": "1, 0.9"}, {"starts": "0.1"}, {"ends": "1, 0.5"}, {"blocks": "0-29"}], ids=str
)
def test_anything_else_changes_something(texts):
    assert not view_control(**texts).changes_nothing


def test_numbers_stand_for_the_views_in_order_and_one_stands_for_all():
    control = view_control("1; 0.5，0", " 0.25 ", "1, 0.75, 0.5,", "3")
    assert control == ViewControl((1.0, 0.5, 0.0), (0.25,), (1.0, 0.75, 0.5), (3,))
    assert control.spread(3, 30) == ViewControl((1.0, 0.5, 0.0), (0.25, 0.25, 0.25), (1.0, 0.75, 0.5), (3,))
    assert view_control("0.5").spread(4, 2).strengths == (0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", None),
        ("  \n", None),
        ("0", (0,)),
        ("0-3", (0, 1, 2, 3)),
        ("0-9, 20", (*range(10), 20)),
        ("20,0-2;1", (0, 1, 2, 20)),
        ("5-5", (5,)),
        ("1 - 3 ; 7", (1, 2, 3, 7)),
        ("4 5 6", (4, 5, 6)),
        ("7,", (7,)),
    ],
)
def test_blocks_are_numbers_and_ranges(text, blocks):
    assert parse_blocks(text) == blocks


@pytest.mark.parametrize("text", ["a", "1.5", "0-", "-3", "1-2-3", "9-0", "0-99999999", "\u0663"])
def test_other_blocks_are_refused_in_a_sentence(text):
    with pytest.raises(UserError, match=r"^'blocks' holds .*\.$") as caught:
        parse_blocks(text)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"strengths": ""}, "'strengths' is empty; give one number for all views, or one for each."),
        ({"ends": " "}, "'ends' is empty"),
        ({"strengths": "strong"}, "'strengths' holds 'strong'"),
        ({"strengths": "1, nan"}, "'strengths' holds 'nan'"),
        ({"strengths": "1, 2.5"}, "'strengths' holds 2.5, but numbers from 0 to 2 are possible."),
        ({"strengths": "-0.1"}, "'strengths' holds -0.1, but numbers from 0 to 2 are possible."),
        ({"starts": "1.01"}, "'starts' holds 1.01, but numbers from 0 to 1 are possible."),
        (
            {"strengths": "1, 1, 1", "starts": "0, 0"},
            "'starts' lists 2 numbers but 'strengths' 3; give 'starts' 1 number for all views, or 3.",
        ),
        ({"starts": "0, 0.5", "ends": "0.4"}, "'starts' holds 0.5 for a view whose number in 'ends' is 0.4"),
    ],
)
def test_other_numbers_are_refused_in_a_sentence(texts, says):
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        view_control(**texts)
    assert str(caught.value).startswith(says)


def test_lists_for_other_views_and_blocks_that_the_model_does_not_have_are_refused_where_both_are_known():
    with pytest.raises(UserError, match=r"'starts' lists 3 numbers, but there are 2 views; give 1 number .* or 2\."):
        view_control(starts="0, 0, 0.5").spread(2, 30)
    with pytest.raises(UserError, match=r"'blocks' names block 30, but the model has 30; name blocks from 0 to 29\."):
        view_control(blocks="0-30").spread(2, 30)
    assert view_control(blocks="0-29").spread(2, 30).blocks == tuple(range(30))


def test_a_control_cannot_be_changed_behind_the_cache():
    with pytest.raises(dataclasses.FrozenInstanceError):
        view_control().strengths = (0.0,)
