"""Correspondences made exact: the picture around a point is laid over the other picture, turned and slanted as it must be.

A detector's points lie off by a good part of a pixel where the surface is seen under another slant. Lucas & Kanade (1981)
with an affine warp (Shi & Tomasi 1994) in forward-additive Gauss-Newton steps (Baker & Matthews 2004), on patches of
normalized brightness, all correspondences at once.
"""

from __future__ import annotations

import kornia
import torch
from torch import Tensor
from torch.nn import functional

from .matching import Matches

HALF_PX = 9  # of a patch
STEPS = 30
BLUR_PX = 1.0
LEAST_CORRELATION = 0.9
FARTHEST_PX = 4.0  # that a point may move
LARGEST_CHANGE = 4.0  # of the area, either way
AT_ONCE = 256


@torch.no_grad()
def aligned(
    first: Tensor,  # (height, width, 3) in 0..1
    second: Tensor,  # (height, width, 3) in 0..1, of any size
    matches: Matches,
) -> Matches:
    """The correspondences whose surroundings look alike, at their exact places in the second picture.

    The confidence is the correlation of the patches, which leaves out those below LEAST_CORRELATION.
    """
    if not len(matches):
        return matches
    one, two = (_with_slopes(picture) for picture in (first, second))
    parts = [
        _aligned(one, two, a, b)
        for a, b in zip(matches.first_px.split(AT_ONCE), matches.second_px.split(AT_ONCE), strict=True)
    ]
    return Matches.of(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _with_slopes(
    picture: Tensor,
) -> Tensor:  # (height, width, 3) to (3, height, width): grey, and its slopes right and down
    size = 2 * round(3 * BLUR_PX) + 1
    grey = kornia.filters.gaussian_blur2d(
        picture[..., :3].float().mean(-1)[None, None], (size, size), (BLUR_PX, BLUR_PX)
    )[0, 0]
    right = (grey.roll(-1, 1) - grey.roll(1, 1)) / 2
    down = (grey.roll(-1, 0) - grey.roll(1, 0)) / 2
    return torch.stack([grey, right, down])


def _aligned(one: Tensor, two: Tensor, first_px: Tensor, second_px: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    places = torch.arange(-HALF_PX, HALF_PX + 1.0, device=one.device)
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).reshape(-1, 2)  # (pixels, 2)
    weights = torch.exp(-grid.square().sum(-1) / (2 * (HALF_PX / 1.5) ** 2))
    weights = weights / weights.sum()
    begin = second_px.to(grid)
    wanted, _ = _normalized(_sampled(one[:1], first_px.to(grid)[:, None] + grid)[..., 0], weights)
    warp, shift = torch.eye(2).to(grid).repeat(len(begin), 1, 1), torch.zeros_like(begin)
    for _ in range(STEPS):
        seen = _sampled(two, (begin + shift)[:, None] + grid @ warp.mT)
        here, spread = _normalized(seen[..., 0], weights)
        slopes = seen[..., 1:] / spread[..., None]
        jacobian = torch.cat([(slopes[..., None] * grid[None, :, None]).flatten(-2), slopes], -1)  # (points, pixels, 6)
        weighted = jacobian * weights[:, None]
        normal = weighted.mT @ jacobian + 1e-6 * torch.eye(6).to(grid)
        step = torch.linalg.solve(normal, weighted.mT @ (wanted - here)[..., None])[..., 0]
        warp, shift = warp + step[:, :4].reshape(-1, 2, 2), shift + step[:, 4:]
    here, _ = _normalized(_sampled(two[:1], (begin + shift)[:, None] + grid @ warp.mT)[..., 0], weights)
    correlation, area = (wanted * here * weights).sum(1), torch.linalg.det(warp)
    is_good = (correlation > LEAST_CORRELATION) & (shift.norm(dim=1) < FARTHEST_PX)
    is_good &= (area > 1 / LARGEST_CHANGE) & (area < LARGEST_CHANGE)
    return first_px[is_good], second_px[is_good] + shift[is_good].to(second_px), correlation[is_good]


def _sampled(
    planes: Tensor, px: Tensor
) -> Tensor:  # (channels, height, width), (points, pixels, 2) to (points, pixels, channels)
    size = px.new_tensor([planes.shape[2], planes.shape[1]])
    found = functional.grid_sample(
        planes[None], (px / size * 2 - 1)[None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0].permute(1, 2, 0)


def _normalized(
    values: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:  # (points, pixels): mean 0, variance 1; (points, 1)
    centred = values - (values * weights).sum(1, keepdim=True)
    spread = (centred.square() * weights).sum(1, keepdim=True).sqrt().clamp_min(1e-4)
    return centred / spread, spread
