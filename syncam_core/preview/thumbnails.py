"""What each camera sees: a figure on a floor, rendered without any model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..cameras.meter import Meter, measure
from ..cameras.rig import Rig
from ..errors import UserError
from ..synthetic import GROUND_Y_M, SUN_DIRECTION, Scene
from ..synthetic.projection import focal_px
from ..synthetic.render import Floor, background, camera_rays
from ..video.labels import draw_plate, label_plates
from ..video.layout import plan_grid
from ..video.layout_film import compose_frame
from .figure import lit, nearest_limb, passes
from .rig_picture import check_figure_scale
from .stage import Stage

SMOOTH_PIXELS = 500_000  # up to so many, edges are smoothed, at four times the price
RAYS_AT_ONCE = 1 << 18
PLACE = Scene(floor="concrete", sky="clear")  # where the figure stands; of the scene's own subject nothing is seen
BOUND_M = 0.85  # about the target: all of the figure
SHADE = 0.5  # of the floor's light, in its shadow


def thumbnails(
    rig: Rig,
    width: int = 320,
    height: int = 184,
    *,
    frame: int = 0,
    figure_scale: float = 1.0,
    labels: bool = True,
    meter: Meter | None = None,
) -> Tensor:  # (views, height, width, 3) float32 in 0..1
    """One picture per camera, by its own lens: its sensor's width fills the picture's width.

    The figure, 1.4 m tall times `figure_scale`, stands with its middle at the rig's common look-at point (3 m before
    view 0 where there is none) and looks towards azimuth 0. Moving cameras are shown at `frame`.

    Raises UserError for a size below 16 pixels or above 4096, a frame that a moving rig does not have, and a scale
    outside of what is possible.
    """
    for name, side in (("width", width), ("height", height)):
        if not 16 <= side <= 4096:
            raise UserError(f"'{name}' of the thumbnails is {side}, but 16 to 4096 pixels are possible.", field=name)
    check_figure_scale(figure_scale)
    at = rig.index_of(frame)
    c2w = torch.from_numpy(Stage.of(rig, meter or measure(rig)).c2w[:, at : at + 1].copy())
    c2w[..., :3, 3] /= figure_scale  # a larger figure seen from here is the same as this one seen from nearer
    seen = replace(rig, c2w=c2w)
    supersample = 2 if len(rig.names) * width * height <= SMOOTH_PIXELS else 1
    pictures = torch.stack([filmed(seen, view, height, width, supersample) for view in range(seen.views)])
    if labels:
        names = [f"{number}. {name}" for number, name in enumerate(rig.names, start=1)]
        plates = label_plates(names, rig.colors, [(height, width)] * len(names))
        for picture, plate in zip(pictures.numpy(), plates, strict=True):
            if plate is not None:
                draw_plate(picture, plate, 0, 0)
    return pictures.clamp_(0, 1)


def filmed(
    rig: Rig,  # of one frame
    view: int,
    height: int,
    width: int,
    supersample: int = 1,  # squared rays make a pixel
) -> Tensor:  # (height, width, 3) float32 in 0..1
    """The figure on the floor of the toy world, as one camera sees it."""
    c2w = rig.c2w[view : view + 1, :1].float()
    focal = torch.tensor([focal_px(rig.lenses[view], width)])
    wide = width * supersample
    step = max(1, RAYS_AT_ONCE // (wide * supersample))
    strips = []
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        origin, ray = camera_rays(c2w, focal, rows, height, width, supersample)
        planes, floor = background(PLACE, origin, ray)
        colors, rays = (
            torch.stack([plane.flatten() for plane in planes], -1),
            torch.stack([d.flatten() for d in ray], -1),
        )
        start = torch.stack([o.flatten() for o in origin], -1).expand_as(rays)
        _cast_shadow(colors, floor)
        _put_figure(colors, start, rays)
        strips.append(colors.view(-1, wide, 3))
    picture = torch.cat(strips)
    return picture.view(height, supersample, width, supersample, 3).mean((1, 3))


def _put_figure(colors: Tensor, start: Tensor, rays: Tensor) -> None:  # each (rays, 3)
    near = passes(start, rays, torch.zeros(3), BOUND_M).nonzero()[:, 0]
    start, rays = start[near], rays[near]
    # a ray may as well begin just before the figure: small numbers are exact ones
    skip = (-(start * rays).sum(1) - 2 * BOUND_M).clamp_min(0)
    reach, normal, color = nearest_limb(start + skip[:, None] * rays, rays)
    colors[near] = torch.where(torch.isfinite(reach)[:, None], lit(normal, color), colors[near])


def _cast_shadow(colors: Tensor, floor: Floor) -> None:
    x, z = floor.x.flatten(), floor.z.flatten()
    floor_there = floor.is_floor.flatten().nonzero()[:, 0]
    point = torch.stack([x, torch.full_like(x, GROUND_Y_M), z], -1)[floor_there]
    to_sun = torch.tensor(SUN_DIRECTION).expand_as(point)
    near = passes(point, to_sun, torch.zeros(3), BOUND_M)
    reach, _, _ = nearest_limb(point[near], to_sun[near])
    places = floor_there[near]
    colors[places] *= (1 - SHADE * (1 - floor.haze.flatten()[places]) * torch.isfinite(reach))[:, None]


def thumbnail_sheet(
    pictures: Tensor,  # (views, height, width, 3) float32 in 0..1
) -> np.ndarray:  # (height, width, 3) uint8
    """All thumbnails in one picture."""
    frames = list((pictures * 255).round().to(torch.uint8).numpy())
    return compose_frame(frames, plan_grid([picture.shape[:2] for picture in frames]))
