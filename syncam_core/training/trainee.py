"""What is trained: a base, the view-sync module, and the loss of a batch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from einops import rearrange
from safetensors import SafetensorError
from torch import Tensor, nn

from ..disk.checkpoint import open_state_dict
from ..disk.module_file import ModuleWeights
from ..errors import UserError
from ..recapture.module import ReCapture
from ..recapture.weights import read_recapture_weights
from ..view_sync.module import ViewSync, within_each_view
from ..view_sync.weights import MODULE_KEY, read_weights
from ..wan import layers
from ..wan.attention import AttentionFunction, explicit_attention, scaled_dot_product
from ..wan.transformer import Wan, WanConfig, initialize_wan
from .batches import IDENTITY_POSE, Batch
from .config import ModelConfig, Objective
from .objective import gaussian_weight, noisy, velocity


class Trainee(nn.Module):
    def __init__(self, base: Wan, view_sync: ViewSync, objective: Objective):
        super().__init__()
        self.base, self.view_sync, self.objective = base, view_sync, objective

    def forward(self, batch: Batch) -> Tensor:  # (scenes,) the loss of each
        views = len(batch.latents) // len(batch.names)
        sigma = batch.sigma.repeat_interleave(views)
        x = noisy(batch.latents, batch.noise, sigma.view(-1, 1, 1, 1, 1))
        attention = attention_for(x.device)
        text = batch.text.repeat_interleave(views, dim=0)
        predicted = self.base(
            x,
            1000 * sigma,
            text,
            self.view_sync if batch.view_sync else None,
            batch.poses,
            attention,
            within_each_view(attention, views) if batch.masked else None,
        )
        error = (predicted.float() - velocity(batch.latents, batch.noise)).square()
        loss = rearrange(error, "(b v) c f h w -> b (v c f h w)", v=views).mean(1)
        return loss * gaussian_weight(batch.sigma) if self.objective.weighting == "gaussian" else loss

    @staticmethod
    def compared(batch: Batch) -> dict[str, Batch]:
        """What the validation compares: the views together, each with itself alone, and the base without the module."""
        return {"full": batch, "masked": replace(batch, masked=True), "off": replace(batch, view_sync=False)}


class ReCaptureTrainee(nn.Module):
    """View 0 of every scene is the source, the others are its re-captures, each an item of its own."""

    def __init__(self, base: Wan, recapture: ReCapture, objective: Objective):
        super().__init__()
        self.base, self.recapture, self.objective = base, recapture, objective

    def forward(self, batch: Batch) -> Tensor:  # (scenes,) the loss of each
        latents, noise = (x.unflatten(0, (len(batch.names), -1)) for x in (batch.latents, batch.noise))
        assert batch.source_sigma is not None  # every batch of re-capture has one
        source = noisy(latents[:, 0], noise[:, 0], batch.source_sigma[:, None, :, None, None])
        targets = latents.shape[1] - 1
        clean, noise = latents[:, 1:].flatten(0, 1), noise[:, 1:].flatten(0, 1)
        sigma = batch.sigma.repeat_interleave(targets)
        predicted = self.base(
            noisy(clean, noise, sigma.view(-1, 1, 1, 1, 1)),
            1000 * sigma,
            batch.text.repeat_interleave(targets, 0),
            poses=batch.poses[:, 1:].flatten(0, 1),
            attention=attention_for(clean.device),
            recapture=self.recapture,
            source=source.repeat_interleave(targets, 0),
        )
        error = (predicted.float() - velocity(clean, noise)).square()
        loss = error.unflatten(0, (-1, targets)).flatten(1).mean(1)
        return loss * gaussian_weight(batch.sigma) if self.objective.weighting == "gaussian" else loss

    @staticmethod
    def compared(batch: Batch) -> dict[str, Batch]:
        """What the validation compares: all that is told, cameras that stay, and noise in the source's place."""
        still = batch.poses.new_tensor(IDENTITY_POSE).expand_as(batch.poses)
        assert batch.source_sigma is not None
        unseen = torch.ones_like(batch.source_sigma)
        return {"full": batch, "still": replace(batch, poses=still), "no_source": replace(batch, source_sigma=unseen)}


def attention_for(device: torch.device) -> AttentionFunction:
    return explicit_attention if device.type == "cpu" else scaled_dot_product


def build_trainee(config: ModelConfig, objective: Objective) -> Trainee | ReCaptureTrainee:
    """From files or from nothing, with the gradients that are asked for. Deterministic under torch's seed.

    Raises UserError when a file is not what it should be.
    """
    dtype = torch.float32 if config.train == "all" else getattr(torch, config.base_dtype)
    base = load_base(config.base, dtype) if config.base else new_base(config)
    if config.train != "all":
        base.to(getattr(torch, config.base_dtype))
    sizes = base.config
    base.gradient_checkpointing = config.gradient_checkpointing
    base.requires_grad_(config.train == "all")
    if config.train == "recapture":
        return ReCaptureTrainee(base, build_recapture(config, base), objective)
    view_sync = ViewSync(sizes.dim, sizes.num_layers, operations=layers)
    initialize_view_sync(view_sync, base)
    if config.beginning == "from_scratch":
        begin_from_scratch(view_sync)
    if config.view_sync:
        weights = read_weights(config.view_sync)
        check_sizes("model.view_sync", weights, base)
        view_sync.load_state_dict(weights.tensors)
    return Trainee(base, view_sync, objective)


