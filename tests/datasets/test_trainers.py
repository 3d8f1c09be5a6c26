"""What programs that train on exported sets read of them, by their own rules: frames, cameras and points as they went out.

The rules are those of the programs' public readers, said again here; `scripts/readers/` runs the programs themselves.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch
from PIL import Image
from takes import Footage, fitting, noise, rig_for, stored

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.datasets import Training, open_scene, pictures_and_points
from syncam_core.datasets.seeding import seeded_points

FRAMES = 3
HELD_OUT = (1, 3)
SHAPES = [(24, 40), (40, 24)]  # landscape, portrait


@pytest.fixture(params=[(views, shape) for views in (4, 12) for shape in SHAPES], ids=str)
def take(request) -> tuple[np.ndarray, Rig]:
    views, (height, width) = request.param
    return noise(views, FRAMES, height, width, 5), rig_for(views, FRAMES, seed=5)


def exported(folder: Path, layout: str, take: tuple[np.ndarray, Rig], **more) -> Path:
    films, rig = take
    return stored(folder, layout, films, rig, training=Training("seeded", HELD_OUT, **more))


def z_up(points: np.ndarray) -> np.ndarray:  # (points, 3): the rig's y points down, transforms.json's z up
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1)


def read_ply(path: Path) -> np.ndarray:
    """As the readers of Gaussian Splatting read one: x y z, nx ny nz, red green blue of the element vertex."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    kinds = {"float": "<f4", "uchar": "u1"}
    lines = [line.split() for line in head.decode("ascii").splitlines()]
    assert lines[:2] == [["ply"], ["format", "binary_little_endian", "1.0"]]
    vertices = np.frombuffer(body, [(line[2], kinds[line[1]]) for line in lines if line[0] == "property"])
    assert lines[2] == ["element", "vertex", str(len(vertices))]
    assert {"x", "y", "z", "nx", "ny", "nz", "red", "green", "blue"} <= {*vertices.dtype.names}
    return vertices


def positions(vertices: np.ndarray) -> np.ndarray:
    return np.stack([vertices["x"], vertices["y"], vertices["z"]], axis=1)


def focal_of(rig: Rig, view: int, width: int) -> float:
    return rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * width


# -- nerfstudio ------------------------------------------------------------------------------------------------------


def by_nerfstudio_s_rules(folder: Path, split: str) -> list[dict]:
    """Frames in the order of their files' names; lists of splits for all of them or none; a mask for each or none."""
    meta = json.loads((folder / "transforms.json").read_text())
    frames = sorted(meta["frames"], key=lambda frame: frame["file_path"])
    assert len({"mask_path" in frame for frame in frames}) == 1
    names = [frame["file_path"] for frame in frames]
    listed = {name: meta[f"{name}_filenames"] for name in ("train", "val", "test")}  # a missing one ends the run
    assert {*listed[split]} <= {*names}
    chosen = [{**meta, **frame} for frame in frames if frame["file_path"] in listed[split]]
    assert chosen, "nerfstudio needs an image in each split"
    return chosen


@pytest.mark.parametrize("layout", ["nerfstudio", "nerfstudio_4d"])
def test_nerfstudio_reads_frames_cameras_splits_and_points(tmp_path, take, layout):
    films, rig = take
    path = exported(tmp_path, layout, take)
    moments = [[frame] for frame in range(FRAMES)] if layout == "nerfstudio" else [range(FRAMES)]
    for moment in moments:
        folder = path / f"frame_{moment[0]:05d}" if layout == "nerfstudio" else path
        for split in ("train", "val", "test"):
            views = [view for view in range(len(films)) if (view in HELD_OUT) == (split != "train")]
            frames = by_nerfstudio_s_rules(folder, split)
            assert [frame["syncam"]["camera"] for frame in frames] == [
                f"cam{view + 1:02d}" for view in views for _ in moment
            ]
            for frame, (view, at) in zip(frames, ((view, at) for view in views for at in moment), strict=True):
                same_camera(frame, rig, view, at, films.shape[2:4])
                assert (np.asarray(Image.open(folder / frame["file_path"])) == films[view, at]).all()
                if layout == "nerfstudio_4d":
                    assert frame["time"] == at / (FRAMES - 1)
        vertices = read_ply(folder / frames[0]["ply_file_path"])
        assert len(vertices) > 1000
        seen_alike(positions(vertices), frames, rig, moment[0])


