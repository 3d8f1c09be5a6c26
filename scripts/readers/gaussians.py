"""What the readers of trainers of moving gaussians read of exported sets: frames, cameras, times and points.

The readers are no packages: give checkouts, of any of

    github.com/hustvl/4DGaussians                    layout dnerf
    github.com/fudan-zvg/4d-gaussian-splatting       layout dnerf, points of every frame
    github.com/ingra14m/Deformable-3D-Gaussians      layout dnerf
    github.com/oppo-us-research/SpacetimeGaussians   layout colmap, with the steps of docs/programs/gsplat.md

    python3 -m venv /tmp/gaussians && /tmp/gaussians/bin/pip install torch "pycolmap>=4" plyfile natsort imagesize tqdm av scipy einops "pillow<11"
    /tmp/gaussians/bin/python scripts/readers/gaussians.py CHECKOUT

No GPU is needed: what only their rendering and their preparation use is not imported. 4DGaussians and Deformable 3D Gaussians
are read with the corrections that the page says, as they mirror a camera's offset from the world's axis. Ends with 1 where
something comes back otherwise than it went out.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import pycolmap
import torch

PACK = Path(__file__).resolve().parents[2]
CHECKOUT = Path(sys.argv[1]).resolve()
STG = "thirdparty/gaussian_splatting"
READERS = CHECKOUT / STG if (CHECKOUT / STG).is_dir() else CHECKOUT
sys.path[:] = [str(READERS), str(PACK), str(PACK / "tests" / "helpers")] + [
    one for one in sys.path if Path(one or ".").resolve() != PACK / "scripts" / "readers"
]
# Of their modules; none has to do with reading.
NOT_NEEDED = ("simple_knn", "simple_knn._C", "open3d", "cv2", "matplotlib", "matplotlib.pyplot", "imageio", "easydict")
NOT_NEEDED += (
    "torchvision",
    "torchvision.transforms",
    "pointops2",
    "pointops2.functions",
    "pointops2.functions.pointops",
    "kornia",
    "scene.hyper_loader",
)
NOT_NEEDED += ("helper_model", "helper_train", "scene.neural_3D_dataset_NDC", "scene.cameras", "utils.camera_utils")
for name in NOT_NEEDED:
    sys.modules[name] = MagicMock()
scene = ModuleType("scene")
scene.__path__ = [str(READERS / "scene")]  # without its __init__, which imports the renderers
sys.modules["scene"] = scene
FIXES = {  # of docs/programs/gsplat.md
    "T = -matrix[:3, 3]": "T = matrix[:3, 3] * np.array([1, -1, -1])",
    "FovY = fovx": "FovX = fovx",
    "FovX = fovy": "FovY = fovy",
}


class Corrected(importlib.machinery.SourceFileLoader):
    """Their reader, with FIXES."""

    def get_code(self, fullname: str):
        source = Path(self.path).read_text()
        print("corrected:", {wrong: source.count(wrong) for wrong in FIXES if wrong in source} or "nothing")
        for wrong, right in FIXES.items():
            source = source.replace(wrong, right)
        return compile(source, self.path, "exec")


def their_reader() -> ModuleType:
    loader = Corrected("scene.dataset_readers", str(READERS / "scene" / "dataset_readers.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


read = their_reader()

from takes import fitting, noise, rig_for  # noqa: E402

from syncam_core.cameras import Rig  # noqa: E402
from syncam_core.datasets import Training, append_scene, write_take  # noqa: E402
from syncam_core.video.clip import ImageClip  # noqa: E402

FRAMES = 3
WHICH = CHECKOUT.name.lower()


def main() -> None:
    for views in (4, 12):
        for height, width in ((24, 40), (40, 24)):
            films, rig = noise(views, FRAMES, height, width, 5), fitting(rig_for(views, FRAMES, seed=5), "dnerf")
            for every_frame in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    training = Training("seeded", (1,), every_frame=every_frame)
                    away = compared(Path(folder), films, rig, training)
                print(f"{views:2} views, {width} x {height}, every frame {every_frame}: poses at most {away:.1e} away")
                assert away < 1e-6


def compared(folder: Path, films: np.ndarray, rig: Rig, training: Training) -> float:
    stg = "spacetime" in WHICH
    if stg:  # its cameras stand still
        rig = Rig(rig.names, rig.c2w[:, :1], rig.colors, rig.lenses)
    layout = "colmap" if stg else "dnerf"
    clips = [ImageClip(torch.from_numpy(film).float() / 255) for film in films]
    path = append_scene(folder, lambda stage: write_take(stage, layout, clips, rig, Fraction(15), training=training))
    if stg:
        return of_spacetime(path, films, rig)
    square = {"image": (800, 800)} if hasattr(read, "readdynerfInfo") else {}  # 4DGaussians scales all to that
    how = {"time_duration": [0.0, 1.0]} if "time_duration" in read.readNerfSyntheticInfo.__code__.co_varnames else {}
    info = read.readNerfSyntheticInfo(str(path), False, True, **how)
    away = [
        same(camera, films, rig, view, at, square)
        for cameras, split in ((info.train_cameras, "train"), (info.test_cameras, "test"))
        for camera, (view, at) in zip(cameras, wanted(rig, training, split), strict=True)
    ]
    same_points(info.point_cloud, path, FRAMES if training.every_frame else 1)
    return max(away)


def wanted(rig: Rig, training: Training, split: str) -> Iterator[tuple[int, int]]:
    for view in range(rig.views):
        if (view in training.held_out) == (split == "test"):
            yield from ((view, at) for at in range(FRAMES))


def same(camera, films: np.ndarray, rig: Rig, view: int, at: int, square: dict) -> float:
    height, width = films.shape[2:4]
    time = next(getattr(camera, name) for name in ("time", "timestamp", "fid") if hasattr(camera, name))
    assert float(time) == at / (FRAMES - 1), (time, at)
    if not square:
        assert (np.asarray(camera.image)[..., :3] == films[view, at]).all()
        assert (camera.width, camera.height) == (width, height)
    focal = rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * width
    if getattr(camera, "fl_x", 0) > 0:
        np.testing.assert_allclose(
            [camera.fl_x, camera.fl_y, camera.cx, camera.cy], [focal, focal, width / 2, height / 2]
        )
    else:
        np.testing.assert_allclose(width / 2 / np.tan(camera.FovX / 2), focal)
        if not square:
            np.testing.assert_allclose(height / 2 / np.tan(camera.FovY / 2), focal)
    w2c = np.eye(4)
    w2c[:3, :3], w2c[:3, 3] = np.transpose(camera.R), camera.T  # R is stored transposed
    z_up = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    truth = rig.c2w[view, min(at, rig.frames - 1)].numpy()
    wanted = truth if "spacetime" in WHICH else z_up @ truth
    return np.abs(np.linalg.inv(w2c) - wanted).max() / max(1.0, np.abs(truth[:3, 3]).max())


def same_points(cloud, path: Path, moments: int) -> None:
    from plyfile import PlyData

    written = PlyData.read(path / "points3d.ply")["vertex"]
    assert len(written) == 10_000 * moments == len(cloud.points)
    np.testing.assert_allclose(cloud.points, np.stack([written[axis] for axis in "xyz"], axis=1))
    colours = np.stack([written[name] for name in ("red", "green", "blue")], axis=1)
    np.testing.assert_allclose(cloud.colors, colours / 255)
    if hasattr(cloud, "time"):
        times = None if cloud.time is None else [*np.unique(cloud.time)]
        assert times == (None if moments == 1 else [0.0, 0.5, 1.0]), times


def of_spacetime(path: Path, films: np.ndarray, rig: Rig) -> float:
    """Folders are called colmap_0, colmap_1, ..., and their models are binary."""
    for frame in range(FRAMES):
        folder = (path / f"frame_{frame:05d}").rename(path / f"colmap_{frame}")
        model = folder / "sparse" / "0"
        pycolmap.Reconstruction(model).write_binary(model)
    info = read.readColmapSceneInfoTechnicolor(str(path / "colmap_0"), None, False, duration=FRAMES)
    order = [(view, at) for view in range(rig.views) for at in range(FRAMES)]
    away = 0.0
    for camera, (view, at) in zip(info.train_cameras, order, strict=True):
        assert np.isclose(camera.timestamp, at / FRAMES)
        assert (np.asarray(camera.image) == films[view, at]).all()
        focal = rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * camera.width
        np.testing.assert_allclose(camera.width / 2 / np.tan(camera.FovX / 2), focal)
        w2c = np.eye(4)
        w2c[:3, :3], w2c[:3, 3] = np.transpose(camera.R), camera.T
        truth = rig.c2w[view, 0].numpy()
        away = max(away, np.abs(np.linalg.inv(w2c) - truth).max() / max(1.0, np.abs(truth[:3, 3]).max()))
    assert info.point_cloud.points.shape[0] == 10_000 * FRAMES
    return away


if __name__ == "__main__":
    main()
