"""COLMAP models, checked against COLMAP's own library."""

from __future__ import annotations

import itertools
import logging
import math
import os
import re
import struct
import time
import tracemalloc

import numpy as np
import pycolmap
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_rigs import c2w_matrices, rigs, same_cameras, same_fields_of_view
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import colmap, read_rig_file, write_rig_file
from syncam_core.formats.colmap import looks_like

SOMEWHERE = np.pad([[2.0], [-1], [7]], ((0, 1), (3, 0)))  # the subject's place, for an orbit around the origin

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

MODELS = {
    "SIMPLE_PINHOLE": [500.0, 320, 240],
    "PINHOLE": [500.0, 510, 320, 240],
    "SIMPLE_RADIAL": [500.0, 320, 240, 0.1],
    "RADIAL": [500.0, 320, 240, 0.1, 0.01],
    "OPENCV": [500.0, 510, 320, 240, 0.1, 0.01, 0.001, 0.0],
}

MORE_PINHOLES = {
    "FULL_OPENCV": [500.0, 510, 320, 240, *[0.1] * 8],
    "SIMPLE_DIVISION": [500.0, 320, 240, -0.1],
    "DIVISION": [500.0, 510, 320, 240, -0.1],
}
NO_PINHOLES = {
    "SIMPLE_RADIAL_FISHEYE": [500.0, 320, 240, 0.1],
    "RADIAL_FISHEYE": [500.0, 320, 240, 0.1, 0.1],
    "OPENCV_FISHEYE": [500.0, 510, 320, 240, 0.1, 0, 0, 0],
    "FOV": [500.0, 510, 320, 240, 0.5],
    "THIN_PRISM_FISHEYE": [500.0, 510, 320, 240, *[0.1] * 8],
    "RAD_TAN_THIN_PRISM_FISHEYE": [500.0, 510, 320, 240, *[0.1] * 12],
    "SIMPLE_FISHEYE": [500.0, 320, 240],
    "FISHEYE": [500.0, 510, 320, 240],
    "EUCM": [500.0, 510, 320, 240, 0.5, 1],
    "EQUIRECTANGULAR": [640.0, 480],
}
EVERY_MODEL = {**MODELS, **MORE_PINHOLES, **NO_PINHOLES}


def write_with_colmap(folder, images, model: str = "PINHOLE", parameters=None, points: int = 0, binary=True) -> None:
    """A model written by COLMAP's library. images: {name: c2w (4, 4)}."""
    camera = pycolmap.Camera(
        camera_id=1, model=model, width=640, height=480, params=parameters if parameters else MODELS[model]
    )
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(camera)
    for number, (name, c2w) in enumerate(images.items(), start=1):
        image = pycolmap.Image(name=name, camera_id=1, image_id=number)
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D([x, 7.0]) for x in range(points)])
        model.add_image_with_trivial_frame(image, rigid(np.linalg.inv(c2w)))
    os.makedirs(folder, exist_ok=True)
    (model.write_binary if binary else model.write_text)(folder)


def rigid(matrix: np.ndarray) -> pycolmap.Rigid3d:
    return pycolmap.Rigid3d(pycolmap.Rotation3d(matrix[:3, :3]), matrix[:3, 3])


def poses_by_colmap(folder) -> dict[str, np.ndarray]:
    """{image's name: c2w (3, 4)} as COLMAP's library reads them."""
    images = pycolmap.Reconstruction(folder).images
    return {image.name: image.cam_from_world().inverse().matrix() for image in images.values()}


# -- both ways -------------------------------------------------------------------------------------------------------


@patient
@given(rigs(), st.booleans())
def test_a_rig_comes_back_from_its_model(tmp_path_factory, rig, binary):
    path = tmp_path_factory.mktemp("rig") / "model"
    write_rig_file(rig, path, "colmap", unit_m=0.2, binary=binary)
    back = read_rig_file(path, unit_m=0.2)
    same_cameras(back, rig)
    same_fields_of_view(back, rig)


@settings(patient, max_examples=30)
@given(rigs(), st.booleans())
def test_colmap_reads_what_is_written(tmp_path_factory, rig, binary):
    path = tmp_path_factory.mktemp("rig") / "model"
    write_rig_file(rig, path, "colmap", unit_m=0.5, image_size=(1000, 400), binary=binary)
    poses = poses_by_colmap(path)
    assert len(poses) == rig.views * rig.frames
    size = max(1.0, float(rig.c2w[..., :3, 3].abs().max()))
    for (view, name), frame in itertools.product(enumerate(rig.names), range(rig.frames)):
        wanted = rig.c2w[view, frame, :3].numpy().copy()
        wanted[:, 3] /= 0.5
        np.testing.assert_allclose(poses[f"{name}/{frame + 1:06d}.png"], wanted, atol=1e-9 * size)
    cameras = pycolmap.Reconstruction(path).cameras
    for view, lens in enumerate(rig.lenses, start=1):
        width_deg = math.degrees(2 * math.atan(lens.sensor_width_mm / 2 / lens.focal_mm))
        camera = cameras[view]
        assert (camera.model_name, camera.width, camera.height) == ("PINHOLE", 1000, 400)
        # the picture's left and right edge, as COLMAP unprojects them
        edges = [camera.cam_from_img(np.array([x, 200.0]))[0] for x in (0.0, 1000.0)]
        assert math.degrees(math.atan(edges[1]) - math.atan(edges[0])) == pytest.approx(width_deg)


