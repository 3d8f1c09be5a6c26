"""Which noise each view starts from: its own draw, one draw for all views, or a mix of both."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor

from ..cameras.spoken import whole_numbers
from ..errors import UserError, check_choice

NOISES = ("independent", "shared", "mixed")
# Own draws follow the seed itself, so the shared one follows another: the fraction of the golden ratio away.
SHARED_SEED_OFFSET = 0x9E3779B97F4A7C15


def noise_of_views(
    own: Tensor,  # (views, ...) independent draws, one for each view
    seed: int,
    noise: str = "independent",
    mix: float = 0.5,
) -> Tensor:  # (views, ...)
    """The starting noise of the views, each of mean 0 and variance 1.

    "independent" is `own` as it is, "shared" gives every view the same draw, and "mixed" is
    sqrt(mix) * shared + sqrt(1 - mix) * own, in which any two views correlate by `mix`. The shared draw depends on the
    seed and on the shape of one view only, so views that are added or reordered leave the others' noise as it is.
    """
    check_choice("noise", noise, NOISES)
    if not 0 <= mix <= 1:
        raise UserError(f"'noise_mix' is {mix}; give a number from 0 (all own) to 1 (all shared).", field="noise_mix")
    if noise == "independent":
        return own
    shared = shared_draw(own.shape[1:], seed).to(own).expand_as(own)
    if noise == "shared":
        return shared.clone()
    return math.sqrt(mix) * shared + math.sqrt(1 - mix) * own


def shared_draw(shape: torch.Size, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed((seed + SHARED_SEED_OFFSET) % 2**64)
    return torch.randn(shape, generator=generator)


def shrunk(noise: Tensor, times: int) -> Tensor:  # (views, channels, frames, height, width) -> smaller by `times`
    """The coarse part of a noise, of variance 1 again: a small sampling from it begins as the large one does.

    Height and width become even, as the model's patches are; what does not fill a block at the edges is left out.
    """
    if times == 1:
        return noise
    height, width = (max(2, side // times // 2 * 2) for side in noise.shape[-2:])
    cut = noise[..., : height * times, : width * times]
    return functional.avg_pool3d(cut, (1, times, times)) * times


def read_noise_order(text: str, views: int | None) -> list[int] | None:
    """Which draw each view takes, for a text like "2, 0, 1" or "0-3, 7"; None where it is empty (0, 1, 2, ...).

    With `views` None the text alone is judged. Raises UserError for a text that is no list of numbers, and for another
    number of draws than views.
    """
    order = whole_numbers(text, "noise_order")
    if not order:
        return None
    if views is not None and len(order) != views:
        raise UserError(
            f"'noise_order' names {len(order)} draws, but there are {views} views; name one for each view, or leave it "
            f"empty for 0 to {views - 1}.",
            field="noise_order",
        )
    return order
