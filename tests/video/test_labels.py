"""Labels: readable on anything, small, in the camera's colour, and safe for any name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import PALETTE
from syncam_core.video.labels import label_plate
from syncam_core.video.layout import plan_grid
from syncam_core.video.layout_film import compose_frame


def labelled(text="cam01", color="#3399ff", background=255, height=480, width=832, dtype=np.uint8):
    frame = np.full((height, width, 3), background, dtype)
    return compose_frame([frame], plan_grid([(height, width)]), [label_plate(text, color, height, width)])


def luminance(rgb):
    c = np.asarray(rgb) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def changed(picture, background):
    return (picture != background).any(-1)


def test_bright_camera_colours_appear_exactly():
    for color in ("#3399ff", "#ff8800", "#22eeee", "#aadd99"):
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (labelled(color=color) == rgb).all(-1).sum() > 20, color


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("color", [*PALETTE, "#000000", "#0000ff", "#ffffff"])
def test_the_name_stands_out_on_any_background(color, background):
    picture = labelled("HHHHHHHH", color, background)
    inside = changed(picture, background)
    luminances = luminance(picture[inside])
    plate, text = np.quantile(luminances, 0.4), luminances.max()
    assert (text + 0.05) / (plate + 0.05) >= 4.5


def test_dark_colours_keep_their_hue_when_they_are_lightened():
    picture = labelled("HHHHHHHH", "#0000ff", 0)
    red, green, blue = picture.reshape(-1, 3)[picture.reshape(-1, 3).sum(1).argmax()].astype(int)
    assert red == green < blue == 255


@pytest.mark.parametrize(("height", "width"), [(480, 832), (832, 480), (240, 416), (128, 128), (96, 400), (1080, 1920)])
@pytest.mark.parametrize("text", ["cam01", "a very long name of a camera that goes on and on", "W" * 200])
def test_a_label_hides_only_a_small_share_of_its_view(height, width, text):
    hidden = changed(labelled(text, height=height, width=width), 255)
    assert hidden.any()
    assert hidden.mean() < 0.1
    rows, columns = np.nonzero(hidden)
    assert rows.max() < height / 4
    assert columns.max() < width * 0.6


def test_the_text_grows_with_the_height_of_the_view():
    heights = [label_plate("cam01", "#ffffff", height, 4 * height).keep.shape[0] for height in (240, 480, 960)]
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.15)
    assert heights[2] / heights[1] == pytest.approx(2, rel=0.15)


def test_a_view_too_small_for_readable_text_has_no_label():
    assert label_plate("cam01", "#ffffff", 48, 64) is None


def test_long_names_end_in_an_ellipsis_and_start_like_the_name():
    long = labelled("front camera " * 12)
    short = labelled("front camera")
    assert changed(long, 255).sum() > changed(short, 255).sum()
    same = slice(8, 100)
    np.testing.assert_array_equal(long[12:40, same], short[12:40, same])


def test_different_names_look_different():
    assert (labelled("cam01") != labelled("cam02")).any()


def test_float_and_8_bit_pictures_get_the_same_label():
    as_float = labelled(background=0.5, dtype=np.float32)
    as_bytes = labelled(background=128)
    assert as_float.max() <= 1
    assert np.abs(as_float * 255 - as_bytes).max() <= 1


@settings(deadline=None, max_examples=150)
@given(text=st.text(max_size=80))
def test_any_name_can_be_rendered(text):
    plate = label_plate(text, "#3399ff", 480, 832)
    if plate is not None:
        assert plate.keep.shape[0] * plate.keep.shape[1] < 0.1 * 480 * 832
        assert np.isfinite(plate.ink).all()
        assert (plate.keep >= 0).all()
        assert (plate.ink + plate.keep <= 1 + 1e-6).all()


@pytest.mark.parametrize(
    "text", ["カメラ", "камера", "Élan", "👍🏽", "\u202eabc", "A\u0301\u0302", "e\u0000\n\tf", "مصور"]
)
def test_names_in_other_scripts_have_a_plate_of_their_own(text):
    assert label_plate(text, "#3399ff", 480, 832) is not None


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\ud800", "\x00"])
def test_a_name_without_anything_to_print_has_no_plate(text):
    assert label_plate(text, "#3399ff", 480, 832) is None
