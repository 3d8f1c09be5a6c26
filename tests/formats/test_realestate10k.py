"""RealEstate10K and CameraCtrl pose files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_rigs import c2w_matrices, rigs, same_cameras, same_fields_of_view

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import read_rig_file, write_rig_file
from syncam_core.formats.realestate10k import looks_like

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

INTRINSICS = "0.474812461 0.844111024 0.500000000 0.500000000 0.000000000 0.000000000"
IDENTITY = "1 0 0 0 0 1 0 0 0 0 1 0"
# The form of the published files: nine decimals, a video's address on top
PUBLISHED = f"""https://www.youtube.com/watch?v=example
52553000 {INTRINSICS} 0.985408306 -0.009461603 -0.169944420 0.110498331 0.011012154 0.999905884 0.008183500 0.014526850 0.169850990 -0.009935507 0.985419750 -0.294826361
52586367 {INTRINSICS} {IDENTITY}
"""


def row(w2c, stamp: int = 0) -> str:
    return f"{stamp} {INTRINSICS} {' '.join(repr(float(value)) for value in np.asarray(w2c)[:3].ravel())}"


def write_files(folder, cameras) -> None:
    folder.mkdir(exist_ok=True)
    for name, w2c in cameras.items():
        (folder / f"{name}.txt").write_text("\n".join(["clip", *map(row, w2c)]))


@patient
@given(rigs())
def test_a_rig_comes_back_from_its_files(tmp_path_factory, rig):
    path = tmp_path_factory.mktemp("rig") / "rig"
    write_rig_file(rig, path, "realestate10k", unit_m=0.3)
    back = read_rig_file(path, unit_m=0.3)
    same_cameras(back, rig)
    same_fields_of_view(back, rig)


@patient
@given(rigs(max_views=1))
def test_one_camera_is_one_file(tmp_path_factory, rig):
    path = tmp_path_factory.mktemp("rig") / "clip.txt"
    write_rig_file(rig, path, "realestate10k")
    assert path.is_file()
    same_cameras(read_rig_file(path, unit_m=1.0), Rig(("clip",), rig.c2w))


@patient
@given(rigs(moving=True, max_views=1))
def test_a_written_row_projects_points_where_the_camera_sees_them(tmp_path_factory, rig):
    """fx fy cx cy and [R | t] put a point into the picture as its ray from the camera's centre does."""
    path = tmp_path_factory.mktemp("rig") / "clip.txt"
    write_rig_file(rig, path, "realestate10k", unit_m=2.0, image_size=(800, 400))
    lines = path.read_text().splitlines()[1:]
    assert len(lines) == rig.frames
    for line, c2w in zip(lines, rig.c2w[0].numpy(), strict=True):
        _, fx, fy, cx, cy, zero, also_zero, *w2c = map(float, line.split())
        right, down, forward, centre = c2w[:3].T
        point = centre + 7.0 * forward + 1.5 * right - 0.5 * down  # metres
        x, y, z = np.reshape(w2c, (3, 4)) @ [*(point / 2.0), 1]  # the file's unit is 2 m
        width_shares = rig.lenses[0].focal_mm / rig.lenses[0].sensor_width_mm
        np.testing.assert_allclose(
            [fx * x / z + cx, fy * y / z + cy],
            [0.5 + width_shares * 1.5 / 7.0, 0.5 + width_shares * (800 / 400) * -0.5 / 7.0],
            atol=1e-9,
        )
        assert (zero, also_zero) == (0, 0)


def test_a_published_file_is_world_to_camera_and_its_numbers_come_back(tmp_path):
    path = tmp_path / "clip.txt"
    path.write_text(PUBLISHED)
    rig = read_rig_file(path, unit_m=1.0)
    rows = np.array([[*map(float, line.split())] for line in PUBLISHED.splitlines()[1:]])
    for c2w, w2c in zip(rig.c2w[0].numpy(), rows[:, 7:].reshape(-1, 3, 4), strict=True):
        np.testing.assert_allclose(w2c @ c2w[:, 3], [0, 0, 0], atol=1e-12)  # the centre is the camera's own origin
        np.testing.assert_allclose(w2c @ c2w[:, 2], [0, 0, 1], atol=1e-12)  # and its third column looks ahead
    write_rig_file(rig, path, "realestate10k", fps=29.97)
    written = np.array([[*map(float, line.split())] for line in path.read_text().splitlines()[1:]])
    np.testing.assert_allclose(written[:, 7:], rows[:, 7:], atol=1e-12)
    assert path.read_text().splitlines()[1].split()[1] == "0.474812461"
    np.testing.assert_allclose(written[:, 2], rows[:, 2], atol=1e-9)  # a picture of 16:9
    assert written[:, 0].tolist() == [0, 33367]


