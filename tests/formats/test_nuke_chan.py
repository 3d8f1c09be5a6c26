"""Nuke's .chan files."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_rigs import rigs, same_cameras, same_fields_of_view

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import format_of, read_rig_file, write_rig_file
from syncam_core.formats.nuke_chan import ROTATION_ORDERS, looks_like, read, write

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
angles = st.floats(-360, 360)


def turn(axis: str, degrees: float) -> np.ndarray:
    """A right-handed turn about one axis, written out."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    matrices = {
        "X": [[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]],
        "Y": [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]],
        "Z": [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]],
    }
    return np.array(matrices[axis])


def nuke_axes(order: str, rx: float, ry: float, rz: float) -> np.ndarray:
    """Columns: where the camera's x, y and z axes point in Nuke's world; the first letter turns first."""
    degrees = {"X": rx, "Y": ry, "Z": rz}
    return reduce(lambda done, axis: turn(axis, degrees[axis]) @ done, order, np.eye(3))


def assert_is_the_nuke_camera(c2w, axes, position, unit_m) -> None:
    """Right is Nuke's x, down its -y, forward its -z, in a world whose y and z point the other way."""
    flip = np.array([1, -1, -1])
    right, down, forward, centre = np.asarray(c2w)[:3].T
    np.testing.assert_allclose(right, flip * axes[:, 0], atol=1e-12)
    np.testing.assert_allclose(down, flip * -axes[:, 1], atol=1e-12)
    np.testing.assert_allclose(forward, flip * -axes[:, 2], atol=1e-12)
    np.testing.assert_allclose(centre, flip * position * unit_m, atol=1e-9)


@patient
@given(rigs(), st.sampled_from(ROTATION_ORDERS))
def test_a_rig_comes_back_from_its_files(tmp_path_factory, rig, order):
    path = tmp_path_factory.mktemp("rig") / "rig"
    write(rig, path, unit_m=0.01, rotation_order=order, image_size=(640, 480), first_frame=1001)
    back = read(path, unit_m=0.01, rotation_order=order, image_size=(640, 480))
    same_cameras(back, rig)
    same_fields_of_view(back, rig)


@patient
@given(st.sampled_from(ROTATION_ORDERS), angles, angles, angles, st.floats(1, 170))
def test_a_line_means_the_turns_in_their_order(tmp_path_factory, order, rx, ry, rz, vfov_deg):
    path = tmp_path_factory.mktemp("rig") / "shot.chan"
    path.write_text(f"1 10 20 -30 {rx!r} {ry!r} {rz!r} {vfov_deg!r}\n")
    rig = read(path, unit_m=0.1, rotation_order=order, image_size=(100, 50))
    assert_is_the_nuke_camera(rig.c2w[0, 0], nuke_axes(order, rx, ry, rz), np.array([10, 20, -30]), 0.1)
    lens = rig.lenses[0]
    half_height = lens.sensor_width_mm * (50 / 100) / 2
    assert math.degrees(2 * math.atan(half_height / lens.focal_mm)) == pytest.approx(vfov_deg, rel=1e-9)


@patient
@given(rigs(max_views=1), st.sampled_from(ROTATION_ORDERS))
def test_written_angles_give_the_camera_by_plain_turns(tmp_path_factory, rig, order):
    path = tmp_path_factory.mktemp("rig") / "shot.chan"
    write(rig, path, unit_m=0.5, rotation_order=order)
    lines = path.read_text().splitlines()
    assert len(lines) == rig.frames
    for line, c2w in zip(lines, rig.c2w[0], strict=True):
        _, x, y, z, rx, ry, rz, _ = map(float, line.split())
        assert_is_the_nuke_camera(c2w, nuke_axes(order, rx, ry, rz), np.array([x, y, z]), 0.5)


def test_known_cameras_have_the_numbers_that_nuke_shows(tmp_path):
    """In front, 30 degrees to the right, and from 20 degrees above: tx ty tz rx ry rz."""
    write_rig_file(orbit_rig([0, 30, 0], [0, 0, 20], [4]), tmp_path / "rig", "nuke_chan")
    files = sorted((tmp_path / "rig").iterdir())
    assert [file.name for file in files] == ["01_cam01.chan", "02_cam02.chan", "03_cam03.chan"]
    vfov_deg = 2 * math.degrees(math.atan(23.76 * 480 / 832 / 2 / 24))
    sine, cosine = math.sin(math.radians(20)), math.cos(math.radians(20))
    wanted = [
        [1, 0, 0, 4, 0, 0, 0, vfov_deg],
        [1, 2, 0, 4 * math.sqrt(0.75), 0, 30, 0, vfov_deg],
        [1, 0, 4 * sine, 4 * cosine, -20, 0, 0, vfov_deg],
    ]
    for file, numbers in zip(files, wanted, strict=True):
        np.testing.assert_allclose([float(word) for word in file.read_text().split()], numbers, atol=1e-9)


