"""An exported set of rendered truth trains: small optimisations that end well on it, and badly with its poses shuffled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch
from PIL import Image
from takes import stored
from torch import Tensor

from syncam_core.cameras import orbit_rig
from syncam_core.datasets import Training
from syncam_core.synthetic import Scene, project, render

HEIGHT, WIDTH, HELD_OUT = 128, 192, 2
RIG = orbit_rig([-24.0, -12.0, 0.0, 12.0, 24.0], [12.0, 18.0, 14.0, 18.0, 12.0], [3.6, 3.8, 3.6, 3.8, 3.6])
SMALL = 8  # the pictures that gaussians are fitted to are smaller by this


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    scene = replace(Scene.from_prompt("a red cube standing on grass under a clear sky", Scene.random(0)), texture=1)
    return (render(scene, RIG, HEIGHT, WIDTH, [0.0]).numpy() * 255 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def model(films, tmp_path_factory) -> tuple[Path, pycolmap.Reconstruction]:
    folder = tmp_path_factory.mktemp("set")
    path = stored(folder, "colmap", films, RIG, training=Training("triangulated", (HELD_OUT,))) / "frame_00000"
    return path, pycolmap.Reconstruction(path / "sparse" / "0")


# -- the points that COLMAP triangulates -----------------------------------------------------------------------------


def found_points(model: pycolmap.Reconstruction) -> list[pycolmap.Point3D]:
    """Those that were found in pictures; seeded ones may stand behind them."""
    return [point for _, point in sorted(model.points3D.items()) if point.track.length()]


def test_triangulated_points_lie_where_the_rig_s_cameras_see_them(model):
    _, reconstruction = model
    points = found_points(reconstruction)
    assert len(points) >= 40
    away = []
    for point in points:
        assert point.track.length() >= 2
        away += off_px(reconstruction, point)
    assert np.mean(away) < 0.7
    assert max(away) < 2.1
    assert np.median([abs(point.xyz[1] - 1.0) for point in points]) < 2  # the floor and the cube on it, not the sky


def test_points_of_every_frame_follow_what_moves_and_are_found_in_the_pictures_of_their_frame(tmp_path):
    scene = replace(Scene.from_prompt("a red cube walking on grass under a clear sky", Scene.random(0)), texture=1)
    times = [0.5, 2.5]
    films = (render(scene, RIG, HEIGHT, WIDTH, times).numpy() * 255 + 0.5).astype(np.uint8)
    away = scene.subject_centre(torch.tensor(times))
    path = stored(tmp_path, "colmap_4d", films, RIG, training=Training("triangulated", every_frame=True))
    reconstruction = pycolmap.Reconstruction(path / "sparse" / "0")
    reds: list[list[np.ndarray]] = [[], []]
    for point in found_points(reconstruction):
        names = [reconstruction.images[element.image_id].name for element in point.track.elements]
        (frame,) = {int(name[6:11]) for name in names}
        red, green, blue = map(int, point.color)
        if red > 60 + max(green, blue):
            reds[frame].append(point.xyz)
        assert max(off_px(reconstruction, point)) < 2.1
    assert min(map(len, reds)) >= 5
    for at, found in enumerate(reds):
        here, elsewhere = (np.linalg.norm(np.array(found) - away[one].numpy(), axis=1) for one in (at, 1 - at))
        assert here.max() < 1.0  # from a cube's centre to its corner: 0.56 * sqrt(3)
        assert elsewhere.max() > 1.3  # some are well outside of where the cube is at the other time


def off_px(reconstruction: pycolmap.Reconstruction, point: pycolmap.Point3D) -> list[float]:
    """Between where a point was found in each picture and where the rig's camera sees it."""
    off = []
    for element in point.track.elements:
        image = reconstruction.images[element.image_id]
        view = int(image.name[3:5]) - 1
        pixel, depth = project(torch.from_numpy(point.xyz), RIG.c2w[view, 0], RIG.lenses[view], HEIGHT, WIDTH)
        assert depth > 0
        assert image.points2D[element.point2D_idx].point3D_id in reconstruction.points3D
        off.append(float((pixel - torch.from_numpy(image.points2D[element.point2D_idx].xy)).norm()))
    return off


def test_the_same_pictures_give_the_same_points(model, films, tmp_path):
    path, _ = model
    again = stored(tmp_path, "colmap", films, RIG, training=Training("triangulated", (HELD_OUT,))) / "frame_00000"
    for name in ("points3D.txt", "images.txt", "points3D.ply"):
        assert (again / "sparse" / "0" / name).read_bytes() == (path / "sparse" / "0" / name).read_bytes()


def test_points_optimised_from_their_tracks_reach_a_reprojection_error_that_shuffled_poses_do_not(model):
    _, reconstruction = model
    right, shuffled = (reprojection_error_px(reconstruction, turn) for turn in (0, 1))
    print(f"\nreprojection error: {right:.2f} px, with shuffled poses {shuffled:.1f} px")
    assert right < 0.7
    assert shuffled > 3


