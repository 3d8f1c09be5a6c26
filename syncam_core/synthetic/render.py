"""The picture of the world in each camera of a rig, by analytic ray casting.

A pixel is the mean of its supersamples. Every ray's colour depends on that ray alone, bit for bit, so pictures do not
depend on how the work is divided; the work is divided so that a few hundred MB suffice at any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras.rig import Rig
from ..errors import UserError
from .projection import focal_px
from .scene import COLORS, FLOORS, GROUND_Y_M, SKIES, SUN_DIRECTION, Scene
from .subject import Body, Vector, body_of, dot, is_hit, shade, vector
from .texture import PIXEL_RAD, floor_grain, sky_grain

RAYS_AT_ONCE = 1 << 18  # 1 MB per float32 tensor, of which some fifty live at once

# Landmarks on the floor: they tell the absolute azimuth, and lie flat so that they never hide the subject.
ROAD_COLOR = (0.88, 0.88, 0.86)  # from the centre towards a camera at azimuth 0
ROAD_HALF_WIDTH_M = 0.55
DISC_COLOR = (0.26, 0.28, 0.31)  # right of it, at azimuth 90
DISC_CENTRE_M = (2.1, 0.2)  # x, z
DISC_RADIUS_M = 0.95
SQUARE_COLOR = (0.42, 0.37, 0.33)  # behind on the left, at azimuth -135
SQUARE_CENTRE_M = (-1.75, 1.75)
SQUARE_HALF_M = 0.85

# Patterns of world 2 on the landmarks.
DASH_COLOR = (0.30, 0.31, 0.33)  # along the middle of the road
DASH_HALF_WIDTH_M = 0.2
DASHES_M = ((1.5, 2.2), (2.9, 3.6))  # from the centre: where they begin and end
SPOT_COLOR = (0.74, 0.75, 0.76)  # in the disc
SPOT_RADIUS_M = 0.45
CROSS_COLOR = (0.80, 0.77, 0.72)  # on the square
CROSS_HALF_WIDTH_M = 0.2

PEAK_COLOR = (0.50, 0.53, 0.57)  # on the horizon towards +z: behind the subject from azimuth 0
PEAK_HEIGHT, PEAK_HALF_WIDTH = 0.32, 0.36  # tangents of the angles
HILL_COLOR = (0.56, 0.59, 0.58)  # towards +x: behind the subject from azimuth -90
HILL_HEIGHT, HILL_HALF_WIDTH = 0.15, 0.75
MIST_HEIGHT = 0.16  # below it peak and hill pale towards the horizon, as the floor does from its side

HAZE_M = 14.0  # where the floor has taken half of the horizon's colour
SHADOW_STRENGTH = 0.5
SHADOW_TEXELS = 72
FAR_M = 1e6


@torch.no_grad()
def render(
    scene: Scene,
    rig: Rig,  # of 1 or as many frames
    height: int,  # pixels
    width: int,
    times: Tensor | Sequence[float],  # (frames,) seconds
    *,
    supersample: int = 2,
    device: torch.device | str = "cpu",
    rays_at_once: int = RAYS_AT_ONCE,
) -> Tensor:  # (views, frames, height, width, 3) float32 in 0..1
    """Film the scene with every camera of the rig.

    A rig of one frame stands still; otherwise frame k of the clip is seen from the rig's frame k. A lens spans the
    picture's width with its sensor's width. `supersample` squared rays make a pixel. On one device the result is the
    same for any `rays_at_once`, which bounds the memory.

    The floor hides nothing: cameras below it look up through it.

    Raises UserError for sizes below 1, no frame, and a moving rig with fewer frames than `times`.
    """
    return render_with_mask(
        scene, rig, height, width, times, supersample=supersample, device=device, rays_at_once=rays_at_once
    )[0]


@torch.no_grad()
def subject_mask(
    scene: Scene,
    rig: Rig,  # of 1 or as many frames
    height: int,  # pixels
    width: int,
    times: Tensor | Sequence[float],  # (frames,) seconds
    *,
    supersample: int = 2,
    device: torch.device | str = "cpu",
    rays_at_once: int = RAYS_AT_ONCE,
) -> Tensor:  # (views, frames, height, width) float32 in 0..1
    """The share of each pixel that the subject (body, beak, tail) covers; nothing ever hides it. As `render`."""
    return render_with_mask(
        scene, rig, height, width, times, supersample=supersample, device=device, rays_at_once=rays_at_once
    )[1]


@torch.no_grad()
def render_with_mask(
    scene: Scene,
    rig: Rig,  # of 1 or as many frames
    height: int,  # pixels
    width: int,
    times: Tensor | Sequence[float],  # (frames,) seconds
    *,
    supersample: int = 2,
    device: torch.device | str = "cpu",
    rays_at_once: int = RAYS_AT_ONCE,
) -> tuple[Tensor, Tensor]:  # (views, frames, height, width, 3), (views, frames, height, width)
    """`render` and `subject_mask` for the price of one."""
    for name, size in (
        ("height", height),
        ("width", width),
        ("supersample", supersample),
        ("rays_at_once", rays_at_once),
    ):
        if size < 1:
            raise UserError(f"'{name}' is {size}, but at least 1 is needed.", field=name)
    subject = _Subject.of(scene, times, torch.device(device))
    frames = len(subject.sin)
    views, poses = rig.c2w.shape[:2]
    if poses > 1 and poses < frames:
        raise UserError(f"{frames} frames are asked for, but the cameras of the rig move over {poses} frames only.")
    c2w = rig.c2w[:, :frames].to(device=device, dtype=torch.float32)
    focal = torch.tensor([focal_px(lens, width) for lens in rig.lenses], dtype=torch.float32, device=device)
    rgb = torch.empty(views, frames, height, width, 3, device=device)
    mask = torch.empty(views, frames, height, width, device=device)

    rays_of_a_row = width * supersample**2
    for rows in _slices(height, max(1, rays_at_once // rays_of_a_row)):
        rays = rays_of_a_row * (rows.stop - rows.start)
        for some_views in _slices(views, max(1, rays_at_once // (rays * frames))):
            seen = None
            for some_frames in _slices(frames, max(1, rays_at_once // (rays * (some_views.stop - some_views.start)))):
                if seen is None or poses > 1:
                    cameras = c2w[some_views, some_frames if poses > 1 else slice(0, 1)]
                    origin, ray = camera_rays(cameras, focal[some_views], rows, height, width, supersample)
                    seen = background(scene, origin, ray)
                planes = _with_subject(scene, subject.frames(some_frames), origin, ray, *seen)
                planes = _mean_of_supersamples(planes, rows.stop - rows.start, width, supersample)
                rgb[some_views, some_frames, rows] = torch.stack(planes[:3], dim=-1)
                mask[some_views, some_frames, rows] = planes[3]
    return rgb, mask


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def camera_rays(
    c2w: Tensor,  # (views, poses, 4, 4)
    focal: Tensor,  # (views,) pixels
    rows: slice,
    height: int,
    width: int,
    supersample: int,
) -> tuple[Vector, Vector]:  # three (views, poses, 1), three (views, poses, rays)
    """Camera centres, and unit directions row by row through the centres of the subpixels."""
    place = (torch.arange(rows.start * supersample, rows.stop * supersample, device=c2w.device) + 0.5) / supersample
    down = (place - height / 2).view(1, 1, -1, 1) / focal.view(-1, 1, 1, 1)
    place = (torch.arange(width * supersample, device=c2w.device) + 0.5) / supersample
    right = (place - width / 2).view(1, 1, 1, -1) / focal.view(-1, 1, 1, 1)
    shorten = 1 / (1 + down * down + right * right).sqrt()
    axes = c2w[..., None, None]  # (views, poses, 4, 4, 1, 1)
    ray = vector(
        ((axes[:, :, i, 0] * right + axes[:, :, i, 1] * down + axes[:, :, i, 2]) * shorten).flatten(2) for i in range(3)
    )
    return vector(c2w[:, :, i, 3, None] for i in range(3)), ray


@dataclass(frozen=True)
class Floor:
    """Where rays meet the floor; elsewhere `is_floor` is False and the rest is meaningless."""

    is_floor: Tensor
    x: Tensor
    z: Tensor
    haze: Tensor  # how much of the horizon's colour covers it


def background(
    scene: Scene,
    origin: Vector,  # three (views, poses, 1)
    ray: Vector,  # three (views, poses, rays)
) -> tuple[Vector, Floor]:  # red, green, blue (views, poses, rays)
    """Floor, landmarks, hills and sky, without subject and shadow."""
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    is_floor = (dy > 1e-6) & (oy < GROUND_Y_M)
    t = ((GROUND_Y_M - oy) / torch.where(is_floor, dy, 1.0)).clamp(0, FAR_M)
    x, z = ox + t * dx, oz + t * dz
    # by the distance from the camera: a camera far off sees haze, as one expects
    haze = t * t / (t * t + HAZE_M**2)
    is_road = (x.abs() < ROAD_HALF_WIDTH_M) & (z < 0)
    is_disc = (x - DISC_CENTRE_M[0]).square() + (z - DISC_CENTRE_M[1]).square() < DISC_RADIUS_M**2
    is_square = torch.maximum((x - SQUARE_CENTRE_M[0]).abs(), (z - SQUARE_CENTRE_M[1]).abs()) < SQUARE_HALF_M

    paint = []
    if scene.world == 2:
        (near, near_end), (far, far_end) = DASHES_M
        is_dash = ((-z > near) & (-z < near_end)) | ((-z > far) & (-z < far_end))
        is_dash = is_dash & (x.abs() < DASH_HALF_WIDTH_M)
        is_spot = (x - DISC_CENTRE_M[0]).square() + (z - DISC_CENTRE_M[1]).square() < SPOT_RADIUS_M**2
        arm = torch.minimum((x - SQUARE_CENTRE_M[0]).abs(), (z - SQUARE_CENTRE_M[1]).abs())
        is_cross = is_square & (arm < CROSS_HALF_WIDTH_M)
        paint = [(is_dash, DASH_COLOR), (is_spot, SPOT_COLOR), (is_cross, CROSS_COLOR)]

    up = -dy  # the sine of the elevation
    level = (dx * dx + dz * dz).sqrt().clamp_min(1e-6)
    # distance from the landmark's direction along the horizon, as a tangent; behind the camera's back it is far off
    to_peak = torch.where(dz > 0, dx.abs() / dz.abs().clamp_min(1e-6), torch.inf)
    to_hill = torch.where(dx > 0, dz.abs() / dx.abs().clamp_min(1e-6), torch.inf)
    is_peak = up < level * PEAK_HEIGHT * (1 - to_peak / PEAK_HALF_WIDTH)
    is_hill = up < level * HILL_HEIGHT * (1 - (to_hill / HILL_HALF_WIDTH).square())
    is_sky = up > 0
    rock = (up / (level * MIST_HEIGHT)).clamp(0, 1)

    rise = (up.clamp(0, 1) * 1.6).clamp_max(1)
    horizon, zenith = SKIES[scene.sky]
    grain = air_grain = None
    if scene.texture:
        grain = floor_grain(x, z, t * PIXEL_RAD / dy.abs().clamp_min(1e-3))
        air_grain = sky_grain(dx, dy, dz)
    channels = []
    for i in range(3):
        ground = torch.where(is_road, ROAD_COLOR[i], FLOORS[scene.floor][i])
        ground = torch.where(is_disc, DISC_COLOR[i], ground)
        ground = torch.where(is_square, SQUARE_COLOR[i], ground)
        for where, color in paint:
            ground = torch.where(where, color[i], ground)
        if grain is not None:
            ground = (ground * grain).clamp(0, 1)
        ground = ground + (horizon[i] - ground) * haze
        air = horizon[i] + (zenith[i] - horizon[i]) * rise
        air = torch.where(is_sky & is_hill, horizon[i] + (HILL_COLOR[i] - horizon[i]) * rock, air)
        air = torch.where(is_sky & is_peak, horizon[i] + (PEAK_COLOR[i] - horizon[i]) * rock, air)
        if air_grain is not None:
            air = (air * air_grain).clamp(0, 1)
        channels.append(torch.where(is_floor, ground, air))
    return vector(channels), Floor(is_floor, x, z, haze)


@dataclass(frozen=True)
class _Subject:
    """The subject's pose in each frame, and its shadow as a picture on the floor.

    `shadow` (frames, texels, texels) is 0 in the sun and 1 in the shade. It is laid out along the sun's horizontal
    direction (rows) and across it (columns) about `shadow_x`, `shadow_z`, where the centre's shadow falls. One picture
    serves all cameras, and being a picture it can be blurred.
    """

    centre: Vector  # three (frames,)
    sin: Tensor  # (frames,) of the heading
    cos: Tensor
    shadow_x: Tensor  # (frames,)
    shadow_z: Tensor
    shadow: Tensor

    @staticmethod
    def of(scene: Scene, times: Tensor | Sequence[float], device: torch.device) -> _Subject:
        # sines in float64 and on the CPU: the same clip everywhere
        centre = scene.subject_centre(times).T
        front = scene.subject_front(times)
        fall = (GROUND_Y_M - centre[1]) / -SUN_DIRECTION[1]
        shadow_x, shadow_z = centre[0] - fall * SUN_DIRECTION[0], centre[2] - fall * SUN_DIRECTION[2]
        numbers = [*centre, front[:, 0], -front[:, 2], shadow_x, shadow_z]
        x, y, z, sin, cos, shadow_x, shadow_z = (n.to(device, torch.float32) for n in numbers)
        pose = ((x, y, z), sin, cos, shadow_x, shadow_z)
        # at most 64 frames at once, for memory
        shadow = [
            _shadow_picture(scene, (x[some], y[some], z[some]), sin[some], cos[some], shadow_x[some], shadow_z[some])
            for some in _slices(len(sin), 64)
        ]
        return _Subject(*pose, torch.cat(shadow))

    def frames(self, some: slice) -> _Subject:
        return _Subject(
            vector(c[some] for c in self.centre),
            self.sin[some],
            self.cos[some],
            self.shadow_x[some],
            self.shadow_z[some],
            self.shadow[some],
        )


def _into_subject(v: Vector, sin: Tensor, cos: Tensor) -> Vector:
    """A world vector in the subject's axes, x right, y down, front -z."""
    return cos * v[0] + sin * v[2], v[1], cos * v[2] - sin * v[0]


