"""Scenes come back as they went in, and other readers agree about them."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pycolmap
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from PIL import Image
from takes import Footage, fitting, noise, rig_for, stored, takes, waves

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.datasets import LAYOUTS, open_scene
from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.datasets.problems import check
from syncam_core.formats import read_rig_file

patient = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def loaded(scene) -> np.ndarray:  # (views, frames, height, width, 3)
    return np.stack([np.stack(list(scene.pictures(view))) for view in range(scene.rig.views)])


def assert_same_rig(got: Rig, wanted: Rig, frames: int) -> None:
    assert (got.names, got.colors, got.lenses) == (wanted.names, wanted.colors, wanted.lenses)
    c2w = wanted.c2w[:, :frames]
    if not got.is_static or not bool((c2w == c2w[:, :1]).all()):
        assert got.frames == c2w.shape[1]
    assert (got.c2w - c2w).abs().max() < 1e-9 * max(1, c2w.abs().max())


@pytest.mark.parametrize("layout", LAYOUTS)
@patient
@given(take=takes())
def test_random_takes_come_back(tmp_path_factory, layout, take):
    films, rig = take
    rig = fitting(rig, layout)
    path = stored(tmp_path_factory.mktemp("set"), layout, films, rig, caption="Ein Hund läuft.\nIt rains.", fps=24)
    scene = open_scene(path)
    assert (scene.layout, scene.caption, scene.fps) == (layout, "Ein Hund läuft.\nIt rains.", 24)
    assert_same_rig(scene.rig, rig, films.shape[1])
    got = loaded(scene)
    assert got.shape == films.shape
    assert got.dtype == np.uint8
    if layout != "syncamvideo":
        assert (got == films).all()


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63)])
def test_videos_come_back_to_the_codec_s_tolerance_and_in_their_own_size(tmp_path, height, width):
    colours = waves(3, 9, height, width)
    greys = np.repeat(colours[..., :1], 3, axis=-1)  # without colour, whose resolution is halved, crf 0 is lossless
    for films, crf, mean, most in ((greys, 0, 0.6, 1), (greys, 12, 0.9, 6), (colours, 12, 2, 12)):
        scene = open_scene(stored(tmp_path, "syncamvideo", films, rig_for(3), crf=crf))
        away = np.abs(loaded(scene).astype(int) - films)
        assert (scene.height, scene.width) == (height, width)
        assert away.mean() < mean
        assert away.max() <= most


def test_broadcast_rates_come_back_exactly(tmp_path):
    films, rate = noise(2, 2, 8, 8), Fraction(24000, 1001)
    for layout in LAYOUTS:
        assert open_scene(stored(tmp_path, layout, films, fitting(rig_for(2), layout), fps=rate)).fps == rate


def test_frames_can_be_read_from_the_middle(tmp_path):
    films = noise(2, 7, 6, 8)
    for layout in ("nerfstudio", "colmap"):
        scene = open_scene(stored(tmp_path, layout, films, rig_for(2)))
        assert (np.stack(list(scene.pictures(1, 2, 3))) == films[1, 2:5]).all()
    scene = open_scene(stored(tmp_path, "syncamvideo", films, rig_for(2)))
    assert (np.stack(list(scene.pictures(1, 2, 3))) == np.stack(list(scene.pictures(1)))[2:5]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cameras_are_chosen_by_their_own_names_and_in_any_order(tmp_path, layout):
    films, rig = noise(3, 2, 8, 8), fitting(rig_for(3, names=("left", "middle", "right")), layout)
    path = stored(tmp_path, layout, films, rig)
    whole, some = open_scene(path), open_scene(path, "right, 1")
    assert some.rig.names == ("right", "left")
    assert (some.rig.c2w == whole.rig.c2w[[2, 0]]).all()
    assert (loaded(some) == loaded(whole)[[2, 0]]).all()


def test_names_of_the_data_set_stay_those_of_the_files(tmp_path):
    path = stored(tmp_path, "syncamvideo", noise(2, 2, 8, 8), rig_for(2, names=("cam07", "cam03")))
    assert sorted(file.name for file in (path / "videos").iterdir()) == ["cam03.mp4", "cam07.mp4"]
    assert open_scene(path).rig.names == ("cam07", "cam03")


# ---- other readers


def moving_take(frames: int = 3):
    rig = rig_for(3, frames, seed=5)
    return noise(3, frames, 24, 40, 5), rig


def colmap_pixel(rig: Rig, view: int, frame: int, point: np.ndarray, width: int, height: int) -> np.ndarray:
    x, y, z, _ = np.linalg.inv(rig.c2w[view, frame].numpy()) @ [*point, 1]
    focal = rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * width
    return np.array([focal * x / z + width / 2, focal * y / z + height / 2])


def test_colmap_s_own_library_reads_every_frame_and_projects_as_the_rig_does(tmp_path):
    films, rig = moving_take()
    path = stored(tmp_path, "colmap", films, rig)
    for frame in range(3):
        model = pycolmap.Reconstruction(path / f"frame_{frame:05d}" / "sparse" / "0")
        assert {image.name for image in model.images.values()} == {"cam01.png", "cam02.png", "cam03.png"}
        for image in model.images.values():
            view = int(image.name[3:5]) - 1
            c2w = image.cam_from_world().inverse().matrix()
            np.testing.assert_allclose(c2w, rig.c2w[view, frame, :3].numpy(), atol=1e-6)
            point = (rig.c2w[view, frame] @ torch.tensor([0.3, -0.2, 5.0, 1.0], dtype=torch.float64))[:3].numpy()
            seen = model.cameras[image.camera_id].img_from_cam(image.cam_from_world() * point)
            np.testing.assert_allclose(seen, colmap_pixel(rig, view, frame, point, 40, 24), atol=1e-6)
            picture = np.asarray(Image.open(path / f"frame_{frame:05d}" / "images" / image.name))
            assert picture.shape[:2] == (model.cameras[image.camera_id].height, model.cameras[image.camera_id].width)
            assert (picture == films[view, frame]).all()


def by_nerfstudio_s_documentation(file) -> dict[str, dict]:
    """{file_path: camera} of a transforms.json, by docs.nerf.studio/quickstart/data_conventions.html alone.

    Intrinsics may stand at the top, where they hold for all, or with each frame; all six are needed. The matrix is
    camera-to-world, with the camera's x right, y up and z back, and the world's z up.
    """
    document = json.loads(file.read_text())
    assert document["camera_model"] in ("OPENCV", "OPENCV_FISHEYE")
    cameras = {}
    for frame in document["frames"]:
        intrinsics = {key: document.get(key, frame.get(key)) for key in ("fl_x", "fl_y", "cx", "cy", "w", "h")}
        assert all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in intrinsics.values())
        assert isinstance(intrinsics["w"], int)
        assert isinstance(intrinsics["h"], int)
        assert (file.parent / frame["file_path"]).is_file()
        matrix = np.array(frame["transform_matrix"])
        assert matrix.shape == (4, 4)
        assert (matrix[3] == [0, 0, 0, 1]).all()
        cameras[frame["file_path"]] = {**intrinsics, "c2w": matrix}
    return cameras


def test_nerfstudio_s_documented_schema_gives_the_pixels_of_the_rig(tmp_path):
    films, rig = moving_take()
    path = stored(tmp_path, "nerfstudio", films, rig)
    for frame in range(3):
        cameras = by_nerfstudio_s_documentation(path / f"frame_{frame:05d}" / "transforms.json")
        assert list(cameras) == ["images/cam01.png", "images/cam02.png", "images/cam03.png"]
        for view, camera in enumerate(cameras.values()):
            point = (rig.c2w[view, frame] @ torch.tensor([0.3, -0.2, 5.0, 1.0], dtype=torch.float64)).numpy()
            z_up = np.array([point[0], point[2], -point[1], 1])  # the rig's y points down, nerfstudio's z up
            x, y, z, _ = np.linalg.inv(camera["c2w"]) @ z_up
            seen = [camera["fl_x"] * x / -z + camera["cx"], camera["fl_y"] * -y / -z + camera["cy"]]
            np.testing.assert_allclose(seen, colmap_pixel(rig, view, frame, point[:3], 40, 24), atol=1e-6)


def test_a_camera_that_looks_level_has_nerfstudio_s_up_above_it(tmp_path):
    path = stored(tmp_path, "nerfstudio", noise(1, 1, 8, 8), orbit_rig([0.0], [0.0], [4.0]))
    (camera,) = by_nerfstudio_s_documentation(path / "frame_00000" / "transforms.json").values()
    np.testing.assert_allclose(camera["c2w"][:3, 1], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(camera["c2w"][:3, 3], [0, -4, 0], atol=1e-12)


def test_the_training_takes_an_exported_dataset_as_it_is(tmp_path):
    films = waves(3, 9, 32, 48)
    still, moving = rig_for(3, seed=1), rig_for(3, 9, seed=2)
    for split, rig in (("train", still), ("train", moving), ("test", moving)):
        stored(tmp_path / split, "syncamvideo", films, rig, caption=f"a {split}ed dog")
    scenes, report = check(read_syncamvideo(tmp_path, size=(32, 48), length=9, fps=15))
    assert not report.problems
    assert [scene.name for scene in scenes] == [
        "test/scene00001",
        "train/scene00001",
        "train/scene00002",
    ]
    assert [scene.caption for scene in scenes] == ["a tested dog", "a trained dog", "a trained dog"]
    for scene, rig in zip(scenes, (moving, still, moving), strict=True):
        for view, footage in enumerate(scene.footage):
            assert footage.name == f"cam{view + 1:02d}"
            assert (footage.c2w - rig.c2w[view]).abs().max() < 1e-9
            assert np.abs(footage.read().numpy().astype(int) - films[view]).mean() < 3


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - {"dnerf"}))
def test_the_rig_reader_takes_the_camera_files_of_a_scene(tmp_path, layout):
    films, rig = moving_take()
    path = stored(tmp_path, layout, films, rig)
    file = {
        "syncamvideo": "cameras/camera_extrinsics.json",
        "nerfstudio": "frame_00001/transforms.json",
        "colmap": "frame_00001",
        "nerfstudio_4d": "transforms.json",
        "colmap_4d": "sparse/0",
    }[layout]
    got = read_rig_file(path / file, unit_m=1.0 if layout.startswith("colmap") else None)
    frames = slice(1, 2) if layout in ("nerfstudio", "colmap") else slice(None)
    assert got.names == ("cam01", "cam02", "cam03")
    assert (got.c2w - rig.c2w[:, frames]).abs().max() < 1e-9
    if layout != "syncamvideo":
        for lens, wanted in zip(got.lenses, rig.lenses, strict=True):
            assert math.isclose(lens.focal_mm / lens.sensor_width_mm, wanted.focal_mm / wanted.sensor_width_mm)


# ---- scenes of other programs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_scene_without_our_facts_is_read_from_its_own_files(tmp_path, layout):
    films, rig = moving_take()
    rig = fitting(rig, layout)
    path = stored(tmp_path, layout, films, rig)
    (path / "scene.json").unlink()
    scene = open_scene(path, unit_m=1.0)
    assert scene.rig.names == ("cam01", "cam02", "cam03")
    assert (scene.rig.c2w - rig.c2w).abs().max() < 1e-9
    assert scene.fps == (15 if layout == "syncamvideo" else None)
    if layout != "syncamvideo":
        assert (loaded(scene) == films).all()
        shares = [lens.focal_mm / lens.sensor_width_mm for lens in scene.rig.lenses]
        np.testing.assert_allclose(shares, [lens.focal_mm / lens.sensor_width_mm for lens in rig.lenses])


@pytest.mark.parametrize("layout", ["nerfstudio", "colmap"])
def test_a_folder_of_one_moment_is_a_scene_of_one_frame(tmp_path, layout):
    films, rig = moving_take()
    scene = open_scene(stored(tmp_path, layout, films, rig) / "frame_00002", unit_m=1.0)
    assert (scene.frames, scene.rig.frames) == (1, 1)
    assert (loaded(scene)[:, 0] == films[:, 2]).all()


def test_a_model_whose_pictures_lie_in_a_folder_per_camera_is_read(tmp_path):
    films, rig = moving_take()
    moment = stored(tmp_path, "colmap", films, rig) / "frame_00000"
    for number in (1, 2, 3):
        (moment / "images" / f"cam0{number}").mkdir()
        (moment / "images" / f"cam0{number}.png").rename(moment / "images" / f"cam0{number}" / "000001.png")
    file = moment / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace(".png", "/000001.png"))
    assert (loaded(open_scene(moment, unit_m=1.0))[:, 0] == films[:, 0]).all()


def test_a_focal_length_that_was_changed_in_the_file_counts(tmp_path):
    films, rig = noise(2, 1, 8, 10), rig_for(2)
    path = stored(tmp_path, "colmap", films, rig)
    file = path / "frame_00000" / "sparse" / "0" / "cameras.txt"
    file.write_text("1 PINHOLE 10 8 20 20 5 4\n2 PINHOLE 10 8 30 30 5 4\n")
    lenses = open_scene(path).rig.lenses
    np.testing.assert_allclose([lens.focal_mm / lens.sensor_width_mm for lens in lenses], [2, 3])


def test_a_clip_is_read_a_picture_at_a_time(tmp_path):
    """A view of 81 frames is written without ever holding two of them."""
    held = []

    class Counting(Footage):
        def __getitem__(self, index):
            held.append(index)
            return super().__getitem__(index)

    from syncam_core.datasets import append_scene, write_take

    clips = [Counting(film) for film in noise(2, 81, 6, 8)]
    ticks = []
    append_scene(
        tmp_path,
        lambda stage: write_take(
            stage, "nerfstudio", clips, rig_for(2), Fraction(15), tick=lambda: ticks.append(len(held))
        ),
    )
    assert ticks == list(range(1, 163))