def same_camera(frame: dict, rig: Rig, view: int, at: int, shape: tuple[int, int]) -> None:
    height, width = shape
    assert (frame["w"], frame["h"], frame["cx"], frame["cy"]) == (width, height, width / 2, height / 2)
    np.testing.assert_allclose([frame["fl_x"], frame["fl_y"]], focal_of(rig, view, width))
    opengl = np.array(frame["transform_matrix"]) @ np.diag([1, -1, -1, 1])  # to the rig's camera axes
    wanted = rig.c2w[view, at].numpy()
    np.testing.assert_allclose(opengl[:3, 3], z_up(wanted[None, :3, 3])[0], atol=1e-12)
    np.testing.assert_allclose(opengl[:3, :3].T, z_up(wanted[:3, :3].T), atol=1e-12)


def seen_alike(points: np.ndarray, frames: list[dict], rig: Rig, at: int) -> None:
    """The file's points before the file's camera are the rig's before the rig's."""
    frame = frames[0]
    view = int(frame["syncam"]["camera"][3:]) - 1
    x, y, z, _ = np.linalg.inv(frame["transform_matrix"]) @ np.column_stack([points, np.ones(len(points))]).T
    as_rig = np.stack([points[:, 0], -points[:, 2], points[:, 1], np.ones(len(points))])
    wanted = np.linalg.inv(rig.c2w[view, at].numpy()) @ as_rig
    np.testing.assert_allclose([x, -y, -z], wanted[:3], atol=1e-9 * np.abs(wanted).max())
    before_all = [(np.linalg.inv(rig.c2w[other, at].numpy()) @ as_rig)[2] > 0 for other in range(rig.views)]
    assert np.any(before_all, axis=0).all()  # every point is before some camera of its moment


# -- COLMAP, gsplat, 3D Gaussian Splatting ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["colmap", "colmap_4d"])
def test_pycolmap_gsplat_and_3dgs_read_frames_cameras_and_points(tmp_path, take, layout):
    films, rig = take
    views, height, width = films.shape[0], *films.shape[2:4]
    path = exported(tmp_path, layout, take)
    for first in range(FRAMES if layout == "colmap" else 1):
        folder = path / f"frame_{first:05d}" if layout == "colmap" else path
        moments = [first] if layout == "colmap" else range(FRAMES)
        model = pycolmap.Reconstruction(folder / "sparse" / "0")
        assert model.num_reg_images() == views * len(moments)
        # gsplat sorts by name, and pairs the sorted names with the sorted files of images/
        images = sorted(model.images.values(), key=lambda image: image.name)
        assert [image.name for image in images] == sorted(file.name for file in (folder / "images").iterdir())
        # 3DGS keeps the last part of the name without what follows its first point
        assert len({Path(image.name).name.split(".")[0] for image in images}) == len(images)
        for image, (view, at) in zip(images, ((view, at) for view in range(views) for at in moments), strict=True):
            np.testing.assert_allclose(
                image.cam_from_world().inverse().matrix(), rig.c2w[view, at, :3].numpy(), atol=1e-9
            )
            camera = model.cameras[image.camera_id]
            assert (camera.model.name, camera.width, camera.height) == ("PINHOLE", width, height)
            focal = focal_of(rig, view, width)
            np.testing.assert_allclose(camera.params, [focal, focal, width / 2, height / 2])
            assert (np.asarray(Image.open(folder / "images" / image.name)) == films[view, at]).all()
        points = [point for _, point in sorted(model.points3D.items())]
        vertices = read_ply(folder / "sparse" / "0" / "points3D.ply")
        np.testing.assert_allclose(positions(vertices), [point.xyz for point in points], rtol=1e-6, atol=1e-6)
        assert [(*point.color,) for point in points] == [(*vertex,) for vertex in vertices[["red", "green", "blue"]]]
        test = (folder / "sparse" / "0" / "test.txt").read_text().split()
        assert test == [image.name for image in images if int(image.name[3:5]) - 1 in HELD_OUT]


def test_the_4d_model_has_a_frame_of_colmap_s_for_each_moment(tmp_path, take):
    films, rig = take
    still = Rig(rig.names, rig.c2w[:, :1], rig.colors, rig.lenses)
    model = pycolmap.Reconstruction(exported(tmp_path, "colmap_4d", (films, still)) / "sparse" / "0")
    assert (len(model.rigs), len(model.frames)) == (1, FRAMES)
    for frame in model.frames.values():
        names = sorted(model.images[data.id].name for data in frame.data_ids)
        assert len(names) == len(films)
        assert len({name[-9:] for name in names}) == 1


# -- D-NeRF ----------------------------------------------------------------------------------------------------------


