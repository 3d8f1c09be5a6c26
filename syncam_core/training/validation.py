"""The loss on scenes that are not trained on, at fixed noise: with all that is told, and without parts of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from ..datasets.footage import Kind
from .batches import Batches
from .config import Dropout, Mix, Objective, TrainConfig
from .latent_cache import open_cache
from .optimizers import Ema
from .trainee import ReCaptureTrainee, Trainee

SCENES_AT_ONCE = 8


def held_out_batches(config: TrainConfig, text_of: Callable[[str], Tensor]) -> Batches:
    """The same scenes, noise and levels every time. Raises UserError for a cache that cannot give them."""
    v = config.validation
    if v is None:
        raise ValueError("'validation' is not given, but its batches are asked for.")
    fixed = dataclasses.replace(
        config,
        seed=0,
        steps=-(-v.scenes // SCENES_AT_ONCE),
        accumulate=1,
        angles=(),
        dropout=Dropout(),
        objective=Objective("uniform", config.objective.shift, "none", stratified=True),
        mix=(Mix(Kind.MULTI_VIEW_VIDEO, 1.0, SCENES_AT_ONCE, v.views, v.latent_frames),),
    )
    return Batches(fixed, open_cache(v.cache), text_of)


@torch.no_grad()
def validate(
    config: TrainConfig, trainee: Trainee | ReCaptureTrainee, ema: Ema | None, batches: Batches
) -> dict[str, float]:
    """Unweighted mean losses `validation/full` and of the trainee's other comparisons, of the averaged parameters where
    there are any, on `held_out_batches`."""
    device = next(trainee.parameters()).device
    raw, was_training, objective = _take_averages(trainee, ema), trainee.training, trainee.objective
    trainee.eval()
    trainee.objective = batches.config.objective
    totals: dict[str, float] = {}
    try:
        with eager_blocks(config):
            for step in range(len(batches)):
                for name, batch in trainee.compared(batches[step].to(device)).items():
                    with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision != "no"):
                        losses = trainee(batch)
                    total = totals.get(f"validation/{name}", 0.0)
                    totals[f"validation/{name}"] = total + losses.float().mean().item() / len(batches)
    finally:
        trainee.objective = objective
        trainee.train(was_training)
        _put_back(trainee, raw)
    return totals


def eager_blocks(config: TrainConfig) -> contextlib.AbstractContextManager[object]:
    """Compiled blocks would be compiled once more here, for a forward without gradients."""
    return torch.compiler.set_stance("force_eager") if config.compile != "no" else contextlib.nullcontext()


def _take_averages(trainee: Trainee | ReCaptureTrainee, ema: Ema | None) -> dict[str, Tensor]:
    parameters = dict(trainee.named_parameters())
    raw = {}
    for name, value in (ema.values if ema else {}).items():
        raw[name] = parameters[name].detach().clone()
        parameters[name].copy_(value)
    return raw


@torch.no_grad()
def _put_back(trainee: Trainee | ReCaptureTrainee, raw: dict[str, Tensor]) -> None:
    parameters = dict(trainee.named_parameters())
    for name, value in raw.items():
        parameters[name].copy_(value)
