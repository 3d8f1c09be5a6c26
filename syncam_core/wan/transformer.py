"""The Wan2.1 text-to-video transformer in plain PyTorch, for training: parameter names of the real files.

What it runs behind its self-attention, or around it, is handed in: for us the view-sync or re-capture blocks that
inference patches into the host's model (`syncam_core.view_sync`, `syncam_core.recapture`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import UserError
from . import layers
from .attention import NORM_EPS, AttentionFunction, Rope, SelfAttention, explicit_attention, grid_rope
from .geometry import WAN21
from .layers import Blocks

FREQUENCIES = 256


@dataclass(frozen=True)
class WanConfig:
    """Sizes of the transformer; the defaults are Wan2.1 T2V 1.3B."""

    dim: int = 1536
    ffn_dim: int = 8960
    num_heads: int = 12
    num_layers: int = 30
    text_dim: int = 4096
    channels: int = WAN21.channels
    patch: tuple[int, int, int] = WAN21.patch

    def __post_init__(self) -> None:
        if self.dim % self.num_heads or (self.dim // self.num_heads) % 2:
            raise UserError(
                f"'dim' is {self.dim}, which does not divide into {self.num_heads} heads of even size.", field="dim"
            )


class CrossAttention(SelfAttention):
    """Tokens look at the text; queries and keys are normalised, nothing is rotated."""

    def forward(  # type: ignore[override]  # the same layers under the same names, with another input
        self, x: Tensor, context: Tensor, heads: int, attention: AttentionFunction
    ) -> Tensor:
        q, k = self.norm_q(self.q(x)), self.norm_k(self.k(context))
        return self.o(attention(q, k, self.v(context), heads))


class Around(Protocol):
    """A block of re-capture, which stands around a block's self-attention."""

    @property
    def projector(self) -> Callable[[Tensor], Tensor]: ...

    def camera(self, poses: Tensor, like: Tensor) -> Tensor: ...


class ViewSyncBlocks(Protocol):
    """The view-sync module: for each block what is added behind its self-attention."""

    @property
    def blocks(self) -> Iterable[Callable[..., Tensor]]: ...


class ReCaptureBlocks(Protocol):
    """The re-capture module."""

    @property
    def blocks(self) -> Iterable[Around]: ...


class WanBlock(nn.Module):
    def __init__(self, config: WanConfig):
        super().__init__()
        dim = config.dim
        self.norm1 = nn.LayerNorm(dim, NORM_EPS, elementwise_affine=False)
        self.self_attn = SelfAttention(dim, operations=layers)
        self.norm3 = nn.LayerNorm(dim, NORM_EPS)
        self.cross_attn = CrossAttention(dim, operations=layers)
        self.norm2 = nn.LayerNorm(dim, NORM_EPS, elementwise_affine=False)
        self.ffn = nn.Sequential(
            nn.Linear(dim, config.ffn_dim), nn.GELU(approximate="tanh"), nn.Linear(config.ffn_dim, dim)
        )
        self.modulation = nn.Parameter(torch.randn(1, 6, dim) / dim**0.5)

    def forward(
        self,
        x: Tensor,  # (batch, tokens, dim)
        time: Tensor,  # (batch, 1, 6, dim)
        context: Tensor,  # (batch, words, dim)
        rope: Rope,
        heads: int,
        attention: AttentionFunction,
        views: Views | None,
        view_block: Callable[..., Tensor] | None,
        trajectories: Tensor | None = None,  # (batch, frames of the target, 12)
        recapture_block: Around | None = None,
    ) -> Tensor:
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (self.modulation + time).unbind(2)
        y = torch.addcmul(shift, self.norm1(x), 1 + scale)
        if recapture_block is not None:
            assert trajectories is not None
            cameras = recapture_block.camera(trajectories, y)
            y = (y.unflatten(1, (cameras.shape[1], -1)) + cameras.unsqueeze(2)).flatten(1, 2)
        y = self.self_attn(y, rope, heads, attention)
        if recapture_block is not None:
            y = recapture_block.projector(y)
        x = torch.addcmul(x, y, gate)
        if views is not None:
            assert view_block is not None
            x = x + view_block(x, time, views.poses, views.grid, views.rope, heads, views.attention)
        x = x + self.cross_attn(self.norm3(x), context, heads, attention)
        y = self.ffn(torch.addcmul(ffn_shift, self.norm2(x), 1 + ffn_scale))
        return torch.addcmul(x, y, ffn_gate)


@dataclass(frozen=True, eq=False)
class Views:
    """What the view-sync blocks need in one forward."""

    poses: Tensor  # (scenes, views, frames, 12)
    grid: tuple[int, int, int]
    rope: Rope
    attention: AttentionFunction