def test_positions_are_in_the_unit_that_is_given_and_it_is_asked_for(tmp_path):
    path = tmp_path / "clip.txt"
    path.write_text(f"clip\n0 {INTRINSICS} 1 0 0 -10 0 1 0 0 0 0 1 0\n")
    assert read_rig_file(path, unit_m=0.1).c2w[0, 0, :3, 3].tolist() == [1, 0, 0]
    with pytest.raises(UserError, match=r"file 'clip.txt': .*unit.*'unit_m'"):
        read_rig_file(path)
    for unit_m in (0, -1, math.nan, math.inf):
        with pytest.raises(UserError, match="unit_m"):
            read_rig_file(path, unit_m=unit_m)


def test_a_rig_of_known_angles_has_the_closed_form_in_the_file(tmp_path):
    write_rig_file(orbit_rig([90], [0], [3]), tmp_path / "right.txt", "realestate10k")
    *_, w2c = np.split(np.array([*map(float, (tmp_path / "right.txt").read_text().split()[1:])]), [7])
    # from the right side: its right is the world's +z (away), and the origin lies 3 m ahead
    np.testing.assert_allclose(w2c.reshape(3, 4), [[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 3]], atol=1e-12)


def test_the_first_line_may_be_missing_and_comments_and_blank_lines_count_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"# poses\r\n\r\n0 {INTRINSICS} {IDENTITY}\r\n\r\n1 {INTRINSICS} {IDENTITY[:-1]}2\r\n")
    assert read_rig_file(path, unit_m=1.0).frames == 2
    assert looks_like(path, path.read_bytes())


def test_cameras_of_a_folder_are_chosen_by_name_and_ordered_naturally(tmp_path):
    c2w = c2w_matrices(np.random.default_rng(1), 3, 2)
    write_files(tmp_path / "set", dict(zip(["cam10", "cam2", "cam1"], np.linalg.inv(c2w), strict=True)))
    rig = read_rig_file(tmp_path / "set", unit_m=1.0)
    assert rig.names == ("cam1", "cam2", "cam10")
    np.testing.assert_allclose(rig.c2w, c2w[[2, 1, 0]], atol=1e-12)
    assert read_rig_file(tmp_path / "set", "cam10, cam2", unit_m=1.0).names == ("cam10", "cam2")
    with pytest.raises(UserError, match="folder 'set': 'cameras' asks for 'left'"):
        read_rig_file(tmp_path / "set", "left", unit_m=1.0)


def test_a_camera_that_stands_still_fits_those_that_move_but_mixed_counts_are_named(tmp_path):
    c2w = c2w_matrices(np.random.default_rng(2), 1, 5)[0]
    files = {"a": np.linalg.inv(c2w), "b": np.linalg.inv(c2w[:1])}
    write_files(tmp_path / "set", files)
    rig = read_rig_file(tmp_path / "set", unit_m=1.0)
    assert rig.frames == 5
    np.testing.assert_allclose(rig.c2w[1], np.repeat(c2w[:1], 5, axis=0), atol=1e-12)
    write_files(tmp_path / "set", {**files, "c": np.linalg.inv(c2w[:3])})
    with pytest.raises(UserError, match="'c' has 3 frames but camera 'a' 5"):
        read_rig_file(tmp_path / "set", unit_m=1.0)


@pytest.mark.parametrize("point", [(2, -1, 7), (0, 0, 0)])
def test_camera_to_world_matrices_are_told_where_several_cameras_look_at_a_point(tmp_path, point):
    c2w = orbit_rig([0, 15, -15, 30], [0, 5, 10, -5], [3, 3.5, 4, 5]).c2w.numpy()
    c2w[..., :3, 3] += point
    write_files(tmp_path / "right", dict(zip("abcd", np.linalg.inv(c2w), strict=True)))
    assert read_rig_file(tmp_path / "right", unit_m=1.0).views == 4
    write_files(tmp_path / "wrong", dict(zip("abcd", c2w, strict=True)))
    with pytest.raises(UserError, match=r"look like camera-to-world ones .* invert each of them first"):
        read_rig_file(tmp_path / "wrong", unit_m=1.0)
    with pytest.raises(UserError, match=r"look like camera-to-world ones .* invert each of them first"):
        read_rig_file(tmp_path / "wrong", "a, c", unit_m=1.0)