def build_recapture(config: ModelConfig, base: Wan) -> ReCapture:
    """The module, with the authors' beginning (camera encoder zero, projector identity: the first step sees the source and
    no camera) or that of a file; the base's self-attention, in float32, trains with it."""
    dim, depth = base.config.dim, base.config.num_layers
    recapture = ReCapture(dim, depth, operations=layers)
    for block in recapture.blocks:
        nn.init.zeros_(block.cam_encoder.weight)
        nn.init.eye_(block.projector.weight)
        nn.init.zeros_(block.cam_encoder.bias)
        nn.init.zeros_(block.projector.bias)
    for beside in base.blocks:
        beside.self_attn.float().requires_grad_()
    if config.recapture:
        weights = read_recapture_weights(config.recapture)
        check_sizes("model.recapture", weights, base)
        base.load_state_dict({key: tensor.float() for key, tensor in weights.self_attention.items()}, strict=False)
        recapture.load_state_dict(weights.module)
    return recapture


def check_sizes(name: str, weights: ModuleWeights, base: Wan) -> None:
    sizes = base.config
    if (weights.dim, weights.depth) != (sizes.dim, sizes.num_layers):
        raise UserError(
            f"'{name}' is for width {weights.dim} with {weights.depth} blocks, but the base has width {sizes.dim} with "
            f"{sizes.num_layers}; use the weights that belong to the base."
        )


def new_base(config: ModelConfig) -> Wan:
    base = Wan(WanConfig(**vars(config.sizes)))
    initialize_wan(base)
    return base


@torch.no_grad()
def initialize_view_sync(view_sync: ViewSync, model: Wan) -> None:
    """The authors' beginning: view attention from the block's self-attention, modulation from its first three rows,
    camera encoder and projector zero, so that the first step equals the base exactly."""
    for block, base in zip(view_sync.blocks, model.blocks, strict=True):
        block.mvs_attn.load_state_dict(base.self_attn.state_dict())
        block.modulation_mvs.copy_(base.modulation[:, :3])
        for layer in (block.cam_encoder, block.projector):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def begin_from_scratch(view_sync: ViewSync) -> None:
    """For a base that begins as well: nothing to protect, so the module may act from the first step."""
    for block in view_sync.blocks:
        for attention in (block.mvs_attn.q, block.mvs_attn.k, block.mvs_attn.v, block.mvs_attn.o):
            nn.init.xavier_uniform_(attention.weight)
        nn.init.xavier_uniform_(block.projector.weight, gain=0.3)
        nn.init.normal_(block.cam_encoder.weight, std=0.05)


def load_base(path: str, dtype: torch.dtype = torch.float32) -> Wan:
    """A Wan2.1 T2V file, safetensors or PyTorch checkpoint, as `dtype`; view-sync weights in it are left out.

    The heads are 128 channels wide unless the file's metadata says otherwise, as the host reads it. Raises UserError.
    """
    try:
        state, metadata = open_state_dict(Path(path))
    except OSError as problem:
        raise UserError(f"'{path}' cannot be read: {problem.strerror or problem}.") from None
    try:
        told = json.loads(metadata.get("config", "{}")).get("transformer", {})
        dim = state["head.modulation"].shape[-1]
        _, _, frames, height, width = state["patch_embedding.weight"].shape
        config = WanConfig(
            dim=dim,
            ffn_dim=state["blocks.0.ffn.0.weight"].shape[0],
            num_heads=told.get("num_heads", dim // 128),
            num_layers=1 + max(int(k.split(".")[1]) for k in state if k.startswith("blocks.")),
            text_dim=state["text_embedding.0.weight"].shape[1],
            channels=state["patch_embedding.weight"].shape[1],
            patch=(frames, height, width),
        )
        with torch.device("meta"):  # no memory but the file's own tensors
            base = Wan(config)
        base.load_state_dict({k: state[k].to(dtype, copy=True) for k in state if not MODULE_KEY.match(k)}, assign=True)
    except (
        LookupError,
        ArithmeticError,
        ValueError,
        TypeError,
        RuntimeError,
        AttributeError,
        SafetensorError,
    ) as problem:
        what = " ".join(str(problem).split())[:200]
        raise UserError(f"'{path}' is no Wan2.1 text-to-video model ({what}).") from problem
    return base


def matrices_of(trainee: nn.Module) -> list[str]:
    """Names of the hidden matrices, which Muon may train: not embeddings, heads, gains."""
    return [
        name
        for name, p in trainee.named_parameters()
        if p.requires_grad and p.ndim == 2 and ".blocks." in name and "cam_encoder" not in name
    ]
