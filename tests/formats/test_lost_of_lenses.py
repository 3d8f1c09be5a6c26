"""What a file says of a lens and a rig does not hold is said in the log; files without it are read in silence."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.formats import FORMATS, read_rig_file, write_rig_file

RIG = orbit_rig([0, 25, 50], [10, 20, 30], [3])


@pytest.fixture
def said(caplog):
    """Reads a file, and gives what was logged of its lenses."""

    def read(path: Path, **how) -> str:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            read_rig_file(path, **how)
        return "\n".join(record.getMessage() for record in caplog.records)

    return read


@pytest.mark.parametrize("key", list(FORMATS))
@pytest.mark.parametrize("size", [(832, 480), (30, 52)])
def test_what_is_written_here_is_read_in_silence(tmp_path, said, key, size):
    c2w = torch.cat([orbit_rig([5 * k, 25 + k, 50], [10, 20, 30], [3]).c2w for k in range(4)], 1)
    if key == "first_release":  # holds still cameras only
        c2w = RIG.c2w
    rig = replace(RIG, c2w=c2w, lenses=(Lens(50, 36),) * 3)
    path = tmp_path / "".join(["rig", *FORMATS[key].SUFFIXES[:1]])
    write_rig_file(rig, path, key, **({"image_size": size} if takes_size(key) else {}))
    assert said(path, unit_m=1.0) == ""


def takes_size(key: str) -> bool:
    return "image_size" in FORMATS[key].write.__code__.co_varnames


# -- a lens with a shift, with stretched pixels, and one that zooms, as each format says it -----------------------------


def colmap(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    import pycolmap

    model = pycolmap.Reconstruction()
    for number in (1, 2):
        params = [fx * (zoom if number == 2 else 1), fy * (zoom if number == 2 else 1), cx, cy]
        camera = pycolmap.Camera(camera_id=number, model="PINHOLE", width=832, height=480, params=params)
        model.add_camera_with_trivial_rig(camera)
        pose = pycolmap.Rigid3d(np.array([[1.0, 0, 0, number], [0, 1, 0, 0], [0, 0, 1, 0]]))
        image = pycolmap.Image(name=f"left/{number:04d}.png", camera_id=number, image_id=number)
        model.add_image_with_trivial_frame(image, pose)
    path.mkdir()
    model.write_text(path)
    return path


def poses() -> list[np.ndarray]:
    return [RIG.c2w[view, 0].numpy() for view in (0, 1)]


def nerfstudio(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    frames = [
        {
            "file_path": f"images/left/{k:04d}.png",
            "transform_matrix": pose.tolist(),
            "fl_x": fx * zoom**k,
            "fl_y": fy * zoom**k,
            "cx": cx,
            "cy": cy,
            "w": 832,
            "h": 480,
        }
        for k, pose in enumerate(poses())
    ]
    path.with_suffix(".json").write_text(json.dumps({"frames": frames}))
    return path.with_suffix(".json")


def opencv(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    k = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    camera = {"name": "left", "K": k, "width": 832, "height": 480, "c2w": poses()[0].tolist()}
    path.with_suffix(".json").write_text(json.dumps({"unit_m": 1, "cameras": [camera]}))
    return path.with_suffix(".json")


def open3d(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    items = [
        {
            "class_name": "PinholeCameraParameters",
            "extrinsic": np.linalg.inv(pose).T.flatten().tolist(),
            "intrinsic": {
                "width": 832,
                "height": 480,
                "intrinsic_matrix": [fx * zoom**k, 0, 0, 0, fy * zoom**k, 0, cx, cy, 1],
            },
        }
        for k, pose in enumerate(poses())
    ]
    path = path.with_suffix(".json")
    path.write_text(json.dumps({"class_name": "PinholeCameraTrajectory", "parameters": items}))
    return path


def usd(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    from pxr import Gf, Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(path.with_suffix(".usda")))
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    camera = UsdGeom.Camera.Define(stage, "/left")
    move = camera.AddTranslateOp()
    camera.CreateHorizontalApertureAttr(36.0)
    camera.CreateVerticalApertureAttr(36.0 * 480 / 832)
    camera.CreateHorizontalApertureOffsetAttr(36.0 * (cx / 832 - 0.5))
    camera.CreateVerticalApertureOffsetAttr(36.0 * (cy - 240) / 832)
    focal = camera.CreateFocalLengthAttr()
    for code in (1, 2):
        move.Set(Gf.Vec3d(code, 0, 0), code)
        focal.Set(36.0 * fx / 832 * zoom ** (code - 1), code)
    stage.GetRootLayer().Save()
    return path.with_suffix(".usda")


def realestate10k(path: Path, fx: float, fy: float, cx: float, cy: float, zoom: float) -> Path:
    rows = [
        f"{k} {fx / 832 * zoom**k} {fy / 480 * zoom**k} {cx / 832} {cy / 480} 0 0 "
        + " ".join(map(str, np.linalg.inv(pose)[:3].flatten()))
        for k, pose in enumerate(poses())
    ]
    path.with_suffix(".txt").write_text("\n".join(["a clip", *rows]) + "\n")
    return path.with_suffix(".txt")


WRITERS = [colmap, nerfstudio, opencv, open3d, usd, realestate10k]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
@pytest.mark.parametrize(
    ("lens", "words", "unknown"),
    [
        ((800, 800, 416, 240, 1), "", ()),
        ((800, 803, 419, 238, 1.004), "", ()),  # as calibration finds them
        ((800, 800, 516, 240, 1), "its centre is 12 % of the picture beside the middle", ()),
        ((800, 800, 416, 140, 1), "its centre is 21 % of the picture beside the middle", ()),
        ((800, 1600, 416, 240, 1), "its pixels are 0.5 times as high as wide", (usd, realestate10k)),
        ((800, 800, 416, 240, 1.5), "it zooms (1.5 times), and the first frame's counts", (opencv,)),
    ],
)
def test_what_a_rig_does_not_hold_of_a_lens_is_said(tmp_path, said, writer, lens, words, unknown):
    path = writer(tmp_path / "left", *lens)
    log = said(path, unit_m=1.0, pictures="moving" if writer in (colmap, nerfstudio) else "auto")
    wanted = "" if writer in unknown else words
    assert (wanted in log) if wanted else log == ""
    if wanted:
        assert log.startswith(
            "SynCam: a rig's lens is one focal length with its centre in the middle. That is not all of '"
        )


def test_a_chan_file_that_zooms_says_so_and_many_cameras_are_counted(tmp_path, said):
    (tmp_path / "a.chan").write_text("1 0 0 5 0 0 0 30\n2 0 0 5 0 1 0 20\n")
    assert "all of 'a': of the first, it zooms (1.52 times), and" in said(tmp_path / "a.chan", unit_m=1.0)
    cameras = [
        {"name": f"cam {n}", "K": [[800, 0, 0], [0, 800, 240], [0, 0, 1]], "width": 832, "height": 480, "c2w": pose}
        for n, pose in enumerate(orbit_rig([0, 10, 20, 30, 40], [10], [3]).c2w[:, 0].tolist())
    ]
    (tmp_path / "b.json").write_text(json.dumps({"unit_m": 1, "cameras": cameras}))
    assert "all of 'cam 0', 'cam 1', 'cam 2' and 2 more: of the first, its centre is 50 %" in said(tmp_path / "b.json")


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_the_focal_length_across_counts_whatever_else_a_lens_has(tmp_path, writer):
    path = writer(tmp_path / "left", 800, 1000, 516, 140, 1.5)
    how = {"pictures": "moving"} if writer in (colmap, nerfstudio) else {}
    rig: Rig = read_rig_file(path, unit_m=1.0, **how)
    for lens in rig.lenses:
        assert lens.focal_mm / lens.sensor_width_mm == pytest.approx(800 / 832, rel=1e-6)
