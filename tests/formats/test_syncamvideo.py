"""Reading `camera_extrinsics.json` of the SynCamVideo data set."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from camera_cases import orbit_in_the_rig, rigs, six_digits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Rig, encode_cameras, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import read_rig_file, syncamvideo, write_rig_file
from syncam_core.formats.syncamvideo import rig_from_syncamvideo

DEMO = Path(__file__).parents[2] / "example_workflows" / "input" / "syncam_demo_cameras.json"
POINT_CM = (0.0, 0.0, 120.0)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# azimuth, elevation (degrees), distance (cm); cam06..08 stand 300 cm away on the ground and look down from above
EXAMPLE_CAMERAS = [
    (30, 0, 300),
    (15, 0, 300),
    (0, 0, 300),
    (-15, 0, 300),
    (-30, 0, 300),
    (0, 10, 300 / math.cos(math.radians(10))),
    (0, 20, 300 / math.cos(math.radians(20))),
    (0, 30, 300 / math.cos(math.radians(30))),
    (0, 0, 400),
    (0, 0, 500),
]


def rows_of(azimuth_deg: float, elevation_deg: float, distance_cm: float, point_cm=POINT_CM) -> np.ndarray:
    """Forward, right, up, position in Unreal axes (X forward, Y right, Z up), each by its closed form."""
    sa, ca = math.sin(math.radians(azimuth_deg)), math.cos(math.radians(azimuth_deg))
    se, ce = math.sin(math.radians(elevation_deg)), math.cos(math.radians(elevation_deg))
    forward, right, up = (ca * ce, -sa * ce, -se), (sa, ca, 0), (ca * se, -sa * se, ce)
    position = np.array(point_cm) - distance_cm * np.array(forward)
    return np.column_stack([[forward, right, up, position], [0, 0, 0, 1]])


def text_of(rows) -> str:
    return "".join("[" + " ".join(f"{number:.6g}" for number in row) + "] " for row in rows)


def document(cameras: dict[str, str], frames: int = 3) -> dict:
    return {f"frame{frame}": dict(cameras) for frame in range(frames)}


def three_cameras() -> dict[str, str]:
    return {f"cam{n:02d}": text_of(rows_of(15 * n, 5 * n, 300 + n)) for n in (1, 2, 3)}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, cameras: str = ""):
        path = tmp_path / "cams.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_rig_file(path, cameras)

    return write_and_read


def test_the_shipped_file_holds_the_ten_example_cameras_over_81_frames():
    content = json.loads(DEMO.read_text())
    cameras = {f"cam{number:02d}": text_of(rows_of(*camera)) for number, camera in enumerate(EXAMPLE_CAMERAS, start=1)}
    assert content == {f"frame{frame}": cameras for frame in range(81)}


def test_unreal_rows_become_metres_in_opencv_axes():
    rig = read_rig_file(DEMO)
    assert (rig.views, rig.frames) == (10, 1)
    assert rig.names == tuple(f"cam{number:02d}" for number in range(1, 11))
    orbit = orbit_rig(
        [camera[0] for camera in EXAMPLE_CAMERAS],
        [camera[1] for camera in EXAMPLE_CAMERAS],
        [camera[2] / 100 for camera in EXAMPLE_CAMERAS],
    ).c2w.clone()
    orbit[..., 1, 3] -= 1.2  # the cameras look at a point 120 cm above Unreal's ground, and y points down
    torch.testing.assert_close(rig.c2w, orbit, atol=1e-5, rtol=0)


def test_a_camera_of_unreals_axes_is_the_identity(read):
    rig = read(document({"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [200 300 400 1] "}))
    expected = torch.eye(4, dtype=torch.float64)
    expected[:3, 3] = torch.tensor([3.0, -4.0, 2.0])  # right, down, forward
    assert torch.equal(rig.c2w[0, 0], expected)


def test_cameras_are_chosen_by_number_in_the_order_asked_for(read):
    rig = read(document(three_cameras()), "3, 1")
    assert rig.names == ("cam03", "cam01")
    assert torch.equal(rig.c2w[:, 0], read(document(three_cameras())).c2w[[2, 0], 0])


@pytest.mark.parametrize("write", [lambda text: text.encode(), lambda text: b"\xef\xbb\xbf" + text.encode()])
def test_frames_may_stand_in_any_order_with_or_without_a_byte_order_mark(read, write):
    frames = document(three_cameras(), 12)
    for frame in range(12):
        frames[f"frame{frame}"]["cam02"] = text_of(rows_of(frame, 0, 300))
    shuffled = {key: frames[key] for key in sorted(frames, reverse=True)}
    rig = read(write(json.dumps(shuffled)), "2")
    assert rig.frames == 12
    for frame in range(12):
        expected = rows_of(frame, 0, 300)[3, :3] / 100
        assert rig.c2w[0, frame, :3, 3].tolist() == pytest.approx([expected[1], -expected[2], expected[0]], abs=1e-4)


def test_still_cameras_become_one_frame_even_beside_a_moving_one_that_is_not_chosen(read):
    frames = document(three_cameras(), 5)
    frames["frame4"]["cam02"] = text_of(rows_of(1, 2, 300))
    assert read(frames, "1, 3").frames == 1
    assert read(frames, "1, 2").frames == 5


@pytest.mark.parametrize(
    "text",
    [
        "[1 0 0 0] [0 1 0 0] [0 0 1 0] [1 2 3 1]",
        "[1 -0 -0 0] [-0 1 0 0] [0 0 1 -0] [1 2 3 1] \n",
        "[1 0 0] [0 1 0] [0 0 1] [1 2 3]",
        "[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 2, 3, 1]",
        "[[1 0 0 0][0 1 0 0][0 0 1 0][1 2 3 1]]".strip("[]").join("[]"),
        "[1.0e0 0 0 0] [0 1 0 0] [0 0 1 0] [1 2 3 1]",
    ],
)
def test_small_differences_in_writing_are_read(read, text):
    rig = read(document({"cam01": text}))
    assert rig.c2w[0, 0, :3].tolist() == [[1, 0, 0, 0.02], [0, 1, 0, -0.03], [0, 0, 1, 0.01]]


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(50, 2000), st.tuples(*[st.floats(-1e4, 1e4)] * 3))
@patient
def test_relative_poses_do_not_depend_on_where_the_scene_stands(azimuth, elevation, distance, point):
    cameras = [rows_of(0, 0, 300, point), rows_of(azimuth, elevation, distance, point)]
    rows = {f"cam{n:02d}": "".join("[" + " ".join(map(repr, row.tolist())) + "] " for row in rows) for n, rows in enumerate(cameras, start=1)}  # fmt: skip
    poses = encode_cameras(rig_from_syncamvideo(document(rows)), 5).poses
    expected = encode_cameras(orbit_rig([0, azimuth], [0, elevation], [3, distance / 100]), 5).poses
    torch.testing.assert_close(poses, expected, atol=1e-5, rtol=0)


# -- what is refused -------------------------------------------------------------------------------------------------


def with_camera(text, frame: str = "frame1", name: str = "cam02") -> dict:
    frames = document(three_cameras())
    frames[frame][name] = text
    return frames


IDENTITY = "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not four rows"),
        ("[1 0 0 0] [0 1 0 0] [0 0 1 0]", "not four rows"),
        (IDENTITY + " [1 2 3 4]", "not four rows"),
        (IDENTITY.replace("]", "", 1), "not four rows"),
        ("x " + IDENTITY, "not four rows"),
        ("[" * 100_000, "not four rows"),
        (IDENTITY.replace("[1 0", "[one 0"), "row 0 .*not a number"),
        (IDENTITY.replace("[1 0", "[nan 0"), "row 0 holds NaN"),
        (IDENTITY.replace("[0 0 0 1", "[1e400 0 0 1"), "row 3 holds NaN or an infinite"),
        (IDENTITY.replace("[0 1 0 0]", "[0 1]"), "row 1 has 2 numbers"),
        (IDENTITY.replace("[0 1 0 0]", "[0 1 0 0 0]"), "row 1 has 5 numbers"),
        ("[1 0 0 260] [0 1 0 150] [0 0 1 -57] [0 0 0 1]", "row 0 ends with 260.*transposed"),
        ("[1 0 0 0] [0 -1 0 0] [0 0 1 0] [0 0 0 1]", "mirrored.*Unreal's axes"),
        ("[2 0 0 0] [0 2 0 0] [0 0 2 0] [0 0 0 1]", "scaled by 2"),
        ("[1 0 0 0] [1 0 0 0] [0 0 1 0] [0 0 0 1]", "not a rotation"),
        ("[1 0 0 0] [0 1 0 0] [0 0 1 0] [1e15 0 0 1]", "metres"),
        (7, "four rows"),
        (None, "four rows"),
        ([[1, 0, 0, 0]], "four rows"),
    ],
)
def test_a_broken_camera_is_refused_by_frame_and_name(read, text, said):
    with pytest.raises(UserError, match=rf"file 'cams.json': frame1, cam02: .*{said}") as refused:
        read(with_camera(text))
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


def test_a_broken_camera_that_is_not_chosen_does_no_harm(read):
    assert read(with_camera("broken", frame="frame0"), "1, 3").names == ("cam01", "cam03")


def test_a_frame_without_a_camera_is_named(read):
    frames = document(three_cameras(), 20)
    del frames["frame12"]["cam03"]
    with pytest.raises(UserError, match="frame12 has no camera 'cam03'"):
        read(frames)
    assert read(frames, "1, 2").frames == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("frame1"), "'frame1' is missing, but there is 'frame2'"),
        (lambda d: d.pop("frame0"), "'frame0' is missing"),
        (lambda d: d.update(frame99999999={}), "'frame3' is missing, but there is 'frame99999999'"),
        (lambda d: d.update(frame00=d["frame0"]), "'frame0' and 'frame00' are the same frame"),
        (lambda d: d.update(fps=15), "the key 'fps' beside its frames"),
        (lambda d: d.update(frame1={}), "'frame1' holds no cameras"),
        (lambda d: d.update(frame1=[1]), "'frame1' holds no cameras"),
        (lambda d: d["frame0"].update({"": "x"}), "not four rows"),
        (lambda d: [frame.update({"a\nb": IDENTITY}) for frame in d.values()], "control character"),
    ],
)
def test_a_file_with_wrong_frames_is_refused(read, change, said):
    frames = document(three_cameras())
    change(frames)
    with pytest.raises(UserError, match=f"file 'cams.json': .*{said}") as refused:
        read(frames)
    assert type(refused.value) is UserError


def test_more_frames_than_a_film_has_are_refused(read):
    with pytest.raises(UserError, match="it has 20001 frames, but at most 20000 are read; cut it"):
        read(document({"cam01": text_of(np.eye(4))}, frames=20_001))


def test_more_than_64_cameras_need_a_choice(read):
    frames = document({f"cam{n:02d}": IDENTITY for n in range(1, 101)}, 2)
    with pytest.raises(UserError, match=r"100 cameras.*at most 64.*choose"):
        read(frames)
    assert read(frames, "100, 1").names == ("cam100", "cam01")


def test_an_unknown_camera_is_refused_with_those_of_the_file(read):
    with pytest.raises(
        ValueError, match=r"file 'cams.json': 'cameras' asks for '7', but the cameras are cam01, cam02, cam03"
    ):
        read(document(three_cameras()), "1, 7")


# -- files of inverse matrices ---------------------------------------------------------------------------------------


def inverse_text(rows: np.ndarray) -> str:
    return text_of(np.linalg.inv(rows))


@pytest.mark.parametrize("point", [(13220.0, 1100.0, -570.0), (500.0, 0.0, 100.0), (0.0, 0.0, 0.0)])
def test_a_file_of_world_to_camera_matrices_is_explained(read, point):
    cameras = {f"cam{n:02d}": inverse_text(rows_of(15 * n, 4 * n, 300, point)) for n in range(1, 6)}
    with pytest.raises(UserError, match=r"world-to-camera.*invert each"):
        read(document(cameras))


@pytest.mark.parametrize(
    "rows",
    [
        [rows_of(a, e, 300, (13220, 1100, -570)) for a, e in ((0, 0), (30, 0), (0, 30), (-60, 10))],  # around a point
        [rows_of(0, 0, 300, (0, 100 * n, 50)) for n in range(4)],  # side by side
        [rows_of(25 * n, 0, 1e-6, (500, 80, 120)) for n in range(4)],  # turning on one spot
        [rows_of(25 * n, 10, 1e-6, (0, 0, 0)) for n in range(4)],  # turning in the origin
        [rows_of(25 * n, 5, 1e-6, (-500, 0, 0)) for n in range(4)],  # turning in front of it, on the axis
        [rows_of(360 / 8 * n, 0, -200, (500, 70, 30)) for n in range(8)],  # looking outwards
        [rows_of(0, 0, 300 + 100 * n) for n in range(4)],  # one behind the other
        [rows_of(37 * n, 11 * n, 200 + 60 * n, (90 * n * n, -70 * n, 40 * n)) for n in range(6)],  # anywhere
    ],
    ids=["around", "wall", "spot", "origin", "in front", "outwards", "line", "anywhere"],
)
def test_camera_to_world_files_of_every_kind_are_not_taken_for_inverse_ones(read, rows):
    assert read(document({f"cam{n:02d}": text_of(m) for n, m in enumerate(rows, start=1)})).views == len(rows)


@given(st.lists(st.tuples(*[st.floats(-1000, 1000)] * 5), min_size=3, max_size=8))
@patient
def test_random_rigs_are_not_taken_for_inverse_ones(cameras):
    texts = {f"cam{n:02d}": text_of(rows_of(a, e / 12, 300, (x, y, z))) for n, (a, e, x, y, z) in enumerate(cameras)}
    assert rig_from_syncamvideo(document(texts)).views == len(cameras)


# -- writing ---------------------------------------------------------------------------------------------------------

bounded = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(rigs())
@bounded
def test_what_is_written_comes_back(tmp_path, rig):
    path = tmp_path / "camera_extrinsics.json"
    syncamvideo.write(rig, path)
    back = syncamvideo.read(path)
    assert back.names == rig.names
    assert back.frames == rig.frames
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-12)


def reference_poses(path: Path, frame: int) -> np.ndarray:
    """How the data sets' users read a file, as its authors describe it: metres relative to the first camera.

    Rows are split and transposed, the columns forward, right, up, position become right, down, forward, position.
    """
    poses = []
    for text in json.loads(path.read_text())[f"frame{frame}"].values():
        rows = [row.strip("[] ").split() for row in text.strip().split("] [")]
        matrix = np.array(rows, dtype=np.float64).T[:, [1, 2, 0, 3]]
        matrix[:3, 1] *= -1
        matrix[:3, 3] /= 100
        poses.append(matrix)
    return np.linalg.inv(poses[0]) @ poses


@given(rigs(moving=True))
@bounded
def test_the_data_sets_readers_find_the_relative_poses_of_the_rig(tmp_path, rig):
    path = tmp_path / "camera_extrinsics.json"
    syncamvideo.write(rig, path)
    for frame in range(rig.frames):
        c2w = rig.c2w[:, frame].numpy()
        np.testing.assert_allclose(reference_poses(path, frame), np.linalg.inv(c2w[0]) @ c2w, atol=1e-9)


def test_a_camera_at_azimuth_0_stands_on_unreals_negative_x_and_looks_along_x(tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    syncamvideo.write(orbit_rig([0], [0], [3]), path)
    assert json.loads(path.read_text())["frame0"] == {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [-300 0 0 1] "}


def test_still_cameras_are_written_as_the_data_sets_81_frames_or_as_many_as_asked_for(tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    rig = orbit_rig([0, 30])
    syncamvideo.write(rig, path)
    assert list(json.loads(path.read_text())) == [f"frame{frame}" for frame in range(81)]
    write_rig_file(rig, path, "syncamvideo", frames=5)
    assert list(json.loads(path.read_text())) == [f"frame{frame}" for frame in range(5)]
    assert read_rig_file(path).frames == 1


def moving_rig(frames: int) -> Rig:
    return Rig(names=("a",), c2w=np.stack([orbit_in_the_rig(3 * frame, 10, 4) for frame in range(frames)])[None])


def test_a_moving_camera_of_the_multicamvideo_kind_is_read_and_written(tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    path.write_text(json.dumps({f"frame{n}": {"cam01": text_of(rows_of(3 * n, 10, 400, (0, 0, 0)))} for n in range(7)}))
    rig = read_rig_file(path)
    torch.testing.assert_close(rig.c2w, moving_rig(7).c2w, atol=1e-4, rtol=0)
    syncamvideo.write(moving_rig(7), path)
    torch.testing.assert_close(read_rig_file(path).c2w, moving_rig(7).c2w, atol=1e-12, rtol=0)


def test_another_number_of_frames_than_a_moving_rig_has_is_refused(tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    with pytest.raises(UserError, match="frames is 81, but the cameras of the rig move over 7 frames"):
        syncamvideo.write(moving_rig(7), path, frames=81)
    for frames in (0, -1, 2.0, True, 10**9):
        with pytest.raises(UserError, match=f"frames is {frames}, but a whole number from 1"):
            syncamvideo.write(orbit_rig([0]), path, frames=frames)
    assert not path.exists()


def test_six_digits_keep_a_far_camera_in_its_place(tmp_path):
    c2w = six_digits(orbit_in_the_rig(33, 21, 1, 7))
    c2w[:3, 3] = [132.2, -5.7, 11.0]
    path = tmp_path / "camera_extrinsics.json"
    syncamvideo.write(Rig(names=("a",), c2w=c2w[None, None]), path)
    np.testing.assert_allclose(syncamvideo.read(path).c2w[0, 0], c2w, atol=1e-12)


def test_a_file_in_metres_can_be_read_but_is_never_written(tmp_path):
    path = tmp_path / "camera_extrinsics.json"
    path.write_text(json.dumps(document({"cam01": "[1 0 0] [0 1 0] [0 0 1] [-3 0 0]"})))
    assert read_rig_file(path, unit_m=1.0).c2w[0, 0, 2, 3] == -3
    with pytest.raises(UserError, match="unit_m is 1, but files of this format are in centimetres"):
        syncamvideo.write(orbit_rig([0]), path, unit_m=1.0)
    syncamvideo.write(orbit_rig([0]), path, unit_m=0.01)
    assert read_rig_file(path).c2w[0, 0, 2, 3] == -3


def test_control_characters_of_a_damaged_row_do_not_reach_the_sentence():
    document = {"frame0": {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [1\x7f\x7f 2 3 1] "}}
    with pytest.raises(UserError, match="row 3 holds something that is not a number") as refused:
        rig_from_syncamvideo(document)
    assert str(refused.value).isprintable()