@settings(patient, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans(), st.sampled_from(sorted(MODELS)))
def test_what_colmap_writes_is_read_as_colmap_means_it(tmp_path_factory, seed, views, binary, model):
    c2w = c2w_matrices(np.random.default_rng(seed), views, 1)[:, 0]
    path = tmp_path_factory.mktemp("model")
    images = {f"P118{view}.JPG": matrix for view, matrix in enumerate(c2w)}
    write_with_colmap(path / "sparse" / "0", images, model, points=3, binary=binary)
    rig = read_rig_file(path, unit_m=10.0)
    wanted = poses_by_colmap(path / "sparse" / "0")
    assert rig.names == tuple(f"P118{view}" for view in range(views))  # in the order of their numbers
    for view, name in enumerate(rig.names):
        pose = wanted[f"{name}.JPG"]
        np.testing.assert_allclose(rig.c2w[view, 0, :3, :3], pose[:, :3], atol=1e-9)
        np.testing.assert_allclose(rig.c2w[view, 0, :3, 3], pose[:, 3] * 10.0, atol=1e-7)
    assert rig.lenses[0].focal_mm / rig.lenses[0].sensor_width_mm == pytest.approx(500 / 640)


def test_a_pose_written_by_hand_has_the_numbers_of_the_formats_page(tmp_path):
    """A quarter turn about y and one to the right, worked out with scipy from R x + t."""
    half = math.sqrt(0.5)
    (tmp_path / "cameras.txt").write_text("# cameras\n7 SIMPLE_PINHOLE 640 480 500 320 240\n")
    (tmp_path / "images.txt").write_text(f"# images\n\n9 {half} 0 {half} 0 1 2 3 7 a b.png\n1 2 -1 3 4 5\n")
    rig = read_rig_file(tmp_path, unit_m=1.0)
    turn = Rotation.from_rotvec([0, math.pi / 2, 0])
    assert rig.names == ("a b",)
    np.testing.assert_allclose(rig.c2w[0, 0, :3, :3], turn.inv().as_matrix(), atol=1e-12)
    np.testing.assert_allclose(turn.apply(rig.c2w[0, 0, :3, 3].numpy()), [-1, -2, -3], atol=1e-12)


def test_a_written_model_replaces_the_one_that_was_there(tmp_path):
    write_rig_file(orbit_rig([0, 30, 60], [0], [3]), tmp_path, "colmap", binary=True)
    write_rig_file(orbit_rig([10, 20], [0], [3]), tmp_path, "colmap")
    same_cameras(read_rig_file(tmp_path, unit_m=1.0), orbit_rig([10, 20], [0], [3]))


def test_the_unit_is_asked_for(tmp_path):
    write_rig_file(orbit_rig([0], [0], [3]), tmp_path / "model", "colmap")
    with pytest.raises(UserError, match=r"^folder 'model': .*unit.*'unit_m'"):
        read_rig_file(tmp_path / "model")


# -- views and frames ------------------------------------------------------------------------------------------------


def seen(tmp_path, names: list[str]) -> dict[str, list[int]]:
    """{camera: [number of the image at each of its frames]}"""
    c2w = np.tile(np.eye(4), (len(names), 1, 1))
    c2w[:, 0, 3] = np.arange(len(names))
    write_with_colmap(tmp_path / "model", dict(zip(names, c2w, strict=True)))
    rig = read_rig_file(tmp_path / "model", unit_m=1.0)
    return {
        name: [round(x) for x in rig.c2w[view, :, 0, 3].tolist()] if rig.frames > 1 else [round(float(rig.c2w[view, 0, 0, 3]))]
        for view, name in enumerate(rig.names)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "cameras"),
    [
        (["cam01/000001.png", "cam01/000002.png", "cam02/000001.png", "cam02/000002.png"], {"cam01": [0, 1], "cam02": [2, 3]}),
        (["a/f2.png", "a/f10.png", "b/f2.png", "b/f10.png"], {"a": [0, 1], "b": [2, 3]}),
        (["b/1.png", "b/2.png", "a/1.png"], {"b": [0, 1], "a": [2, 2]}),
        (["images/left/1.png", "images/left/2.png", "images/right/1.png", "images/right/2.png"], {"left": [0, 1], "right": [2, 3]}),
        (["left/rgb/1.png", "left/rgb/2.png", "right/rgb/1.png", "right/rgb/2.png"], {"left": [0, 1], "right": [2, 3]}),
        (["cam01_0001.png", "cam02_0001.png", "cam01_0002.png", "cam02_0002.png"], {"cam01": [0, 2], "cam02": [1, 3]}),
        (["left-frame1.jpg", "left-frame2.jpg", "right-frame1.jpg", "right-frame2.jpg"], {"left": [0, 1], "right": [2, 3]}),
        (["cam7_0003.png", "cam7_0004.png", "cam7_0005.png"], {"cam7": [0, 1, 2]}),
        (["hero/0001.png", "hero/0002.png"], {"hero": [0, 1]}),
        # of one moment
        (["cam01/000001.png", "cam02/000001.png"], {"cam01": [0], "cam02": [1]}),
        (["IMG_0001.JPG", "IMG_0002.JPG", "IMG_0003.JPG"], {"IMG_0001": [0], "IMG_0002": [1], "IMG_0003": [2]}),
        (["0001.jpg", "0002.jpg"], {"0001": [0], "0002": [1]}),
        (["cam01.png", "cam02.png"], {"cam01": [0], "cam02": [1]}),
        (["images/0001.png", "images/0002.png"], {"0001": [0], "0002": [1]}),
        (["day1/a1.jpg", "day1/a2.jpg", "day2/a3.jpg", "day2/a4.jpg"], {"a1": [0], "a2": [1], "a3": [2], "a4": [3]}),
        (["PXL_20230101_120000123.jpg", "PXL_20230101_120007001.jpg"], {"PXL_20230101_120000123": [0], "PXL_20230101_120007001": [1]}),
        (["2023_01.jpg", "2023_02.jpg"], {"2023_01": [0], "2023_02": [1]}),
        (["a/top.png", "b/top.png"], {"a/top": [0], "b/top": [1]}),
    ],
)  # fmt: skip
def test_names_tell_cameras_and_frames_where_they_do(tmp_path, names, cameras):
    assert seen(tmp_path, names) == cameras


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["cam01/1.png", "cam01/2.png", "cam01/3.png", "cam02/1.png", "cam02/3.png"], "camera 'cam02' has 2 frames, and frame 2"),
        (["cam01_1.png", "cam01_2.png", "cam01_3.png", "cam02_1.png", "cam02_2.png"], "camera 'cam02' has 2 frames, and frame 3"),
        (["cam1/1.png", "cam1/2.png", "cam1/4.png", "cam2/1.png", "cam2/2.png", "cam2/4.png"], "frame 3 is missing in all cameras"),
    ],
)  # fmt: skip
def test_frames_that_a_camera_lacks_are_named(tmp_path, names, said):
    with pytest.raises(UserError, match=f"^folder 'model': .*{said}"):
        seen(tmp_path, names)