def reprojection_error_px(reconstruction: pycolmap.Reconstruction, turn: int) -> float:
    """After 200 steps on the points' positions alone; `turn` gives each picture the pose of another one."""
    cameras = file_cameras(reconstruction)
    names = sorted(cameras)
    posed = dict(zip(names, names[turn:] + names[:turn], strict=True))
    observed, which, w2c, focal = [], [], [], []
    for index, point in enumerate(found_points(reconstruction)):
        for element in point.track.elements:
            image = reconstruction.images[element.image_id]
            observed.append(image.points2D[element.point2D_idx].xy)
            which.append(index)
            w2c.append(cameras[posed[image.name]][0])
            focal.append(cameras[image.name][1])
    target, poses, focals = torch.tensor(np.array(observed)), torch.stack(w2c), torch.tensor(focal)[:, None].double()
    start = torch.tensor(np.array([point.xyz for point in found_points(reconstruction)]))
    xyz = (start + 0.2 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0)).double()).requires_grad_()

    def residuals() -> Tensor:
        seen = (poses[:, :3, :3] @ xyz[which][..., None])[..., 0] + poses[:, :3, 3]
        pixel = focals * seen[:, :2] / seen[:, 2:].clamp_min(0.1) + torch.tensor([WIDTH / 2, HEIGHT / 2])
        return (pixel - target).norm(dim=1)

    optimizer = torch.optim.Adam([xyz], lr=0.02)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 200)
        optimizer.zero_grad()
        residuals().mean().backward()
        optimizer.step()
    return float(residuals().detach().mean())


def file_cameras(reconstruction: pycolmap.Reconstruction) -> dict[str, tuple[Tensor, float]]:
    """Pose (4, 4), world to camera, and focal length in pixels by the picture's name, from the files alone."""
    found = {}
    for image in reconstruction.images.values():
        w2c = torch.eye(4, dtype=torch.float64)
        w2c[:3] = torch.from_numpy(image.cam_from_world().matrix())
        found[image.name] = w2c, float(reconstruction.cameras[image.camera_id].params[0])
    return found


# -- gaussians that are fitted to the pictures -----------------------------------------------------------------------


def test_gaussians_show_a_held_out_view_better_than_with_shuffled_poses(model):
    path, reconstruction = model
    right, shuffled = (held_out_db(path, reconstruction, turn) for turn in (0, 1))
    print(f"\nheld-out view: {right:.1f} dB, with shuffled poses {shuffled:.1f} dB")
    assert right > 18
    assert right > shuffled + 3


def held_out_db(path: Path, reconstruction: pycolmap.Reconstruction, turn: int) -> float:
    """PSNR of the view in test.txt after 150 steps on the others, from the points of the set."""
    cameras = file_cameras(reconstruction)
    held_out = (path / "sparse" / "0" / "test.txt").read_text().split()
    names = [name for name in sorted(cameras) if name not in held_out]
    posed = dict(zip(names, names[turn:] + names[:turn], strict=True))
    pictures = {name: small(path / "images" / name) for name in cameras}
    points = [point for _, point in sorted(reconstruction.points3D.items())][:400]
    gaussians = Gaussians(
        torch.tensor(np.array([p.xyz for p in points])), torch.tensor(np.array([p.color for p in points]))
    )
    optimizer = torch.optim.Adam(gaussians.parameters(), lr=0.03)
    for _ in range(150):
        optimizer.zero_grad()
        loss = torch.stack([(gaussians(*cameras[posed[name]]) - pictures[name]).abs().mean() for name in names]).mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        errors = torch.stack([((gaussians(*cameras[name]) - pictures[name]) ** 2).mean() for name in held_out])
    return float(-10 * torch.log10(errors.mean()))


def small(path: Path) -> Tensor:  # (height, width, 3) in 0..1
    picture = torch.from_numpy(np.asarray(Image.open(path)).copy()).float() / 255
    return torch.nn.functional.avg_pool2d(picture.permute(2, 0, 1)[None], SMALL)[0].permute(1, 2, 0)


class Gaussians(torch.nn.Module):
    """Round gaussians, composited from the nearest to the farthest over a background of one colour."""

    def __init__(self, xyz: Tensor, rgb: Tensor) -> None:
        super().__init__()
        self.xyz = torch.nn.Parameter(xyz.float())
        self.rgb = torch.nn.Parameter(torch.logit((rgb.float() / 255).clamp(0.05, 0.95)))
        self.size = torch.nn.Parameter(torch.full((len(xyz),), -1.6))  # log of metres
        self.opacity = torch.nn.Parameter(torch.zeros(len(xyz)))
        self.background = torch.nn.Parameter(torch.zeros(3))
        rows, columns = torch.meshgrid(
            torch.arange(HEIGHT // SMALL) + 0.5, torch.arange(WIDTH // SMALL) + 0.5, indexing="ij"
        )
        self.pixels = torch.stack([columns, rows], dim=-1).reshape(-1, 2)

    def forward(self, w2c: Tensor, focal_px: float) -> Tensor:  # (height, width, 3)
        seen = self.xyz @ w2c[:3, :3].float().T + w2c[:3, 3].float()
        order = seen[:, 2].argsort()
        depth = seen[order, 2:].clamp_min(0.2)
        focal = focal_px / SMALL
        place = focal * seen[order, :2] / depth + torch.tensor([WIDTH, HEIGHT]) / (2 * SMALL)
        radius = (self.size[order].exp() * focal / depth[:, 0]).clamp(0.3, 6.0)
        away = (self.pixels[:, None] - place).square().sum(-1) / (2 * radius.square())
        alpha = torch.sigmoid(self.opacity[order]) * torch.exp(-away) * (seen[order, 2] > 0.2)
        left = torch.cumprod(1 - alpha.clamp_max(0.99), dim=1)
        weight = alpha * torch.cat([torch.ones_like(left[:, :1]), left[:, :-1]], dim=1)
        colour = weight @ torch.sigmoid(self.rgb[order]) + left[:, -1:] * torch.sigmoid(self.background)
        return colour.reshape(HEIGHT // SMALL, WIDTH // SMALL, 3)
