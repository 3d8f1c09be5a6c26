"""Presets against the numbers that describe the authors' cameras, and against their file format read by its own rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from syncam_core.cameras import encode_cameras
from syncam_core.cameras.presets import EXAMPLE_CAMERAS, PRESETS, preset_rig
from syncam_core.errors import UserError

# The ten cameras as they stand in Unreal's world: X forward, Y right, Z up, centimetres from the look-at point. The
# cameras of elevation rise straight up from cam03: 300 cm along the floor, 300 tan(elevation) above it.
PLACES_CM = {
    **{
        f"cam{number:02d}": (-300 * math.cos(math.radians(az)), 300 * math.sin(math.radians(az)), 0.0)
        for number, az in enumerate((30, 15, 0, -15, -30), start=1)
    },
    **{f"cam{number:02d}": (-300.0, 0.0, 300 * math.tan(math.radians(10 * (number - 5)))) for number in (6, 7, 8)},
    "cam09": (-400.0, 0.0, 0.0),
    "cam10": (-500.0, 0.0, 0.0),
}


def released_c2w(place_cm) -> np.ndarray:
    """Unreal rows (forward, right, up, position) through the steps of the released script, in units of 2 m."""
    forward = -np.array(place_cm) / np.linalg.norm(place_cm)
    right = np.cross([0.0, 0.0, 1.0], forward)
    right /= np.linalg.norm(right)
    c2w = np.eye(4)
    c2w[:3] = np.stack([right, -np.cross(forward, right), forward, np.array(place_cm) / 200], axis=1)
    return c2w


def relative(names: list[str]) -> np.ndarray:
    first = released_c2w(PLACES_CM[names[0]])
    return np.stack([(np.linalg.inv(first) @ released_c2w(PLACES_CM[name]))[:3] for name in names])


def encoded(preset: str) -> np.ndarray:  # (views, 3, 4)
    return encode_cameras(preset_rig(preset), 1).poses[:, 0].numpy().reshape(-1, 3, 4)


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset.startswith("authors")])
def test_the_authors_cameras_have_the_poses_of_the_released_script(preset):
    rig = preset_rig(preset)
    assert np.allclose(encoded(preset), relative(list(rig.names)), atol=1e-6)


def test_the_ten_example_cameras_are_all_there_in_order():
    assert preset_rig("authors ten cameras").names == tuple(PLACES_CM)
    for name, _, _, distance in EXAMPLE_CAMERAS:
        assert distance * 100 == pytest.approx(np.linalg.norm(PLACES_CM[name]))


def test_cameras_6_to_8_rise_straight_up():
    rig = preset_rig("authors ten cameras")
    places = rig.c2w[[2, 5, 6, 7], 0, :3, 3].numpy()
    assert np.allclose(places[:, [0, 2]], [0, -3], atol=1e-12)
    assert np.allclose(-places[:, 1], 3 * np.tan(np.radians([0, 10, 20, 30])), atol=1e-12)


@pytest.mark.parametrize(
    ("preset", "names", "rotation", "translation"),
    [
        ("authors az", ("cam01", "cam03"), Rotation.from_euler("y", 30, degrees=True), (-0.750, 0, 0.2009)),
        ("authors el", ("cam03", "cam07"), Rotation.from_euler("x", -20, degrees=True), (0, -0.546, 0)),
        ("authors dis", ("cam09", "cam10"), Rotation.identity(), (0, 0, -0.5)),
    ],
)
def test_the_authors_pairs_have_the_relative_poses_of_the_table(preset, names, rotation, translation):
    assert preset_rig(preset).names == names
    reference, view = encoded(preset)
    assert np.array_equal(reference, np.eye(4)[:3])
    assert np.allclose(view[:, :3], rotation.as_matrix(), atol=1e-6)
    assert np.allclose(view[:, 3], translation, atol=6e-5)  # the table has four decimals


@pytest.mark.parametrize(
    ("preset", "azimuth", "elevation"),
    [
        ("azimuth 90", 90, 0),
        ("elevation 45", 0, 45),
        ("azimuth 60 and elevation 30", 60, 30),
        ("close-up and wide", 0, 0),
    ],
)
def test_the_set_ups_of_the_talk_have_its_angles(preset, azimuth, elevation):
    front, other = preset_rig(preset).c2w[:, 0].numpy()
    assert np.allclose(front[:3, :3], np.eye(3), atol=1e-15)
    # scipy's turn about the vertical, then down about the camera's own right axis
    turn = Rotation.from_euler("YX", [-azimuth, -elevation], degrees=True).as_matrix()
    assert np.allclose(other[:3, :3], turn, atol=1e-12)
    assert np.allclose(np.cross(other[:3, 3], other[:3, 2]), 0, atol=1e-12)  # it looks at the origin
    distances = np.linalg.norm([front[:3, 3], other[:3, 3]], axis=1)
    assert (distances[0] < distances[1]) if preset == "close-up and wide" else np.allclose(distances, 3)


def test_an_unknown_preset_is_refused_with_those_that_exist():
    with pytest.raises(UserError, match=r"'preset' is 'az', but only azimuth 90, .*authors ten cameras"):
        preset_rig("az")
