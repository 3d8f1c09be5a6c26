"""The loss on scenes that are not trained on, at fixed noise: with views, with each view alone, without the module."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from ..datasets.footage import Kind
from .batches import Batch, Batches
from .config import Dropout, Mix, Objective, TrainConfig
from .latent_cache import open_cache
from .optimizers import Ema
from .trainee import Trainee

SCENES_AT_ONCE = 8


def held_out_batches(config: TrainConfig, text_of: Callable[[str], Tensor]) -> Batches:
    """The same scenes, noise and levels every time. Raises UserError for a cache that cannot give them."""
    v = config.validation
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
def validate(config: TrainConfig, trainee: Trainee, ema: Ema | None, batches: Batches) -> dict[str, float]:
    """Unweighted mean losses `validation/full`, `/masked` (every view attends to itself alone) and `/off` of the
    averaged parameters where there are any, on `held_out_batches`."""
    device = next(trainee.parameters()).device
    raw, was_training, objective = _take_averages(trainee, ema), trainee.training, trainee.objective
    trainee.eval()
    trainee.objective = batches.config.objective
    totals = {"validation/full": 0.0, "validation/masked": 0.0, "validation/off": 0.0}
    try:
        with eager_blocks(config):
            for step in range(len(batches)):
                batch = batches[step].to(device)
                for name, changes in (
                    ("validation/full", {}),
                    ("validation/masked", {"masked": True}),
                    ("validation/off", {"view_sync": False}),
                ):
                    with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision != "no"):
                        losses = trainee(Batch(**{**vars(batch), **changes}))
                    totals[name] += losses.float().mean().item() / len(batches)
    finally:
        trainee.objective = objective
        trainee.train(was_training)
        _put_back(trainee, raw)
    return totals


def eager_blocks(config: TrainConfig) -> contextlib.AbstractContextManager:
    """Compiled blocks would be compiled once more here, for a forward without gradients."""
    return torch.compiler.set_stance("force_eager") if config.compile != "no" else contextlib.nullcontext()


def _take_averages(trainee: Trainee, ema: Ema | None) -> dict[str, Tensor]:
    parameters = dict(trainee.named_parameters())
    raw = {}
    for name, value in (ema.values if ema else {}).items():
        raw[name] = parameters[name].detach().clone()
        parameters[name].copy_(value)
    return raw


@torch.no_grad()
def _put_back(trainee: Trainee, raw: dict[str, Tensor]) -> None:
    parameters = dict(trainee.named_parameters())
    for name, value in raw.items():
        parameters[name].copy_(value)
