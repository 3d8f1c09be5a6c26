"""How one pinhole camera stands to another, from correspondences of their pictures.

Five-point essential matrices in batches (Nister 2004, kornia's solver), ranked by MSAC (Torr & Zisserman 2000) on
Sampson distances at several thresholds, sorted out by cheirality and refined by robust least squares (scipy): nothing
that ComfyUI does not bring, and the same answer for the same matches every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from kornia.geometry.epipolar import decompose_essential_matrix, find_essential
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

# An inlier's Sampson distance at most, and finer ones at which candidates are told apart: matches of sharp pictures are
# good to 0.1 px, and poses 5 degrees off may keep all of them within 1.5.
THRESHOLDS_PX = (1.5, 0.75, 0.25)
FINEST_PX = 0.05  # scale of the robust fit, which follows the matches' own precision
SAMPLES_AT_ONCE, MOST_SAMPLES = 256, 4096
MISSED = 1e-4  # the chance, at the inliers found, that no sample was free of outliers
REFINED = 8  # candidates: a plane alone has two solutions, which only the points off it tell apart
DIFFERENT = 0.03  # essential matrices of unit norm, this far apart, are different candidates
ROUNDS = 4  # of choosing inliers and fitting them
# Another pose that fits so nearly as well, and of which so few matches say that it is the wrong one, may be the right one.
UNLIKE_DEG, UNLIKE_WAY = 5.0, 0.2
NEARLY, DECIDING = 1.3, 10


@dataclass(frozen=True, eq=False)
class RelativePose:
    """A point at `x` in the first camera's axes is at `rotation x + s translation` in the second's, for some s > 0.

    Both cameras have OpenCV axes. The length of the way between them cannot be seen in two pictures.
    """

    rotation: Tensor  # (3, 3) float64
    translation: Tensor  # (3,) float64 of length 1
    is_inlier: Tensor  # (matches,) bool
    is_ambiguous: bool = False  # another pose fits as well: all that match lies on one plane (Longuet-Higgins 1986)
    is_turn_ambiguous: bool = False  # with another rotation; not so where the cameras stand at one place


def relative_pose(
    first: Tensor,  # (matches, 2) on the first camera's plane at depth 1: pixels from the middle / focal length
    second: Tensor,  # (matches, 2) on the second's
    weights: Tensor,  # (matches,) at least 0: how often a match is tried, relative to the others
    pixel: float,  # size of a pixel on these planes: 1 / focal length
    *,
    seed: int = 0,
) -> RelativePose | None:
    """The pose that most correspondences agree with, or None where no sample of five has one.

    The same numbers give the same pose; `seed` draws other samples.
    """
    first, second = first.double(), second.double()
    if len(first) < 8:
        return None
    candidates = _candidates(first, second, weights, pixel, seed)
    tried = [_refined(candidate, first.numpy(), second.numpy(), pixel) for candidate in candidates]
    fits = [fit for fit in tried if fit is not None]
    if not fits:
        return None
    best = min(fits, key=lambda fit: fit[0])
    rotation, translation, is_inlier = map(torch.from_numpy, best[1:])
    rivals = [fit for fit in fits if _fits_as_well(fit, best)]
    turns = any(_turn_deg(fit, best) > UNLIKE_DEG for fit in rivals)
    ways = any(np.linalg.norm(fit[2] - best[2]) > UNLIKE_WAY for fit in rivals)
    return RelativePose(rotation, translation, is_inlier, turns or ways, turns)


def _fits_as_well(fit: Fit, best: Fit) -> bool:
    """Whether a pose fits the matches so well that they do not tell whether it or the best one is right."""
    (cost, *_, is_inlier), (least, *_, best_inlier) = fit, best
    return bool(cost < NEARLY * least and int(best_inlier.sum()) - int(is_inlier.sum()) < DECIDING)


def _turn_deg(fit: Fit, best: Fit) -> float:
    return math.degrees(Rotation.from_matrix(fit[1] @ best[1].T).magnitude())


def distances_to_lines(
    pose: RelativePose,
    first: Tensor,  # (points, 2) on the first camera's plane at depth 1
    second: Tensor,  # (others, 2) on the second's
) -> Tensor:  # (points, others) float64, on these planes
    """Sampson distances of all pairs: how far two points are from being pictures of one."""
    essential = torch.linalg.cross(
        pose.translation[:, None].expand(3, 3), pose.rotation, dim=0
    )  # [translation]x rotation
    one, two = (functional.pad(points.double(), (0, 1), value=1.0) for points in (first, second))
    in_second, in_first = one @ essential.mT, two @ essential
    slopes = in_second[:, None, :2].square().sum(-1) + in_first[None, :, :2].square().sum(-1)
    return (in_second @ two.mT).abs() / slopes.clamp_min(1e-30).sqrt()


def _candidates(first: Tensor, second: Tensor, weights: Tensor, pixel: float, seed: int) -> list[Tensor]:
    """Essential matrices (3, 3) of unit norm that differ, the best one first, at most REFINED."""
    draw = torch.Generator().manual_seed(seed)
    chances = (weights.double().clamp_min(0) + 1e-3).expand(SAMPLES_AT_ONCE, -1)
    best, costs = first.new_empty(0, 3, 3), first.new_empty(0)
    drawn, needed = 0, float(MOST_SAMPLES)
    while drawn < min(needed, MOST_SAMPLES):
        five = torch.multinomial(chances, 5, generator=draw)
        found = find_essential(first[five], second[five]).reshape(-1, 3, 3)
        found = found[torch.isfinite(found).all((1, 2))]
        found = found / found.norm(dim=(1, 2), keepdim=True)
        parts = [_sampson(part, first, second) for part in found.split(256)]
        best = torch.cat([best, found])
        costs = torch.cat([costs, *(_cost(squared / pixel**2) for squared in parts)])
        order = costs.argsort(stable=True)[:64]
        best, costs = best[order], costs[order]
        drawn += SAMPLES_AT_ONCE
        if len(best):
            share = float((_sampson(best[:1], first, second) < (THRESHOLDS_PX[0] * pixel) ** 2).double().mean())
            needed = math.log(MISSED) / math.log1p(-(min(share, 0.999) ** 5)) if share > 0.02 else math.inf
    different: list[Tensor] = []
    for one in best:
        if all(min((one - other).norm(), (one + other).norm()) > DIFFERENT for other in different):
            different.append(one)
    return different[:REFINED]


def _sampson(essential: Tensor, first: Tensor, second: Tensor) -> Tensor:  # (candidates, matches) squared
    """First-order squared distances of correspondences from satisfying x2' E x1 = 0 (Hartley & Zisserman, 11.4.3)."""
    one, two = (functional.pad(points, (0, 1), value=1.0) for points in (first, second))
    in_second, in_first = essential @ one.T, essential.mT @ two.T  # (candidates, 3, matches)
    error = (in_second * two.T).sum(1)
    return error.square() / (in_second[:, :2].square().sum(1) + in_first[:, :2].square().sum(1)).clamp_min(1e-30)