_SUN_LEVEL = math.hypot(SUN_DIRECTION[0], SUN_DIRECTION[2])
_SUN_ALONG = (SUN_DIRECTION[0] / _SUN_LEVEL, SUN_DIRECTION[2] / _SUN_LEVEL)  # x, z of the level unit vector to the sun


def _shadow_half_sizes(body: Body) -> tuple[float, float]:
    """Metres along the sun's direction and across it: the shadow of the bounding sphere and a margin for the blur."""
    return 1.1 * body.bound / -SUN_DIRECTION[1], 1.1 * body.bound


def _shadow_picture(
    scene: Scene, centre: Vector, sin: Tensor, cos: Tensor, shadow_x: Tensor, shadow_z: Tensor
) -> Tensor:  # (frames, texels, texels)
    texels = SHADOW_TEXELS
    place = (torch.arange(texels, device=sin.device) + 0.5) / texels * 2 - 1
    body = body_of(scene.shape, scene.world)
    half_along, half_across = _shadow_half_sizes(body)
    along, across = place.view(1, -1, 1) * half_along, place.view(1, 1, -1) * half_across
    x, y, z, sin, cos, shadow_x, shadow_z = (n.view(-1, 1, 1) for n in (*centre, sin, cos, shadow_x, shadow_z))
    on_floor = (
        shadow_x + along * _SUN_ALONG[0] - across * _SUN_ALONG[1] - x,
        GROUND_Y_M - y,
        shadow_z + along * _SUN_ALONG[1] + across * _SUN_ALONG[0] - z,
    )
    to_sun = _into_subject(vector(torch.full_like(sin, s) for s in SUN_DIRECTION), sin, cos)
    shadow = is_hit(body, _into_subject(on_floor, sin, cos), to_sun).float()
    for _ in range(2):  # a binomial blur, [1 4 6 4 1] / 16 twice: a penumbra of about 0.2 m
        for axis in (1, 2):
            padded = torch.nn.functional.pad(shadow, (2, 2, 0, 0) if axis == 2 else (0, 0, 2, 2))
            a, b, c, d, e = (padded.narrow(axis, shift, texels) for shift in range(5))
            shadow = ((a + e) + 4 * (b + d) + 6 * c) / 16
    return shadow