class Head(nn.Module):
    def __init__(self, config: WanConfig):
        super().__init__()
        self.norm = nn.LayerNorm(config.dim, NORM_EPS, elementwise_affine=False)
        self.head = nn.Linear(config.dim, math.prod(config.patch) * config.channels)
        self.modulation = nn.Parameter(torch.randn(1, 2, config.dim) / config.dim**0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:  # (batch, tokens, dim), (batch, 1, dim)
        shift, scale = (self.modulation + time).unsqueeze(2).unbind(1)
        return self.head(torch.addcmul(shift, self.norm(x), 1 + scale))


class Wan(nn.Module):
    """The transformer with `view_sync` or `recapture` beside its blocks or, without either, alone."""

    def __init__(self, config: WanConfig):
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embedding = nn.Conv3d(config.channels, dim, config.patch, stride=config.patch)
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(FREQUENCIES, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = Blocks(WanBlock(config) for _ in range(config.num_layers))
        self.head = Head(config)
        self.gradient_checkpointing = False

    def compile_blocks(self, backend: str) -> None:
        """Each block, with its view-sync block, becomes one compiled function, which all blocks share: compiling takes
        as long as for one block, once for every shape of the batches."""
        torch._dynamo.config.recompile_limit = 64  # shapes; the default of 8 would silently stop at the ninth
        for block in self.blocks:
            block.compile(backend=backend, dynamic=False)

    def forward(
        self,
        x: Tensor,  # (scenes * views, channels, frames, height, width): noisy latents, views of a scene together
        timestep: Tensor,  # (scenes * views,) in 0..1000
        context: Tensor,  # (scenes * views, words, text_dim)
        view_sync: ViewSyncBlocks | None = None,
        poses: Tensor | None = None,  # (scenes, views, frames, 12)
        attention: AttentionFunction = explicit_attention,
        view_attention: AttentionFunction | None = None,  # default: the same
        recapture: ReCaptureBlocks | None = None,
        source: Tensor | None = None,  # of `recapture`, as x: what stands behind it in time
    ) -> Tensor:  # the velocity, as x
        """Frames, height and width must divide into patches (1 x 2 x 2 for Wan2.1). With `recapture` every item of the
        batch has a trajectory of its own, relative to where its source was filmed from: poses (batch, frames, 12)."""
        asked = x.shape[2]
        if source is not None:
            x = torch.cat([x, source], dim=2)
        frames, height, width = (size // patch for size, patch in zip(x.shape[2:], self.config.patch, strict=True))
        heads = self.config.num_heads
        head_dim = self.config.dim // heads
        # the strided convolution as the matrix product that it is
        parts = dict(zip("opq", self.config.patch, strict=True))
        patches = rearrange(x, "b c (f o) (h p) (w q) -> b (f h w) (c o p q)", **parts)
        tokens = nn.functional.linear(patches, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)
        time = self.time_embedding(sinusoids(timestep).to(tokens.dtype)).unsqueeze(1)
        modulation = rearrange(self.time_projection(time), "b 1 (six d) -> b 1 six d", six=6)
        words = self.text_embedding(context)
        rope = _rope(frames, height, width, head_dim, x.device)
        views = None
        if view_sync is not None and poses is not None:
            grid = (frames, height, width)
            view_positions = _rope(poses.shape[1], height, width, head_dim, x.device)
            views = Views(poses, grid, view_positions, view_attention or attention)
        none = [None] * len(self.blocks)
        view_blocks: Iterable[Callable[..., Tensor] | None] = (
            none if view_sync is None or views is None else view_sync.blocks
        )
        around: Iterable[Around | None] = none if recapture is None else recapture.blocks
        for block, view_block, recapture_block in zip(self.blocks, view_blocks, around, strict=True):
            run = functools.partial(
                block,
                heads=heads,
                attention=attention,
                views=views,
                view_block=view_block,
                trajectories=poses if recapture is not None else None,
                recapture_block=recapture_block,
            )
            if self.gradient_checkpointing and self.training:
                tokens = checkpoint(run, tokens, modulation, words, rope, use_reentrant=False)
            else:
                tokens = run(tokens, modulation, words, rope)
        tokens = self.head(tokens, time)
        out = rearrange(tokens, "b (f h w) (o p q c) -> b c (f o) (h p) (w q)", f=frames, h=height, w=width, **parts)
        return out[:, :, :asked]


@functools.lru_cache(maxsize=16)
def _rope(frames: int, height: int, width: int, head_dim: int, device: torch.device) -> Rope:
    return grid_rope(frames, height, width, head_dim, device)


def sinusoids(timestep: Tensor) -> Tensor:  # (batch,) -> (batch, 256)
    half = FREQUENCIES // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, device=timestep.device, dtype=torch.float32) / half)
    angles = timestep.float()[:, None] * frequency
    return torch.cat([angles.cos(), angles.sin()], dim=1)


@torch.no_grad()
def initialize_wan(model: Wan) -> None:
    """As Wan was begun: Xavier for matrices, zero biases, small embeddings, a zero last layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(model.patch_embedding.weight.flatten(1))
    for embedding in (model.text_embedding, model.time_embedding):
        for layer in embedding:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(model.head.head.weight)
