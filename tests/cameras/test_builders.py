"""Orbit cameras: geometry against closed forms, and the lists that people type."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import orbit_c2w, orbit_rig, parse_numbers
from syncam_core.cameras.builders import (
    arc_rig,
    bullet_time_rig,
    camera_rig,
    close_wide_rig,
    dome_rig,
    grid_rig,
    line_rig,
    look_at_c2w,
    ring_rig,
    stereo_rig,
)
from syncam_core.cameras.spoken import parse_point
from syncam_core.errors import UserError

azimuths = st.floats(-720, 720)
elevations = st.floats(-90, 90)
distances = st.floats(0.01, 1000)
points = st.tuples(*[st.floats(-100, 100)] * 3)


@settings(deadline=None)
@given(azimuths, elevations, distances, st.floats(-360, 360), points)
def test_an_orbit_camera_stands_at_the_stated_place_and_looks_at_the_target(azimuth, elevation, distance, roll, target):
    c2w = orbit_c2w(azimuth, elevation, distance, roll, target).numpy()
    az, el = math.radians(azimuth), math.radians(elevation)
    centre = np.array(target) + distance * np.array(
        [math.sin(az) * math.cos(el), -math.sin(el), -math.cos(az) * math.cos(el)]
    )
    assert np.allclose(c2w[:3, 3], centre, atol=1e-9 * distance + 1e-12)
    # the target, seen from the camera, lies straight ahead at the given distance
    seen = np.linalg.inv(c2w) @ [*target, 1]
    assert np.allclose(seen[:3], [0, 0, distance], atol=1e-9 * (distance + 100))
    assert np.allclose(c2w[:3, :3].T @ c2w[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(c2w[:3, :3]) == pytest.approx(1)


@settings(deadline=None)
@given(azimuths, elevations, distances)
def test_without_roll_the_horizon_is_level_and_the_picture_is_upright(azimuth, elevation, distance):
    c2w = orbit_c2w(azimuth, elevation, distance)
    assert c2w[1, 0].item() == 0  # the right axis has no vertical part
    assert c2w[1, 1].item() >= 0  # the down axis points down, +y


@settings(deadline=None)
@given(azimuths, st.floats(-89, 89), distances)
def test_an_orbit_camera_agrees_with_a_look_at_made_of_cross_products(azimuth, elevation, distance):
    c2w = orbit_c2w(azimuth, elevation, distance).numpy()
    forward = -c2w[:3, 3] / np.linalg.norm(c2w[:3, 3])
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    expected = np.stack([right, np.cross(forward, right), forward], axis=1)
    assert np.allclose(c2w[:3, :3], expected, atol=1e-9)


@pytest.mark.parametrize("elevation", [90, -90])
@settings(deadline=None)
@given(azimuth=azimuths)
def test_straight_above_and_below_the_camera_is_the_limit_along_its_azimuth(elevation, azimuth):
    at_the_pole = orbit_c2w(azimuth, elevation, 3)
    near_it = orbit_c2w(azimuth, elevation * (1 - 1e-9), 3)
    assert torch.isfinite(at_the_pole).all()
    torch.testing.assert_close(at_the_pole, near_it, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("angles", "centre"),
    [
        ((0, 0), (0, 0, -2)),  # in front, looking along +z
        ((90, 0), (2, 0, 0)),  # to its right
        ((-90, 0), (-2, 0, 0)),
        ((180, 0), (0, 0, 2)),
        ((0, 90), (0, -2, 0)),  # up is -y
        ((0, -90), (0, 2, 0)),
    ],
)
def test_the_six_principal_places(angles, centre):
    torch.testing.assert_close(
        orbit_c2w(*angles, 2)[:3, 3], torch.tensor(centre, dtype=torch.float64), atol=1e-12, rtol=0
    )


def test_roll_turns_the_camera_clockwise():
    c2w = orbit_c2w(0, 0, 1, roll_deg=90)
    # clockwise, seen from behind the camera: its right hand points down, its down points left
    torch.testing.assert_close(c2w[:3, 0], torch.tensor([0, 1, 0], dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(c2w[:3, 1], torch.tensor([-1, 0, 0], dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("lists", [([0, 30, 60], [10], [3]), ([0], [0, 10, 20], [4]), ([1], [2], [3, 4, 5])])
def test_lists_of_one_number_count_for_every_camera(lists):
    rig = orbit_rig(*lists)
    assert rig.names == ("cam01", "cam02", "cam03")
    for view in range(3):
        numbers = [numbers[view % len(numbers)] for numbers in lists]
        assert torch.equal(rig.c2w[view, 0], orbit_c2w(*numbers))


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (([0, 30], [1, 2, 3], [3]), "'azimuths' lists 2 numbers but 'elevations' 3"),
        (([0], [1, 2, 3], [3, 4]), "'distances' lists 2 numbers but 'elevations' 3"),
        (([], [0], [3]), "'azimuths' is empty"),
        (([0], [0], [3, 0]), "'distances' of camera 2 is 0"),
        (([0], [0], [-1]), "'distances' of camera 1 is -1"),
        (([0], [0], [math.inf]), "'distances' of camera 1 is inf"),
        (([0], [0], [math.nan]), "'distances' of camera 1 is nan"),
        (([0], [91], [3]), "'elevations' of camera 1 is 91.*-90.*90"),
        (([0], [-90.001], [3]), "'elevations' of camera 1 is -90.001"),
        (([0], [math.nan], [3]), "'elevations' of camera 1 is nan"),
        (([math.nan], [0], [3]), "'azimuths' of camera 1 is nan"),
        (([0] * 65, [0], [3]), "65 cameras.*at most 64"),
        (([0], [0], [1e300]), "'cam01'.*metres"),
    ],
)
def test_impossible_rigs_are_refused_with_a_sentence(lists, said):
    with pytest.raises(UserError, match=said):
        orbit_rig(*lists)


@pytest.mark.parametrize(
    "text",
    ["0, 30.5, -7", "0 30.5 -7", "0;30.5;-7", " 0 ,30.5 ;\n-7 ", "0,30.5,-7,", "+0\t3.05e1 −7", "0，30.5、-7", "0. 30.5 -7."],
)  # fmt: skip
def test_numbers_may_be_separated_as_people_do(text):
    assert parse_numbers(text, "azimuths") == [0, 30.5, -7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'azimuths' is empty"),
        (" , ", "'azimuths' is empty"),
        ("0, left", "'left'"),
        ("0,,30", "an empty entry"),
        (",30", "an empty entry"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("1e400", "'1e400'"),
        ("1_000", "'1_000'"),
        ("0x10", "'0x10'"),
        ("30deg", "'30deg'"),
        ("[0, 30]", r"'\[0'"),
        ("1 " * 65, "65 cameras"),
        ("1" * 20_000, "20000 characters"),
    ],
)
def test_text_that_is_no_list_of_numbers_is_refused_by_its_name(text, said):
    with pytest.raises(UserError, match=f"'azimuths'.*{said}" if "'azimuths'" not in said else said):
        parse_numbers(text, "azimuths")


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_finite_numbers_or_a_sentence(text):
    try:
        numbers, sentence = parse_numbers(text, "azimuths"), None
    except UserError as problem:
        numbers, sentence = [], str(problem)
    assert "'azimuths'" in sentence if sentence else all(map(math.isfinite, numbers))


# -- rigs by rule ----------------------------------------------------------------------------------------------------

ORIGIN = np.zeros(3)
finite_azimuths = st.floats(-400, 400)
places = st.tuples(*[st.floats(-20, 20)] * 3)


def centres(rig) -> np.ndarray:  # (views, 3)
    return rig.c2w[:, 0, :3, 3].numpy()


def forwards(rig) -> np.ndarray:
    return rig.c2w[:, 0, :3, 2].numpy()


def spherical(rig, target=ORIGIN) -> np.ndarray:  # (views, 3): azimuth, elevation, distance
    offset = centres(rig) - target
    distance = np.linalg.norm(offset, axis=1)
    azimuth = np.degrees(np.arctan2(offset[:, 0], -offset[:, 2]))
    return np.stack([azimuth, np.degrees(np.arcsin(-offset[:, 1] / distance)), distance], axis=1)


def assert_looks_at(rig, point) -> None:
    """The point lies straight ahead of every camera, whose picture is level and upright."""
    for c2w in rig.c2w[:, 0].numpy():
        seen = np.linalg.inv(c2w) @ [*point, 1]
        assert np.allclose(seen[:2], 0, atol=1e-9)
        assert seen[2] > 0
        assert abs(c2w[1, 0]) < 1e-12
        assert c2w[1, 1] >= -1e-12


def angle_deg(a, b) -> float:
    return math.degrees(math.atan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b)))


@settings(deadline=None, max_examples=30)
@given(places, places, st.floats(-180, 180))
def test_a_camera_that_looks_at_a_point_agrees_with_scipy(centre, target, roll):
    from scipy.spatial.transform import Rotation

    offset = np.array(target) - centre
    if np.linalg.norm(offset) < 1e-3:
        return
    c2w = look_at_c2w(centre, target, roll).numpy()
    assert np.array_equal(c2w[:3, 3], centre)
    assert np.allclose(c2w[:3, 2], offset / np.linalg.norm(offset), atol=1e-9)
    level = look_at_c2w(centre, target).numpy()
    assert abs(level[1, 0]) < 1e-12
    rolled = level[:3, :3] @ Rotation.from_euler("z", roll, degrees=True).as_matrix()
    assert np.allclose(c2w[:3, :3], rolled, atol=1e-9)


def test_above_its_target_a_camera_takes_the_horizon_of_an_azimuth():
    torch.testing.assert_close(look_at_c2w((0, -2, 0), (0, 0, 0), 0, 40), orbit_c2w(40, 90, 2), atol=1e-12, rtol=0)


def test_a_camera_at_its_target_has_nothing_to_look_at():
    with pytest.raises(UserError, match=r"stand at its target \(1, 2, 3\).*move one"):
        look_at_c2w((1, 2, 3), (1, 2, 3))


def test_a_single_camera_has_its_name_and_place():
    rig = camera_rig(30, 10, 4, 5, (1, 2, 3), "hero")
    assert rig.names == ("hero",)
    assert torch.equal(rig.c2w[0, 0], orbit_c2w(30, 10, 4, 5, (1, 2, 3)))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.floats(-80, 80), st.floats(0.1, 50), finite_azimuths, places)
def test_neighbours_of_a_ring_are_a_turn_by_360_over_n_apart(count, elevation, distance, start, target):
    from scipy.spatial.transform import Rotation

    rig = ring_rig(count, elevation, distance, start, target)
    assert rig.views == count
    assert_looks_at(rig, target)
    # positive azimuth runs against the right-handed turn about +y, which points down
    step = Rotation.from_rotvec([0, -2 * math.pi / count, 0]).as_matrix()
    for one, following in zip(range(count), [*range(1, count), 0], strict=True):
        turned = step @ (centres(rig)[one] - target) + target
        assert np.allclose(turned, centres(rig)[following], atol=1e-9 * (distance + 20))
    assert np.allclose(centres(rig)[0], orbit_c2w(start, elevation, distance, 0, target)[:3, 3], atol=1e-9)


def test_a_ring_of_four_stands_in_front_right_behind_and_left():
    expected = [[0, 0, -2], [2, 0, 0], [0, 0, 2], [-2, 0, 0]]
    assert np.allclose(centres(ring_rig(4, 0, 2)), expected, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(2, 12), st.floats(-170, 0), st.floats(1, 170), st.floats(-40, 40), st.floats(-40, 40), st.floats(-2, 2)
)
def test_an_arc_runs_evenly_in_azimuth_elevation_and_distance(count, start, end, elevation, rise, push_in):
    rig = arc_rig(count, start, end, elevation, 3.0, rise, push_in)
    expected = np.linspace([start, elevation, 3.0], [end, elevation + rise, 3.0 - push_in], count)
    assert np.allclose(spherical(rig), expected, atol=1e-7)
    assert_looks_at(rig, ORIGIN)
    assert rig.names == tuple(f"cam{number:02d}" for number in range(1, count + 1))


@pytest.mark.parametrize(("count", "reference"), [(5, "cam03"), (4, "cam02"), (1, "cam01"), (2, "cam01")])
def test_the_middle_of_an_arc_as_reference_is_the_first_view_and_the_names_follow_the_arc(count, reference):
    rig = arc_rig(count, -30, 30, reference="middle")
    assert rig.names[0] == reference
    assert list(rig.names[1:]) == sorted(rig.names[1:])
    in_order = sorted(range(count), key=lambda view: rig.names[view])
    assert np.allclose(spherical(rig)[in_order, 0], np.linspace(-30, 30, count) if count > 1 else [-30], atol=1e-9)


def test_a_bullet_time_arc_is_centred_and_no_camera_is_farther_than_half_the_sweep_from_the_reference():
    rig = bullet_time_rig(25, sweep_deg=120, azimuth_deg=20, elevation_deg=10, rise_deg=10, push_in_m=0.5)
    azimuths = spherical(rig)[:, 0]
    assert azimuths[0] == pytest.approx(20)
    assert np.abs(azimuths - azimuths[0]).max() == pytest.approx(60)
    assert np.allclose(np.diff(np.sort(azimuths)), 5, atol=1e-9)


@pytest.mark.parametrize("spread", [15, 60, 90, 180])
@pytest.mark.parametrize("centre", [(0, 0), (40, 20), (-100, -30), (0, 90), (10, -90)])
def test_a_dome_fills_its_cap_and_nothing_beyond(spread, centre):
    rig = dome_rig(64, spread, *centre, 2.5, (1, -1, 2))
    assert_looks_at(rig, (1, -1, 2))
    assert np.allclose(spherical(rig, (1, -1, 2))[:, 2], 2.5, atol=1e-9)
    axis = -orbit_c2w(*centre, 1)[:3, 2].numpy()
    angles = [angle_deg(axis, -forward) for forward in forwards(rig)]
    assert np.argmin(angles) == 0
    assert max(angles) <= spread + 1e-9
    # equal shares of the surface: the area of a cap grows with 1 - cos of its radius
    areas = (1 - np.cos(np.radians(sorted(angles)))) / (1 - math.cos(math.radians(spread)))
    assert np.allclose(areas, (np.arange(64) + 0.5) / 64, atol=1e-9)


@pytest.mark.parametrize("count", [8, 20, 64])
def test_cameras_of_a_dome_are_evenly_spread(count):
    rig = dome_rig(count, 90)
    nearest = [
        min(angle_deg(one, other) for other in forwards(rig) if other is not one and not np.array_equal(one, other))
        for one in forwards(rig)
    ]
    assert max(nearest) / min(nearest) < 1.6
    # n equal cells on half a sphere cannot be farther apart than the centres of n hexagons of that area
    hexagons = math.degrees(math.sqrt(2 / math.sqrt(3) * 2 * math.pi / count))
    assert min(nearest) > 0.6 * hexagons


@pytest.mark.parametrize(
    ("elevation", "outward", "up"),
    [(0, (0, 0, -1), (0, -1, 0)), (90, (0, -1, 0), (0, 0, 1)), (-90, (0, 1, 0), (0, 0, -1))],
)
def test_a_dome_turns_from_the_right_of_its_centre_upwards(elevation, outward, up):
    rig = dome_rig(7, 60, 0, elevation, 2.0)
    golden = math.pi * (3 - math.sqrt(5))
    for view in range(7):
        cosine = 1 - (view + 0.5) / 7 * (1 - 0.5)
        sine = math.sqrt(1 - cosine**2)
        turn = view * golden
        sideways = math.cos(turn) * np.array([1, 0, 0]) + math.sin(turn) * np.array(up)
        expected = 2 * (cosine * np.array(outward) + sine * sideways)
        assert np.allclose(rig.c2w[view, 0, :3, 3], expected, atol=1e-12)
        assert rig.c2w[view, 0, 1, 1] > 0  # the picture is upright


def test_a_dome_of_one_camera_stands_at_its_centre():
    assert np.allclose(spherical(dome_rig(1, 30, 25, 10, 4)), [[25, 10, 4]], atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), st.floats(0.01, 0.2), finite_azimuths, st.floats(-80, 80), st.floats(4, 20), places)
def test_a_parallel_row_is_straight_evenly_spaced_and_centred(count, spacing, azimuth, elevation, distance, target):
    middle = orbit_c2w(azimuth, elevation, distance, 0, target).numpy()
    for direction, axis in (("horizontal", (1, 0, 0)), ("vertical", (0, 1, 0)), ("depth", (0, 0, -1))):
        rig = line_rig(count, spacing, direction, "parallel", azimuth, elevation, distance, target)
        seen = (np.linalg.inv(middle) @ np.c_[centres(rig), np.ones(count)].T).T[:, :3]
        expected = np.outer((np.arange(count) - (count - 1) / 2) * spacing, axis)
        assert np.allclose(seen, expected, atol=1e-9)
        assert np.allclose(rig.c2w[:, 0, :3, :3], middle[:3, :3], atol=1e-12)


@pytest.mark.parametrize("direction", ["horizontal", "vertical", "depth"])
def test_a_row_aimed_at_its_target_has_it_straight_ahead(direction):
    assert_looks_at(line_rig(5, 0.4, direction, "target", 30, 20, 3, (1, 0, 2)), (1, 0, 2))


def test_a_row_in_depth_runs_from_near_to_far():
    assert np.allclose(spherical(line_rig(3, 1, "depth", "target", 0, 0, 3))[:, 2], [2, 3, 4], atol=1e-12)


def test_a_wall_runs_row_by_row_from_the_top_left():
    rig = grid_rig(3, 2, 0.5, 0.8, "parallel", 0, 0, 3)
    expected = [[x, y, -3] for y in (-0.4, 0.4) for x in (-0.5, 0, 0.5)]  # y points down
    assert np.allclose(centres(rig), expected, atol=1e-12)
    assert np.allclose(forwards(rig), [[0, 0, 1]] * 6, atol=1e-12)
    assert_looks_at(grid_rig(4, 3, 0.5, 0.5, "target", 50, 10, 3, (0, -1, 0)), (0, -1, 0))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 0.5), st.floats(0.5, 20), finite_azimuths, st.floats(-60, 60), places)
def test_the_axes_of_a_toed_in_pair_meet_at_the_convergence_distance(
    interaxial, convergence, azimuth, elevation, target
):
    rig = stereo_rig(interaxial, convergence, "toed-in", azimuth, elevation, 3, target)
    between = orbit_c2w(azimuth, elevation, 3, 0, target).numpy()
    meeting = (between @ [0, 0, convergence, 1])[:3]
    for c2w in rig.c2w[:, 0].numpy():
        seen = np.linalg.inv(c2w) @ [*meeting, 1]
        assert np.allclose(seen[:3], [0, 0, math.hypot(convergence, interaxial / 2)], atol=1e-8)
    left, right = centres(rig)
    assert rig.names == ("left", "right")
    assert np.linalg.norm(right - left) == pytest.approx(interaxial)
    assert np.allclose((left + right) / 2, between[:3, 3], atol=1e-9)
    assert (np.linalg.inv(between) @ [*left, 1])[0] < 0  # the left camera is on the left


def test_a_parallel_pair_looks_the_same_way_and_differs_only_sideways():
    rig = stereo_rig(0.065, 3, "parallel", 30, 10, 3)
    left, right = rig.c2w[:, 0].numpy()
    assert np.allclose((np.linalg.inv(left) @ right)[:3, 3], [0.065, 0, 0], atol=1e-12)
    assert np.allclose(left[:3, :3], right[:3, :3], atol=1e-15)
    assert np.allclose(left[:3, :3], orbit_c2w(30, 10, 3)[:3, :3], atol=1e-15)


def test_close_up_and_wide_stand_on_one_line():
    rig = close_wide_rig(1.5, 4, 20, 10)
    assert rig.names == ("close", "wide")
    assert np.allclose(spherical(rig), [[20, 10, 1.5], [20, 10, 4]], atol=1e-9)
    assert_looks_at(rig, ORIGIN)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: ring_rig(0), "'count' is 0, but 1 to 64"),
        (lambda: ring_rig(65), "'count' is 65, but 1 to 64"),
        (lambda: ring_rig(3, 91), "elevation is 91"),
        (lambda: ring_rig(3, 0, 0), "distance is 0"),
        (lambda: ring_rig(3, 0, 3, math.nan), "azimuth is nan"),
        (lambda: arc_rig(3, 0, 0), "from azimuth 0 to 0.*one place"),
        (lambda: arc_rig(8, 0, 360), "from azimuth 0 to 360.*a ring"),
        (lambda: arc_rig(3, math.nan, 20), "camera 1 of the arc: azimuth is nan"),
        (lambda: arc_rig(3, 0, math.inf), "azimuth is"),
        (lambda: arc_rig(3, 0, 30, 60, 3, 40), "camera 3 of the arc: elevation is 100"),
        (lambda: arc_rig(3, 0, 30, 0, 3, 0, 4), "camera 3 of the arc: distance is -1"),
        (lambda: arc_rig(3, 0, 30, reference="last"), "'reference' is 'last'.*first, middle"),
        (lambda: dome_rig(3, 0), "'spread' is 0.*180"),
        (lambda: dome_rig(3, 181), "'spread' is 181"),
        (lambda: dome_rig(3, math.nan), "'spread' is nan"),
        (lambda: dome_rig(3, 30, 0, 91), "elevation is 91"),
        (lambda: line_rig(3, 0), "'spacing' is 0.*above 0"),
        (lambda: line_rig(3, math.nan), "'spacing' is nan"),
        (lambda: line_rig(3, 1, "diagonal"), "'direction' is 'diagonal'.*horizontal, vertical, depth"),
        (lambda: line_rig(3, 1, aim="away"), "'aim' is 'away'.*target, parallel"),
        (lambda: line_rig(7, 1, "depth", distance_m=3), "row is 6 m long.*3 m from the target"),
        (lambda: grid_rig(9, 8), "'columns' 9 times 'rows' 8 makes 72 cameras"),
        (lambda: grid_rig(0, 8), "'columns' is 0"),
        (lambda: grid_rig(2, 2, 1, -1), "'row_spacing' is -1"),
        (lambda: stereo_rig(0), "'interaxial' is 0"),
        (lambda: stereo_rig(0.1, 0), "'convergence' is 0"),
        (lambda: stereo_rig(0.1, 3, "crossed"), "'method' is 'crossed'.*parallel, toed-in"),
        (lambda: close_wide_rig(4, 4), "'close' is 4 m and 'wide' 4 m"),
        (lambda: close_wide_rig(0, 4), "distance is 0"),
        (lambda: camera_rig(name=" "), "empty name"),
    ],
)
def test_a_rig_by_rule_that_cannot_be_is_refused_with_a_sentence(build, said):
    with pytest.raises(UserError, match=said):
        build()


@pytest.mark.parametrize("text", ["1, -2.5, 3", "1 -2.5 3", "1;−2.5;3"])
def test_a_point_is_three_numbers(text):
    assert parse_point(text, "target") == (1, -2.5, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "holds 0 numbers"), ("1, 2", "holds 2 numbers"), ("1, 2, up", "'up'"), ("1 2 3 4", "holds 4")],
)
def test_a_text_that_is_no_point_is_refused_by_its_name(text, said):
    with pytest.raises(UserError, match=f"'target' .*{said}|'target' {said}"):
        parse_point(text, "target")


def test_a_bullet_time_arc_of_one_camera_is_its_middle():
    (c2w,) = bullet_time_rig(1, 120, 20, 10, 4, rise_deg=30, push_in_m=1).c2w[:, 0].numpy()
    assert np.allclose(c2w, orbit_c2w(20, 10, 4), atol=1e-12)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_angles_may_be_lists_arrays_or_tensors(kind):
    rig = orbit_rig(kind([0.0, 30.0]), kind([10.0]), kind([3.0, 4.0]))
    assert torch.equal(rig.c2w[1, 0], orbit_c2w(30, 10, 4))