def test_d_nerf_readers_read_frames_cameras_times_and_points(tmp_path, take):
    films, rig = take
    rig = fitting(rig, "dnerf")
    path = exported(tmp_path, "dnerf", (films, rig))
    for split in ("train", "val", "test"):
        meta = json.loads((path / f"transforms_{split}.json").read_text())
        views = [view for view in range(len(films)) if (view in HELD_OUT) == (split != "train")]
        wanted = [(view, at) for view in views for at in range(FRAMES)]
        for frame, (view, at) in zip(meta["frames"], wanted, strict=True):
            # nerfstudio takes "./" out and puts ".png" behind; the others put ".png" behind
            picture = np.asarray(Image.open(path / (frame["file_path"].replace("./", "") + ".png")))
            assert (picture == films[view, at]).all()
            assert frame["time"] == at / (FRAMES - 1)
            focal = 0.5 * picture.shape[1] / math.tan(0.5 * meta["camera_angle_x"])
            same_camera({**meta, **frame, "fl_x": focal, "fl_y": focal}, rig, view, at, films.shape[2:4])
    for name in ("points3d.ply", "fused.ply"):
        seen_alike(positions(read_ply(path / name)), meta["frames"], rig, 0)


# -- points of later frames ------------------------------------------------------------------------------------------

PLY = {"nerfstudio_4d": "points3d.ply", "colmap_4d": "sparse/0/points3D.ply", "dnerf": "points3d.ply"}


@pytest.mark.parametrize("layout", PLY)
def test_one_folder_of_all_frames_has_points_of_the_first_or_of_every_one_with_its_time(tmp_path, take, layout):
    films, rig = take
    rig = fitting(rig, layout)
    alone = stored(tmp_path, "colmap", films, rig, training=Training("seeded"))
    moments = [read_ply(alone / f"frame_{at:05d}/sparse/0/points3D.ply") for at in range(FRAMES)]
    assert len({moment.tobytes() for moment in moments}) == FRAMES  # each folder's are those of its own frame
    first = read_ply(stored(tmp_path, layout, films, rig, training=Training("seeded")) / PLY[layout])
    same_points(first, moments[0], layout)
    assert "time" not in first.dtype.names  # who reads it would take all points for ones that are there at 0 alone
    path = stored(tmp_path, layout, films, rig, training=Training("seeded", every_frame=True))
    every = read_ply(path / PLY[layout])
    assert len(every) == sum(map(len, moments))
    for at, moment in enumerate(moments):
        same_points(every[every["time"] == np.float32(at / (FRAMES - 1))], moment, layout)
    if layout == "dnerf":
        assert (path / "fused.ply").read_bytes() == (path / "points3d.ply").read_bytes()


def same_points(got: np.ndarray, wanted: np.ndarray, layout: str) -> None:
    turned = positions(wanted) if layout == "colmap_4d" else z_up(positions(wanted))
    np.testing.assert_allclose(positions(got), turned, rtol=1e-6, atol=1e-6)
    colours = ["red", "green", "blue"]
    assert (got[colours] == wanted[colours]).all()


@pytest.mark.parametrize("every_frame", [False, True])
@pytest.mark.parametrize("layout", ["nerfstudio", *PLY])
@pytest.mark.parametrize("points", ["seeded", "triangulated"])
def test_the_work_is_counted_before_it_is_done_and_colmap_is_quiet(tmp_path, capfd, layout, points, every_frame):
    films, rig, ticks = noise(2, 3, 16, 24), rig_for(2), []
    training = Training(points, every_frame=every_frame)
    stored(tmp_path, layout, films, rig, training=training, tick=lambda: ticks.append(1))
    assert len(ticks) == pictures_and_points(layout, [Footage(film) for film in films], training)
    assert capfd.readouterr() == ("", "")


def test_points_of_every_frame_of_a_long_take_stay_as_many_as_a_trainer_takes(tmp_path):
    films, rig = noise(2, 40, 4, 6), rig_for(2)
    path = stored(tmp_path, "dnerf", films, rig, training=Training("seeded", every_frame=True))
    times, counts = np.unique(read_ply(path / "points3d.ply")["time"], return_counts=True)
    np.testing.assert_allclose(times, np.arange(40) / 39, rtol=1e-6)
    assert {*counts} == {2500}


# -- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["nerfstudio", "nerfstudio_4d", "colmap", "colmap_4d", "dnerf"])
def test_masks_lie_where_readers_look_for_them(tmp_path, layout):
    films, rig = noise(2, FRAMES, 16, 24), rig_for(2, FRAMES)
    masks = torch.zeros(2, FRAMES, 16, 24)
    masks[0, :, 4:, 5:] = 1
    masks[1, :, :, :7] = 0.5
    path = stored(tmp_path, layout, films, rig, training=Training(masks=tuple(masks)))
    wanted = (masks.numpy() * 255 + 0.5).astype(np.uint8)
    for view in range(2):
        for at in range(FRAMES):
            got = Image.open(mask_file(path, layout, view, at))
            assert (np.asarray(got)[..., -1] if layout == "dnerf" else np.asarray(got)).shape == (16, 24)
            assert (np.asarray(got.getchannel("A") if layout == "dnerf" else got) == wanted[view, at]).all()
    assert (np.stack(list(open_scene(path).pictures(1))) == films[1]).all()


