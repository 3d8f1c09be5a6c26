"""Sampling with the model in training: what validation pictures, ablations and the synchronization gate are made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import UserError
from ..view_sync.module import within_each_view
from .objective import shifted
from .precision import is_quick_in_bfloat16
from .trainee import ReCaptureTrainee, Trainee, attention_for

MODES = ("full", "masked", "off")


def sigmas(steps: int, shift: float) -> list[float]:
    """Noise levels of Wan's sampler: steps + 1 numbers from 1 to 0."""
    return [shifted(1 - i / steps, shift) for i in range(steps)] + [0.0]


@torch.no_grad()
def sample(
    trainee: Trainee,
    text: Tensor,  # (scenes, words, text_dim)
    negative: Tensor,  # (words, text_dim)
    poses: Tensor,  # (scenes, views, frames, 12)
    size: tuple[int, int],  # latent height, width
    seeds: Sequence[int],  # of the noise, one per scene
    steps: int = 20,
    guidance: float = 3.0,
    shift: float = 5.0,
    mode: str = "full",  # "masked": every view attends to itself alone; "off": the base alone
    mixed_precision: bool | None = None,  # None: where the device is quick in bfloat16
    model: Callable[..., Tensor] | None = None,  # in place of the base: called as it is
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:  # (scenes, views, channels, frames, height, width)
    """Euler steps of the flow with classifier-free guidance, all scenes in one batch. The noise of a scene depends on
    its seed and shape alone, so the modes can be compared."""
    if mode not in MODES:
        raise UserError(f"'mode' is {mode!r}; possible are {', '.join(MODES)}.", field="mode")
    device = next(trainee.parameters()).device
    scenes, views, frames, _ = poses.shape
    shape = (views, trainee.base.config.channels, frames, *size)
    x = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]).to(device)
    words = torch.nn.utils.rnn.pad_sequence([*text, negative], batch_first=True).to(device)
    context = torch.cat([words[:-1].repeat_interleave(views, 0), words[-1:].expand(scenes * views, -1, -1)])
    twice = torch.cat([poses, poses]).to(device)
    attention = attention_for(device)

    def forward(both: Tensor, timestep: Tensor) -> Tensor:
        return (model or trainee.base)(
            both,
            timestep,
            context,
            None if mode == "off" else trainee.view_sync,
            twice,
            attention,
            within_each_view(attention, views) if mode == "masked" else None,
        )

    x = _euler(trainee, forward, x, sigmas(steps, shift), guidance, mixed_precision, progress)
    return x.unflatten(0, (scenes, views)).cpu()


@torch.no_grad()
def sample_recapture(
    trainee: ReCaptureTrainee,
    text: Tensor,  # (videos, words, text_dim)
    negative: Tensor,  # (words, text_dim)
    poses: Tensor,  # (videos, frames, 12), relative to where the source was filmed from, metres
    source: Tensor,  # (videos, channels, frames, height, width)
    seeds: Sequence[int],  # of the noise, one per video
    steps: int = 20,
    guidance: float = 3.0,
    shift: float = 5.0,
    mixed_precision: bool | None = None,  # None: where the device is quick in bfloat16
) -> Tensor:  # as source
    """The same for re-capture: every video is its source along its poses, which both passes of the guidance see."""
    device = next(trainee.parameters()).device
    shape = source.shape[1:]
    x = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]).to(
        device
    )
    words = torch.nn.utils.rnn.pad_sequence([*text, negative], batch_first=True).to(device)
    context = torch.cat([words[:-1], words[-1:].expand(len(x), -1, -1)])
    told = {"poses": torch.cat([poses, poses]).to(device), "source": torch.cat([source, source]).to(device)}

    def forward(both: Tensor, timestep: Tensor) -> Tensor:
        attention = attention_for(device)
        return trainee.base(both, timestep, context, attention=attention, recapture=trainee.recapture, **told)

    return _euler(trainee, forward, x, sigmas(steps, shift), guidance, mixed_precision).cpu()


def _euler(
    trainee: torch.nn.Module,
    forward: Callable[[Tensor, Tensor], Tensor],  # of positive and negative stacked, and their timesteps: velocities
    x: Tensor,
    levels: Sequence[float],
    guidance: float,
    mixed_precision: bool | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    if mixed_precision is None:
        mixed_precision = is_quick_in_bfloat16(x.device)
    was_training = trainee.training
    trainee.eval()
    for done, (sigma, following) in enumerate(pairwise(levels)):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=mixed_precision):
            both = forward(torch.cat([x, x]), torch.full((2 * len(x),), 1000 * sigma, device=x.device))
        positive, negative_velocity = both.float().chunk(2)
        x = x + (following - sigma) * torch.lerp(negative_velocity, positive, guidance)
        progress(done + 1, len(levels) - 1)
    trainee.train(was_training)
    return x