def test_more_images_than_views_can_be_chosen_from(tmp_path):
    c2w = c2w_matrices(np.random.default_rng(1), 100, 1)[:, 0]
    write_with_colmap(tmp_path, {f"P{n:03d}.jpg": matrix for n, matrix in enumerate(c2w)})
    with pytest.raises(UserError, match="it has 100 cameras, but at most 64 are possible; choose some in 'cameras'"):
        read_rig_file(tmp_path, unit_m=1.0)
    rig = read_rig_file(tmp_path, "P042, P007", unit_m=1.0)
    np.testing.assert_allclose(rig.c2w[:, 0], c2w[[42, 7]], atol=1e-9)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("model", sorted(EVERY_MODEL.keys() & pycolmap.CameraModelId.__members__.keys()))
def test_every_camera_model_of_colmap_has_its_poses_read_and_its_lens_where_it_is_one(tmp_path, model, binary):
    c2w = c2w_matrices(np.random.default_rng(1), 2, 1)[:, 0]
    images = dict(zip(["my photo.jpg", "other one.jpg"], c2w, strict=True))
    write_with_colmap(tmp_path / "model", images, model, EVERY_MODEL[model], binary=binary)
    rig = read_rig_file(tmp_path / "model", unit_m=1.0)
    assert rig.names == ("my photo", "other one")
    np.testing.assert_allclose(rig.c2w[:, 0], c2w, atol=1e-9)
    lens = rig.lenses[0]
    assert lens.focal_mm / lens.sensor_width_mm == pytest.approx(24 / 23.76 if model in NO_PINHOLES else 500 / 640)


def test_cameras_that_are_no_pinholes_are_named(tmp_path, caplog):
    write_with_colmap(tmp_path / "round", {"a.png": np.eye(4)}, "OPENCV_FISHEYE", [500.0, 510, 320, 240, 0, 0, 0, 0])
    with caplog.at_level(logging.WARNING):
        read_rig_file(tmp_path / "round", unit_m=1.0)
    assert "no pinhole cameras (OPENCV_FISHEYE); their poses are read" in caplog.text


@pytest.mark.parametrize("binary", [True, False])
def test_cameras_that_colmap_holds_together_as_a_rig_are_where_colmap_puts_them(tmp_path, binary):
    """rigs and frames of COLMAP 3.12: the second camera's poses follow from the first one's."""
    model, folder = pycolmap.Reconstruction(), tmp_path / "model"
    sensors = [pycolmap.sensor_t(pycolmap.SensorType.CAMERA, number) for number in (1, 2)]
    for sensor in sensors:
        model.add_camera(
            pycolmap.Camera(camera_id=sensor.id, model="PINHOLE", width=640, height=480, params=MODELS["PINHOLE"])
        )
    rig = pycolmap.Rig(rig_id=1)
    rig.add_ref_sensor(sensors[0])
    second_from_first = np.eye(4)
    second_from_first[:3, :3] = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    second_from_first[:3, 3] = [0.3, 0, 0.1]
    rig.add_sensor(sensors[1], rigid(second_from_first))
    model.add_rig(rig)
    c2w = c2w_matrices(np.random.default_rng(3), 1, 3)[0]
    for number, pose in enumerate(c2w, start=1):
        frame = pycolmap.Frame(frame_id=number, rig_id=1)
        for sensor in sensors:
            frame.add_data_id(pycolmap.data_t(sensor, 10 * number + sensor.id))
        frame.rig_from_world = rigid(np.linalg.inv(pose))
        model.add_frame(frame)
        for sensor in sensors:
            image = pycolmap.Image(
                name=f"cam{sensor.id}/{number:04d}.png", camera_id=sensor.id, image_id=10 * number + sensor.id
            )
            image.frame_id = number
            model.add_image(image)
        model.register_frame(number)
    folder.mkdir()
    (model.write_binary if binary else model.write_text)(folder)
    assert (folder / f"rigs.{'bin' if binary else 'txt'}").is_file()
    read = read_rig_file(folder, unit_m=1.0)
    assert read.names == ("cam1", "cam2")
    np.testing.assert_allclose(read.c2w[0], c2w, atol=1e-9)
    np.testing.assert_allclose(read.c2w[1], c2w @ np.linalg.inv(second_from_first), atol=1e-9)


# -- rigs and frames -------------------------------------------------------------------------------------------------


def rig_carried(views: int = 3, frames: int = 4) -> Rig:
    """Cameras fixed to each other, carried along a path."""
    carrier = c2w_matrices(np.random.default_rng(5), 1, frames)[0]
    mounted = c2w_matrices(np.random.default_rng(6), views, 1)[:, 0]
    return Rig(("left", "middle", "right")[:views], carrier[None] @ mounted[:, None])


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("frames", [1, 4])
def test_cameras_that_keep_their_places_are_one_rig_whose_frames_colmap_reads(tmp_path, binary, frames):
    rig = rig_carried(3, frames)
    write_rig_file(rig, tmp_path / "model", "colmap", unit_m=0.5, binary=binary)
    model = pycolmap.Reconstruction(tmp_path / "model")
    assert [len(one.sensor_ids()) for one in model.rigs.values()] == [3]
    assert len(model.frames) == frames
    wanted = rig.c2w[..., :3, :].clone()
    wanted[..., 3] /= 0.5
    for number, frame in model.frames.items():
        images = [model.images[data.id] for data in frame.data_ids]
        assert sorted(image.name for image in images) == [f"{name}/{number:06d}.png" for name in rig.names]
        for view, name in enumerate(rig.names):
            image = next(image for image in images if image.name.startswith(name))
            pose = image.cam_from_world().inverse().matrix()
            np.testing.assert_allclose(pose, wanted[view, number - 1], atol=1e-9)
    (model.write_binary if binary else model.write_text)(tmp_path / "model")  # as COLMAP writes them itself
    same_cameras(read_rig_file(tmp_path / "model", unit_m=0.5), rig)


