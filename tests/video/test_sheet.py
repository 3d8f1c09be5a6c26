"""Contact sheets: which frames they show, where, how large, and what the PNG carries."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from syncam_core.video.clip import ImageClip
from syncam_core.video.sheet import sheet_moments, sheet_of_clips, write_sheet

GAP, TOP = 4, 24
COLORS = ["#3399ff", "#ff8800", "#22eeee"]
NAMES = ["cam01", "cam02", "cam03"]


def clip(frames=17, height=140, width=200, view=0):
    """Every frame of every view is one gray that no other has."""
    levels = torch.arange(frames).float() + 100 * view + 1
    return (levels / 255)[:, None, None, None].expand(frames, height, width, 3)


def noise(frames, height, width, seed=0):
    """8-bit levels, so that rounding has nothing to decide."""
    return torch.randint(256, (frames, height, width, 3), generator=torch.Generator().manual_seed(seed)) / 255


def sheet_of(*views, fps=8.0, moments=6):
    return sheet_of_clips([ImageClip(view) for view in views], NAMES[: len(views)], COLORS[: len(views)], fps, moments)


def tile(sheet, row, column, height=140, width=200):
    top, left = TOP + row * (height + GAP), GAP + column * (width + GAP)
    return sheet[top : top + height, left : left + width]


def test_rows_are_views_and_columns_moments_from_the_first_frame_to_the_last():
    sheet = sheet_of(clip(view=0), clip(view=1))
    assert sheet.shape == (TOP + 2 * (140 + GAP), 6 * (200 + GAP) + GAP, 3)
    assert sheet.dtype == np.uint8
    # 16 frames in five steps of 3.2: 0, 3.2, 6.4, 9.6, 12.8, 16
    for row in range(2):
        shown = [tile(sheet, row, column)[-1, -1].tolist() for column in range(6)]
        assert shown == [[100 * row + frame + 1] * 3 for frame in (0, 3, 6, 10, 13, 16)]


def test_tiles_are_the_frames_themselves_apart_from_the_name_in_the_first_column():
    view = noise(6, 140, 200)
    sheet = sheet_of(view)
    expected = (view * 255).round().numpy()
    for column in range(1, 6):
        np.testing.assert_array_equal(tile(sheet, 0, column), expected[column])
    changed = (tile(sheet, 0, 0) != expected[0]).any(-1)
    assert 0 < changed.mean() < 0.1
    rows, columns = np.nonzero(changed)
    assert rows.max() < 140 / 4
    assert columns.max() < 200 / 2


def test_every_view_has_its_own_name_in_its_own_colour():
    black = torch.zeros(1, 320, 320, 3)
    sheet = sheet_of(black, black)
    for row, color in enumerate(COLORS[:2]):
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        counts = [(tile(sheet, place, 0, 320, 320) == rgb).all(-1).sum() for place in range(2)]
        assert counts[row] > 10
        assert counts[1 - row] == 0


@pytest.mark.parametrize(("side", "factor"), [(64, 2), (63, 3), (127, 2), (1, 128), (128, 1), (320, 1)])
def test_small_views_are_enlarged_by_the_least_whole_factor_without_smoothing(side, factor):
    view = noise(2, side, max(1, side // 2), seed=side)
    sheet = sheet_of(view)
    pixels = np.kron((view[1] * 255).round().numpy(), np.ones((factor, factor, 1)))
    np.testing.assert_array_equal(tile(sheet, 0, 1, *pixels.shape[:2]), pixels)


def test_large_views_are_reduced_to_320_pixels_by_their_mean():
    view = noise(1, 240, 640)
    sheet = sheet_of(view)
    assert sheet.shape == (TOP + 120 + GAP, 320 + 2 * GAP, 3)
    mean = view[0].reshape(120, 2, 320, 2, 3).mean((1, 3)).numpy() * 255
    below_label = slice(40, None)
    assert np.abs(tile(sheet, 0, 0, 120, 320)[below_label] - mean[below_label]).max() <= 1.5


def test_the_time_stands_over_every_column():
    sheet = sheet_of(clip(frames=2, view=1), fps=Fraction(24000, 1001))
    strip = sheet[:TOP].max(-1) > 100
    first, second = strip[:, : 200 + GAP], strip[:, 200 + GAP :]
    assert first.any()
    assert second.any()
    assert (first[:, GAP : 200 + GAP] != second[:, :200]).any(), "0.00 s and 0.04 s"
    other = sheet_of(clip(frames=2, view=1), fps=1.0)
    np.testing.assert_array_equal(other[:TOP, : 200 + GAP], sheet[:TOP, : 200 + GAP])
    assert (other[:TOP] != sheet[:TOP]).any()


def test_views_of_different_sizes_stand_centred_under_the_same_times():
    sheet = sheet_of(clip(frames=1, height=150, width=200, view=1), clip(frames=1, height=200, width=150, view=2))
    assert sheet.shape == (TOP + 150 + GAP + 200 + GAP, 200 + 2 * GAP, 3)
    rows, columns = np.nonzero((sheet == 201).all(-1))
    assert (rows.max(), columns.min(), columns.max()) == (TOP + 150 + GAP + 199, GAP + 25, GAP + 25 + 149)


@given(frames=st.integers(1, 500), moments=st.integers(1, 12))
def test_moments_are_distinct_evenly_spread_and_reach_both_ends(frames, moments):
    some = sheet_moments(frames, moments)
    assert len(some) == min(frames, moments)
    assert some[0] == 0
    assert len(some) == 1 or some[-1] == frames - 1
    steps = np.diff(some)
    assert (steps > 0).all()
    assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_nan_alpha_and_half_precision_are_taken_as_in_the_videos():
    view = torch.full((1, 200, 200, 4), float("nan"), dtype=torch.float16)
    view[:, :, 100:] = 7.0
    sheet = sheet_of(view)
    assert not tile(sheet, 0, 0, 200, 200)[100:, :100].any()
    assert (tile(sheet, 0, 0, 200, 200)[:, 100:] == 255).all()


def test_the_png_holds_the_pixels_and_the_texts(tmp_path):
    sheet = sheet_of(clip(view=0), clip(view=1))
    write_sheet(tmp_path / "a.png", sheet, {"workflow": '{"a": "\\u00e4"}', "prompt": "{}"})
    write_sheet(tmp_path / "b.png", sheet)
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        np.testing.assert_array_equal(np.asarray(a), sheet)
        np.testing.assert_array_equal(np.asarray(b), sheet)
        assert a.text == {"workflow": '{"a": "\\u00e4"}', "prompt": "{}"}
        assert b.text == {}
