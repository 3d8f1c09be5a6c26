"""Single video frames: from the host's float tensors to clean RGB, and to the even sizes that 4:2:0 video needs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def clean_rgb(
    frame: Tensor,  # (height, width, 3 or 4) in 0..1, any float type, any device
) -> np.ndarray:  # (height, width, 3) float32
    """The frame's RGB within 0..1: alpha dropped, NaN black, anything brighter than white white."""
    rgb = torch.nan_to_num(frame[..., :3].to(device="cpu", dtype=torch.float32), nan=0.0, posinf=1.0, neginf=0.0)
    return rgb.clamp(0.0, 1.0).numpy()


def rgb_to_uint8(rgb: np.ndarray) -> np.ndarray:
    """Float RGB within 0..1 as 8 bit, to the nearest value (truncation would darken every frame by half a step)."""
    return (rgb * 255.0 + 0.5).astype(np.uint8)


def even(length: int) -> int:
    """The length itself, or one more where it is odd."""
    return length + length % 2


def pad_to_even(
    frame: np.ndarray,  # (height, width, 3)
) -> np.ndarray:  # (even height, even width, 3)
    """Repeat the last row and column where the size is odd: a black edge would bleed into the shared chroma samples."""
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
