"""Flow matching: how timesteps are drawn, what noise does to latents, what the model has to say, what counts more."""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Tensor

from ..errors import UserError

TRAINING_STEPS = 1000


def shifted(t: float, shift: float) -> float:
    """Push noise levels t in 0..1 towards 1: shift t / (1 + (shift - 1) t)."""
    return shift * t / (1 + (shift - 1) * t)


def sigma_of(u: float, sampling: str, shift: float) -> float:
    """The noise level 0..1 of a number drawn uniformly from 0..1.

    "uniform_1000" is the authors': one of 1000 evenly spaced levels, shifted. "uniform" is its continuous form.
    "logit_normal" favours the middle (Stable Diffusion 3), shifted likewise.
    """
    if sampling == "uniform_1000":
        t = 1 - min(math.floor(u * TRAINING_STEPS), TRAINING_STEPS - 1) / TRAINING_STEPS
    elif sampling == "uniform":
        t = u
    elif sampling == "logit_normal":
        t = 1 / (1 + math.exp(-NormalDist().inv_cdf(min(max(u, 1e-9), 1 - 1e-9))))
    else:
        raise UserError(
            f"'timesteps' is {sampling!r}; possible are uniform_1000, uniform, logit_normal.", field="timesteps"
        )
    return shifted(t, shift)


def gaussian_weight(sigma: Tensor) -> Tensor:
    """The authors' loss weight: exp(-2 ((t - 500) / 1000)^2) less its least value, t = 1000 sigma, mean 1 over the
    1000 training timesteps with shift 5 (its source normalises the sum over them)."""
    levels = 1 - torch.arange(TRAINING_STEPS, dtype=torch.float64) / TRAINING_STEPS
    levels = 5 * levels / (1 + 4 * levels)
    bells = torch.exp(-2 * (levels - 0.5).square())
    least = bells.min()
    weight = (torch.exp(-2 * (sigma.double() - 0.5).square()) - least) / (bells - least).mean()
    return weight.clamp_min(0).to(sigma.dtype)


def noisy(latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """x_t = (1 - sigma) x + sigma noise; sigma broadcasts over the trailing axes."""
    return torch.lerp(latents, noise, sigma)


def velocity(latents: Tensor, noise: Tensor) -> Tensor:
    return noise - latents