def test_a_camera_straight_above_or_below_comes_back(tmp_path):
    rig = orbit_rig([0, 40, -100, 170], [90, -90, 90, -90], [2])
    for order in ROTATION_ORDERS:
        write(rig, tmp_path / order, rotation_order=order)
        same_cameras(read(tmp_path / order, unit_m=1.0, rotation_order=order), rig, metres=1e-7)


def test_angles_run_on_beyond_half_a_turn(tmp_path):
    azimuths = np.arange(0, 400, 5)
    c2w = orbit_rig(azimuths[:64].tolist(), [0], [3]).c2w[:, 0]
    write_rig_file(Rig(("orbit",), c2w[None]), tmp_path / "orbit.chan", "nuke_chan")
    turned = [float(line.split()[5]) for line in (tmp_path / "orbit.chan").read_text().splitlines()]
    np.testing.assert_allclose(turned, azimuths[:64], atol=1e-9)


def test_seven_columns_have_no_lens_and_comments_count_nothing(tmp_path):
    path = tmp_path / "object.chan"
    path.write_text("# exported\n\n1001 0 0 5 0 0 0\n1002 0 0 6 0 0 0\n")
    rig = read_rig_file(path, unit_m=1.0)
    assert (rig.frames, rig.lenses[0].focal_mm) == (2, 24.0)


def test_frames_may_begin_anywhere_and_be_equally_far_apart(tmp_path):
    path = tmp_path / "shot.chan"
    path.write_text("".join(f"{frame} 0 0 {frame} 0 0 0 40\n" for frame in (1000, 1004, 1008)))
    assert read_rig_file(path, unit_m=1.0).frames == 3


LINE = "1 0 0 5 0 0 0 40\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINE + "2 0 0 nan 0 0 0 40", "line 2 holds NaN"),
        (LINE + "2 0 0 x 0 0 0 40", "line 2 holds 'x', which is not a number"),
        (LINE + "2 0 0 5 0 0 0", "line 2 has 7 numbers, but 8 are needed"),
        (LINE + "1 0 0 5 0 0 0 40", "line 2 has frame 1 after frame 1; frames must rise"),
        (LINE + "2 0 0 5 0 0 0 40\n4 0 0 5 0 0 0 40", "line 3 has frame 4 after frame 2, .*export every frame"),
        ("1.5 0 0 5 0 0 0 40", "frame number 1.5"),
        ("1 0 0 5 0 0 0 180", "field of view 180"),
        ("1 0 0 5 0 0 0 0", "field of view 0"),
        ("1 0 0 5 0 0 0 1e-320", "field of view"),
        ("1 0 0 1e300 0 0 0 40", "stands at"),
        ("1 2 3", "line 1 has 3 numbers, but 8"),
        ("", "holds no frames"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, said):
    path = tmp_path / "shot.chan"
    path.write_text(content)
    with pytest.raises(UserError, match=f"^file 'shot.chan': .*{said}"):
        read_rig_file(path, unit_m=1.0, format="nuke_chan")


def test_the_unit_is_asked_for_and_an_unknown_order_is_refused(tmp_path):
    path = tmp_path / "shot.chan"
    path.write_text(LINE)
    with pytest.raises(UserError, match=r"file 'shot.chan': .*unit.*'unit_m'"):
        read_rig_file(path)
    with pytest.raises(UserError, match="rotation_order is 'zxy'; possible are ZXY, XYZ"):
        read(path, unit_m=1.0, rotation_order="zxy")


def test_a_trajectory_of_quaternions_is_not_taken_for_a_chan_file(tmp_path):
    path = tmp_path / "tum.txt"
    path.write_text("1 0.5 0.5 0.5 0 0 0.7071068 0.7071068\n")
    assert not looks_like(path, path.read_bytes())
    assert format_of(path) == "tum"
    assert read_rig_file(path).c2w[0, 0, :3, 3].tolist() == [0.5, 0.5, 0.5]


def test_the_lens_is_that_of_the_first_frame(tmp_path):
    path = tmp_path / "zoom.chan"
    path.write_text("1 0 0 0 0 0 0 40\n2 0 0 0 0 0 0 20\n")
    lens = read(path, unit_m=1.0).lenses[0]
    across = lens.sensor_width_mm * 480 / 832 / 2 / lens.focal_mm
    assert 2 * math.degrees(math.atan(across)) == pytest.approx(40)


@pytest.mark.parametrize("names", [("01_a", "b"), ("01_", "02_b"), ("01_a", "03_b"), ("01_a", "02_a")])
def test_numbers_before_names_are_kept_unless_all_files_are_numbered_as_ours_are(tmp_path, names):
    for name in names:
        (tmp_path / f"{name}.chan").write_text("1 0 1 4 0 0 0 31\n2 0 1 5 0 0 0 31\n")
    assert read(tmp_path, unit_m=1.0).names == names
