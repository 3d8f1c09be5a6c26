"""The OpenCV JSON: what its numbers mean, that it comes back as written, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from camera_cases import angle_of_view, orbit_in_the_rig, rigs, six_digits
from hypothesis import HealthCheck, given, settings
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Rig
from syncam_core.errors import UserError
from syncam_core.formats import opencv_json, read_rig_file

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
EYE = np.eye(3).tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cameras.json"


def document(*cameras: dict, **changes) -> dict:
    return {"format": "opencv-cameras", "version": 1, "unit_m": 1.0, "cameras": list(cameras), **changes}


def read(path, content, **options):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return opencv_json.read(path, **options)


@given(rigs())
@patient
def test_what_is_written_comes_back(path, rig):
    opencv_json.write(rig, path, unit_m=0.3, image_size=(640, 360))
    back = opencv_json.read(path)
    assert back.names == rig.names
    assert back.frames == rig.frames
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-12)
    for ours, theirs in zip(rig.lenses, back.lenses, strict=True):
        assert theirs.focal_mm == pytest.approx(ours.focal_mm)
        assert theirs.sensor_width_mm == ours.sensor_width_mm


@given(rigs())
@patient
def test_a_written_file_projects_points_where_the_rig_sees_them(path, rig):
    opencv_json.write(rig, path, unit_m=0.01, image_size=(1280, 720))
    entries = json.loads(path.read_text())["cameras"]
    for view, entry in enumerate(entries):
        rotations, translations = np.array(entry["R"]).reshape(-1, 3, 3), np.array(entry["t"]).reshape(-1, 3)
        for frame, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
            c2w = rig.c2w[view, frame].numpy()
            right, down, forward, centre = c2w[:3].T
            point_m = centre + 0.3 * right - 0.2 * down + 2.0 * forward
            pixel = np.array(entry["K"]) @ (rotation @ (point_m * 100) + translation)
            focal = 640 / math.tan(angle_of_view(rig.lenses[view]) / 2)
            assert pixel[:2] / pixel[2] == pytest.approx([640 + focal * 0.15, 360 - focal * 0.1], rel=1e-6)


def test_r_and_t_map_the_world_to_the_camera(path):
    c2w = orbit_in_the_rig(25, 10, 3, roll=5)
    rotation = c2w[:3, :3].T
    given_camera = {"name": "one", "R": rotation.tolist(), "t": (-rotation @ c2w[:3, 3] * 100).tolist()}
    rig = read(path, document(given_camera, unit_m=0.01))
    np.testing.assert_allclose(rig.c2w[0, 0], c2w, atol=1e-12)
    assert rig.names == ("one",)
    assert angle_of_view(rig.lenses[0]) == pytest.approx(math.radians(52.7), abs=1e-3)


@pytest.mark.parametrize("shape", [lambda v: v.tolist(), lambda v: v[:, None].tolist()], ids=["row", "column"])
def test_a_rodrigues_vector_may_stand_instead_of_r(path, shape):
    vector, translation = np.array([0.3, -1.1, 0.4]), np.array([1.0, 2.0, 3.0])
    rig = read(path, document({"rvec": shape(vector), "t": shape(translation)}))
    w2c = np.eye(4)
    w2c[:3, :3], w2c[:3, 3] = Rotation.from_rotvec(vector).as_matrix(), translation
    np.testing.assert_allclose(rig.c2w[0, 0], np.linalg.inv(w2c), atol=1e-12)


def test_opencvs_own_names_for_a_pose_are_understood(path):
    rvec = np.array([0.1, -0.7, 0.3])
    given = {"rvec": rvec.tolist(), "tvec": [[0.5], [1], [3]]}
    path.write_text(json.dumps({"unit_m": 1, "cameras": [given]}))
    w2c = np.eye(4)
    w2c[:3, :3], w2c[:3, 3] = Rotation.from_rotvec(rvec).as_matrix(), [0.5, 1, 3]
    np.testing.assert_allclose(read_rig_file(path).c2w[0, 0], np.linalg.inv(w2c), atol=1e-12)


def test_lists_are_frames_and_a_still_camera_stands_beside_them(path):
    turns = Rotation.from_euler("y", [[0], [10], [20]], degrees=True).as_matrix()
    rig = read(
        path,
        document(
            {"name": "a", "R": turns.tolist(), "t": [[0, 0, 3]] * 3},
            {"name": "b", "c2w": [orbit_in_the_rig(az, 0, 2).tolist() for az in (0, 5, 10)]},
            {"name": "c", "c2w": orbit_in_the_rig(40, 0, 2)[:3].tolist()},
        ),
    )
    assert (rig.views, rig.frames) == (3, 3)
    np.testing.assert_allclose(rig.c2w[0, 2, :3, :3], turns[2].T, atol=1e-12)
    np.testing.assert_allclose(rig.c2w[1, 1], orbit_in_the_rig(5, 0, 2), atol=1e-12)
    assert torch.equal(rig.c2w[2, 0], rig.c2w[2, 2])


@pytest.mark.parametrize(
    ("up", "height", "away"),
    [("-y", [0, -1, 0], [0, 0, 1]), ("y", [0, 1, 0], [0, 0, -1]), ("z", [0, 0, 1], [0, 1, 0])],
)
def test_the_up_axis_of_the_file_becomes_the_rigs(path, up, height, away):
    matrix = np.eye(4)
    matrix[:3, 3] = 2 * np.array(height) + 3 * np.array(away) + [5, 0, 0]
    rig = read(path, document({"c2w": matrix.tolist()}, up=up))
    assert rig.c2w[0, 0, :3, 3].tolist() == [5, -2, 3]
    assert torch.linalg.det(rig.c2w[0, 0, :3, :3]) == pytest.approx(1)


def test_six_digits_keep_a_far_camera_in_its_place(path):
    c2w = six_digits(orbit_in_the_rig(33, 21, 1, 7))
    c2w[:3, 3] = [13220.0, -5700.0, 1100.0]
    opencv_json.write(Rig(names=("a",), c2w=c2w[None, None]), path)
    np.testing.assert_allclose(opencv_json.read(path).c2w[0, 0], c2w, atol=1e-8)


def test_the_lens_is_told_by_k_and_the_width_of_the_picture(path):
    camera = {"c2w": np.eye(4).tolist(), "K": [[840.4, 0, 416], [0, 840.4, 240], [0, 0, 1]], "width": 832}
    (lens,) = read(path, document(camera)).lenses
    assert angle_of_view(lens) == pytest.approx(2 * math.atan(416 / 840.4))


def test_the_unit_is_read_or_asked_for(path):
    camera = {"c2w": orbit_in_the_rig(0, 0, 3).tolist()}
    assert read(path, document(camera, unit_m=0.5)).c2w[0, 0, 2, 3] == -1.5
    assert read(path, document(camera, unit_m=0.5), unit_m=2.0).c2w[0, 0, 2, 3] == -6
    without = document(camera)
    del without["unit_m"]
    with pytest.raises(UserError, match=r"does not say its unit; give 'unit_m'"):
        read(path, without)
    assert read(path, without, unit_m=1.0).views == 1


def test_cameras_are_chosen_by_name_and_broken_ones_left_alone(path):
    good = {"name": "good", "c2w": np.eye(4).tolist()}
    assert read(path, document({"name": "broken", "c2w": 7}, good), cameras="good").names == ("good",)


def test_the_registry_tells_it_from_its_content(path):
    path.write_text(json.dumps(document({"name": "x", "R": EYE, "t": [0, 0, 3]})))
    assert read_rig_file(path).c2w[0, 0, 2, 3] == -3
    by_hand = {"unit_m": 1, "cameras": [{"R": EYE, "t": [0, 0, 3]}]}
    path.write_text(json.dumps(by_hand))
    assert read_rig_file(path).c2w[0, 0, 2, 3] == -3
    by_hand = {"unit_m": 0.5, "cameras": [{"c2w": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -3]]}]}
    path.write_text(json.dumps(by_hand))
    assert read_rig_file(path).c2w[0, 0, 2, 3] == -1.5
    unknown = {"cameras": [{"K": EYE, "R": EYE, "T": [0, 0, 3]}]}
    path.write_text(json.dumps(unknown))
    with pytest.raises(UserError, match=r"needs either R and t .* or rvec and tvec, or c2w"):
        read_rig_file(path, unit_m=1.0)


def orbits_inverted(key: str, point) -> list[dict]:
    cameras = [orbit_in_the_rig(az, el, 3) for az, el in ((0, 0), (30, 5), (60, 20), (-40, 10))]
    for c2w in cameras:
        c2w[:3, 3] += point
    if key == "c2w":
        return [{"c2w": np.linalg.inv(c2w).tolist()} for c2w in cameras]
    return [{"R": c2w[:3, :3].tolist(), "t": c2w[:3, 3].tolist()} for c2w in cameras]


@pytest.mark.parametrize("cameras", ["", "1, 3"])
@pytest.mark.parametrize("point", [(5, -1, 20), (0, 0, 0)])
@pytest.mark.parametrize("key", ["c2w", "R"])
def test_inverted_matrices_are_explained_whichever_of_them_are_wanted(path, key, point, cameras):
    with pytest.raises(UserError, match=r"look inverted.*R and t map world to camera, c2w maps camera to world"):
        read(path, document(*orbits_inverted(key, point)), cameras=cameras)


MIRROR = np.diag([1, -1, 1]).tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("[" * 100_000, "nested too deeply"),
        ([1], "a list of 1 items without 'cameras'"),
        (document(), "cameras is an empty list"),
        (document(7), r"cameras\[0\] is 7, but an object"),
        (document({"c2w": EYE}), r"cameras\[0\].c2w row 0 is a list of 3 items, but 4 numbers"),
        (document({"c2w": []}), r"cameras\[0\].c2w is an empty list"),
        (document({"R": EYE}), "needs either R and t"),
        (document({"R": EYE, "rvec": [0, 0, 0], "t": [0, 0, 0]}), "needs either R and t"),
        (document({"R": EYE, "t": [0, 0, 0], "tvec": [0, 0, 0]}), "needs either R and t"),
        (document({"K": EYE, "R": EYE, "T": [0, 0, 0]}), "needs either R and t"),
        (document({"R": EYE, "t": [0, 0, 0], "c2w": EYE}), "both c2w and R"),
        (document({"R": EYE, "t": [0, 0]}), r"cameras\[0\].t is a list of 2 items, but 3 numbers"),
        (document({"R": [EYE, EYE], "t": [0, 0, 0]}), "2 rotations but 1 translations"),
        (document({"R": MIRROR, "t": [0, 0, 0]}), "camera 'cam01': the matrix is mirrored"),
        (document({"R": (2 * np.eye(3)).tolist(), "t": [0, 0, 0]}), "scaled by 2"),
        (document({"R": [[1, 0, 0], [1, 0, 0], [0, 0, 1]], "t": [0, 0, 0]}), "mirrored|not a rotation"),
        (document({"c2w": np.eye(4)[:, [3, 1, 2, 0]].tolist()}), "last row"),
        (document({"c2w": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [5, 0, 0, 1]]}), "looks transposed"),
        (document({"c2w": [[1, 0, 0, 1e300], [0, 1, 0, 0], [0, 0, 1, 0]]}), "camera 'cam01': the matrix stands at"),
        (json.dumps(document({"R": EYE, "t": [0, 0, 7]})).replace("7", "NaN"), r"t\[2\] is NaN or an infinite"),
        (json.dumps(document({"R": EYE, "t": [0, 0, 7]})).replace("7", "1e999"), r"t\[2\] is NaN or an infinite"),
        (json.dumps(document({"R": EYE, "t": [0, 0, 7]})).replace("7", "9" * 309), r"t\[2\] is NaN or an infinite"),
        (document({"R": EYE, "t": [0, 0, True]}), r"t\[2\] is true, but a number"),
        (document({"R": EYE, "t": [0, 0, "3"]}), r"t\[2\] is the text '3', but a number"),
        (document({"R": EYE, "t": [0, 0, 0], "K": EYE}), "K but no width"),
        (document({"R": EYE, "t": [0, 0, 0], "K": [[0, 0, 0]] * 3, "width": 10}), "above 0"),
        (document({"R": EYE, "t": [0, 0, 0], "name": 5}), r"cameras\[0\].name is 5"),
        (document({"R": EYE, "t": [0, 0, 0], "name": ""}), "empty name"),
        (document(*[{"R": EYE, "t": [0, 0, 0], "name": "a"}] * 2), "both named 'a'"),
        (document(*[{"R": EYE, "t": [0, 0, 0]}] * 65), "65 cameras, but at most 64"),
        (document({"c2w": [np.eye(4).tolist()] * 3}, {"c2w": [np.eye(4).tolist()] * 4}), "3 frames but .* 4"),
        (document({"R": EYE, "t": [0, 0, 0]}, up="x"), "up is the text 'x'"),
        (document({"R": EYE, "t": [0, 0, 0]}, unit_m=0), r"unit_m is 0, but a number above 0"),
        (document({"R": EYE, "t": [0, 0, 0]}, version=2), "version is 2"),
        (document({"R": EYE, "t": [0, 0, 0]}, format="x"), "format is the text 'x'"),
    ],
    ids=range(36),
)
def test_what_cannot_be_read_is_refused_in_one_sentence(path, content, said):
    with pytest.raises(UserError, match=said) as refused:
        read(path, content)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    rig = Rig(names=("a",), c2w=np.eye(4)[None, None])
    with pytest.raises(UserError, match=r"'cameras.json' cannot be written"):
        opencv_json.write(rig, tmp_path / "absent" / "cameras.json")
    with pytest.raises(UserError, match=r"unit_m .* is 0"):
        opencv_json.write(rig, tmp_path / "cameras.json", unit_m=0)
