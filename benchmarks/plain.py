"""Wan2.1 with SynCamMaster's module, with the structure of the authors' code: the measure that the pack is held against.

All views go through every layer at once, cameras and the text's keys and values are computed at every step, the view
attention's output layer and the projector are two matrices. The rotary code is complex, in the precision of float32
(the authors' float64 would take more memory and time than is fair to hold against them).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]  # q, k, v of (batch, tokens, dim), heads

EPS = 1e-6


def fused_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=heads) for t in (q, k, v))
    return rearrange(functional.scaled_dot_product_attention(q, k, v), "b h n d -> b n (h d)")


def turns(positions: list[Tensor], head_dim: int) -> Tensor:
    """(tokens, 1, head_dim / 2) complex: the rotary code of tokens at (first, row, column) ``positions``."""
    spatial = 2 * (head_dim // 6)
    angles = []
    for position, width in zip(positions, (head_dim - 2 * spatial, spatial, spatial), strict=True):
        frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles.append(torch.outer(position.double(), frequency))
    angle = torch.cat(angles, dim=1)[:, None]
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(x: Tensor, turn: Tensor, heads: int) -> Tensor:
    pairs = torch.view_as_complex(rearrange(x.float(), "b n (h d two) -> b n h d two", h=heads, two=2).contiguous())
    return torch.view_as_real(pairs * turn).flatten(2).to(x.dtype)


class PlainAttention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.norm_q, self.norm_k = nn.RMSNorm(dim, eps=EPS), nn.RMSNorm(dim, eps=EPS)

    def forward(self, x: Tensor, context: Tensor, attention: Attention, turn: Tensor | None = None) -> Tensor:
        q, k, v = self.norm_q(self.q(x)), self.norm_k(self.k(context)), self.v(context)
        if turn is not None:
            q, k = rotate(q, turn, self.heads), rotate(k, turn, self.heads)
        return self.o(attention(q, k, v, self.heads))


class PlainBlock(nn.Module):
    def __init__(self, dim: int, ffn: int, heads: int):
        super().__init__()
        self.self_attn, self.cross_attn, self.mvs_attn = (PlainAttention(dim, heads) for _ in range(3))
        self.norm1, self.norm2, self.norm_mvs = (nn.LayerNorm(dim, EPS, elementwise_affine=False) for _ in range(3))
        self.norm3 = nn.LayerNorm(dim, EPS)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn), nn.GELU(approximate="tanh"), nn.Linear(ffn, dim))
        self.cam_encoder, self.projector = nn.Linear(12, dim), nn.Linear(dim, dim)
        self.modulation = nn.Parameter(torch.empty(1, 6, dim))
        self.modulation_mvs = nn.Parameter(torch.empty(1, 3, dim))

    def forward(
        self,
        x: Tensor,  # (views, tokens, dim)
        text: Tensor,  # (views, words, dim)
        time: Tensor,  # (views, 6, dim)
        poses: Tensor,  # (views, frames, 12)
        turn: Tensor,
        view_turn: Tensor,
        attention: Attention,
    ) -> Tensor:
        views, frames = poses.shape[:2]
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (self.modulation + time).chunk(6, dim=1)
        y = self.norm1(x) * (1 + scale) + shift
        x = x + gate * self.self_attn(y, y, attention, turn)

        shift, scale, gate = (self.modulation_mvs + time[:, :3]).chunk(3, dim=1)
        y = self.norm_mvs(x) * (1 + scale) + shift
        y = rearrange(y, "v (f s) d -> v f s d", f=frames) + self.cam_encoder(poses)[:, :, None]
        y = rearrange(y, "v f s d -> f (v s) d")
        y = self.projector(self.mvs_attn(y, y, attention, view_turn))
        x = x + gate * rearrange(y, "f (v s) d -> v (f s) d", v=views)

        x = x + self.cross_attn(self.norm3(x), text, attention)
        y = self.norm2(x) * (1 + ffn_scale) + ffn_shift
        return x + ffn_gate * self.ffn(y)


class PlainReCaptureBlock(PlainBlock):
    """ReCamMaster's, with the arguments of the other: cameras before self-attention, of the target and again of the source."""

    def __init__(self, dim: int, ffn: int, heads: int):
        super().__init__(dim, ffn, heads)
        del self.mvs_attn, self.modulation_mvs

    def forward(self, x, text, time, poses, turn, view_turn, attention):  # poses (videos, frames of the target, 12)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (self.modulation + time).chunk(6, dim=1)
        cameras = self.cam_encoder(poses).repeat(1, 2, 1)
        y = self.norm1(x) * (1 + scale) + shift + cameras.repeat_interleave(x.shape[1] // cameras.shape[1], dim=1)
        x = x + gate * self.projector(self.self_attn(y, y, attention, turn))
        x = x + self.cross_attn(self.norm3(x), text, attention)
        y = self.norm2(x) * (1 + ffn_scale) + ffn_shift
        return x + ffn_gate * self.ffn(y)


class PlainWan(nn.Module):
    """Takes the state dict of the host's model together with that of an unfolded module, or of re-capture's."""

    def __init__(self, dim: int, ffn: int, heads: int, depth: int, text_dim: int, block: type[PlainBlock] = PlainBlock):
        super().__init__()
        self.dim, self.heads = dim, heads
        self.patch_embedding = nn.Conv3d(16, dim, (1, 2, 2), (1, 2, 2))
        self.text_embedding = nn.Sequential(nn.Linear(text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim))
        self.time_embedding = nn.Sequential(nn.Linear(256, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(block(dim, ffn, heads) for _ in range(depth))
        self.head = nn.Module()
        self.head.norm, self.head.head = nn.LayerNorm(dim, EPS, elementwise_affine=False), nn.Linear(dim, 64)
        self.head.modulation = nn.Parameter(torch.empty(1, 2, dim))

    def forward(
        self,
        x: Tensor,  # (views, 16, frames, height, width)
        timestep: Tensor,  # (views,), 0 to 1000
        context: Tensor,  # (views, words, text_dim)
        poses: Tensor,  # (views, frames, 12)
        attention: Attention = fused_attention,
        source: Tensor | None = None,  # of re-capture, as x
    ) -> Tensor:
        asked = x.shape[2]
        x = x if source is None else torch.cat([x, source], dim=2)
        views, frames, rows, columns = len(x), x.shape[2], x.shape[3] // 2, x.shape[4] // 2
        dtype = self.head.modulation.dtype
        tokens = self.patch_embedding(x.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2).to(dtype)
        frequency = 10000.0 ** (-torch.arange(128, dtype=torch.float32) / 128)
        angle = torch.outer(timestep.float(), frequency.to(timestep.device))
        time = self.time_embedding(torch.cat([angle.cos(), angle.sin()], dim=1).to(dtype))
        modulation = self.time_projection(time).unflatten(1, (6, self.dim))
        text = self.text_embedding(context.to(dtype))
        poses = poses.to(tokens)

        def code(first: int) -> Tensor:
            grid = torch.cartesian_prod(torch.arange(first), torch.arange(rows), torch.arange(columns))
            return turns(list(grid.unbind(1)), self.dim // self.heads).to(x.device)

        turn, view_turn = code(frames), code(views)
        for block in self.blocks:
            tokens = block(tokens, text, modulation, poses, turn, view_turn, attention)
        shift, scale = (self.head.modulation + time[:, None]).chunk(2, dim=1)
        out = self.head.head(self.head.norm(tokens) * (1 + scale) + shift)
        out = rearrange(out, "v (f h w) (p q c) -> v c f (h p) (w q)", f=frames, h=rows, w=columns, p=2, q=2)
        return out[:, :, :asked, : x.shape[3], : x.shape[4]]
