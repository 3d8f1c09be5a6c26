"""Two-view and many-view geometry of one point: triangulation, reprojection and epipolar distance.

Pinhole cameras as in `synthetic/projection.py`. Everywhere `points_px` is (views, frames, 2), NaN where a view does not
see the point, and `c2w` is (views, 1 or frames, 4, 4): one pose stands for a camera that does not move.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from ..cameras.rig import Lens, inverse
from ..synthetic import focal_px, project


def triangulate(
    points_px: Tensor,  # (views, frames, 2)
    c2w: Tensor,  # (views, 1 or frames, 4, 4) float64
    lenses: Sequence[Lens],  # per view, with focal_mm and sensor_width_mm
    height: int,
    width: int,
) -> Tensor:  # (frames, 3) float64, metres
    """The point of the world that all views of a frame see; NaN for a frame in which fewer than two do.

    Direct linear transform (Hartley & Zisserman, Multiple View Geometry, section 12.2): the rows x p3 - p1 and
    y p3 - p2 of every view, in pixels, and the right singular vector of the smallest singular value. World axes are
    moved to the middle of the cameras and scaled by their mean distance from it, which keeps the system well
    conditioned wherever the rig stands.
    """
    views, frames = points_px.shape[:2]
    seen = torch.isfinite(points_px).all(-1)  # (views, frames)
    c2w = c2w.expand(views, frames, 4, 4)
    middle = c2w[..., :3, 3].mean(0)  # (frames, 3)
    from_middle = c2w[..., :3, 3] - middle
    size = from_middle.norm(dim=-1).mean(0).clamp_min(1e-9)  # (frames,)
    w2c_rotation = c2w[..., :3, :3].mT
    shift = -(w2c_rotation @ (from_middle / size[:, None])[..., None])
    w2c = torch.cat([w2c_rotation, shift], dim=-1)  # (views, frames, 3, 4)
    focal = _focal(lenses, width)
    x, y = ((points_px - _centre(height, width)) / focal.view(-1, 1, 1)).unbind(-1)
    rows = torch.stack(
        [x[..., None] * w2c[..., 2, :] - w2c[..., 0, :], y[..., None] * w2c[..., 2, :] - w2c[..., 1, :]]
    )  # (2, views, frames, 4)
    rows = torch.where(seen[..., None], rows * focal.view(-1, 1, 1), 0.0)
    system = rows.permute(2, 0, 1, 3).flatten(1, 2)  # (frames, 2 views, 4)
    solution = torch.linalg.svd(system).Vh[:, -1]
    depth = solution[:, 3:]
    depth = torch.where(depth.abs() < 1e-12, 1e-12, depth)  # far away, not nowhere
    point = solution[:, :3] / depth * size[:, None] + middle
    return torch.where((seen.sum(0) >= 2)[:, None], point, torch.nan)


def reproject(
    points: Tensor,  # (frames, 3) world
    c2w: Tensor,  # (views, 1 or frames, 4, 4)
    lenses: Sequence[Lens],
    height: int,
    width: int,
) -> Tensor:  # (views, frames, 2) pixels
    """Where every view sees the points; NaN behind a camera."""
    return torch.stack(
        [project(points, camera, lens, height, width)[0] for camera, lens in zip(c2w, lenses, strict=True)]
    )


def reprojection_errors(
    points_px: Tensor,  # (views, frames, 2)
    c2w: Tensor,  # (views, 1 or frames, 4, 4)
    lenses: Sequence[Lens],
    height: int,
    width: int,
) -> Tensor:  # (views, frames) pixels
    """Distance between where a view sees the point and where it should, by the point triangulated from all views.

    NaN where the view does not see it or no other view does. At most the picture's width, which also stands for a
    triangulated point that lies behind the camera.
    """
    points = triangulate(points_px, c2w, lenses, height, width)
    offset = (reproject(points, c2w, lenses, height, width) - points_px).norm(dim=-1)
    behind = torch.isfinite(points_px).all(-1) & torch.isfinite(points).all(-1) & offset.isnan()
    return torch.where(behind, float(width), offset.clamp_max(width))


def epipolar_line(
    point_px: Tensor,  # (frames, 2) in the first view
    first_c2w: Tensor,  # (1 or frames, 4, 4)
    first_lens: Lens,
    second_c2w: Tensor,
    second_lens: Lens,
    height: int,
    width: int,
) -> Tensor:  # (frames, 3)
    """Where the second view may see what the first sees at a pixel: a, b, c with a u + b v + c = 0, a^2 + b^2 = 1.

    NaN where there is no line: cameras at the same place, or a point at the epipole.
    """
    relative = inverse(second_c2w) @ first_c2w
    rotation, shift = relative[..., :3, :3], relative[..., :3, 3]
    ray = torch.cat([point_px - _centre(height, width), torch.ones_like(point_px[:, :1])], dim=-1)
    ray = ray / torch.tensor([focal_px(first_lens, width)] * 2 + [1.0], dtype=ray.dtype)
    turned = (rotation @ ray[..., None])[..., 0]
    shift = shift.expand_as(turned)
    line = torch.linalg.cross(shift, turned)  # E ray, with E = [shift]x rotation
    focal = focal_px(second_lens, width)
    a, b = line[:, 0] / focal, line[:, 1] / focal
    c = line[:, 2] - a * width / 2 - b * height / 2
    length = torch.hypot(a, b)
    apart = shift.norm(dim=-1)
    rounding = 1e-9 * (1 + first_c2w[..., :3, 3].norm(dim=-1) + second_c2w[..., :3, 3].norm(dim=-1))
    has_line = (apart > rounding) & (length * focal > 1e-9 * apart * turned.norm(dim=-1))
    return torch.stack([a, b, c], dim=-1) / torch.where(has_line, length, torch.nan)[:, None]


def epipolar_distances(
    points_px: Tensor,  # (views, frames, 2)
    c2w: Tensor,  # (views, 1 or frames, 4, 4)
    lenses: Sequence[Lens],
    height: int,
    width: int,
) -> Tensor:  # (pairs, frames) pixels, pairs (0, 1), (0, 2), ..., (1, 2), ...
    """The symmetric epipolar distance of every pair of views.

    The mean of two distances in pixels: of the point in the second view from the epipolar line of the point in the
    first, and the other way round. At most the picture's width; NaN where a view does not see the point or a line does
    not exist.
    """
    distances = []
    for i, j in itertools.combinations(range(len(points_px)), 2):
        both = []
        for first, second in ((i, j), (j, i)):
            line = epipolar_line(
                points_px[first], c2w[first], lenses[first], c2w[second], lenses[second], height, width
            )
            both.append(((line[:, :2] * points_px[second]).sum(-1) + line[:, 2]).abs())
        distances.append((both[0] + both[1]) / 2)
    return torch.stack(distances).clamp_max(width)


def _focal(lenses: Sequence[Lens], width: int) -> Tensor:  # (views,)
    return torch.tensor([focal_px(lens, width) for lens in lenses], dtype=torch.float64)


def _centre(height: int, width: int) -> Tensor:
    return torch.tensor([width / 2, height / 2], dtype=torch.float64)
