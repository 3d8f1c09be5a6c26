"""The subject: one large body with a beak in front and a tail behind, and rays against it.

Everything here is in the subject's own axes: its centre is the origin, x, y down, front -z (a heading of 0), metres.
Vectors are three separate tensors, which keeps every operation elementwise on contiguous memory. Only + - * / and
sqrt touch a ray, so a ray's colour does not depend on how many others it is computed with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .texture import solid_grain

Vector = tuple[Tensor, Tensor, Tensor]

NEAR_M = 1e-3
BOUND_M = 1.2  # a sphere of this radius about the centre holds every subject

_BEAK_COLOR = (1.0, 0.50, 0.0)
_EYE_COLOR = (0.04, 0.04, 0.05)
_FACE_WHITE = 0.45  # how far the face is mixed with white: the largest at which its chroma stays above any floor's
_BACK_DARK = 0.55


@dataclass(frozen=True)
class Body:
    """A body's kind and measures in metres, and where its face is drawn.

    `base` is how far the centre stands above the body's underside: about half its height; a cone's lies lower, where
    cameras 10 to 35 degrees above see the middle of its outline. `front` is how far before the axis the beak begins.
    """

    kind: str  # ball, cube, cone, pillar
    radius: float  # of the ball, cone's base, pillar; half the cube's edge
    height: float
    base: float
    face_y: float
    face_width: float  # half axes of the ellipse
    face_height: float
    eye_x: float
    eye_y: float
    eye_radius: float
    beak_y: float
    front: float
    size: float = 1.0  # of beak and tail
    painted: bool = False  # every side has a pattern of its own

    @property
    def bound(self) -> float:
        """The radius in metres of a sphere about the centre that holds the subject."""
        return BOUND_M * self.size


# Up to 1.4 m high: 20 px of a 64 px picture from 4.6 m, and still inside a 16:9 picture from the default 3 m.
BODIES = {
    "ball": Body("ball", 0.66, 1.32, 0.66, -0.10, 0.46, 0.42, 0.21, -0.20, 0.12, 0.06, 0.62),
    "cube": Body("cube", 0.56, 1.12, 0.53, -0.04, 0.46, 0.44, 0.22, -0.18, 0.12, 0.08, 0.56),
    "cone": Body("cone", 0.72, 1.40, 0.30, -0.15, 0.36, 0.34, 0.15, -0.25, 0.10, -0.04, 0.49),
    "pillar": Body("pillar", 0.40, 1.40, 0.71, -0.32, 0.36, 0.32, 0.17, -0.40, 0.095, -0.20, 0.38),
}
_BEAK_LENGTH = 0.32  # beak and tail add equal areas to the outline in a side view: its middle stays put
_BEAK_RADIUS = 0.14
_TAIL_RADIUS = 0.19
_TAIL_HEIGHT = 0.30  # above the floor

# World 2: the same bodies this much larger, and painted on every side.
LARGER = 1.5
_PAINT_DARK = 0.62
_BAND_M = 0.55  # high are the dark and the light bands on the left
_STRIPE = 0.42  # half of the dark stripe on the right, as a share of the radius


def _larger(body: Body) -> Body:
    measures = {f: getattr(body, f) * LARGER for f in Body.__dataclass_fields__ if f not in ("kind", "size", "painted")}
    return replace(body, **measures, size=LARGER, painted=True)


_BODIES_OF_WORLD = {1: BODIES, 2: {shape: _larger(body) for shape, body in BODIES.items()}}


def body_of(shape: str, world: int) -> Body:
    """The body of a shape in a version of the world (1 or 2)."""
    return _BODIES_OF_WORLD[world][shape]


def vector(numbers: Iterable[Tensor]) -> Vector:
    x, y, z = numbers
    return x, y, z


def dot(a: Vector, b: Vector) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _nonzero(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 1e-9, 1e-9, x)


def _hit_ball(origin: Vector, ray: Vector, radius: float) -> tuple[Tensor, Vector]:
    along = dot(origin, ray)
    under_root = along * along - dot(origin, origin) + radius * radius
    t = -along - under_root.clamp_min(0).sqrt()
    t = torch.where((under_root > 0) & (t > NEAR_M), t, torch.inf)
    reach = torch.where(t < torch.inf, t, 0.0)
    return t, vector((o + reach * d) / radius for o, d in zip(origin, ray, strict=True))


def _hit_cube(origin: Vector, ray: Vector, half: float) -> tuple[Tensor, Vector]:
    """The slab method: inside between the last entry and the first exit."""
    inverse = [1 / _nonzero(d) for d in ray]
    entry, exit_ = [], []
    for o, i in zip(origin, inverse, strict=True):
        a, b = (-half - o) * i, (half - o) * i
        entry.append(torch.minimum(a, b))
        exit_.append(torch.maximum(a, b))
    t = torch.maximum(torch.maximum(entry[0], entry[1]), entry[2])
    first_exit = torch.minimum(torch.minimum(exit_[0], exit_[1]), exit_[2])
    normal = vector(torch.where(t == e, -d.sign(), 0.0) for e, d in zip(entry, ray, strict=True))
    return torch.where((t < first_exit) & (t > NEAR_M), t, torch.inf), normal


def _hit_pillar(origin: Vector, ray: Vector, radius: float, half: float) -> tuple[Tensor, Vector]:
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    a = _nonzero(dx * dx + dz * dz)
    b = ox * dx + oz * dz
    under_root = b * b - a * (ox * ox + oz * oz - radius * radius)
    side = (-b - under_root.clamp_min(0).sqrt()) / a
    y = oy + side * dy
    side = torch.where((under_root > 0) & (side > NEAR_M) & (y.abs() < half), side, torch.inf)
    cap = (-half * dy.sign() - oy) / _nonzero(dy)  # the one that the ray meets from outside
    x, z = ox + cap * dx, oz + cap * dz
    cap = torch.where((x * x + z * z < radius * radius) & (cap > NEAR_M), cap, torch.inf)
    t = torch.minimum(side, cap)
    reach = torch.where(side < torch.inf, side, 0.0)
    on_side = side <= cap
    normal = (
        torch.where(on_side, (ox + reach * dx) / radius, 0.0),
        torch.where(on_side, 0.0, -dy.sign()),
        torch.where(on_side, (oz + reach * dz) / radius, 0.0),
    )
    return t, normal


def _hit_cone(origin: Vector, ray: Vector, radius: float, height: float) -> tuple[Tensor, Vector]:
    """A cone with its tip at the origin, that opens along the SECOND axis to `radius` at `height`."""
    (ou, oa, ov), (du, da, dv) = origin, ray
    slope = radius / height
    k = slope * slope
    a = _nonzero(du * du + dv * dv - k * da * da)
    b = ou * du + ov * dv - k * oa * da
    under_root = b * b - a * (ou * ou + ov * ov - k * oa * oa)
    root = under_root.clamp_min(0).sqrt()
    side = torch.full_like(a, torch.inf)
    for t in ((-b - root) / a, (-b + root) / a):
        along = oa + t * da
        # from outside only: the gradient (u, -k a, v) of the side points against the ray
        outside = (ou + t * du) * du + (ov + t * dv) * dv - k * along * da < 0
        ok = (under_root > 0) & (t > NEAR_M) & (along > 0) & (along < height) & outside & (t < side)
        side = torch.where(ok, t, side)
    base = (height - oa) / _nonzero(da)
    u, v = ou + base * du, ov + base * dv
    base = torch.where((u * u + v * v < radius * radius) & (base > NEAR_M) & (da < 0), base, torch.inf)
    reach = torch.where(side < torch.inf, side, 0.0)
    u, along, v = ou + reach * du, oa + reach * da, ov + reach * dv
    length = slope * (1 + k) ** 0.5 * along.clamp_min(1e-6)
    on_side = side <= base
    normal = (
        torch.where(on_side, u / length, 0.0),
        torch.where(on_side, -k * along / length, 1.0),
        torch.where(on_side, v / length, 0.0),
    )
    return torch.minimum(side, base), normal


def _hit_parts(body: Body, origin: Vector, ray: Vector) -> list[tuple[Tensor, Vector]]:
    """Distances and outward normals for body, beak and tail."""
    ox, oy, oz = origin
    dx, dy, dz = ray
    if body.kind == "ball":
        main = _hit_ball(origin, ray, body.radius)
    elif body.kind == "cube":
        main = _hit_cube((ox, oy + body.height / 2 - body.base, oz), ray, body.radius)
    elif body.kind == "pillar":
        main = _hit_pillar((ox, oy + body.height / 2 - body.base, oz), ray, body.radius, body.height / 2)
    else:
        main = _hit_cone((ox, oy + body.height - body.base, oz), ray, body.radius, body.height)
    beak_length, beak_radius = _BEAK_LENGTH * body.size, _BEAK_RADIUS * body.size
    tip = body.front + beak_length
    beak, (nx, nz, ny) = _hit_cone((ox, oz + tip, oy - body.beak_y), (dx, dz, dy), beak_radius, beak_length)
    # low on the back, half of it outside
    behind = body.radius * 0.93
    tail = _hit_ball((ox, oy - (body.base - _TAIL_HEIGHT * body.size), oz - behind), ray, _TAIL_RADIUS * body.size)
    return [main, (beak, (nx, ny, nz)), tail]


def is_hit(body: Body, origin: Vector, ray: Vector) -> Tensor:  # bool
    """Whether rays (unit directions) meet the subject."""
    main, beak, tail = _hit_parts(body, origin, ray)
    return (main[0] < torch.inf) | (beak[0] < torch.inf) | (tail[0] < torch.inf)


def shade(
    body: Body,
    color: tuple[float, float, float],  # of the body
    origin: Vector,
    ray: Vector,  # unit length
    sun: Vector,  # towards it, unit length
    pixel_m: Tensor | None = None,  # of the surface that a pixel covers, where the subject is textured
) -> tuple[Tensor, Vector]:
    """Which rays meet the subject, and the colour that they see there (meaningless where they do not)."""
    (t, normal), (t_beak, n_beak), (t_tail, n_tail) = _hit_parts(body, origin, ray)
    is_beak = t_beak < torch.minimum(t, t_tail)
    is_tail = t_tail < torch.minimum(t, t_beak)
    normal = vector(
        torch.where(is_beak, b, torch.where(is_tail, a, n)) for n, b, a in zip(normal, n_beak, n_tail, strict=True)
    )
    reach = torch.where(t < torch.inf, t, 0.0)
    x, y, z = (o + reach * d for o, d in zip(origin, ray, strict=True))
    is_front = z < 0
    is_face = is_front & ((x / body.face_width).square() + ((y - body.face_y) / body.face_height).square() < 1)
    eye_x = x.abs() - body.eye_x
    is_eye = is_front & (eye_x * eye_x + (y - body.eye_y).square() < body.eye_radius**2)
    is_back = ~is_front & (z * z > 0.5 * (x * x + z * z) * (1 + 1e-5))  # 45 degrees to each side: a cube's back
    if body.kind in ("cube", "pillar"):
        is_back = is_back & (normal[1].abs() < 0.5)  # not on the lid
    is_dark = _is_painted_dark(body, x, y, z, normal) if body.painted else None
    # half sun, half sky: even a side in the shade keeps its colour
    light = 0.62 + 0.43 * dot(normal, sun).clamp_min(0) - 0.10 * normal[1]
    if pixel_m is not None:
        light = light * solid_grain(x, y, z, pixel_m)
    channels = []
    for c, beak, eye in zip(color, _BEAK_COLOR, _EYE_COLOR, strict=True):
        face = c + (1 - c) * _FACE_WHITE
        plain = c if is_dark is None else torch.where(is_dark, c * _PAINT_DARK, c)
        value = torch.where(is_face, face, torch.where(is_back, c * _BACK_DARK, plain))
        value = torch.where(is_eye, eye, value)
        value = torch.where(is_beak, beak, torch.where(is_tail, face, value))
        channels.append((value * light).clamp(0, 1))
    return torch.minimum(torch.minimum(t, t_beak), t_tail) < torch.inf, vector(channels)


def _is_painted_dark(body: Body, x: Tensor, y: Tensor, z: Tensor, normal: Vector) -> Tensor:  # bool
    """The pattern of a painted body: level bands on its left (-x), one upright stripe on its right, a plain top.

    Two tones of one colour: what finds the subject by its colour finds all of it.
    """
    is_side = x * x > z * z * (1 + 1e-5)
    above_floor = body.base - y
    band = above_floor / _BAND_M
    is_band = (band - 2 * (band / 2).floor()) < 1
    is_stripe = z.abs() < _STRIPE * body.radius
    is_dark = is_side & torch.where(x < 0, is_band, is_stripe)
    return is_dark & (normal[1].abs() < 0.5) if body.kind in ("cube", "pillar") else is_dark
