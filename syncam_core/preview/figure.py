"""The person whom cameras film in drawings and thumbnails: the same as in the rig editor (web/lib/figure.mjs).

In the rig's axes about the target, x right, y down, z away: it looks towards azimuth 0 and waves with the left arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..synthetic import GROUND_Y_M, SUN_DIRECTION
from .canvas import RGB, Canvas, rgb
from .projector import Projector

Place = tuple[float, float, float]

SOLE_Y = 0.95  # of the shoes, as the figure is told below
COLORS = {
    "skin": "#e2b493",
    "hair": "#3a2c28",
    "shirt": "#d8643f",
    "trousers": "#2f4a6d",
    "shoe": "#23262d",
    "scarf": "#f2c14e",
}
SCARF = ("scarf", 0.1, 0.035, -0.6)  # a ring about the neck: colour, radius of the ring and of what it is made of, y
SCARF_PARTS = 8


@dataclass(frozen=True)
class Limb:
    """A capsule; a ball where its ends are one."""

    color: str
    radius: float
    start: Place
    end: Place


LIMBS = (
    Limb("shirt", 0.155, (0, -0.48, 0), (0, -0.12, 0)),
    Limb("trousers", 0.14, (0, -0.03, 0), (0, 0.07, 0)),
    Limb("trousers", 0.078, (-0.095, 0.1, 0), (-0.095, 0.76, 0)),
    Limb("trousers", 0.078, (0.095, 0.1, 0), (0.095, 0.76, 0)),
    Limb("shoe", 0.06, (-0.1, 0.885, 0.015), (-0.1, 0.885, -0.115)),
    Limb("shoe", 0.06, (0.1, 0.885, 0.015), (0.1, 0.885, -0.115)),
    Limb("shirt", 0.055, (-0.211, -0.413, 0), (-0.329, 0.073, 0)),
    Limb("skin", 0.065, (-0.36, 0.13, 0), (-0.36, 0.13, 0)),
    Limb("shirt", 0.055, (0.195, -0.492, 0), (0.525, -0.868, 0)),
    Limb("skin", 0.065, (0.57, -0.92, 0), (0.57, -0.92, 0)),
    Limb("skin", 0.125, (0, -0.74, 0), (0, -0.74, 0)),
    Limb("hair", 0.132, (0, -0.765, 0.03), (0, -0.765, 0.03)),
    Limb("skin", 0.022, (0, -0.735, -0.115), (0, -0.73, -0.16)),
    Limb("shoe", 0.014, (-0.045, -0.77, -0.112), (-0.045, -0.77, -0.112)),
    Limb("shoe", 0.014, (0.045, -0.77, -0.112), (0.045, -0.77, -0.112)),
)


def limbs(floor_y: float) -> list[Limb]:
    """All parts in metres, the scarf as a ring of short ones, for a floor that lies so far below the target."""
    color, ring, thickness, y = SCARF
    turn = np.linspace(0, 2 * np.pi, SCARF_PARTS + 1)
    around = [(ring * float(np.cos(at)), y, ring * float(np.sin(at))) for at in turn]
    scarf = [Limb(color, thickness, *ends) for ends in pairwise(around)]
    scale = floor_y / SOLE_Y

    def scaled(place: Place) -> Place:
        x, y, z = place
        return x * scale, y * scale, z * scale

    return [Limb(one.color, one.radius * scale, scaled(one.start), scaled(one.end)) for one in (*LIMBS, *scarf)]


# ---- as a drawing


def draw_limbs(canvas: Canvas, view: Projector, floor_y: float) -> None:
    """The figure in flat colours, what is farther away first."""
    parts = sorted(limbs(floor_y), key=lambda one: -_nearest_depth(view, one))
    for one in parts:
        color, shade = rgb(COLORS[one.color]), _shaded(rgb(COLORS[one.color]))
        ends = view.pixels(np.array([one.start, one.end]))
        radius = view.length(np.array([one.start, one.end]).mean(0), one.radius)
        for width, paint, aside in ((radius, shade, 0.0), (0.72 * radius, color, 0.2 * radius)):
            # lit from the left: the right rim stays darker
            points = ends - (aside, aside * 0.6)
            canvas.line(points, paint, 2 * width)
            for point in points:
                canvas.disc(point, width, paint)


def _nearest_depth(view: Projector, limb: Limb) -> float:
    return float(view.depths(np.array([limb.start, limb.end])).min()) - limb.radius


def _shaded(color: RGB) -> RGB:
    red, green, blue = (round(0.68 * channel) for channel in color)
    return red, green, blue


# ---- as cameras see it


def nearest_limb(
    origin: Tensor,  # (rays, 3) metres
    ray: Tensor,  # (rays, 3) of unit length
    floor_y: float = GROUND_Y_M,
) -> tuple[Tensor, Tensor, Tensor]:  # (rays,), (rays, 3), (rays, 3)
    """How far each ray goes until it meets the figure (infinite where it does not), the normal and the colour there."""
    reach = torch.full_like(ray[:, 0], torch.inf)
    normal, color = torch.zeros_like(ray), torch.zeros_like(ray)
    for one in limbs(floor_y):
        start, end = (torch.tensor(place, dtype=ray.dtype, device=ray.device) for place in (one.start, one.end))
        along = end - start
        places = passes(origin, ray, (start + end) / 2, float(along.norm()) / 2 + one.radius).nonzero()[:, 0]
        there = _reach(origin[places], ray[places], start, end, one.radius)
        is_nearer = there < reach[places]
        places, there = places[is_nearer], there[is_nearer]
        point = origin[places] + there[:, None] * ray[places]
        share = ((point - start) @ along / along.dot(along).clamp_min(1e-12)).clamp(0, 1)
        normal[places] = (point - start - share[:, None] * along) / one.radius
        color[places] = torch.tensor(rgb(COLORS[one.color]), dtype=ray.dtype, device=ray.device) / 255
        reach[places] = there
    return reach, normal, color


def passes(origin: Tensor, ray: Tensor, centre: Tensor, radius: float) -> Tensor:  # (rays,) bool
    """Which rays come through a ball, ahead of where they begin."""
    place = origin - centre
    middle = -(ray * place).sum(1)
    offset = place + middle[:, None] * ray  # not squares that are subtracted, which float32 loses far away
    return ((offset * offset).sum(1) <= radius**2) & (middle > -radius)


def lit(normal: Tensor, color: Tensor) -> Tensor:  # (points, 3)
    """The colour in the world's light: half sun, half sky, as on its other subjects."""
    sun = torch.tensor(SUN_DIRECTION, dtype=normal.dtype, device=normal.device)
    light = 0.62 + 0.43 * (normal @ sun).clamp_min(0) - 0.10 * normal[:, 1]
    return (color * light[:, None]).clamp(0, 1)


