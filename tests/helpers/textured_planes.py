"""Pictures on planes, seen by cameras that are known exactly: rays against planes in plain numpy, no renderer of ours.

The world is a floor, a wall and two boards that stand at angles, each with a picture of its own. It knows nothing of the
synthetic world, so that what is measured on it is measured twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch


@dataclass(frozen=True)
class Plane:
    corner: np.ndarray  # (3,) world, metres
    across: np.ndarray  # (3,) along the picture's width
    down: np.ndarray  # (3,) along its height, perpendicular


@cache
def picture(seed: int, side: int = 768) -> np.ndarray:  # (side, side, 3) in 0..1
    """Smooth shapes over fine detail, with the spectrum of photographs: equal contrast in every octave."""
    draw = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, side, side)
    for cells in (6, 12, 24, 48, 96, 192):
        noise = torch.rand(1, 3, cells, cells, generator=draw) - 0.5
        total += torch.nn.functional.interpolate(noise, (side, side), mode="bicubic")
    return (total[0] / total.std() * 0.22 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()


def world() -> list[Plane]:
    board = np.array([[np.cos(a), 0.0, np.sin(a)] for a in np.radians((25.0, -35.0))])
    down = np.array([0.0, 1.0, 0.0])
    return [
        Plane(np.array([-5.0, 0.9, -5.0]), np.array([10.0, 0, 0]), np.array([0, 0, 10.0])),
        Plane(np.array([-7.0, -4.0, 3.5]), np.array([14.0, 0, 0]), 9.0 * down),
        Plane(np.array([-1.6, -0.9, -0.5]), 1.5 * board[0], 1.5 * down),
        Plane(np.array([0.3, -0.7, 0.6]), 1.5 * board[1], 1.4 * down),
    ]


def filmed(
    c2w: np.ndarray,  # (views, 4, 4) OpenCV axes
    focal_px: float | list[float],
    height: int,
    width: int,
    seed: int = 0,
    supersample: int = 2,
) -> list[torch.Tensor]:  # per view (1, height, width, 3) float32
    planes, pictures = world(), [picture(10 * seed + index) for index in range(4)]
    focal = [focal_px] * len(c2w) if isinstance(focal_px, (int, float)) else focal_px
    return [
        torch.from_numpy(_seen(planes, pictures, pose, length, height, width, supersample).astype(np.float32))[None]
        for pose, length in zip(c2w, focal, strict=True)
    ]


def _seen(planes, pictures, pose, focal_px, height, width, times) -> np.ndarray:
    y, x = np.mgrid[0 : height * times, 0 : width * times]
    ray = np.stack(
        [((x + 0.5) / times - width / 2) / focal_px, ((y + 0.5) / times - height / 2) / focal_px, np.ones(x.shape)], -1
    )
    ray = ray @ pose[:3, :3].T
    nearest = np.full(x.shape, np.inf)
    color = np.full((*x.shape, 3), 0.6)
    for plane, image in zip(planes, pictures, strict=True):
        normal = np.cross(plane.across, plane.down)
        depth = ((plane.corner - pose[:3, 3]) @ normal) / np.where(np.abs(ray @ normal) < 1e-9, 1e-9, ray @ normal)
        place = pose[:3, 3] + depth[..., None] * ray - plane.corner
        u = place @ plane.across / (plane.across @ plane.across)
        v = place @ plane.down / (plane.down @ plane.down)
        here = (depth > 0.05) & (depth < nearest) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
        nearest[here] = depth[here]
        color[here] = _bilinear(image, u[here], v[here])
    return color.reshape(height, times, width, times, 3).mean((1, 3))


def _bilinear(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y = u * (image.shape[1] - 1.001), v * (image.shape[0] - 1.001)
    left, top = x.astype(int), y.astype(int)
    right, down = (x - left)[:, None], (y - top)[:, None]
    upper = image[top, left] * (1 - right) + image[top, left + 1] * right
    lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down