def _cost(squared_px: Tensor) -> Tensor:  # (candidates, matches) to (candidates,) in 0..1
    """MSAC's truncated mean, averaged over thresholds, so that the finest that the matches allow decides."""
    return torch.stack([(squared_px / limit**2).clamp_max(1).mean(-1) for limit in THRESHOLDS_PX]).mean(0)


Fit = tuple[float, np.ndarray, np.ndarray, np.ndarray]  # cost, rotation, translation, inliers


def _refined(essential: Tensor, first: np.ndarray, second: np.ndarray, pixel: float) -> Fit | None:
    """Fits to its inliers, in rounds; five numbers move: a turn of the rotation, and of the translation's direction."""
    one, two = (np.concatenate([points, np.ones_like(points[:, :1])], 1) for points in (first, second))
    rotations, translation = _decomposed(essential)
    limit = THRESHOLDS_PX[0]
    near = np.abs(_residuals(rotations[0], translation, one, two)) < limit * pixel
    choices = [(rotation, sign * translation) for rotation in rotations for sign in (1, -1)]
    in_front = [int((near & _is_in_front(rotation, way, one, two, pixel)).sum()) for rotation, way in choices]
    rotation, translation = choices[int(np.argmax(in_front))]
    is_inlier, scale = near & _is_in_front(rotation, translation, one, two, pixel), limit / 3
    for _ in range(ROUNDS):
        if is_inlier.sum() < 8:
            return None
        rotation, translation = _fitted(rotation, translation, one[is_inlier], two[is_inlier], pixel, scale)
        distances = np.abs(_residuals(rotation, translation, one, two)) / pixel
        is_inlier = (distances < limit) & _is_in_front(rotation, translation, one, two, pixel)
        # the spread of a normal distribution with this median
        spread = 1.4826 * float(np.median(distances[is_inlier])) if is_inlier.any() else limit
        scale = min(max(FINEST_PX, spread), limit / 3)
    squared = torch.from_numpy(np.where(is_inlier, distances, limit) ** 2)
    return float(_cost(squared)), rotation, translation, is_inlier


def _decomposed(essential: Tensor) -> tuple[list[np.ndarray], np.ndarray]:
    first, second, translation = decompose_essential_matrix(essential[None])
    return [first[0].numpy(), second[0].numpy()], translation[0, :, 0].numpy()


def _fitted(
    rotation: np.ndarray, translation: np.ndarray, one: np.ndarray, two: np.ndarray, pixel: float, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    # residuals in pixels: as numbers of 1e-4 they would pass scipy's absolute tolerances before the fit has begun
    aside = np.linalg.svd(translation[None])[2][1:]  # two directions across the translation

    def moved(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        towards = translation + step[3:] @ aside
        return Rotation.from_rotvec(step[:3]).as_matrix() @ rotation, towards / np.linalg.norm(towards)

    found = least_squares(
        lambda step: _residuals(*moved(step), one, two) / pixel, np.zeros(5), loss="cauchy", f_scale=scale, max_nfev=50
    )
    return moved(found.x)


def _residuals(rotation: np.ndarray, translation: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Signed Sampson distances, (matches,)."""
    essential = np.cross(translation, rotation, axisb=0, axisc=0)  # [translation]x rotation
    in_second, in_first = one @ essential.T, two @ essential
    slope = (in_second[:, :2] ** 2).sum(1) + (in_first[:, :2] ** 2).sum(1)
    return (in_second * two).sum(1) / np.sqrt(np.maximum(slope, 1e-30))


def _is_in_front(
    rotation: np.ndarray, translation: np.ndarray, one: np.ndarray, two: np.ndarray, pixel: float
) -> np.ndarray:
    """Whether the rays of a correspondence meet before both cameras, by the depths of their least-squares meeting point.
    Rays that are parallel to what a match resolves meet at infinity, before both: their depths are noise."""
    turned = one @ rotation.T
    # depth_2 two = depth_1 turned + translation
    a, b, c = (turned**2).sum(1), (turned * two).sum(1), (two**2).sum(1)
    along_one, along_two = turned @ translation, two @ translation
    determinant = a * c - b * b  # the squared sine of the angle between the rays, times a c
    depth_one, depth_two = b * along_two - c * along_one, a * along_two - b * along_one
    is_far = (determinant < (THRESHOLDS_PX[0] * pixel) ** 2 * a * c) & (b > 0)
    return is_far | ((determinant > 0) & (depth_one > 0) & (depth_two > 0))