@pytest.mark.parametrize("binary", [True, False])
def test_cameras_that_move_against_each_other_are_a_rig_each(tmp_path, binary):
    rig = Rig(("left", "right"), c2w_matrices(np.random.default_rng(7), 2, 3))
    write_rig_file(rig, tmp_path / "model", "colmap", binary=binary)
    model = pycolmap.Reconstruction(tmp_path / "model")
    assert [len(one.sensor_ids()) for one in model.rigs.values()] == [1, 1]
    assert len(model.frames) == 6
    poses = poses_by_colmap(tmp_path / "model")
    for view, name in enumerate(rig.names):
        for frame in range(3):
            np.testing.assert_allclose(poses[f"{name}/{frame + 1:06d}.png"], rig.c2w[view, frame, :3], atol=1e-9)
    same_cameras(read_rig_file(tmp_path / "model", unit_m=1.0), rig)


@pytest.mark.parametrize("binary", [True, False])
def test_beside_frames_the_poses_of_images_are_not_looked_at_as_colmap_does_not(tmp_path, binary):
    rig = rig_carried()
    for place, cameras in (("model", rig), ("other", orbit_rig([0, 20, 40], [0], [3]))):
        write_rig_file(cameras, tmp_path / place, "colmap", binary=binary)
    kind = "bin" if binary else "txt"
    content = (tmp_path / "model" / f"images.{kind}").read_bytes()
    if binary:
        moved, place = bytearray(content), 8
        while place < len(content):
            struct.pack_into("<7d", moved, place + 4, 0.5, 0.5, 0.5, 0.5, 9, 9, 9)
            place = content.index(b"\0", place + 64) + 9
    else:
        pose = rb"\g<1> 0.5 0.5 0.5 0.5 9 9 9 "
        moved = re.sub(rb"(?m)^([0-9]+) (?:\S+ ){7}", pose, content)
    (tmp_path / "model" / f"images.{kind}").write_bytes(moved)
    by_colmap = poses_by_colmap(tmp_path / "model")
    np.testing.assert_allclose(by_colmap["left/000001.png"], rig.c2w[0, 0, :3], atol=1e-9)
    same_cameras(read_rig_file(tmp_path / "model", unit_m=1.0), rig)
    (tmp_path / "model" / f"frames.{kind}").unlink()
    back = read_rig_file(tmp_path / "model", unit_m=1.0)
    assert float((back.c2w - back.c2w[:1, :1]).abs().max()) == 0