def mask_file(path: Path, layout: str, view: int, at: int) -> Path:
    name = f"cam{view + 1:02d}_{at:05d}"
    if layout == "dnerf":
        return path / "train" / f"{name}.png"
    if layout.endswith("_4d"):
        folder = path
    else:
        folder, name = path / f"frame_{at:05d}", f"cam{view + 1:02d}"
    if layout.startswith("colmap"):
        return folder / "masks" / f"{name}.png.png"
    meta = json.loads((folder / "transforms.json").read_text())
    (named,) = {one["mask_path"] for one in meta["frames"] if one["file_path"] == f"images/{name}.png"}
    return folder / named


def test_seeded_points_keep_out_of_what_masks_leave_out(tmp_path):
    films, rig = noise(3, 1, 16, 24), rig_for(3)
    masks = torch.zeros(3, 1, 16, 24)
    masks[:, :, 4:12, 6:18] = 1
    path = stored(tmp_path, "colmap", films, rig, training=Training("seeded", masks=tuple(masks)))
    points = positions(read_ply(path / "frame_00000" / "sparse" / "0" / "points3D.ply"))
    seen = np.zeros(len(points), bool)
    for view in range(3):
        x, y, z, _ = np.linalg.inv(rig.c2w[view, 0].numpy()) @ np.column_stack([points, np.ones(len(points))]).T
        pixel = focal_of(rig, view, 24) * np.stack([x, y]) / np.where(z > 0, z, np.nan) + [[12], [8]]
        seen |= (np.abs(pixel - [[12], [8]]) <= [[6.001], [4.001]]).all(axis=0)
    assert len(points) > 100
    assert seen.all()


def test_seeded_points_have_the_median_colour_of_the_pictures_that_show_them():
    shades, size = np.array([40, 100, 220]), (16, 24)
    c2w = orbit_rig([0, 100, 200], [0], [3]).c2w[:, 0].numpy()
    pictures = [np.full((*size, 3), shade, np.uint8) for shade in shades]
    found = seeded_points(c2w, [20.0] * 3, pictures, count=400)
    inside = np.zeros((3, len(found)), bool)
    for view, pose in enumerate(c2w):
        x, y, z, _ = np.linalg.inv(pose) @ np.column_stack([found.xyz, np.ones(len(found))]).T
        inside[view] = (z > 0) & (np.abs(20 * x / z) < 12 - 1e-6) & (np.abs(20 * y / z) < 8 - 1e-6)
    assert {*inside.sum(axis=0).tolist()} == {2, 3}
    for shown, color in zip(inside.T, found.rgb, strict=True):
        assert color.tolist() == [int(np.median(shades[shown]))] * 3


# -- what cannot be written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "training", "why"),
    [
        ("nerfstudio", Training("all"), "'points' is 'all'; possible are none, seeded, triangulated"),
        ("syncamvideo", Training("seeded"), "'points' is given, but the layout syncamvideo has no place for it"),
        ("syncamvideo", Training(held_out=(0,)), "'hold_out' is given, but the layout syncamvideo"),
        ("colmap", Training(held_out=(0, 1)), "'hold_out' names all 2 cameras, which leaves none to train on"),
        ("colmap", Training(masks=(torch.ones(1, 8, 8),)), "'masks' has 1 masks, but there are 2 views"),
        ("colmap", Training(masks=(torch.ones(1, 8, 9),) * 2), "'masks' has a mask of 9 x 8 pixels for 'camera 0'"),
        (
            "colmap",
            Training(masks=(torch.ones(3, 8, 8),) * 2),
            "'masks' has 3 frames for 'camera 0', but its video has 2",
        ),
        ("colmap", Training(masks=(torch.ones(8),) * 2), "'masks' has a mask of 8 pixels"),
    ],
)
def test_what_trainers_cannot_have_is_refused_before_the_work(tmp_path, layout, training, why):
    with pytest.raises(ValueError, match="(?s)" + why.replace("(", r"\(")):
        stored(tmp_path, layout, noise(2, 2, 8, 8), rig_for(2), training=training)
    assert not list(tmp_path.glob("scene*"))


def test_a_layout_of_one_lens_refuses_cameras_of_several(tmp_path):
    from syncam_core.datasets import check_take

    clips = [Footage(film) for film in noise(2, 1, 8, 8)]
    with pytest.raises(ValueError, match="'layout' is dnerf, which has one lens for all cameras"):
        check_take("dnerf", clips, rig_for(2), "")
