"""Layouts: who stands where, untouched or scaled without distortion, and what is written into the pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import PALETTE, Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.video.clip import BITS_8, BITS_16, FLOAT, ImageClip, MadeClip, in_order, resized
from syncam_core.video.codecs import Encoding
from syncam_core.video.labels import label_plates
from syncam_core.video.layout import CORNERS, KINDS, STRIPS, Layout, fitted, plan_grid, plan_layout
from syncam_core.video.layout_film import angle_captions, compose_frame, laid_out
from syncam_core.video.view_files import ViewFiles

FPS = Fraction(15)
BARE = Layout(names=False)
DEPTHS = [BITS_8, BITS_16, FLOAT]


def names_of(count):
    return [f"view {number}" for number in range(1, count + 1)]


def film(clips, layout=None, fps=FPS, angles=None):
    names = names_of(len(clips))
    return laid_out(clips, layout, names, PALETTE[: len(clips)], fps, angles)


def noise(frames=3, height=48, width=64, seed=0, dtype=BITS_8):
    images = torch.rand((frames, height, width, 3), generator=torch.Generator().manual_seed(seed))
    return ImageClip((images * 255).round() / 255, dtype)


def flat(level, height, width, dtype=BITS_8, frames=2):
    return MadeClip(frames, height, width, dtype, lambda _: np.full((height, width, 3), level, dtype))


def box(picture, level):
    """Top, bottom, left and right of the pixels of one level, which must fill a rectangle."""
    rows, columns = np.nonzero((picture == level).all(-1))
    assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


# ---- the automatic grid


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("columns", [0, 2])
def test_without_a_layout_the_picture_is_the_grid_of_the_first_releases_bit_for_bit(dtype, names, columns):
    clips = [noise(3, 90 + view, 121, view, dtype) for view in range(5)]
    sizes = [(clip.height, clip.width) for clip in clips]
    plates = label_plates(names_of(5), PALETTE[:5], sizes) if names else ()
    plan = plan_grid(sizes, columns)
    expected = [compose_frame([clip[frame] for clip in clips], plan, plates) for frame in range(3)]
    layout = Layout(names=names, columns=columns)
    made = film(clips, layout)
    assert (len(made), made.height, made.width, made.dtype) == (3, *expected[0].shape[:2], dtype)
    for frame, picture in zip(in_order(made), expected, strict=True):
        np.testing.assert_array_equal(frame, picture)
    if names and not columns:
        np.testing.assert_array_equal(film(clips)[1], expected[1])


def test_frames_are_made_one_by_one_in_any_order_and_only_when_asked_for():
    asked = []

    def make(view):
        def frame(index):
            asked.append((view, index))
            return np.full((32, 32, 3), 10 * view + index, np.uint8)

        return MadeClip(9, 32, 32, BITS_8, frame)

    grid = film([make(0), make(1)], BARE)
    assert asked == []
    assert grid[7][0, 0, 0] == 7
    assert grid[2][0, 40, 0] == 12
    assert asked == [(0, 7), (1, 7), (0, 2), (1, 2)]


# ---- rows x columns


def test_rows_and_columns_make_that_many_places_with_gaps_of_the_background():
    clips = [flat(level, 20, 30) for level in (50, 100, 150)]
    picture = film(clips, replace(BARE, rows=2, columns=3, gap=4, background="#0a0b0c"))[0]
    assert picture.shape == (44, 98, 3)
    assert [box(picture, level) for level in (50, 100, 150)] == [(0, 20, 0, 30), (0, 20, 34, 64), (0, 20, 68, 98)]
    assert (picture[20:] == (10, 11, 12)).all()
    assert (picture[:, 30:34] == (10, 11, 12)).all()


@pytest.mark.parametrize(
    ("rows", "columns", "shape"), [(1, 0, (20, 150)), (3, 0, (60, 60)), (0, 1, (100, 30)), (9, 0, (100, 30))]
)
def test_one_of_rows_and_columns_is_enough(rows, columns, shape):
    assert film([flat(9, 20, 30)] * 5, replace(BARE, rows=rows, columns=columns))[0].shape[:2] == shape


def test_too_few_places_are_refused_with_both_numbers():
    with pytest.raises(UserError, match=r"2 x 2 places, but there are 5 views"):
        film([flat(0, 8, 8)] * 5, replace(BARE, rows=2, columns=2))


def test_views_of_other_sizes_keep_their_own_pixels_in_a_grid():
    clips = [noise(1, 40, 80, 1), noise(1, 20, 40, 2)]
    picture = film(clips, replace(BARE, rows=1, background="#ff0000"))[0]
    np.testing.assert_array_equal(picture[:, :80], clips[0][0])
    np.testing.assert_array_equal(picture[10:30, 100:140], clips[1][0])
    picture[10:30, 100:140] = (255, 0, 0)
    assert (picture[:, 80:] == (255, 0, 0)).all()


# ---- side by side, stacked


def test_side_by_side_makes_all_as_tall_as_the_tallest_and_stacked_as_wide_as_the_widest():
    clips = [flat(50, 40, 60), flat(100, 20, 10), flat(150, 40, 20)]
    row = film(clips, replace(BARE, kind="side by side", gap=2))[0]
    assert row.shape == (40, 60 + 2 + 20 + 2 + 20, 3)
    assert [box(row, level) for level in (50, 100, 150)] == [(0, 40, 0, 60), (0, 40, 62, 82), (0, 40, 84, 104)]
    stack = film(clips, replace(BARE, kind="stacked"))[0]
    assert stack.shape == (40 + 120 + 120, 60, 3)
    assert [box(stack, level) for level in (50, 100, 150)] == [(0, 40, 0, 60), (40, 160, 0, 60), (160, 280, 0, 60)]


def test_views_of_one_size_stand_side_by_side_untouched():
    clips = [noise(2, 33, 47, seed) for seed in range(3)]
    picture = film(clips, replace(BARE, kind="side by side"))[1]
    for place, clip in enumerate(clips):
        np.testing.assert_array_equal(picture[:33, 48 * place : 48 * place + 47], clip[1])


# ---- hero + strip


def test_a_hero_keeps_its_pixels_and_three_others_fill_the_height_beside_it():
    clips = [flat(50, 60, 90), noise(2, 60, 90), flat(100, 60, 90), flat(150, 60, 90)]
    picture = film(clips, replace(BARE, kind="hero + strip", main="2"))[1]
    assert picture.shape == (60, 120, 3)
    np.testing.assert_array_equal(picture[:, :90], clips[1][1])
    # 60 / 3 = 20 tall, so 30 wide
    assert [box(picture[:, 90:], level) for level in (50, 100, 150)] == [
        (0, 20, 0, 30),
        (20, 40, 0, 30),
        (40, 60, 0, 30),
    ]


def test_a_strip_at_the_bottom_is_the_same_turned():
    clips = [flat(50, 60, 90), flat(100, 60, 90), flat(150, 60, 90), flat(200, 60, 90)]
    picture = film(clips, replace(BARE, kind="hero + strip", main="4", strip="bottom"))[0]
    assert picture.shape == (80, 90, 3)
    assert box(picture, 200) == (0, 60, 0, 90)
    assert [box(picture[60:], level) for level in (50, 100, 150)] == [(0, 20, 0, 30), (0, 20, 30, 60), (0, 20, 60, 90)]


def test_one_or_two_others_are_no_larger_than_half_the_hero():
    for others in (1, 2):
        clips = [flat(50, 60, 90), *[flat(100 + 50 * number, 60, 90) for number in range(others)]]
        picture = film(clips, replace(BARE, kind="hero + strip"))[0]
        assert picture.shape == (60, 90 + 46, 3)  # 30 tall, 45 wide and one more to be even
        top, bottom, _, _ = box(picture, 100)
        assert bottom - top == 30
        assert others == 2 or abs((60 - bottom) - top) <= 2


def test_more_than_six_others_stand_in_two_lines_counted_as_one_reads():
    clips = [flat(10 * view, 120, 160) for view in range(1, 9)]
    right = film(clips, replace(BARE, kind="hero + strip"))[0]
    bottom = film(clips, replace(BARE, kind="hero + strip", strip="bottom"))[0]
    places = [box(right, 10 * view)[::2] for view in range(2, 9)]
    # seven in two columns: four rows of 30 pixels, 40 wide
    assert places == [(30 * (n // 2), 160 + 40 * (n % 2)) for n in range(7)]
    assert [box(bottom, 10 * view)[::2] for view in range(2, 9)] == [
        (120 + 30 * (n // 4), 40 * (n % 4)) for n in range(7)
    ]


def test_a_hero_alone_is_just_its_picture():
    clip = noise(2, 31, 41)
    picture = film([clip], replace(BARE, kind="hero + strip", main="1"))[1]
    np.testing.assert_array_equal(picture[:31, :41], clip[1])
    assert picture.shape == (32, 42, 3)


# ---- picture in picture


@pytest.mark.parametrize("corner", CORNERS)
def test_the_inset_stands_in_its_corner_over_the_untouched_main_view(corner):
    main, inset = noise(1, 80, 160), flat(7, 80, 160)
    layout = replace(BARE, kind="picture in picture", main="2", inset="1", corner=corner, share=0.25, gap=6)
    picture = film([inset, main], layout)[0]
    assert picture.shape == (80, 160, 3)
    top, left = (6 if "top" in corner else 80 - 6 - 20), (6 if "left" in corner else 160 - 6 - 40)
    assert (picture[top : top + 20, left : left + 40] == 7).all()
    expected = main[0]
    expected[top : top + 20, left : left + 40] = 7
    np.testing.assert_array_equal(picture, expected)


def test_an_inset_of_other_proportions_is_not_distorted():
    upright = flat(7, 160, 80)
    picture = film([flat(50, 80, 160), upright], replace(BARE, kind="picture in picture", share=0.5))[0]
    top, bottom, left, right = box(picture, 7)
    assert (bottom - top, right - left) == (40, 20)
    assert (80 - bottom, 160 - right) == (2, 2), "a fortieth of the height away from the edge"


def test_the_same_view_cannot_be_in_itself():
    with pytest.raises(UserError, match="'main' and 'inset' are both view 2"):
        film([noise(), noise()], replace(BARE, kind="picture in picture", main="2"))


# ---- sizes and scaling


# A busy machine is no reason to fail.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(KINDS),
    sizes=st.lists(st.tuples(st.integers(40, 90), st.integers(40, 90)), min_size=2, max_size=9),
    gap=st.integers(0, 5),
    strip=st.sampled_from(STRIPS),
    corner=st.sampled_from(CORNERS),
)
def test_every_tile_of_every_layout_is_even_inside_the_picture_apart_from_the_others_and_in_proportion(
    kind, sizes, gap, strip, corner
):
    layout = Layout(kind=kind, gap=gap, strip=strip, corner=corner, share=0.5)
    plan = plan_layout(sizes, layout, names_of(len(sizes)))
    assert plan.height % 2 == plan.width % 2 == 0
    assert sorted(plan.views) == (list(range(len(sizes))) if kind != "picture in picture" else [0, 1])
    for view, tile, (height, width) in zip(plan.views, plan.tiles, plan.sizes, strict=True):
        assert all(number % 2 == 0 for number in (tile.top, tile.left, tile.height, tile.width))
        assert 0 <= tile.height - height <= 1
        assert 0 <= tile.width - width <= 1
        assert tile.top >= 0 <= tile.left
        assert tile.top + tile.height <= plan.height
        assert tile.left + tile.width <= plan.width
        own = sizes[view]
        # a side is off by half a pixel at most from the other side's scale
        assert (
            abs(height * own[1] / own[0] - width) <= 0.5 * max(1, own[1] / own[0]) + 1e-9
            or abs(width * own[0] / own[1] - height) <= 0.5
        )
        if kind == "grid":
            assert (height, width) == own
    if kind != "picture in picture":
        covered = np.zeros((plan.height, plan.width), int)
        for tile in plan.tiles:
            covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
        assert covered.max() == 1


@pytest.mark.parametrize(
    ("size", "place", "expected"),
    [
        ((480, 832), (480, 832), (480, 832)),
        ((480, 832), (240, 832), (240, 416)),
        ((480, 832), (480, 416), (240, 416)),
        ((100, 300), (50, 50), (17, 50)),
        ((2, 1000), (10, 10), (1, 10)),
    ],
)
def test_a_view_is_as_large_as_its_place_allows(size, place, expected):
    assert fitted(size, place) == expected


@pytest.mark.parametrize("dtype", DEPTHS)
def test_scaling_keeps_the_depth_the_mean_and_the_range(dtype):
    white = {"u1": 255, "u2": 65535, "f4": 1.0}[np.dtype(dtype).str[1:]]
    y, x = np.mgrid[:60, :90]
    waves = 0.5 + 0.25 * np.sin(x / 8) + 0.25 * np.cos(y / 9)
    picture = (waves[..., None].repeat(3, 2) * white).astype(dtype)
    small = resized(picture, 20, 30)
    assert small.shape == (20, 30, 3)
    assert small.dtype == dtype
    means = picture.astype(float).reshape(20, 3, 30, 3, 3).mean((1, 3))
    assert np.abs(small - means).max() < 0.02 * white
    edges = np.zeros((8, 8, 3), dtype)
    edges[:, 4:] = white
    large = resized(edges, 64, 64)
    assert large.min() == 0
    assert large.max() == white


@pytest.mark.parametrize("dtype", [BITS_16, FLOAT])
@pytest.mark.parametrize("kind", KINDS)
def test_all_depths_make_the_same_film(kind, dtype):
    layout = Layout(kind=kind, gap=2, background="#336699", timecode=True, share=0.5)
    eight, deep = ([noise(1, 100, 150, seed, depth) for seed in range(3)] for depth in (BITS_8, dtype))
    expected, found = film(eight, layout)[0], film(deep, layout)[0]
    assert found.dtype == dtype
    white = {"u2": 65535, "f4": 1.0}[np.dtype(dtype).str[1:]]
    assert np.abs(found.astype(float) / white * 255 - expected).max() <= 1.01


# ---- labels


def written(picture, corner, level=0):
    """Whether something is written into this quarter of a picture of one level."""
    height, width = picture.shape[:2]
    rows = slice(0, height // 2) if "top" in corner else slice(height // 2, None)
    columns = slice(0, width // 2) if "left" in corner else slice(width // 2, None)
    return bool((picture[rows, columns] != level).any())


@pytest.mark.parametrize(
    ("wanted", "corners"),
    [
        ({}, ["top left"]),
        ({"names": False}, []),
        ({"names": False, "angles": True}, ["bottom left"]),
        ({"names": False, "timecode": True}, ["bottom right"]),
        ({"angles": True, "timecode": True}, ["top left", "bottom left", "bottom right"]),
    ],
)
def test_each_label_has_its_corner_and_is_there_only_when_wanted(wanted, corners):
    picture = film([flat(0, 240, 400)], Layout(**wanted), angles=["az 30° el 0° 3.0 m"])[0]
    assert [
        corner for corner in ("top left", "bottom left", "bottom right", "top right") if written(picture, corner)
    ] == corners


def test_all_labels_have_the_colour_of_their_camera():
    clips = [flat(0, 720, 1200)] * 2
    picture = film(clips, Layout(kind="side by side", angles=True, timecode=True), angles=["az 1°", "az 2°"])[0]
    for view, color in enumerate(PALETTE[:2]):
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        for quarter in (
            (slice(0, 360), slice(0, 600)),
            (slice(360, 720), slice(0, 600)),
            (slice(360, 720), slice(600, 1200)),
        ):
            own, other = (picture[quarter[0]][:, 1200 * at :][:, quarter[1]] for at in (view, 1 - view))
            assert (own == rgb).all(-1).sum() > 5
            assert not (other == rgb).all(-1).any()


def test_the_timecode_runs_and_nothing_else_changes():
    clip = flat(0, 240, 400, frames=40)
    running = film([clip], Layout(timecode=True))
    assert (running[0] != running[1]).any()
    np.testing.assert_array_equal(running[5], film([clip], Layout(timecode=True))[5])
    rows, columns = np.nonzero((running[0] != running[39]).any(-1))
    assert rows.min() > 120
    assert columns.min() > 200
    still = film([clip], Layout())
    np.testing.assert_array_equal(still[0], still[39])


def test_frame_15_at_15_and_frame_25_at_25_are_the_same_second():
    clip = flat(0, 240, 400, frames=40)
    at = {fps: film([clip], Layout(names=False, timecode=True), Fraction(fps)) for fps in (15, 25)}
    np.testing.assert_array_equal(at[15][15], at[25][25])
    assert (at[15][25] != at[25][25]).any()


@pytest.mark.parametrize("corner", ["top left", "bottom left", "bottom right"])
def test_an_inset_hides_no_label_of_the_main_view(corner):
    clips = [flat(0, 1080, 1920), flat(0, 1080, 1920)]
    layout = Layout(kind="picture in picture", corner=corner, angles=True, timecode=True, share=0.4)
    color = [int(PALETTE[0][i : i + 2], 16) for i in (1, 3, 5)]
    own = (film(clips, layout, angles=["az 0°", "az 9°"])[0] == color).all(-1)
    quarters = [own[:540, :960], own[540:, :960], own[540:, 960:], own[:540, 960:]]
    at = {"top left": 0, "bottom left": 1, "bottom right": 2}[corner]
    assert [quarter.any() for quarter in quarters] == [place != at for place in range(4)]


def test_numbers_that_do_not_fit_are_left_out_and_names_are_shortened():
    name, angles = "a camera with a long name", ["az -140 to 140° el 10 to 20° 3.0 m"]
    for width, numbers in ((1200, True), (110, False)):
        clip = flat(0, 240, width)
        layout = Layout(angles=True, timecode=True)
        picture = laid_out([clip], layout, [name], ["#3399ff"], FPS, angles)[0]
        assert written(picture, "top left")
        assert written(picture, "bottom left") == numbers
        assert written(picture, "bottom right") == numbers


def test_angles_without_a_rig_are_refused_and_not_left_out():
    with pytest.raises(UserError, match="'layout' shows the cameras' angles, but there is no rig"):
        film([noise()], Layout(angles=True))


def test_captions_tell_where_a_camera_stands():
    rig = orbit_rig([0, 30, -90.4], [0, 10, -0.3], [3, 3, 4.25])
    assert angle_captions(rig) == ["az 0° el 0° 3.0 m", "az 30° el 10° 3.0 m", "az -90° el 0° 4.2 m"]


def test_captions_of_moving_cameras_tell_both_ends_and_cameras_without_a_common_point_no_distance():
    start, end = orbit_rig([0, 30], [0, 10]), orbit_rig([40, 30], [5, 10])
    moving = Rig(start.names, torch.cat([start.c2w, end.c2w], 1))
    assert angle_captions(moving) == ["az 0 to 40° el 0 to 5° 3.0 m", "az 30° el 10° 3.0 m"]
    parallel = orbit_rig([0, 0], [0])
    c2w = parallel.c2w.clone()
    c2w[1, 0, 0, 3] += 1
    assert angle_captions(Rig(parallel.names, c2w)) == ["az 0° el 0°", "az 0° el 0°"]


# ---- what no layout can be


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "mosaic"}, r"'kind' is 'mosaic'; use 'grid', 'hero"),
        ({"background": "red"}, "'background' is 'red'; write a colour as '#rrggbb'"),
        ({"background": "#12345"}, "'#12345'"),
        ({"background": "#1234567"}, "'#1234567'"),
        ({"gap": -1}, "'gap' is -1; use a whole number from 0 to 512"),
        ({"gap": 513}, "'gap' is 513"),
        ({"rows": 65}, "'rows' is 65; use a whole number from 0 to 64"),
        ({"columns": -1}, "'columns' is -1"),
        ({"columns": 2.5}, "'columns' is 2.5"),
        ({"share": 0.0}, "'share' is 0.0; use 0.05 to 0.9"),
        ({"share": float("nan")}, "'share' is nan"),
        ({"strip": "left"}, "'strip' is 'left'; use 'right', 'bottom'"),
        ({"corner": "middle"}, "'corner' is 'middle'"),
    ],
)
def test_values_that_no_layout_has_are_refused_in_a_sentence(values, sentence):
    with pytest.raises(UserError, match=sentence):
        Layout(**values)


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ({"kind": "hero + strip", "main": "9"}, "'main' asks for '9', but the cameras are"),
        ({"kind": "picture in picture", "inset": "nobody"}, "'inset' asks for 'nobody'"),
        ({"kind": "hero + strip", "gap": 512}, "less than 8 pixels"),
        ({"kind": "picture in picture", "share": 0.05}, "less than 8 pixels"),
        ({"kind": "picture in picture", "gap": 100}, "its 'gap' is 100"),
        ({"rows": 64, "columns": 64, "gap": 512}, "at most 16384"),
    ],
)
def test_layouts_that_do_not_suit_the_views_are_refused_before_a_frame_is_made(layout, sentence):
    def make(index):
        raise AssertionError("a frame was asked for")

    clips = [MadeClip(3, 60, 80, BITS_8, make)] * 4
    with pytest.raises(UserError, match=sentence):
        film(clips, Layout(**layout))


def test_a_picture_of_all_views_that_the_format_cannot_hold_is_refused_before_any_work():
    def unwanted(index: int) -> np.ndarray:
        raise AssertionError(f"frame {index} was made")

    clips = [MadeClip(5, 3072, 64, BITS_8, unwanted) for _ in range(3)]
    run = ViewFiles("abc", PALETTE[:3], FPS, Encoding("av1"), layout=Layout(columns=1))  # the encoder ends at 8704 rows
    with pytest.raises(UserError, match="cannot write 64 x 9216 pixels in AV1"):
        run.check(clips)
    replace(run, has_grid=False).check(clips)