@pytest.mark.parametrize("names", [["{s}_{n:04d}.png", "{n:04d}_{s}.png"], ["{n:05d}/{s}.png", "x{n}{s}.png"]])
def test_frames_of_a_rig_tell_cameras_and_moments_whatever_the_pictures_are_called(tmp_path, names):
    rig = rig_carried(2)
    for form in names:
        folder = tmp_path / str(names.index(form))
        write_rig_file(rig, folder, "colmap")
        text = (folder / "images.txt").read_text()
        for side, word in (("left", "p"), ("middle", "q")):
            for number in range(1, 5):
                text = text.replace(f"{side}/{number:06d}.png", form.format(s=word, n=number))
        (folder / "images.txt").write_text(text)
        back = read_rig_file(folder, unit_m=1.0)
        same_cameras(Rig(rig.names[:2], back.c2w), rig)
        stills = read_rig_file(folder, unit_m=1.0, pictures="stills")
        assert (stills.views, stills.frames) == (8, 1)


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("rigs", "1 2 CAMERA 1 CAMERA 2 0", "rig 1 has no pose for camera 2, of which image 'middle/000001.png' is"),
        ("rigs", "1 2 CAMERA 1 CAMERA 2", "'rigs.txt': line 1 has 6 words, which are too few for its sensors"),
        ("rigs", "1 2 CAMERA 1 CAMERA 2 1 x 0 0 0 0 0 0", "'rigs.txt': line 1 holds 'x'"),
        ("frames", "1 1 1 0 0 0 0 0 0 2 CAMERA 1 1", "'frames.txt': line 1 has 13 words"),
        ("frames", "1 1 1 0 0 0 0", "'frames.txt': line 1 has 7 words"),
        ("frames", "1 1 1 0 0 0 0 0 0 1 CAMERA 1 1", "image 'left/000002.png' is in none of the model's frames"),
        ("frames", "1 1 0 0 0 0 0 0 0 8" + "".join(f" CAMERA {1 + n // 4} {n + 1}" for n in range(8)), "quaternion of length 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_rigs_and_frames_is_said(tmp_path, file, line, said):
    write_rig_file(rig_carried(2), tmp_path / "model", "colmap")
    (tmp_path / "model" / f"{file}.txt").write_text(f"{line}\n")
    with pytest.raises(UserError, match=f"^folder 'model': .*{said}"):
        read_rig_file(tmp_path / "model", unit_m=1.0)


def test_a_frame_whose_quaternion_is_none_is_refused(tmp_path):
    write_rig_file(rig_carried(2), tmp_path / "model", "colmap")
    text = (tmp_path / "model" / "frames.txt").read_text()
    (tmp_path / "model" / "frames.txt").write_text(re.sub(r"(?m)^1 1 (\S+ ){4}", "1 1 2 0 0 0 ", text))
    with pytest.raises(UserError, match=r"image 'left/000001.png' has a quaternion of length 2"):
        read_rig_file(tmp_path / "model", unit_m=1.0)


@pytest.mark.parametrize("file", ["rigs.bin", "frames.bin"])
def test_rigs_and_frames_cut_anywhere_are_refused(tmp_path, file):
    write_rig_file(rig_carried(2, 2), tmp_path / "model", "colmap", binary=True)
    content = (tmp_path / "model" / file).read_bytes()
    for length in range(len(content)):
        (tmp_path / "model" / file).write_bytes(content[:length])
        with pytest.raises(UserError, match=f"^folder 'model': '{file}': "):
            read_rig_file(tmp_path / "model", unit_m=1.0)


def append_frame(folder, *images: tuple[int, int, int]) -> None:
    """A further frame, at another place, behind the others: kind, sensor and number of each of its images."""
    content = (folder / "frames.bin").read_bytes()
    (count,) = struct.unpack_from("<Q", content)
    frame = struct.pack("<II7dI", 99, 1, 1, 0, 0, 0, 5, 0, 0, len(images))
    data = b"".join(struct.pack("<iIQ", *image) for image in images)
    (folder / "frames.bin").write_bytes(struct.pack("<Q", count + 1) + content[8:] + frame + data)


def test_frames_of_two_images_and_of_none_are_not_taken_for_two_of_one(tmp_path):
    rig = rig_carried(2, 1)
    write_rig_file(rig, tmp_path / "model", "colmap", binary=True)
    append_frame(tmp_path / "model")  # now as long as two frames of an image each
    np.testing.assert_allclose(read_rig_file(tmp_path / "model", unit_m=1.0).c2w, rig.c2w, atol=1e-9)


def test_what_another_sensor_measured_is_no_image_even_where_its_number_is_one(tmp_path):
    rig = rig_carried(1, 3)
    write_rig_file(rig, tmp_path / "model", "colmap", binary=True)
    append_frame(tmp_path / "model", (1, 1, 1))  # an IMU's
    np.testing.assert_allclose(read_rig_file(tmp_path / "model", unit_m=1.0).c2w, rig.c2w, atol=1e-9)


def test_more_images_of_a_frame_than_cameras_can_be_are_refused_unread(tmp_path):
    write_rig_file(rig_carried(2, 2), tmp_path / "model", "colmap", binary=True)
    content = bytearray((tmp_path / "model" / "frames.bin").read_bytes())
    struct.pack_into("<I", content, 8 + 64, 2**32 - 1)
    (tmp_path / "model" / "frames.bin").write_bytes(content)
    with pytest.raises(UserError, match="frame 1 promises 4294967295 images"):
        read_rig_file(tmp_path / "model", unit_m=1.0)


# -- evidence beside the names ---------------------------------------------------------------------------------------


def test_every_camera_has_its_own_lens_and_not_that_of_another_image(tmp_path):
    lenses = "".join(f"{n} PINHOLE 640 480 {200 * n} {200 * n} 320 240\n" for n in (1, 2, 3))
    images = "".join(f"{n} 1 0 0 0 {n} 0 3 {n} {name}.png\n\n" for n, name in ((1, "a"), (2, "b"), (3, "c")))
    rig = read_rig_file(text_model(tmp_path / "m", lenses, images), unit_m=1.0)
    assert [round(lens.focal_mm / lens.sensor_width_mm * 640) for lens in rig.lenses] == [200, 400, 600]
    rig = read_rig_file(tmp_path / "m", "c, a", unit_m=1.0)
    assert [round(lens.focal_mm / lens.sensor_width_mm * 640) for lens in rig.lenses] == [600, 200]


def walked(folder, count: int, lens: str = "1", form: str = "frame_{n:05d}.png", dropped: int = -1):
    cameras = "".join(f"{n} PINHOLE 640 480 500 500 320 240\n" for n in range(1, count + 1))
    rows = [(n, lens if lens == "1" else str(n + 1)) for n in range(count) if n != dropped]
    images = "".join(f"{n + 1} 1 0 0 0 {n} 0 3 {camera} {form.format(n=n)}\n\n" for n, camera in rows)
    return text_model(folder, cameras, images)


def test_a_walked_video_of_2000_frames_is_one_moving_camera(tmp_path):
    rig = read_rig_file(walked(tmp_path / "m", 2000), unit_m=1.0)
    assert (rig.names, rig.frames) == (("cam01",), 2000)
    assert rig.c2w[0, :, 0, 3].tolist() == [-n for n in range(2000)]
    rig = read_rig_file(walked(tmp_path / "own", 2000, lens="own"), unit_m=1.0)
    assert rig.frames == 2000


def test_whoever_names_pictures_of_a_walk_gets_still_cameras(tmp_path):
    folder = walked(tmp_path / "m", 100)
    rig = read_rig_file(folder, "frame_00090, frame_00007", unit_m=1.0)
    assert (rig.names, rig.frames) == (("frame_00090", "frame_00007"), 1)
    with pytest.raises(UserError, match="asks for '3', but the cameras are cam01"):
        read_rig_file(folder, "1, 3", unit_m=1.0)
    assert read_rig_file(folder, "1, 3", unit_m=1.0, pictures="stills").names == ("frame_00000", "frame_00002")


def test_a_walk_that_lacks_a_frame_is_still_cameras_and_names_the_frame_when_it_is_said_to_move(tmp_path):
    folder = walked(tmp_path / "m", 10, dropped=4)
    assert read_rig_file(folder, unit_m=1.0).views == 9
    with pytest.raises(UserError, match="frame 4 is missing in all cameras"):
        read_rig_file(folder, unit_m=1.0, pictures="moving")


def test_few_frames_of_a_lens_each_are_photos_unless_they_are_said_to_move(tmp_path):
    folder = walked(tmp_path / "m", 5, lens="own")
    assert read_rig_file(folder, unit_m=1.0).views == 5
    rig = read_rig_file(folder, unit_m=1.0, pictures="moving")
    assert (rig.views, rig.frames) == (1, 5)


def test_too_many_photos_say_that_they_may_be_frames(tmp_path):
    folder = walked(tmp_path / "m", 70, form="P{n:03d}.png")
    with pytest.raises(UserError, match=r"70 cameras, but at most 64.* set 'pictures' to moving"):
        read_rig_file(folder, unit_m=1.0)
    assert read_rig_file(folder, unit_m=1.0, pictures="moving").frames == 70


@pytest.mark.parametrize(
    ("names", "lenses", "cameras"),
    [
        # which of two numbers is the camera, only the lenses tell
        (["000/00.png", "000/01.png", "001/00.png", "001/01.png"], [1, 2, 1, 2], {"00": [0, 2], "01": [1, 3]}),
        (["000/00.png", "000/01.png", "001/00.png", "001/01.png"], [1, 1, 2, 2], {"000": [0, 1], "001": [2, 3]}),
        (["000/00.png", "000/01.png", "001/00.png", "001/01.png"], [1, 1, 1, 1], {"000": [0, 1], "001": [2, 3]}),
        # folders of photos, as cards have them, whose lenses are theirs
        (["100MEDIA/DJI_0001.JPG", "100MEDIA/DJI_0002.JPG", "101MEDIA/DJI_0001.JPG", "101MEDIA/DJI_0002.JPG"], [1, 1, 2, 2], {"100MEDIA": [0, 1], "101MEDIA": [2, 3]}),
        (["100MEDIA/DJI_0001.JPG", "100MEDIA/DJI_0002.JPG", "101MEDIA/DJI_0001.JPG"], [1, 1, 1], {"100MEDIA/DJI_0001": [0], "100MEDIA/DJI_0002": [1], "101MEDIA/DJI_0001": [2]}),
        # a lens that changes within a folder: these are no cameras
        (["a/1.png", "a/2.png", "b/1.png", "b/2.png"], [1, 2, 2, 2], {"a/1": [0], "a/2": [1], "b/1": [2], "b/2": [3]}),
    ],
)  # fmt: skip
def test_lenses_are_evidence(tmp_path, names, lenses, cameras):
    models = "".join(f"{n} PINHOLE 640 480 500 500 320 240\n" for n in (1, 2))
    rows = enumerate(zip(names, lenses, strict=True))
    images = "".join(f"{n + 1} 1 0 0 0 {-n} 0 0 {lens} {name}\n\n" for n, (name, lens) in rows)
    rig = read_rig_file(text_model(tmp_path / "m", models, images), unit_m=1.0)
    found = {name: [round(x) for x in rig.c2w[view, :, 0, 3].tolist()] for view, name in enumerate(rig.names)}
    assert found == cameras


def test_folders_whose_lenses_say_cameras_are_refused_where_one_lacks_a_frame(tmp_path):
    names = ["left/1.png", "left/2.png", "left/3.png", "right/1.png", "right/3.png"]
    models = "".join(f"{n} PINHOLE 640 480 500 500 320 240\n" for n in (1, 2))
    images = "".join(f"{n + 1} 1 0 0 0 {-n} 0 0 {1 + name.startswith('r')} {name}\n\n" for n, name in enumerate(names))
    folder = text_model(tmp_path / "m", models, images)
    with pytest.raises(UserError, match=r"camera 'right' has 2 frames, and frame 2, which .*set 'pictures' to stills"):
        read_rig_file(folder, unit_m=1.0)
    assert read_rig_file(folder, "left", unit_m=1.0).frames == 3
    assert read_rig_file(folder, unit_m=1.0, pictures="stills").views == 5


@pytest.mark.parametrize(
    ("names", "cameras"),
    [
        (["day1/cam01/1.png", "day1/cam01/2.png", "day2/cam01/1.png", "day2/cam01/2.png"], {"day1": 2, "day2": 2}),
        (["day1/cam01_1.png", "day1/cam01_2.png", "day2/cam01_1.png", "day2/cam01_2.png"], {"day1": 2, "day2": 2}),
        (["a/cam01/1.png", "a/cam02/1.png", "b/cam01/1.png"], {"a/cam01": 1, "a/cam02": 1, "b/cam01": 1}),
    ],
)
def test_cameras_of_one_name_in_two_folders_are_told_apart_by_these(tmp_path, names, cameras):
    images = "".join(f"{n} 1 0 0 0 {n} 0 0 1 {name}\n\n" for n, name in enumerate(names, start=1))
    rig = read_rig_file(text_model(tmp_path / "m", images=images), unit_m=1.0)
    assert (dict.fromkeys(rig.names, rig.frames), rig.views) == (cameras, len(cameras))


@pytest.mark.parametrize(
    "names", [["left/1.png", "left/2.png", "left/4.png"], ["IMG_0001.JPG", "IMG_0002.JPG", "IMG_0004.JPG"]]
)
def test_what_is_said_to_move_needs_every_frame(tmp_path, names):
    images = "".join(f"{n} 1 0 0 0 {n} 0 0 1 {name}\n\n" for n, name in enumerate(names, start=1))
    folder = text_model(tmp_path / "m", images=images)
    assert read_rig_file(folder, unit_m=1.0).views == 3
    with pytest.raises(UserError, match="frame 3 is missing in all cameras"):
        read_rig_file(folder, unit_m=1.0, pictures="moving")


def test_names_without_numbers_cannot_move(tmp_path):
    images = "1 1 0 0 0 1 0 0 1 a.png\n\n2 1 0 0 0 2 0 0 1 b.png\n\n"
    with pytest.raises(UserError, match=r"do not end in the numbers of frames.* set 'pictures' to stills"):
        read_rig_file(text_model(tmp_path / "m", images=images), unit_m=1.0, pictures="moving")


@pytest.mark.parametrize(
    "behind", ["2 1 0 0 0 0 0 4 1 b.png", "2 1 0 0 0 0 0 4 1 my nice b.png", "2 1 0 0 0 0 0 4 1 0002", "1 2", "x y z"]
)
def test_a_line_that_is_no_points_line_is_named(tmp_path, behind):
    folder = text_model(tmp_path / "m", images=f"# images\n1 1 0 0 0 0 0 3 1 a.png\n{behind}\n")
    with pytest.raises(UserError, match=r"'images.txt': line 3 holds no points of the image in line 2"):
        read_rig_file(folder, unit_m=1.0)
    text_model(tmp_path / "m", images="1 1 0 0 0 0 0 3 1 a.png\n10.5 20.5 -1 3 4 17\n2 1 0 0 0 0 0 4 1 b.png\n\n")
    assert read_rig_file(folder, unit_m=1.0).views == 2


# -- what is wrong ---------------------------------------------------------------------------------------------------


def text_model(folder, cameras: str = "1 PINHOLE 640 480 500 500 320 240", images: str = "1 1 0 0 0 0 0 3 1 a.png\n"):
    folder.mkdir(exist_ok=True)
    (folder / "cameras.txt").write_text(cameras)
    (folder / "images.txt").write_text(images)
    return folder


@pytest.mark.parametrize(
    ("cameras", "images", "said"),
    [
        ("", None, "image 'a' is of camera 1|image 'a.png' is of camera 1, which the model does not have"),
        ("1 PINHOLE 640 480 500 500 320", None, "'cameras.txt': line 1 has 3 parameters, but PINHOLE has 4"),
        ("1 PINHOLE", None, "'cameras.txt': line 1 has 2 words"),
        ("1 PINHOLE 640 x 500 500 320 240", None, "'cameras.txt': line 1 holds 'x', but a whole number"),
        ("1 PINHOLE 640 480 nan 500 320 240", None, "'cameras.txt': line 1 holds NaN"),
        ("1 PINHOLE 0 480 500 500 320 240", None, "0 pixels wide"),
        ("1 PINHOLE 640 480 -500 500 320 240", None, "camera 1 has the focal length"),
        ("1 MADE_UP 640 480 500", None, "model 'MADE_UP', which is not known; possible are SIMPLE_PINHOLE, PINHOLE"),
        ("1 PINHOL\x13 640 480 500 500 320 240", None, r"model 'PINHOL.x13', which is not known"),
        (None, "", "'images.txt' holds no images"),
        (None, "1 1 0 0 0 0 0 3 1\n", "'images.txt': line 1 has 9 words, but 10"),
        (None, "1 2 0 0 0 0 0 3 1 a.png\n", "image 'a.png' has a quaternion of length 2"),
        (None, "1 0 0 0 0 0 0 3 1 a.png\n", "quaternion of length 0"),
        (None, "1 1 0 0 0 0 0 inf 1 a.png\n", "'images.txt': line 1 holds NaN or an infinite number .'inf'"),
        (None, "1 1 0 0 0 0 0 3e300 1 a.png\n", "camera 'a': the matrix stands at"),
        (
            None,
            "1 1 0 0 0 0 0 3 1 a.png\n\n1 1 0 0 0 0 0 4 1 a.png\n\n",
            r"image 1 .'a.png'. and image 1 .'a.png'. are both camera 'a' at 0; leave one out",
        ),
        (None, "-1 1 0 0 0 0 0 3 1 a.png\n", "line 1 holds '-1'"),
        (None, "1 1 0 0 0 0 0 3 1 \x07.png\n", "control character"),
    ],
)
def test_what_is_wrong_in_a_text_model_is_said(tmp_path, cameras, images, said):
    given = {key: value for key, value in (("cameras", cameras), ("images", images)) if value is not None}
    text_model(tmp_path / "model", **given)
    with pytest.raises(UserError, match=f"^folder 'model': .*({said})"):
        read_rig_file(tmp_path / "model", unit_m=1.0)


def test_distortion_is_named_as_ignored(tmp_path, caplog):
    write_with_colmap(tmp_path / "bent", {"a.png": np.eye(4)}, "OPENCV")
    write_with_colmap(tmp_path / "straight", {"a.png": np.eye(4)}, "OPENCV", [500.0, 510, 320, 240, 0, 0, 0, 0])
    with caplog.at_level(logging.WARNING):
        read_rig_file(tmp_path / "straight", unit_m=1.0)
        assert caplog.text == ""
        read_rig_file(tmp_path / "bent", unit_m=1.0)
    assert "distortion (OPENCV) is ignored" in caplog.text


@pytest.mark.parametrize("place", [SOMEWHERE, 0.0], ids=["somewhere", "origin"])
def test_poses_written_the_wrong_way_round_are_told(tmp_path, place):
    c2w = orbit_rig([0, 15, -15, 30], [0, 5, 10, -5], [3, 3.5, 4, 5]).c2w[:, 0].numpy() + place
    write_with_colmap(tmp_path / "right", {f"{n}.png": matrix for n, matrix in enumerate(c2w)})
    assert read_rig_file(tmp_path / "right", unit_m=1.0).views == 4
    write_with_colmap(tmp_path / "wrong", {f"{n}.png": matrix for n, matrix in enumerate(np.linalg.inv(c2w))})
    for cameras in ("", "0, 2"):
        with pytest.raises(UserError, match="look like camera-to-world ones"):
            read_rig_file(tmp_path / "wrong", cameras, unit_m=1.0)


def test_poses_the_wrong_way_round_are_told_beside_a_broken_one_that_nobody_chose(tmp_path):
    c2w = orbit_rig([0, 15, -15, 30], [0, 5, 10, -5], [3, 3.5, 4, 5]).c2w[:, 0].numpy() + SOMEWHERE
    lines = [
        f"{number} {w!r} {x!r} {y!r} {z!r} {' '.join(map(repr, pose[:3, 3].tolist()))} 1 {number}.png\n\n"
        for number, pose in enumerate(c2w, start=1)
        for x, y, z, w in [Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()]
    ]
    text_model(tmp_path, images="".join([*lines, "9 0 0 0 0 0 0 0 1 broken.png\n\n"]))
    with pytest.raises(UserError, match="look like camera-to-world ones"):
        read_rig_file(tmp_path, "1, 2, 3", unit_m=1.0)


def test_a_name_that_leads_elsewhere_is_only_a_name(tmp_path):
    text_model(tmp_path / "model", images="1 1 0 0 0 0 0 3 1 ../../../etc/passwd.png\n")
    assert read_rig_file(tmp_path / "model", unit_m=1.0).names == ("passwd",)
    names = ("../../evil", "/etc/passwd", "C:\\evil", "con", "..", "a\u3000b")
    rig = Rig(names, c2w_matrices(np.random.default_rng(3), 6, 2))
    write_rig_file(rig, tmp_path / "out", "colmap")
    written = ["cameras.txt", "frames.txt", "images.txt", "points3D.txt", "rigs.txt"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == written
    assert not any(set(name.split("/")) & {"..", "", "~"} for name in poses_by_colmap(tmp_path / "out"))
    np.testing.assert_allclose(read_rig_file(tmp_path / "out", unit_m=1.0).c2w, rig.c2w, atol=1e-9)


# -- hostile files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def binary_model(tmp_path):
    write_rig_file(orbit_rig([0, 30, 60], [0], [3]), tmp_path / "model", "colmap", binary=True)
    return tmp_path / "model"


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin"])
def test_a_file_cut_anywhere_is_refused(binary_model, file):
    content = (binary_model / file).read_bytes()
    for length in range(len(content)):
        (binary_model / file).write_bytes(content[:length])
        with pytest.raises(UserError, match=f"^folder 'model': '{file}': "):
            read_rig_file(binary_model, unit_m=1.0)


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin"])
@pytest.mark.parametrize("count", [2**64 - 1, 2**63, 2**32, 4])
def test_a_count_beyond_the_file_is_refused_at_once(binary_model, file, count):
    content = (binary_model / file).read_bytes()
    (binary_model / file).write_bytes(struct.pack("<Q", count) + content[8:])
    with pytest.raises(UserError, match=f"'{file}': it (promises|ends too early)"):
        read_rig_file(binary_model, unit_m=1.0)


def test_more_points_than_the_file_has_are_refused(binary_model):
    content = (binary_model / "images.bin").read_bytes()
    first = 8 + 64 + len(b"cam01/000001.png\0")
    for points in (1, 100, 2**40, 2**64 - 1):
        (binary_model / "images.bin").write_bytes(content[:first] + struct.pack("<Q", points) + content[first + 8 :])
        with pytest.raises(UserError, match=r"'images.bin': "):
            read_rig_file(binary_model, unit_m=1.0)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (12, struct.pack("<d", math.nan), "NaN"),
        (12, struct.pack("<d", math.inf), "NaN or a far too large"),
        (12, struct.pack("<d", 5.0), "quaternion of length 5"),
        (72, b"\xff", "not UTF-8"),
        (72, b"\x07", "control character"),
        (68, struct.pack("<i", 9), "camera 9, which the model does not have"),
    ],
)
def test_broken_images_in_a_binary_file_are_named(binary_model, place, value, said):
    (binary_model / "frames.bin").unlink()  # beside it, the poses of images are not looked at
    content = bytearray((binary_model / "images.bin").read_bytes())
    content[place : place + len(value)] = value
    (binary_model / "images.bin").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_rig_file(binary_model, unit_m=1.0)