def test_one_camera_that_follows_a_subject_is_not_taken_for_an_inverse(tmp_path):
    """Its rays over time need not meet, while those of the inverse may: that says nothing about a moving camera."""
    frames = np.arange(9)
    angle = np.radians(10 * frames)
    w2c = np.tile(np.eye(4), (9, 1, 1))
    w2c[:, 0, 0] = w2c[:, 2, 2] = np.cos(angle)
    w2c[:, 0, 2], w2c[:, 2, 0] = np.sin(angle), -np.sin(angle)
    subject = np.stack([0 * frames, 0 * frames, 5 + 0.5 * frames], axis=1)
    w2c[:, :3, 3] = [0, 0, 3] - (w2c[:, :3, :3] @ subject[:, :, None])[:, :, 0]
    write_files(tmp_path / "set", {"follow": w2c})
    assert read_rig_file(tmp_path / "set", unit_m=1.0).frames == 9


def changed(number: int, value: str) -> str:
    words = f"0 {INTRINSICS} {IDENTITY}".split()
    words[number] = value
    return f"clip\n0 {INTRINSICS} {IDENTITY}\n{' '.join(words)}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(7, "nan"), "line 3 holds NaN or an infinite number .'nan'."),
        (changed(18, "1e999"), "line 3 holds NaN or an infinite number .'1e999'"),
        (changed(9, "left"), "line 3 holds 'left', which is not a number"),
        (changed(18, "7 7"), "line 3 has 20 numbers, but 19 are needed"),
        (changed(7, "-1"), "line 3: the matrix is mirrored"),
        (changed(7, "2"), "line 3: the matrix is not a rotation"),
        (changed(7, "0"), "line 3: the matrix is not a rotation"),
        (changed(10, "1e12"), "line 3: the matrix stands at 1e.12"),
        (f"clip\n0 {INTRINSICS} 2 0 0 0 0 2 0 0 0 0 2 0", "line 2: the matrix is scaled by 2"),
        (f"clip\n0 0 0 .5 .5 0 0 {IDENTITY}", "focal length 0"),
        (f"clip\n0 -1 1 .5 .5 0 0 {IDENTITY}", "focal length -1"),
        (f"0 {INTRINSICS} {IDENTITY} 3\n", "line 1 has 20 numbers"),
        ("clip\n", "holds no poses"),
        ("", "holds no poses"),
        ("clip\n" + "x" * 5000, "line 2 has more than 4096 characters"),
        ("clip\n" + "1 2\n" * 3, "line 2 has 2 numbers"),
        ("a\0b\n" * 3, "not UTF-8 text .byte 1 is 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, said):
    path = tmp_path / "clip.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=f"^file 'clip.txt': .*{said}"):
        read_rig_file(path, unit_m=1.0, format="realestate10k")


def test_a_broken_file_of_a_folder_is_named(tmp_path):
    write_files(tmp_path / "set", {"a": np.eye(4)[None], "b": np.eye(4)[None]})
    (tmp_path / "set" / "b.txt").write_text(changed(7, "-1"))
    with pytest.raises(UserError, match=r"^folder 'set': 'b.txt': line 3: the matrix is mirrored"):
        read_rig_file(tmp_path / "set", unit_m=1.0)


def test_a_name_that_leads_elsewhere_stays_in_the_folder(tmp_path):
    names = ("../../evil", "..", "C:\\evil", "/etc/passwd", "con", "a b\u3000c")
    rig = Rig(names, c2w_matrices(np.random.default_rng(3), 6, 1))
    write_rig_file(rig, tmp_path / "out" / "rig", "realestate10k")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rig"]
    back = read_rig_file(tmp_path / "out" / "rig", unit_m=1.0)
    np.testing.assert_allclose(back.c2w, rig.c2w, atol=1e-12)


def test_a_link_out_of_a_folder_is_not_followed(tmp_path):
    write_files(tmp_path / "set", {"a": np.eye(4)[None]})
    (tmp_path / "b.txt").write_text(f"clip\n0 {INTRINSICS} {IDENTITY}\n")
    (tmp_path / "set" / "b.txt").symlink_to(tmp_path / "b.txt")
    assert read_rig_file(tmp_path / "set", unit_m=1.0).names == ("a",)


def test_the_lens_comes_from_the_first_frame_and_a_lens_beyond_reason_is_refused(tmp_path):
    path = tmp_path / "zoom.txt"
    path.write_text(f"clip\n0 0.8 1 .5 .5 0 0 {IDENTITY}\n1 0.9 1 .5 .5 0 0 {IDENTITY}\n")
    (lens,) = read_rig_file(path, unit_m=1.0).lenses
    assert lens.focal_mm / lens.sensor_width_mm == pytest.approx(0.8, rel=1e-15)
    assert lens.sensor_width_mm == Lens().sensor_width_mm


@pytest.mark.parametrize("options", [{"fps": 0}, {"image_size": (0, 1)}, {"unit_m": 0}])
def test_options_that_cannot_be_are_refused(tmp_path, options):
    with pytest.raises(UserError, match=next(iter(options))):
        write_rig_file(orbit_rig([0], [0], [1]), tmp_path / "a.txt", "realestate10k", **options)
