"""PSNR, SSIM and LPIPS: how far pictures are from their truth, pixel by pixel, in structure, and to the eye."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

WINDOW = 11  # pixels; the Gaussian in it has a sigma of 1.5


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:  # both (height, width, 3) uint8
    """Peak signal to noise ratio in dB: 10 log10(255^2 / mean squared difference). Equal pictures have infinity."""
    from kornia.metrics import psnr as of

    value = float(of(_planes(picture), _planes(truth), max_val=1.0))
    return value if not math.isnan(value) else math.inf


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:  # both (height, width, 3) uint8
    """Structural similarity, -1..1, 1 for equal pictures: mean over all places at which the window lies within the
    picture, and over the three channels (Wang et al. 2004: 11 x 11 Gaussian, sigma 1.5, K 0.01 and 0.03)."""
    from kornia.metrics import ssim as of

    check_size("SSIM", picture, WINDOW)
    return float(of(_planes(picture), _planes(truth), WINDOW, padding="valid").mean())


def check_size(what: str, picture: np.ndarray, least: int) -> None:
    """Raise UserError for a picture that is smaller than what looks at it."""
    height, width = picture.shape[:2]
    if min(height, width) < least:
        raise UserError(f"the pictures have {width} x {height} pixels, but {what} needs {least} x {least}.")


def _planes(picture: np.ndarray) -> Tensor:  # (1, 3, height, width) in 0..1
    return torch.from_numpy(picture).permute(2, 0, 1)[None].double() / 255