def _reach(origin: Tensor, ray: Tensor, start: Tensor, end: Tensor, radius: float) -> Tensor:  # (rays,)
    """Until the surface of a capsule: that of a cylinder between two balls."""
    reach = torch.minimum(_reach_of_ball(origin, ray, start, radius), _reach_of_ball(origin, ray, end, radius))
    along = end - start
    length = along.norm()
    if length == 0:
        return reach
    axis = along / length
    from_start = origin - start
    ray_along, origin_along = ray @ axis, from_start @ axis
    # across the axis the ray is a line in a plane and the cylinder a circle
    across, place = ray - ray_along[:, None] * axis, from_start - origin_along[:, None] * axis
    there = _until_sphere((across * across).sum(1), (across * place).sum(1), (place * place).sum(1) - radius**2)
    at = origin_along + there * ray_along
    return torch.where((at >= 0) & (at <= length), torch.minimum(there, reach), reach)


def _reach_of_ball(origin: Tensor, ray: Tensor, centre: Tensor, radius: float) -> Tensor:  # (rays,)
    place = origin - centre
    return _until_sphere(torch.ones_like(ray[:, 0]), (ray * place).sum(1), (place * place).sum(1) - radius**2)


def _until_sphere(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The smaller root of a t^2 + 2 b t + c, infinite where there is none ahead."""
    square = b * b - a * c
    t = (-b - square.clamp_min(0).sqrt()) / a.clamp_min(1e-9)
    return torch.where((square >= 0) & (t > 0), t, torch.inf)
