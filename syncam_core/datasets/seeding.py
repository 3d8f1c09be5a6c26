"""Points within what the cameras see in common, coloured from their pictures: for trainers that start from points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..formats.points import Points

SEEDED = 10_000
_CANDIDATES = 8  # drawn for each point that is kept
_NEAR, _FAR = 0.25, 2.5  # where points are drawn, in distances to what the cameras look at
_DISTANCE_M = 4.0  # to it, where the viewing directions do not say it: that of new cameras
_SKIPPED = 20  # of the sequence, whose first points stand in line
_PARALLEL = 1e-3  # viewing directions below it meet nowhere that counts


def seeded_points(
    c2w: np.ndarray,  # (views, 4, 4) OpenCV axes, metres
    focals_px: Sequence[float],  # of the views
    pictures: Sequence[np.ndarray],  # per view (height, width, 3) uint8, all of one size
    masks: Sequence[np.ndarray] = (),  # per view (height, width) uint8, 0 where a picture does not count; empty: none
    count: int = SEEDED,
) -> Points:
    """`count` points, those first that most cameras see, each in the median colour of the pictures that show it.

    They fill the volume before each camera, evenly, from a quarter to two and a half times of the distance to what the
    cameras look at, and are the same for the same input. Fewer where masks leave nothing else.
    """
    height, width = pictures[0].shape[:2]
    xyz = _in_front(c2w, focals_px, height, width, count * _CANDIDATES)
    seen = np.zeros((len(c2w), len(xyz)), bool)
    places = np.zeros((len(c2w), len(xyz), 2), np.intp)  # row, column
    for view, (pose, focal) in enumerate(zip(c2w, focals_px, strict=True)):
        seen[view], places[view] = _looked_up((xyz - pose[:3, 3]) @ pose[:3, :3], focal, height, width)
        if masks:
            seen[view] &= masks[view][places[view, :, 0], places[view, :, 1]] > 127
    views = seen.sum(axis=0)
    kept = np.argsort(-views, kind="stable")[:count]
    kept = kept[views[kept] > 0]
    colours = np.stack([picture[tuple(place[kept].T)] for picture, place in zip(pictures, places, strict=True)])
    return Points(xyz[kept], _medians(colours, seen[:, kept]))


def _medians(
    colours: np.ndarray,  # (views, points, 3) uint8
    seen: np.ndarray,  # (views, points), each point in one view at least
) -> np.ndarray:  # (points, 3) uint8
    ordered = np.sort(np.where(seen[:, :, None], colours, np.uint16(256)), axis=0)  # those that do not count come last
    count = seen.sum(axis=0)[None, :, None]
    lower, upper = (np.take_along_axis(ordered, index, axis=0)[0] for index in ((count - 1) // 2, count // 2))
    return ((lower + upper) // 2).astype(np.uint8)


def _in_front(c2w: np.ndarray, focals_px: Sequence[float], height: int, width: int, count: int) -> np.ndarray:
    """(count, 3) points before the cameras in turns, as many in each part of a camera's volume as it is large."""
    from scipy.stats import qmc

    drawn = qmc.Halton(3, scramble=False).fast_forward(_SKIPPED).random(count)
    view = np.arange(count) % len(c2w)
    pose, focal = c2w[view], np.asarray(focals_px)[view]
    nearest, farthest = (factor * _distances(c2w)[view] for factor in (_NEAR, _FAR))
    depth = np.cbrt(nearest**3 + drawn[:, 2] * (farthest**3 - nearest**3))
    ray = np.stack([(drawn[:, 0] - 0.5) * width / focal, (drawn[:, 1] - 0.5) * height / focal, np.ones(count)], axis=1)
    return np.einsum("nij,nj->ni", pose[:, :3, :3], ray * depth[:, None]) + pose[:, :3, 3]


def _distances(c2w: np.ndarray) -> np.ndarray:
    """From each camera to the point that their viewing directions pass nearest to; a usual one where that says nothing."""
    forward, position = c2w[:, :3, 2], c2w[:, :3, 3]
    across = np.eye(3) - forward[:, :, None] * forward[:, None]  # removes the part along the direction
    system = across.mean(axis=0)
    if np.linalg.eigvalsh(system)[0] < _PARALLEL:
        return np.full(len(c2w), _DISTANCE_M)
    point = np.linalg.solve(system, np.einsum("nij,nj->i", across, position) / len(c2w))
    depth = ((point - position) * forward).sum(axis=1)
    ahead = depth[depth > 0]
    return np.where(depth > 0, depth, np.median(ahead) if len(ahead) else _DISTANCE_M)


def _looked_up(
    points: np.ndarray,  # (points, 3) in the camera's axes
    focal: float,
    height: int,
    width: int,
) -> tuple[np.ndarray, np.ndarray]:  # (points,) whether it is in the picture, (points, 2) row and column
    x, y, z = points.T
    ahead = np.where(z > 0, z, 1.0)
    place = np.stack([y / ahead * focal + height / 2, x / ahead * focal + width / 2], axis=1)
    inside = (z > 0) & (place >= 0).all(axis=1) & (place < (height, width)).all(axis=1)
    return inside, np.where(inside[:, None], place, 0).astype(np.intp)
