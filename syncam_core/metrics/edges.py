"""How much of a picture's sharpness is left."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709


def edge_energy(
    video: Tensor,  # (..., height, width, 3) in 0..1
) -> float:
    """The mean squared gradient of the luma: squared differences to the pixel on the right and the one below, added.

    Blur lowers it, and so do surfaces without their texture; noise raises it, and so do ghosts. Compare pictures of
    one size only.
    """
    right, down = luma_gradients(video.float())
    return float((right.square() + down.square()).mean())


def luma_gradients(
    video: Tensor,  # (..., height, width, 3)
) -> tuple[Tensor, Tensor]:  # (..., height - 1, width - 1) each, in the unit of the video per pixel
    """The differences of the luma to the pixel on the right and to the one below."""
    luma = video @ torch.tensor(LUMA, dtype=video.dtype, device=video.device)
    return luma.diff(dim=-1)[..., :-1, :], luma.diff(dim=-2)[..., :-1]