def _with_subject(
    scene: Scene,
    subject: _Subject,  # of `frames` frames
    origin: Vector,  # three (views, poses, 1), poses 1 or frames
    ray: Vector,  # three (views, poses, rays)
    color: Vector,  # of the background, three (views, poses, rays)
    floor: Floor,
) -> list[Tensor]:  # red, green, blue, mask (views, frames, rays)
    views, poses, rays = ray[0].shape
    frames = len(subject.sin)
    # a copy even of a single frame: the background of standing cameras serves all frames
    planes = [c.expand(views, frames, rays).clone(memory_format=torch.contiguous_format) for c in color]
    planes.append(torch.zeros_like(planes[0]))
    body = body_of(scene.shape, scene.world)
    flat = [plane.view(-1) for plane in planes]

    def pose_and_frame(places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For places in a flat (views, frames, rays): places in flat (views, poses, rays), (views, poses), (frames,)."""
        item = places // rays
        frame = item % frames
        camera = item if poses > 1 else item // frames
        return camera * rays + places % rays, camera, frame

    _cast_shadow(flat[:3], subject, body, floor, pose_and_frame)

    # The subject, only where its bounding sphere lies
    to_centre = vector(c[None, :, None] - o for c, o in zip(subject.centre, origin, strict=True))  # (views, frames, 1)
    middle = dot(to_centre, ray)
    # the offset itself, not Pythagoras on squared distances, which float32 loses from a kilometre on
    offset = vector(c - middle * d for c, d in zip(to_centre, ray, strict=True))
    is_near = (dot(offset, offset) < body.bound**2) & (middle > -body.bound)
    places = is_near.view(-1).nonzero()[:, 0]
    if len(places):
        ray_place, camera, frame = pose_and_frame(places)
        sin, cos = subject.sin[frame], subject.cos[frame]
        there = vector(d.reshape(-1)[ray_place] for d in ray)
        # a ray may as well start just before the sphere: small numbers are exact ones
        skip = (middle.view(-1)[places] - 2 * body.bound).clamp_min(0)
        start = vector(
            o.reshape(-1)[camera] - c[frame] + skip * d for o, c, d in zip(origin, subject.centre, there, strict=True)
        )
        sun = _into_subject(vector(torch.full_like(sin, s) for s in SUN_DIRECTION), sin, cos)
        hit, colors = shade(
            body,
            COLORS[scene.color],
            _into_subject(start, sin, cos),
            _into_subject(there, sin, cos),
            sun,
            (skip * PIXEL_RAD) if scene.texture else None,
        )
        for channel, value in zip(flat, (*colors, torch.ones_like(sin)), strict=True):
            channel[places] = torch.where(hit, value, channel[places])
    return planes


def _cast_shadow(
    channels: Sequence[Tensor],  # red, green, blue, flat (views, frames, rays), which are darkened
    subject: _Subject,
    body: Body,
    floor: Floor,
    pose_and_frame: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
) -> None:
    """Only where the picture of the shadow lies."""
    half_along, half_across = _shadow_half_sizes(body)
    x, z = floor.x - subject.shadow_x[None, :, None], floor.z - subject.shadow_z[None, :, None]
    along = (x * _SUN_ALONG[0] + z * _SUN_ALONG[1]) / half_along
    across = (z * _SUN_ALONG[0] - x * _SUN_ALONG[1]) / half_across
    places = (floor.is_floor & (torch.maximum(along.abs(), across.abs()) < 1)).view(-1).nonzero()[:, 0]
    if len(places):
        ray_place, _, frame = pose_and_frame(places)
        shade_there = _bilinear(subject.shadow, frame, along.view(-1)[places], across.view(-1)[places])
        darker = 1 - SHADOW_STRENGTH * shade_there * (1 - floor.haze.reshape(-1)[ray_place])
        for channel in channels:
            channel[places] = channel[places] * darker


def _bilinear(
    pictures: Tensor,  # (frames, texels, texels)
    frame: Tensor,  # (n,)
    row: Tensor,  # (n,) in -1..1
    column: Tensor,
) -> Tensor:  # (n,)
    texels = pictures.shape[-1]
    places = []
    for place in (row, column):
        place = ((place + 1) / 2 * texels - 0.5).clamp(0, texels - 1)
        low = place.floor().clamp_max(texels - 2)
        places.append((low.long(), place - low))
    (r, down), (c, right) = places
    flat = pictures.view(-1)
    corner = (frame * texels + r) * texels + c
    above = flat[corner] * (1 - right) + flat[corner + 1] * right
    below = flat[corner + texels] * (1 - right) + flat[corner + texels + 1] * right
    return above * (1 - down) + below * down


def _mean_of_supersamples(
    planes: list[Tensor],  # (views, frames, rays)
    rows: int,
    width: int,
    supersample: int,
) -> list[Tensor]:  # (views, frames, rows, width)
    if supersample == 1:
        return [plane.unflatten(2, (rows, width)) for plane in planes]
    means = []
    for plane in planes:
        cells = plane.unflatten(2, (rows, supersample, width, supersample))
        # added one by one: a reduction's order, and so its rounding, could depend on the shape
        total = cells[:, :, :, 0, :, 0]
        for sample in range(1, supersample**2):
            total = total + cells[:, :, :, sample // supersample, :, sample % supersample]
        means.append(total / supersample**2)
    return means
