"""What a sampling will need, from the models and the device that it will run on."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from ...syncam_core.view_sync.memory import Job, Transformer, memory_sentence
from ...syncam_core.view_sync.settings import Settings
from .latents import geometry_of_model
from .module_patch import ModuleWrapper, wan_of
from .recapture_patch import ReCaptureWrapper
from .view_sync_patch import ViewSyncWrapper


def memory_of_sampling(model: ModelPatcher, module: ModuleWrapper, shape: Sequence[int], cfg: float) -> str:
    """One sentence for a latent of ``shape`` (views, channels, frames, height, width): memory, and what would fit."""
    wan, base, weights = wan_of(model.model), model.model, module.weights
    geometry = geometry_of_model(model.model)
    frames, width, height = geometry.video_size(shape)
    numbers = [sum(p.numel() for p in part.parameters()) for part in (wan, weights.model)]
    sizes = Transformer(
        dim=wan.dim,
        ffn=wan.ffn_dim,
        heads=wan.num_heads,
        depth=len(wan.blocks),
        text_dim=wan.text_dim,
        weight_bytes=round(model.model_size() / numbers[0]),
        module_weight_bytes=round(weights.model_size() / numbers[1]),
        itemsize=base.get_dtype_inference().itemsize,
        patch_numbers=geometry.patch_numbers,
    )
    device = model.load_device
    free = free_memory(device, model.model_size() + weights.model_size())
    # The host stacks the conditionings where its own, more careful, estimate lets it.
    left = free - model.model_size() - weights.model_size()
    recaptures = isinstance(module, ReCaptureWrapper)
    stream = [2 * shape[0], shape[1], shape[2] * (2 if recaptures else 1), *shape[3:]]
    stacks = cfg != 1 and base.memory_required(stream) * 1.5 < left
    settings = module.settings if isinstance(module, ViewSyncWrapper) else Settings(memory=module.memory)
    job = Job(
        views=shape[0],
        frames=frames,
        width=width,
        height=height,
        coupling=settings.coupling,
        group_size=settings.group_size,
        memory=settings.memory,
        stacked=2 if stacks else 1,
        geometry=geometry,
        recapture=recaptures,
    )
    on_gpu = device.type != "cpu"
    return memory_sentence(job, sizes, free, fused=on_gpu, weights_wait=on_gpu)


def free_memory(device: torch.device, weights: int) -> float:
    """Bytes that the weights and the work on them may take: what is free, and what the host would make free."""
    free = comfy.model_management.get_free_memory(device)
    if device.type == "cpu":  # the weights are there already
        return free + weights
    loaded = comfy.model_management.current_loaded_models
    return free + sum(each.model_loaded_memory() for each in loaded if each.device == device)
