"""Fine grain on every surface, which matchers of pictures need: flat colours give them nothing to hold.

Value noise in octaves, from a table that is the same on every machine. What a ray sees depends on where it meets the
surface alone; an octave whose cells the distance has made smaller than pixels fades into its mean.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

TEXTURES = (0, 1)  # versions: none, and grain; what was trained on one goes on seeing that one

SIDE = 256  # cells of the table, which repeats
GRAIN = 0.62  # how much darker and brighter than the plain colour: factors of 1 -+ this
CELLS_M = (0.45, 0.19, 0.083, 0.036, 0.016)  # on floor and subject
CELLS_OF_THE_SKY = (0.21, 0.09, 0.038, 0.016)  # radians
PIXEL_RAD = 1 / 840  # of an 832 px picture with the default lens
SKY_SHARE = 0.35  # of the grain, on hills and sky


def _table() -> Tensor:  # (SIDE * SIDE,) float32 in -1..1
    draw = random.Random("synthetic texture 1")
    return torch.tensor([2 * draw.random() - 1 for _ in range(SIDE * SIDE)], dtype=torch.float32)


TABLE = _table()


def floor_grain(x: Tensor, z: Tensor, pixel_m: Tensor) -> Tensor:
    """Factors of the floor's colour at places in metres, where a pixel covers `pixel_m` in its long direction."""
    return 1 + GRAIN * _octaves(((x, z),), CELLS_M, pixel_m)


def solid_grain(x: Tensor, y: Tensor, z: Tensor, pixel_m: Tensor) -> Tensor:
    """Factors of a body's colour at places in its own axes: grain all through it, so that no side is stretched."""
    return 1 + GRAIN * _octaves(((x, y), (y + 7.7, z), (z + 3.1, x)), CELLS_M, pixel_m)


def sky_grain(dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    """Factors of what is infinitely far in a direction (of unit length): it turns with the camera and never shifts."""
    pairs = ((dx, dy), (dy + 7.7, dz), (dz + 3.1, dx))
    return 1 + SKY_SHARE * GRAIN * _octaves(pairs, CELLS_OF_THE_SKY, torch.full_like(dx, PIXEL_RAD))


def _octaves(pairs: tuple[tuple[Tensor, Tensor], ...], cells: tuple[float, ...], pixel: Tensor) -> Tensor:  # in -1..1
    """The mean of a plane's noise over some planes, octaves added with equal weight."""
    total = torch.zeros_like(pixel)
    for index, cell in enumerate(cells):
        clear = (1.5 - 2 * pixel / cell).clamp(0, 1)
        for u, v in pairs:
            # each octave from another part of the table
            total = total + clear * _noise(u / cell + 37.3 * index, v / cell + 91.7 * index)
    return (total * (1.6 / (len(cells) ** 0.5 * len(pairs) ** 0.5))).clamp(-1, 1)


def _noise(u: Tensor, v: Tensor) -> Tensor:
    """The table, smoothly interpolated and repeated without end."""
    left, above = u.floor(), v.floor()
    right, down = u - left, v - above
    right, down = right * right * (3 - 2 * right), down * down * (3 - 2 * down)
    left, above = left.long() % SIDE, above.long() % SIDE
    row, next_row = above * SIDE, (above + 1) % SIDE * SIDE
    next_left = (left + 1) % SIDE
    table = TABLE.to(u.device)
    upper = table[row + left] * (1 - right) + table[row + next_left] * right
    lower = table[next_row + left] * (1 - right) + table[next_row + next_left] * right
    return upper * (1 - down) + lower * down