@pytest.mark.parametrize(
    ("file", "filling"),
    [
        ("images.txt", b"\n"),
        ("images.txt", b"#\n"),
        ("images.txt", b"1 1 0 0 0 0 0 3 1 a.png\n"),
        ("images.txt", b"x"),
        ("cameras.txt", b"1 PINHOLE 640 480 500 500 320 240\n"),
        ("images.bin", b"\0"),
        ("images.bin", b"\1"),
        ("cameras.bin", b"\0"),
    ],
)
def test_200_mb_are_refused_in_bounded_time_and_memory(tmp_path, file, filling):
    model = tmp_path / "model"
    write_rig_file(orbit_rig([0, 30], [0], [3]), model, "colmap", binary=file.endswith("bin"))
    with (model / file).open("wb") as target:
        for _ in range(200):
            target.write(filling * (2**20 // len(filling)))
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"^folder 'model': "):
            read_rig_file(model, unit_m=1.0)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 30


def test_points_of_a_large_real_model_are_passed_over(tmp_path):
    write_with_colmap(tmp_path / "t", {"a.png": np.eye(4), "b.png": np.eye(4)}, points=50_000, binary=False)
    write_with_colmap(tmp_path / "b", {"a.png": np.eye(4), "b.png": np.eye(4)}, points=50_000)
    for place in "tb":
        assert read_rig_file(tmp_path / place, unit_m=1.0).names == ("a", "b")


@pytest.mark.parametrize("points", [0, 200, 900], ids=["none", "some in a window", "passed over"])
def test_images_of_any_length_are_found_behind_each_other(tmp_path, points):
    c2w = c2w_matrices(np.random.default_rng(8), 40, 1)[:, 0]
    images = {f"{'folder/' * number}still{number:02d}.png": pose for number, pose in enumerate(c2w)}
    write_with_colmap(tmp_path, images, points=points)
    read = colmap.read(tmp_path, unit_m=1.0, pictures="stills")
    assert read.names == tuple(f"still{number:02d}" for number in range(40))
    np.testing.assert_allclose(read.c2w[:, 0], c2w, atol=1e-9)


def test_a_file_of_the_model_is_told_apart_from_the_model_itself(binary_model):
    for name in ("images.bin", "cameras.bin", "points3D.bin"):
        with pytest.raises(UserError, match=f"^file '{name}': it is a part of a COLMAP model; give the folder"):
            read_rig_file(binary_model / name, unit_m=1.0)


def test_a_file_of_the_model_can_be_given_for_its_folder(binary_model):
    assert read_rig_file(binary_model / "images.bin", unit_m=1.0, format="colmap").views == 3


def test_only_a_folder_with_cameras_and_images_looks_like_a_model(tmp_path, binary_model):
    assert looks_like(binary_model, b"")
    assert not looks_like(tmp_path, b"")
    (binary_model / "cameras.bin").unlink()
    assert not looks_like(binary_model, b"")
    with pytest.raises(UserError, match="there is no such file"):
        read_rig_file(binary_model, unit_m=1.0, format="colmap")
