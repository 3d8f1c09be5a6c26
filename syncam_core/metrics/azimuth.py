"""From which side of the procedural world a video was taken, by analysis through synthesis.

A view's background is compared with the world as the given camera would show it from all around: same height, distance
and tilt, turned about the world's vertical axis. The best turn is the view's azimuth error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras.rig import Rig
from ..synthetic import DEMO_WORLD, FLOORS, SKIES, Scene, focal_px
from ..synthetic.render import background, camera_rays
from .locate import Sighting, working_size

COARSE_WIDTH, FINE_WIDTH = 16, 32  # the landmarks are large: more pixels cost time and tell no more
COARSE_STEP_DEG, FINE_STEP_DEG = 7.5, 0.5
POSES = 3  # of a moving camera, spread over its clip
MARGIN_PX = 1  # about the subject, of the small picture
OUTLIER = 0.25  # a pixel off by more than this says only that something is there: a shadow, a smear, a ghost


@dataclass(frozen=True)
class AzimuthFit:
    """One view's best fit: its error in degrees (-180..180; positive is farther to the right than asked for), and how
    far the background then still differs from the world, as mean absolute difference of the channels (0..1)."""

    error_deg: float
    difference: float


def fit_azimuths(
    video: Tensor,  # (views, frames, height, width, 3) in 0..1
    rig: Rig,  # in the world's axes; has c2w (views, 1 or frames, 4, 4) and lenses
    sighting: Sighting,  # of this video
    world: int = DEMO_WORLD,  # version of the procedural world
) -> list[AzimuthFit]:  # per view
    """How far each view is turned about the world from where its camera stands. The floor and sky are found as well."""
    coarse, fine = (_backdrops(video, rig, sighting, width) for width in (COARSE_WIDTH, FINE_WIDTH))
    return [_fit(*both, world) for both in zip(coarse, fine, strict=True)]


def camera_azimuths_deg(
    c2w: Tensor,  # (..., 4, 4)
) -> Tensor:  # (...)
    """On which side of the world's vertical axis cameras stand: 0 towards -z, 90 towards +x."""
    return torch.rad2deg(torch.atan2(c2w[..., 0, 3], -c2w[..., 2, 3]))


def wrapped_deg(angle_deg: float) -> float:
    """The same angle within -180..180."""
    return (angle_deg + 180) % 360 - 180


@dataclass(frozen=True, eq=False)
class _Backdrop:
    """What one view shows around its subject, in a small picture for each pose of its camera."""

    rgb: Tensor  # (poses, pixels, 3)
    weight: Tensor  # (poses, pixels): 0 behind the subject
    c2w: Tensor  # (poses, 4, 4)
    focal: float  # pixels
    height: int
    width: int

    def differences(self, scene: Scene, turns_deg: Tensor, bound: float = math.inf) -> Tensor:  # (turns,)
        """The mean absolute difference from the world, for a camera turned about it; each at most `bound`."""
        turned = (_about_vertical(turns_deg)[:, None] @ self.c2w).float()
        focal = torch.full((len(turned),), self.focal)
        origin, ray = camera_rays(turned, focal, slice(0, self.height), self.height, self.width, 1)
        shown = torch.stack(background(scene, origin, ray)[0], dim=-1)  # (turns, poses, pixels, 3)
        off = (shown - self.rgb).abs().clamp_max(bound).mean(-1)
        return (off * self.weight).sum((1, 2)) / self.weight.sum().clamp_min(1e-6)


def _backdrops(video: Tensor, rig: Rig, sighting: Sighting, width: int) -> list[_Backdrop]:  # per view
    small = working_size(video, width)
    frames, height, width = small.shape[1:4]
    region = sighting.region.flatten(0, 1)[:, None].float()
    region = torch.nn.functional.adaptive_max_pool2d(region, (height, width))
    region = torch.nn.functional.max_pool2d(region, 2 * MARGIN_PX + 1, stride=1, padding=MARGIN_PX)
    free = (1 - region).view(-1, frames, height * width)
    rgb = small.flatten(2, 3)
    backdrops = []
    for view, lens in enumerate(rig.lenses):
        poses = rig.c2w[view, :frames]
        if len(poses) == 1:  # what stands still is the mean of the frames that show it
            weight = free[view].mean(0, keepdim=True)
            seen = (free[view, ..., None] * rgb[view]).mean(0, keepdim=True) / weight[..., None].clamp_min(1 / frames)
        else:
            some = torch.linspace(0, frames - 1, min(POSES, frames)).round().long()
            poses, weight, seen = poses[some], free[view, some], rgb[view, some]
        backdrops.append(_Backdrop(seen, weight, poses, focal_px(lens, width), height, width))
    return backdrops


def _fit(coarse: _Backdrop, fine: _Backdrop, world: int) -> AzimuthFit:
    around = torch.arange(-180, 180, COARSE_STEP_DEG, dtype=torch.float64)
    scenes = [Scene(floor=floor, sky=sky, world=world) for floor in FLOORS for sky in SKIES]
    # six worlds in the smaller picture tell floor and sky, the larger one tells the azimuth
    scene = min(scenes, key=lambda scene: coarse.differences(scene, around, OUTLIER).min())
    best = around[fine.differences(scene, around, OUTLIER).argmin()]
    near = best + torch.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + 1e-6, FINE_STEP_DEG)
    turn = near[fine.differences(scene, near, OUTLIER).argmin()]
    return AzimuthFit(wrapped_deg(turn.item()), fine.differences(scene, turn[None]).item())


def _about_vertical(turns_deg: Tensor) -> Tensor:  # (turns, 4, 4) float64
    """Turns about the world's y axis that add to the azimuth of a camera."""
    turn = torch.deg2rad(turns_deg.double())
    matrix = torch.eye(4, dtype=torch.float64).repeat(len(turn), 1, 1)
    matrix[:, 0, 0] = matrix[:, 2, 2] = torch.cos(turn)
    matrix[:, 0, 2], matrix[:, 2, 0] = -torch.sin(turn), torch.sin(turn)
    return matrix
