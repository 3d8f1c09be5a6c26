"""transforms.json of nerfstudio and instant-ngp: axes, units, which image is which camera, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from camera_cases import angle_of_view, orbit_in_the_rig, orbit_with_z_up, rigs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import nerfstudio, read_rig_file

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
EYE = np.eye(4).tolist()
SOMEWHERE = np.pad([[7.0], [3], [1]], ((0, 1), (3, 0)))  # the subject's place, for an orbit around the origin


@pytest.fixture
def path(tmp_path):
    return tmp_path / "transforms.json"


def read(path, content, unit_m=1.0, **options):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return nerfstudio.read(path, unit_m=unit_m, **options)


def scene(*file_paths: str, step: float = 1.0, **head) -> dict:
    """Frames that stand `step` further along x, one after the other."""
    matrices = [np.eye(4) for _ in file_paths]
    for index, matrix in enumerate(matrices):
        matrix[0, 3] = step * index
    frames = [{"file_path": p, "transform_matrix": m.tolist()} for p, m in zip(file_paths, matrices, strict=True)]
    return {**head, "frames": frames}


@given(rigs())
@patient
def test_what_is_written_comes_back(path, rig):
    nerfstudio.write(rig, path, unit_m=0.3, image_size=(640, 360))
    back = nerfstudio.read(path)
    assert back.names == rig.names
    assert back.frames == rig.frames
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-12)
    for ours, theirs in zip(rig.lenses, back.lenses, strict=True):
        assert angle_of_view(theirs) == pytest.approx(angle_of_view(ours))


@given(st.floats(-180, 180), st.floats(-85, 85), st.floats(0.1, 100), st.floats(-180, 180))
@patient
def test_opengl_axes_with_z_up_become_the_rigs(path, azimuth, elevation, distance, roll):
    frames = [
        {"file_path": "images/a.png", "transform_matrix": orbit_with_z_up(azimuth, elevation, distance, roll).tolist()}
    ]
    rig = read(path, {"frames": frames}, unit_m=0.5)
    expected = orbit_in_the_rig(azimuth, elevation, distance, roll)
    expected[:3, 3] *= 0.5
    np.testing.assert_allclose(rig.c2w[0, 0], expected, atol=1e-9 * max(1, distance))


def test_a_written_file_has_the_axes_of_nerfstudio(path):
    nerfstudio.write(orbit_rig([20, -70], [35, 10], [4, 2]), path)
    document = json.loads(path.read_text())
    for frame, camera in zip(document["frames"], ((20, 35, 4), (-70, 10, 2)), strict=True):
        np.testing.assert_allclose(frame["transform_matrix"], orbit_with_z_up(*camera), atol=1e-12)
    assert [frame["file_path"] for frame in document["frames"]] == ["images/cam01.png", "images/cam02.png"]
    assert (document["camera_model"], document["w"], document["h"]) == ("OPENCV", 832, 480)
    assert (document["cx"], document["cy"]) == (416, 240)
    assert document["fl_x"] == document["fl_y"] == pytest.approx(840.4, abs=0.01)


def test_pictures_of_a_moving_rig_are_named_by_camera_and_frame_and_never_lead_out_of_their_folder(path):
    c2w = np.tile(np.eye(4), (3, 2, 1, 1))
    c2w[:, 1, 0, 3] = 1
    nerfstudio.write(Rig(names=("../../etc", "a/b", "front"), c2w=c2w), path)
    frames = json.loads(path.read_text())["frames"]
    assert [frame["file_path"] for frame in frames[::2]] == [
        "images/etc/00000.png",
        "images/a-b/00000.png",
        "images/front/00000.png",
    ]
    assert nerfstudio.read(path).names == ("../../etc", "a/b", "front")


@pytest.mark.parametrize(
    ("head", "frame", "angle"),
    [
        ({"w": 800, "fl_x": 1000.0}, {}, 2 * math.atan(400 / 1000)),
        ({"w": 800, "fl_x": 1000.0}, {"w": 400, "fl_x": 200.0}, 2 * math.atan(200 / 200)),
        ({"cx": 400, "fl_x": 1000.0}, {}, 2 * math.atan(400 / 1000)),
        ({"camera_angle_x": 0.6911112070083618}, {}, 0.6911112070083618),
        ({}, {}, 2 * math.atan(23.76 / 2 / 24)),
        ({"fl_x": 1000.0}, {}, 2 * math.atan(23.76 / 2 / 24)),
        ({"w": 800, "fl_y": 1000.0}, {}, 2 * math.atan(400 / 1000)),
        ({"w": 800, "h": 600, "camera_angle_y": 2 * math.atan(300 / 1000)}, {}, 2 * math.atan(400 / 1000)),
        ({"cx": 400, "cy": 300, "camera_angle_y": 2 * math.atan(300 / 1000)}, {}, 2 * math.atan(400 / 1000)),
        ({"x_fov": 60}, {}, math.radians(60)),
        ({"w": 800, "h": 600, "y_fov": 60}, {}, 2 * math.atan(800 / 600 * math.tan(math.radians(30)))),
        ({"w": 800, "fl_x": 1000.0, "fl_y": 500.0, "camera_angle_y": 1}, {}, 2 * math.atan(400 / 1000)),
        ({"w": 800, "fl_x": 1000.0}, {"fl_y": 200.0, "w": 400}, 2 * math.atan(200 / 200)),
        ({"w": 800}, {"intrinsic_matrix": [[1000, 0, 400], [0, 1000, 300], [0, 0, 1]]}, 2 * math.atan(400 / 1000)),
        ({"camera_angle_y": 0.7, "w": 800}, {}, 2 * math.atan(23.76 / 2 / 24)),
        ({"camera_model": "EQUIRECTANGULAR", "w": 800, "fl_x": 1000.0}, {}, 2 * math.atan(23.76 / 2 / 24)),
    ],
    ids=[
        *("global", "frame", "principal point", "angle", "none", "no width"),
        *("fl_y", "angle of the height", "of the principal point", "degrees", "degrees of the height"),
        *("the width counts", "of the frame", "matrix", "no height", "no pinhole"),
    ],
)
def test_focal_lengths_are_told_for_all_or_each(path, head, frame, angle):
    document = scene("a.png", **head)
    document["frames"][0].update(frame)
    assert angle_of_view(read(path, document).lenses[0]) == pytest.approx(angle)


def test_cameras_that_are_no_pinholes_are_told(path, caplog):
    read(path, scene("a.png", camera_model="SIMPLE_PINHOLE"))
    assert caplog.messages == []
    read(path, scene("a.png", camera_model="OPENCV_FISHEYE"))
    assert "no pinhole cameras (OPENCV_FISHEYE)" in caplog.text


# -- which camera, and when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["images/cam01/0000.png", "images/cam01/0001.png", "images/cam02/0000.png", "images/cam02/0001.png"],
        ["cam01/frame_00007.jpg", "cam01/frame_00008.jpg", "cam02/frame_00007.jpg", "cam02/frame_00008.jpg"],
        ["images/cam01_frame0000.png", "images/cam01_frame0001.png", "images/cam02_frame0000.png", "images/cam02_frame0001.png"],
        ["./cam01-0", "./cam01-1", "./cam02-0", "./cam02-1"],
        ["frame0010/cam01.png", "frame0020/cam01.png", "frame0010/cam02.png", "frame0020/cam02.png"],
        ["x/t03_cam01.png", "x/t04_cam01.png", "x/t03_cam02.png", "x/t04_cam02.png"],
        ["images\\cam01\\1.png", "images\\cam01\\2.png", "images\\cam02\\1.png", "images\\cam02\\2.png"],
    ],
    ids=range(7),
)  # fmt: skip
def test_paths_tell_camera_and_time(path, names):
    rig = read(path, scene(*names))
    assert rig.names == ("cam01", "cam02")
    assert rig.c2w[:, :, 0, 3].tolist() == [[0, 1], [2, 3]]


def test_a_folder_of_all_pictures_says_nothing_and_their_names_do(path):
    """As in a COLMAP model, whose names begin below it."""
    rig = read(path, scene("images/A_0001.png", "images/A_0002.png", "images/B_0001.png", "images/B_0002.png"))
    assert rig.names == ("A", "B")
    assert rig.c2w[:, :, 0, 3].tolist() == [[0, 1], [2, 3]]
    rig = read(path, scene("images/A_0001.png", "images/A_0002.png", "images/B_0001.png", "images/B_0005.png"))
    assert rig.views == 4, "photos, which have numbers, too"


def test_folders_that_hold_the_same_numbers_are_cameras(path):
    rig = read(path, scene("left/10.png", "left/9.png", "right/9.png", "right/10.png"))
    assert rig.names == ("left", "right")
    assert rig.c2w[:, :, 0, 3].tolist() == [[1, 0], [2, 3]]


@pytest.mark.parametrize(
    "names",
    [
        ["images/frame_00001.png", "images/frame_00002.png", "images/frame_00003.png"],
        ["./train/r_0", "./train/r_1", "./train/r_2"],
        ["./train/r_0", "./val/r_0", "./test/r_0"],
        ["a/1.png", "b/3.png", "b/2.png"],
        ["100MEDIA/1.png", "100MEDIA/2.png", "101MEDIA/1.png"],
        ["left/IMG_0001.JPG", "left/IMG_0002.JPG", "right/IMG_0001.JPG"],
    ],
    ids=range(6),
)
def test_other_images_are_still_cameras(path, names):
    rig = read(path, scene(*names))
    assert (rig.views, rig.frames) == (3, 1)
    assert rig.c2w[:, 0, 0, 3].tolist() == [0, 1, 2]


def test_images_are_named_after_their_files_or_else_their_paths(path):
    assert read(path, scene("images/front.png", "images/back.v2.png")).names == ("front", "back.v2")
    assert read(path, scene("train/r_0.png", "test/r_0.png")).names == ("train/r_0", "test/r_0")
    document = scene("a.png", "b.png")
    del document["frames"][1]["file_path"]
    assert read(path, document).names == ("a", "cam02")


def test_frames_of_different_times_are_one_moving_camera_and_of_the_same_time_still_ones(path):
    document = scene("r_2", "r_0", "r_1")
    for frame, time in zip(document["frames"], (1.0, 0.0, 0.5), strict=True):
        frame["time"] = time
    rig = read(path, document)
    assert (rig.views, rig.frames) == (1, 3)
    assert rig.c2w[0, :, 0, 3].tolist() == [1, 2, 0]
    for frame in document["frames"]:
        frame["time"] = 0.25
    assert read(path, document).views == 3
    document["frames"][0]["time"] = 0.5
    with pytest.raises(UserError, match=r"frames\[1\] and frames\[2\] have the same time"):
        read(path, document)


def with_times(document: dict, times) -> dict:
    for frame, time in zip(document["frames"], times, strict=True):
        frame["time"] = time
    return document


def test_camera_folders_count_beside_times(path):
    names = [f"images/cam{camera:02d}/{frame:04d}.png" for camera in range(3) for frame in range(3)]
    rig = read(path, with_times(scene(*names), [0, 0.5, 1] * 3))
    assert (rig.names, rig.frames) == (("cam00", "cam01", "cam02"), 3)
    assert rig.c2w[:, :, 0, 3].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(
    "form", ["cam{camera:02d}/{n:04d}.png", "side{camera}/{n:04d}.png", "side{camera}/{letter}.png"]
)
def test_times_are_the_moments_where_numbers_go_on_from_camera_to_camera_or_are_none(path, form):
    names = [form.format(camera=c, n=3 * c + f, letter="xyz"[f]) for c in range(2) for f in range(3)]
    rig = read(path, with_times(scene(*names), [1, 0.5, 0, 0, 0.5, 1]))
    assert (rig.views, rig.frames) == (2, 3)
    assert rig.c2w[:, :, 0, 3].tolist() == [[2, 1, 0], [3, 4, 5]]


def test_lenses_of_the_frames_tell_the_camera_from_the_moment(path):
    document = scene("000/00.png", "000/01.png", "001/00.png", "001/01.png", w=100)
    for frame, focal in zip(document["frames"], (50, 60, 50, 60), strict=True):
        frame["fl_x"] = focal
    rig = read(path, document)
    assert (rig.names, rig.frames) == (("00", "01"), 2)
    assert rig.c2w[:, :, 0, 3].tolist() == [[0, 2], [1, 3]]
    assert [lens.focal_mm / lens.sensor_width_mm for lens in rig.lenses] == pytest.approx([0.5, 0.6])


def test_folders_of_moments_with_words_for_cameras(path):
    rig = read(path, scene("0001/left.png", "0001/right.png", "0002/left.png", "0002/right.png"))
    assert (rig.names, rig.frames) == (("left", "right"), 2)
    assert rig.c2w[:, :, 0, 3].tolist() == [[0, 2], [1, 3]]


def test_pictures_overrules_what_names_say(path):
    document = scene("cam01/0.png", "cam01/1.png", "cam02/0.png", "cam02/1.png")
    assert read(path, document, pictures="stills").names == ("cam01/0", "cam01/1", "cam02/0", "cam02/1")
    document = scene(*[f"images/frame_{n:05d}.png" for n in range(5)])
    assert read(path, document).views == 5
    rig = read(path, document, pictures="moving")
    assert (rig.names, rig.frames) == (("cam01",), 5)
    assert read(path, scene(*[f"images/frame_{n:05d}.png" for n in range(300)])).frames == 300


def test_a_camera_of_one_time_stands_still_beside_moving_ones(path):
    rig = read(path, scene("cam01/0.png", "cam01/1.png", "cam02/0.png"))
    assert rig.frames == 2
    assert rig.c2w[1, :, 0, 3].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["cam01/0.png", "cam01/1.png", "cam01/2.png", "cam02/0.png", "cam02/1.png"],
            "camera 'cam02' has 2 frames, and frame 2, which another camera has",
        ),
        (
            ["cam01/0.png", "cam01/1.png", "cam02/0.png", "cam02/2.png"],
            "camera 'cam01' has 2 frames, and frame 2, which another",
        ),
        (["cam01/0.png", "cam01/1.png", "cam01/3.png"], "frame 2 is missing in all cameras; .*'pictures' to stills"),
        (["cam01/0.png", "cam01/00.png"], r"frames\[0\] and frames\[1\] are both camera 'cam01' at 0"),
        (["a.png", "a.jpg"], r"both camera 'a' at 0"),
    ],
)
def test_mixed_frame_counts_and_missing_times_are_explained(path, names, said):
    with pytest.raises(UserError, match=said):
        read(path, scene(*names))


def test_even_selections_of_frames_are_taken_as_they_are(path):
    assert read(path, scene(*[f"cam01/{4 * frame:04d}.png" for frame in range(21)])).frames == 21


# -- units, matrices, files ------------------------------------------------------------------------------------------


def test_the_unit_is_asked_for(path):
    with pytest.raises(UserError, match=r"does not say its unit; give 'unit_m'"):
        read(path, scene("a.png"), unit_m=None)


def test_how_the_world_was_made_does_not_change_the_matrices(path):
    plain = read(path, scene("a.png", "b.png"))
    head = {"applied_transform": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]], "applied_scale": 0.3, "scale": 0.5}
    assert torch.equal(read(path, scene("a.png", "b.png", offset=[1, 1, 1], **head)).c2w, plain.c2w)


@pytest.mark.parametrize("point", [(7, 3, 1), (1, 2, 1.2), (0, 0, 0)])
def test_world_to_camera_matrices_are_explained_whichever_of_them_are_wanted(path, point):
    frames = []
    for index, (azimuth, elevation) in enumerate(((0, 5), (30, 10), (60, 20), (-50, 30))):
        c2w = orbit_with_z_up(azimuth, elevation, 3)
        c2w[:3, 3] += point
        frames.append({"file_path": f"{index}.png", "transform_matrix": np.linalg.inv(c2w).tolist()})
    with pytest.raises(UserError, match=r"world-to-camera.*invert each"):
        read(path, {"frames": frames})
    with pytest.raises(UserError, match=r"world-to-camera.*invert each"):
        read(path, {"frames": frames}, cameras="0, 2")
    for frame in frames:
        frame["transform_matrix"] = np.linalg.inv(frame["transform_matrix"]).tolist()
    assert read(path, {"frames": frames}).views == 4


def test_two_cameras_say_nothing_about_the_way_round_of_their_matrices(path):
    matrices = [np.linalg.inv(orbit_with_z_up(*angles, 3) + SOMEWHERE) for angles in ((0, 5), (40, 10), (80, 20))]
    frames = [{"file_path": f"{n}.png", "transform_matrix": one.tolist()} for n, one in enumerate(matrices)]
    assert read(path, {"frames": frames[:2]}).views == 2
    with pytest.raises(UserError, match="world-to-camera"):
        read(path, {"frames": frames})


def with_matrix(matrix) -> dict:
    return {"frames": [{"file_path": "a.png", "transform_matrix": matrix}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("[" * 100_000, "nested too deeply"),
        ([], "without 'frames'"),
        ({"frames": []}, "frames is an empty list"),
        ({"frames": [3]}, r"frames\[0\] is 3"),
        ({"frames": [{"file_path": "a"}]}, r"frames\[0\] has no transform_matrix"),
        ({"frames": [{"file_path": 3, "transform_matrix": EYE}]}, r"frames\[0\].file_path is 3"),
        ({"frames": [{"file_path": "x" * 2000, "transform_matrix": EYE}]}, r"at most 1000 characters"),
        ({"frames": [{"file_path": "x" * 200, "transform_matrix": EYE}]}, r"name of 200 characters"),
        (with_matrix(7), r"frames\[0\].transform_matrix is 7"),
        (with_matrix([[1, 0, 0, 0]] * 5), "matrix of 3 or 4 rows"),
        (with_matrix([[1, 0, 0]] * 4), "row 0 is a list of 3 items"),
        (with_matrix(np.diag([1.0, 1, -1, 1]).tolist()), "camera 'a': the matrix is mirrored"),
        (with_matrix(np.diag([3.0, 3, 3, 1]).tolist()), "scaled by 3"),
        (with_matrix(np.diag([3.0, 1, 1, 1]).tolist()), "not a rotation"),
        (with_matrix(np.zeros((4, 4)).tolist()), "last row"),
        (with_matrix([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 2, 3, 1]]), "transposed"),
        (json.dumps(with_matrix(EYE)).replace("0.0", "NaN", 1), "row 0.1. is NaN"),
        (scene("a.png", from_na=True), "OpenCV axes"),
        (scene("a.png", fl_x=-1, w=10), "fl_x is -1"),
        (scene("a.png", fl_x=1e9, w=1), "fl_x: the lens has focal_mm"),
        (scene("a.png", camera_angle_x=4), "camera_angle_x is 4"),
        (scene("a.png", y_fov=180), "y_fov is 180, but an angle in degrees below 180"),
        (scene("a.png", w=8, intrinsic_matrix=[3]), r"intrinsic_matrix\[0\] is 3"),
        (scene(*[f"{n}.png" for n in range(65)]), "65 cameras, but at most 64"),
    ],
    ids=range(25),
)
def test_what_cannot_be_read_is_refused_in_one_sentence(path, content, said):
    with pytest.raises(UserError, match=said) as refused:
        read(path, content)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


def test_a_few_of_many_images_can_be_chosen(path):
    rig = read(path, scene(*[f"{n:03d}.png" for n in range(300)]), cameras="007, 250")
    assert rig.c2w[:, 0, 0, 3].tolist() == [7, 250]


def test_the_registry_reads_the_file_and_its_folder(path):
    path.write_text(json.dumps(scene("a.png", step=0.5)))
    assert read_rig_file(path, unit_m=1.0).views == 1
    assert read_rig_file(path.parent, unit_m=1.0).views == 1
    with pytest.raises(UserError, match="does not say its unit"):
        read_rig_file(path)


names = st.text("cam01_-/\\.frt ", max_size=20)


@given(st.lists(st.tuples(names, st.none() | st.floats(-2, 2), st.booleans()), max_size=6))
@patient
def test_any_names_and_times_give_a_rig_or_a_sentence(path, frames):
    content = {
        "frames": [
            {"file_path": name, "transform_matrix": EYE, **({} if time is None else {"time": time}), **({"syncam": {"camera": name}} if ours else {})}
            for name, time, ours in frames
        ]
    }  # fmt: skip
    problem = None
    try:
        read(path, content)
    except UserError as refused:
        problem = refused
    assert problem is None or type(problem) is UserError
