"""The drawing of a rig: its size, what it shows where, and that many cameras stay readable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import MAX_VIEWS, Lens, Rig, orbit_c2w, orbit_rig
from syncam_core.cameras.meter import measure
from syncam_core.errors import UserError
from syncam_core.preview import draw_rig
from syncam_core.preview.canvas import ink_on, rgb, spread_out, standing_out
from syncam_core.preview.look import PANEL, TRAINED
from syncam_core.preview.projector import Projector
from syncam_core.preview.stage import Stage, nice_step, orbit_point

FOUR = orbit_rig([0, 25, -20, 60], [5, 10, -2, 25], [3, 4, 3.5, 5])


def moved(rig: Rig, by: tuple[float, float, float]) -> Rig:
    c2w = rig.c2w.clone()
    c2w[..., :3, 3] += torch.tensor(by, dtype=torch.float64)
    return Rig(rig.names, c2w, rig.colors, rig.lenses)


def near(picture: np.ndarray, color: tuple[int, int, int], within: int = 12) -> int:
    """How many pixels have this colour."""
    return int((np.abs(picture.astype(int) - color).max(-1) <= within).sum())


@pytest.mark.parametrize("size", [(1280, 720), (600, 1000), (333, 217), (64, 64), (64, 300), (900, 64), (1500, 1100)])
def test_the_drawing_has_the_asked_for_size_and_shows_every_camera_in_its_colour(size):
    width, height = size
    picture = draw_rig(FOUR, width, height)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    for color in FOUR.colors:
        assert near(picture, standing_out(color, PANEL)) >= 8, color


def test_sizes_and_scales_that_cannot_be_drawn_are_refused_with_a_sentence():
    with pytest.raises(UserError, match="'width' is 63, but 64 to 8192 pixels are possible"):
        draw_rig(FOUR, 63, 100)
    with pytest.raises(UserError, match="'height' is 9000"):
        draw_rig(FOUR, 100, 9000)
    with pytest.raises(UserError, match=r"figure's scale is 0, but 0\.01 to 1000 are possible"):
        draw_rig(FOUR, figure_scale=0)
    with pytest.raises(UserError, match="figure's scale is nan"):
        draw_rig(FOUR, figure_scale=float("nan"))


def test_the_same_rig_gives_the_same_drawing_wherever_its_world_has_the_origin():
    here = draw_rig(FOUR)
    assert np.array_equal(draw_rig(FOUR), here)
    away = draw_rig(moved(FOUR, (130.0, -5.5, 11.0)))
    assert (np.abs(away.astype(int) - here).max(-1) > 8).mean() < 0.001


def test_seen_from_above_azimuth_0_is_below_the_target_and_90_on_its_right():
    view = Projector.from_above()
    target = view.pixels(np.zeros(3))
    for azimuth, direction in ((0, (0, 1)), (90, (1, 0)), (180, (0, -1)), (-90, (-1, 0))):
        way = view.pixels(orbit_point(azimuth, 0, 2.0)) - target
        np.testing.assert_allclose(way, np.array(direction) * 2.0, atol=1e-9)
    low, high = view.pixels(orbit_point(30, 0, 3.0)), view.pixels(orbit_point(30, 60, 6.0))
    np.testing.assert_allclose(low, high, atol=1e-9)  # 60 degrees up and twice as far is above the same spot


def test_the_raised_view_shows_higher_cameras_higher_and_puts_all_points_into_the_box():
    points = orbit_point(np.arange(0, 360, 20), 10, 4.0)
    view = Projector.raised(-30, 27, 5.0).fitted(points, 10, 20, 310, 220)
    pixels = view.pixels(points)
    assert pixels.min(0) == pytest.approx([10, pixels[:, 1].min()])
    assert pixels[:, 0].max() == pytest.approx(310)
    assert pixels[:, 1].min() >= 20
    assert pixels[:, 1].max() <= 220
    for azimuth in range(0, 360, 45):
        floor, up = view.pixels(orbit_point(azimuth, 0, 3.0)), view.pixels(orbit_point(azimuth, 0, 3.0) - [0, 1, 0])
        assert up[1] < floor[1]
    # in perspective a line stays a line, and what is nearer is larger
    line = view.pixels(np.linspace([-2, 0, -3], [1, -1, 2], 7))
    assert np.abs(np.linalg.det([line[3] - line[0], line[6] - line[0]])) < 1e-6
    metre = np.array([[0, 0, 0], [0, 1, 0]])
    size = [np.ptp(view.pixels(orbit_point(azimuth, 0, 3.0) + metre)[:, 1]) for azimuth in (-30, 150)]
    assert size[0] > size[1]


def test_frusta_show_each_cameras_own_lens():
    rig = Rig("ab", FOUR.c2w[:2], lenses=(Lens(24, 24), Lens(50, 36)))
    stage = Stage.of(rig, measure(rig))
    for view, tangent in enumerate((0.5, 0.36)):
        corners = stage.picture_corners(view, 2.0) - stage.centres[view]
        in_camera = corners @ rig.c2w[view, 0, :3, :3].numpy()
        np.testing.assert_allclose(np.abs(in_camera[:, 0] / in_camera[:, 2]), tangent)
        np.testing.assert_allclose(np.abs(in_camera[:, 1] / in_camera[:, 2]), tangent * 480 / 832)
        assert in_camera[0, 0] < 0  # the first is the top left
        assert in_camera[0, 1] < 0


def test_the_training_range_is_shaded_only_where_cameras_look_at_one_point():
    shade = tuple(round(p + (t - p) * 0.15) for p, t in zip(PANEL, TRAINED, strict=True))
    assert near(draw_rig(FOUR), shade, 3) > 5000
    parallel = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1, 1)
    parallel[1, 0, 0, 3] = 1.0
    assert near(draw_rig(Rig("ab", parallel)), shade, 3) < 500


def test_a_moving_camera_leaves_its_path_and_the_place_where_it_ends():
    still = orbit_rig([-40, 0])
    path = torch.stack([orbit_c2w(-40 + frame, 0.0, 3.0) for frame in range(81)])
    moving = Rig(still.names, torch.stack([path, still.c2w[1].expand(81, 4, 4)]))
    stage = Stage.of(moving, measure(moving))
    np.testing.assert_allclose(stage.path(0)[-1], orbit_point(40, 0, 3.0), atol=1e-9)
    assert len(stage.path(1)) == 1
    color = rgb(moving.colors[0])
    assert near(draw_rig(moving), color) > near(draw_rig(still), color) + 300


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 450), st.floats(-50, 350)), min_size=1, max_size=40), st.booleans())
def test_numbers_never_cover_each_other_nor_leave_the_picture(anchors, together):
    anchors = np.array(anchors)
    if together:
        anchors[:] = anchors[0]  # such as cameras above each other, seen from above
    places = spread_out(anchors, 9, 400, 300)
    assert (places >= 9).all()
    assert (places <= np.array([391, 291])).all()
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(len(places)) * 100
    assert apart.min() > 2 * 9 * 0.85  # touching rims at most


def test_a_number_stays_on_its_camera_where_there_is_room():
    anchors = np.array([[100.0, 100.0], [200.0, 80.0], [300.0, 250.0]])
    np.testing.assert_allclose(spread_out(anchors, 10, 400, 300), anchors, atol=0.5)


@pytest.mark.parametrize("count", [1, 40, MAX_VIEWS])
def test_any_number_of_cameras_any_names_and_degenerate_rigs_are_drawn(count):
    names = [f"{'カメラ' * (i % 3)}\u202e name {'x' * (i % 40)} {i}" for i in range(count)]
    draw_rig(Rig(names, orbit_rig([7 * i for i in range(count)]).c2w))
    draw_rig(Rig(names, torch.eye(4, dtype=torch.float64).expand(count, 1, 4, 4)), 640, 360)  # all in one place
    draw_rig(orbit_rig([7 * i for i in range(count)], [90], [1e5]), 640, 360)  # all straight above
    draw_rig(orbit_rig([7 * i for i in range(count)], [0], [1e-3]), 640, 360)  # inside of the figure


def test_steps_are_round_numbers_and_ink_is_readable():
    assert [nice_step(length, 5) for length in (5, 4.9, 0.03, 12, 100, 51)] == [1, 1, 0.01, 5, 20, 20]
    assert ink_on((255, 255, 255)) == (12, 14, 17)
    assert ink_on((0, 0, 160)) == (255, 255, 255)
    assert standing_out("#3399ff", (0, 0, 0)) == (0x33, 0x99, 0xFF)  # readable as it is
    assert min(standing_out("#000033", PANEL)) > 60
