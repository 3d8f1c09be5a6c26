"""Orbit cameras: geometry against closed forms, and the lists that people type."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import orbit_c2w, orbit_rig, parse_numbers

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
    with pytest.raises(ValueError, match=said):
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
    with pytest.raises(ValueError, match=f"'azimuths'.*{said}" if "'azimuths'" not in said else said):
        parse_numbers(text, "azimuths")


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_finite_numbers_or_a_sentence(text):
    try:
        numbers, sentence = parse_numbers(text, "azimuths"), None
    except ValueError as problem:
        numbers, sentence = [], str(problem)
    assert "'azimuths'" in sentence if sentence else all(map(math.isfinite, numbers))
