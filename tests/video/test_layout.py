"""Grids: where each view stands, and that its pixels arrive there untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncam_core.errors import UserError
from syncam_core.video.labels import label_plate
from syncam_core.video.layout import grid_shape, plan_grid
from syncam_core.video.layout_film import compose_frame

WIDE, UPRIGHT = 832 / 480, 480 / 832


@pytest.mark.parametrize(
    ("views", "shape"),
    [
        (1, (1, 1)),
        (2, (1, 2)),
        (3, (2, 2)),
        (4, (2, 2)),
        (5, (2, 3)),
        (6, (2, 3)),
        (8, (2, 4)),
        (9, (3, 3)),
        (12, (3, 4)),
    ],
)
def test_wide_views_are_arranged_as_on_a_wide_screen(views, shape):
    assert grid_shape(views, 0, WIDE) == shape
    assert grid_shape(views, 0, 16 / 9) == shape


def test_upright_views_stand_in_a_row_and_very_wide_ones_in_a_stack():
    assert [grid_shape(views, 0, UPRIGHT) for views in (2, 3, 4, 5)] == [(1, 2), (1, 3), (1, 4), (1, 5)]
    assert grid_shape(2, 0, 2.0) == (1, 2)
    assert grid_shape(2, 0, 2.39) == (2, 1)


def test_square_views_make_squarish_grids():
    assert [grid_shape(views, 0, 1.0) for views in (2, 3, 4, 9, 16)] == [(1, 2), (1, 3), (2, 2), (3, 3), (4, 4)]


@given(views=st.integers(1, 64), columns=st.integers(0, 64), aspect=st.floats(0.2, 5))
def test_every_grid_has_room_for_all_views_and_no_empty_row_or_column(views, columns, aspect):
    rows, found = grid_shape(views, columns, aspect)
    assert rows * found >= views
    assert (rows - 1) * found < views
    assert found <= views
    assert columns == 0 or found == min(columns, views)


@given(views=st.integers(1, 30), aspect=st.floats(0.2, 5))
def test_no_other_arrangement_shows_the_views_noticeably_larger(views, aspect):
    def shown_height(rows, columns):
        width_on_screen = 16 / 9 / columns
        return min(1 / rows, width_on_screen / aspect)

    best = max(shown_height(-(-views // columns), columns) for columns in range(1, views + 1))
    assert shown_height(*grid_shape(views, 0, aspect)) >= 0.75 * best - 1e-12


@pytest.mark.parametrize(("views", "columns"), [(0, 0), (3, -1), (3, 65)])
def test_impossible_grids_are_refused_with_the_number_given(views, columns):
    with pytest.raises(UserError, match=str(columns or views)):
        grid_shape(views, columns)


def pictures(sizes, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random
    scale = 256 if dtype is np.uint8 else 1
    return [(values((height, width, 3)) * scale).astype(dtype) for height, width in sizes]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_views_stand_row_by_row_and_the_rest_is_black(dtype):
    frames = pictures([(48, 64)] * 3, dtype)
    picture = compose_frame(frames, plan_grid([(48, 64)] * 3, columns=2))
    assert picture.shape == (96, 128, 3)
    assert picture.dtype == dtype
    np.testing.assert_array_equal(picture[:48, :64], frames[0])
    np.testing.assert_array_equal(picture[:48, 64:], frames[1])
    np.testing.assert_array_equal(picture[48:, :64], frames[2])
    assert not picture[48:, 64:].any()


def test_the_number_of_columns_can_be_chosen():
    frames = pictures([(16, 32)] * 5)
    picture = compose_frame(frames, plan_grid([(16, 32)] * 5, columns=4))
    assert picture.shape == (32, 128, 3)
    np.testing.assert_array_equal(picture[:16, 96:], frames[3])
    np.testing.assert_array_equal(picture[16:, :32], frames[4])


@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=9),
    columns=st.integers(0, 4),
)
def test_views_of_any_size_keep_every_pixel_inside_an_even_picture(sizes, columns):
    frames = pictures(sizes)
    layout = plan_grid(sizes, columns)
    picture = compose_frame(frames, layout)
    assert picture.shape == (layout.height, layout.width, 3)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    cell_height, cell_width = layout.height // layout.rows, layout.width // layout.columns
    for index, (frame, tile, (height, width)) in enumerate(zip(frames, layout.tiles, sizes, strict=True)):
        np.testing.assert_array_equal(picture[tile.top : tile.top + height, tile.left : tile.left + width], frame)
        assert tile.top % 2 == tile.left % 2 == 0
        row, column = divmod(index, layout.columns)
        above, before = tile.top - row * cell_height, tile.left - column * cell_width
        below, behind = cell_height - above - tile.height, cell_width - before - tile.width
        assert min(above, below, before, behind) >= 0
        assert 0 <= below - above <= 2
        assert 0 <= behind - before <= 2


def test_a_smaller_view_is_centred_and_never_stretched():
    frames = [np.full((40, 80, 3), 10, np.uint8), np.full((20, 40, 3), 250, np.uint8)]
    picture = compose_frame(frames, plan_grid([(40, 80), (20, 40)]))
    rows, columns = np.nonzero(picture[..., 0] == 250)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 100, 139)
    assert (picture[..., 0] == 250).sum() == 20 * 40


def test_a_frame_that_does_not_fit_its_tile_is_refused_by_number_and_size():
    layout = plan_grid([(16, 16), (16, 16)])
    with pytest.raises(UserError, match=r"view 2 .*\(8, 16, 3\).* 16 x 16"):
        compose_frame([np.zeros((16, 16, 3), np.uint8), np.zeros((8, 16, 3), np.uint8)], layout)
    with pytest.raises(UserError, match="2 tiles, but 1 frames"):
        compose_frame([np.zeros((16, 16, 3), np.uint8)], layout)


def test_each_view_carries_its_own_label_in_its_top_left_corner():
    sizes = [(160, 240)] * 2
    frames = [np.full((160, 240, 3), 255, np.uint8)] * 2
    plates = [None, label_plate("cam02", "#ff8800", 160, 240)]
    picture = compose_frame(frames, plan_grid(sizes), plates)
    assert (picture[:, :240] == 255).all()
    rows, columns = np.nonzero((picture[:, 240:] < 255).any(-1))
    assert rows.max() < 160 / 4
    assert columns.max() < 240 / 2
    assert (frames[0] == 255).all(), "the frames handed in stay as they are"
