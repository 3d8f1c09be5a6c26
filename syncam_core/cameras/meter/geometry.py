"""Where cameras look: their angles, the point that they have in common, what two of them both see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ..rig import Lens

Angle = TypeVar("Angle", float, np.ndarray)

LEAST_CROSSING_DEG = 0.05  # axes closer to parallel do not say where they cross
ON_AXIS_DEG, ON_AXIS_M = 0.5, 0.01
AT_POINT_M = 1e-3  # a camera this near to a point does not look at it: rounding would say from where
ASSUMED_DISTANCE_M = 3.0  # the nearest of the authors' example cameras
AIM_INSIDE_DEG, AIM_EDGE_DEG = 5.0, 15.0  # 16 degrees off, the point leaves the picture
MOMENTS = 9
PICTURE_ASPECT = 832 / 480
OVERLAP_COLUMNS, OVERLAP_ROWS, OVERLAP_DEPTHS = 10, 6, 4


def moments_of(frames: int) -> list[int]:
    count = min(frames, MOMENTS)
    return [math.floor(i * (frames - 1) / (count - 1) + 0.5) for i in range(count)] if count > 1 else [0]


def angles(
    c2w: np.ndarray,  # (views, moments, 4, 4)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (views, moments) degrees
    """Azimuth and elevation of the directions that cameras look from, and roll."""
    right, down, forward = (c2w[..., :3, axis] for axis in range(3))
    level = np.hypot(forward[..., 0], forward[..., 2])
    # Straight up or down the picture's right tells the azimuth, as in orbit_c2w without roll.
    vertical = level < 1e-6
    azimuth = np.where(
        vertical, np.arctan2(right[..., 2], right[..., 0]), np.arctan2(-forward[..., 0], forward[..., 2])
    )
    roll = np.where(vertical, 0.0, np.arctan2(right[..., 1], down[..., 1]))
    # + 0: no negative zeros
    return np.degrees(azimuth) + 0.0, np.degrees(np.arctan2(forward[..., 1], level)) + 0.0, np.degrees(roll) + 0.0


def wrapped(degrees: Angle) -> Angle:
    """The same angle within (-180, 180]."""
    return degrees - 360 * np.ceil((degrees - 180) / 360)


def largest(
    numbers: np.ndarray,  # (..., moments)
) -> np.ndarray:  # (...)
    """The number of largest size, the first of several, with its sign."""
    at = np.abs(numbers).argmax(-1)
    return np.take_along_axis(numbers, at[..., None], -1)[..., 0] + 0.0


def common_point(
    centre: np.ndarray,  # (views, 3)
    forward: np.ndarray,  # (views, 3)
) -> tuple[str, np.ndarray | None]:
    middle = centre.mean(0)
    about = centre - middle
    # Every two axes that cross propose the point nearest to both; the proposal that most cameras look at wins.
    first, second = np.triu_indices(len(centre), 1)
    sine = np.linalg.norm(np.cross(forward[first], forward[second]), axis=-1)
    crossing = np.degrees(np.arcsin(np.minimum(1.0, sine))) >= LEAST_CROSSING_DEG
    first, second = first[crossing], second[crossing]
    points = _least_squares(
        np.stack([about[first], about[second]], axis=1), np.stack([forward[first], forward[second]], axis=1)
    )
    aimed = _aim_off(about, forward, points[:, None]) <= AIM_INSIDE_DEG  # (proposals, views)
    each = np.arange(len(points))
    votes = np.where(aimed[each, first] & aimed[each, second], aimed.sum(1), 0)
    if votes.max(initial=0) > len(centre) // 2:
        best = aimed[votes.argmax()]
        return "common", _least_squares(about[best], forward[best]) + middle
    return _on_one_axis(centre, forward)


def _least_squares(
    centre: np.ndarray,  # (..., views, 3)
    forward: np.ndarray,
) -> np.ndarray:  # (..., 3)
    """The point with the smallest sum of squared distances from viewing axes."""
    across = np.eye(3) - forward[..., :, None] * forward[..., None, :]
    return np.linalg.solve(across.sum(-3), (across @ centre[..., None]).sum(-3))[..., 0]


def _aim_off(centre: np.ndarray, forward: np.ndarray, point: np.ndarray) -> np.ndarray:  # (...) degrees
    """The angle between the viewing direction and the point; 180 for a camera that stands at it."""
    to_point = point - centre
    across = np.linalg.norm(np.cross(forward, to_point), axis=-1)
    angle = np.degrees(np.arctan2(across, (forward * to_point).sum(-1)))
    return np.where(np.linalg.norm(to_point, axis=-1) > AT_POINT_M, angle, 180.0)


def _on_one_axis(centre: np.ndarray, forward: np.ndarray) -> tuple[str, np.ndarray | None]:
    ahead = forward @ forward[0] > 0  # others look back, towards the first
    turned = np.degrees(np.arcsin(np.minimum(1.0, np.linalg.norm(np.cross(forward, forward[0]), axis=-1))))
    aside = np.linalg.norm(np.cross(centre - centre[0], forward[0]), axis=-1)
    if (turned > LEAST_CROSSING_DEG).any() or (aside > ON_AXIS_M).any():
        return "none", None
    origin = np.zeros(3)
    if (_aim_off(centre, forward, origin) <= ON_AXIS_DEG).all():
        return "axis", origin
    along = (centre - centre[0]) @ forward[0]
    start = along[ahead].max()
    if ahead.all():
        return "axis", centre[0] + (start + ASSUMED_DISTANCE_M) * forward[0]
    end = along[~ahead].min()
    if end - start <= ON_AXIS_M:  # back to back
        return "none", None
    return "axis", centre[0] + (start + end) / 2 * forward[0]


def to_target(
    centre: np.ndarray,  # (views, moments, 3)
    forward: np.ndarray,
    kind: str,
    target: np.ndarray | None,
) -> tuple[np.ndarray | None, np.ndarray | None]:  # (views, moments) metres, degrees
    if kind == "none" or target is None:
        return None, None
    return np.linalg.norm(target - centre, axis=-1), _aim_off(centre, forward, target)


def distance_differences(
    distance: np.ndarray | None,  # (views, moments)
    centre: np.ndarray,  # (views, moments, 3)
    forward: np.ndarray,
    first: np.ndarray,  # (pairs,)
    second: np.ndarray,
) -> np.ndarray:  # (pairs, moments)
    if distance is not None:
        return distance[second] - distance[first]
    mean = forward[first] + forward[second]
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    mean = np.where(length > 1e-6, mean / np.maximum(length, 1e-6), forward[first])
    return ((centre[first] - centre[second]) * mean).sum(-1)


def overlaps_of(
    c2w: np.ndarray,  # (views, moments, 4, 4)
    lenses: Sequence[Lens],
    distance: np.ndarray | None,  # (views, moments)
) -> np.ndarray:  # (views, views), symmetric
    views, moments = c2w.shape[:2]
    half_width = np.array([lens.sensor_width_mm / lens.focal_mm / 2 for lens in lenses])
    half_height = half_width / PICTURE_ASPECT
    x = ((np.arange(OVERLAP_COLUMNS) + 0.5) / OVERLAP_COLUMNS * 2 - 1)[:, None, None]
    y = ((np.arange(OVERLAP_ROWS) + 0.5) / OVERLAP_ROWS * 2 - 1)[None, :, None]
    z = 0.5 + (np.arange(OVERLAP_DEPTHS) + 0.5) / OVERLAP_DEPTHS
    grid = np.stack(np.broadcast_arrays(x * z, y * z, z), axis=-1).reshape(-1, 3)  # in half widths and distances
    slack = 1 + 1e-9  # a point on the border is inside, whatever the rounding
    seen = np.empty((moments, views, views))  # the share of the first that the second sees
    for moment in range(moments):
        rotation, centre = c2w[:, moment, :3, :3], c2w[:, moment, :3, 3]
        for view in range(views):
            reach = ASSUMED_DISTANCE_M if distance is None else float(distance[view, moment])
            reach = reach if reach > AT_POINT_M else ASSUMED_DISTANCE_M
            points = grid * [half_width[view] * reach, half_height[view] * reach, reach]
            points = points @ rotation[view].T  # about its centre: world coordinates may be large
            there = (points + (centre[view] - centre)[:, None]) @ rotation  # (views, points, 3)
            ahead = there[..., 2]
            inside = (
                (ahead > 1e-9)
                & (np.abs(there[..., 0]) <= half_width[:, None] * ahead * slack)
                & (np.abs(there[..., 1]) <= half_height[:, None] * ahead * slack)
            )
            seen[moment, view] = inside.mean(1)
    return ((seen + seen.transpose(0, 2, 1)) / 2).min(0)


def lens_deg(lens: Lens) -> float:
    return math.degrees(2 * math.atan(lens.sensor_width_mm / lens.focal_mm / 2))
