"""The multi-view synchronization module of SynCamMaster for a Wan2.1 diffusion transformer.

One :class:`ViewSyncBlock` stands beside each transformer block, between its self-attention and its cross-attention.
Self-attention sees one view over all frames; this module sees all views at one latent frame.

Source: SynCamMaster (arXiv 2412.07760), Eq. 5-6, in the form of the public Wan2.1 weights: the camera enters the query,
key and value only, the residual stream is gated by the timestep, and the view index takes the place of time in the
rotary position code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

POSE_NUMBERS = 12
ROPE_THETA = 10000.0
NORM_EPS = 1e-6

# (query, key, value, heads) -> output, all of shape (batch, tokens, dim)
AttentionFunction = Callable[[Tensor, Tensor, Tensor, int], Tensor]


class Rope(NamedTuple):
    """Rotation of interleaved channel pairs: ``cos`` and ``sin`` of shape (tokens, 1, head_dim / 2), float32."""

    cos: Tensor
    sin: Tensor


def view_rope(views: int, height: int, width: int, head_dim: int, device: torch.device | str = "cpu") -> Rope:
    """Rotary position code of the tokens of one latent frame seen by all views, ordered (views height width).

    ``height`` and ``width`` count patches. A head's channels are split as Wan splits them (44 + 42 + 42 of 128); the
    view index 0..views-1 takes the temporal share, so view 0 and view 1 are not interchangeable. The angles are
    computed in float64, theta is 10000. Source: ``freqs_mvs`` of the public Wan2.1 code.
    """
    spatial = 2 * (head_dim // 6)
    rows = []
    for size, channels in ((views, head_dim - 2 * spatial), (height, spatial), (width, spatial)):
        # On the CPU: several devices have no float64.
        frequency = ROPE_THETA ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        rows.append(torch.outer(torch.arange(size, dtype=torch.float64), frequency))
    angles = torch.cat(
        [
            repeat(rows[0], "v c -> v h w c", h=height, w=width),
            repeat(rows[1], "h c -> v h w c", v=views, w=width),
            repeat(rows[2], "w c -> v h w c", v=views, h=height),
        ],
        dim=-1,
    )
    angles = rearrange(angles, "v h w c -> (v h w) 1 c")
    return Rope(angles.cos().float().to(device), angles.sin().float().to(device))


def apply_rope(x: Tensor, rope: Rope, heads: int) -> Tensor:
    """Rotate the channel pairs (2i, 2i+1) of every head of ``x`` (batch, tokens, heads * head_dim); dtype is kept."""
    pairs = x.float().view(*x.shape[:2], heads, -1, 2)
    if x.device.type == "cpu":  # the same products as one complex one: a fifth of the time there
        turned = torch.view_as_complex(pairs) * torch.complex(rope.cos, rope.sin)
        return torch.view_as_real(turned).view(x.shape).to(x.dtype)
    even, odd = pairs.unbind(-1)
    rotated = torch.stack((even * rope.cos - odd * rope.sin, even * rope.sin + odd * rope.cos), dim=-1)
    return rotated.view(x.shape).to(x.dtype)


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Full attention by PyTorch's own kernel; the host may hand in another :data:`AttentionFunction`."""
    q, k, v = (rearrange(t, "b n (heads d) -> b heads n d", heads=heads) for t in (q, k, v))
    return rearrange(nn.functional.scaled_dot_product_attention(q, k, v), "b heads n d -> b n (heads d)")


class ViewAttention(nn.Module):
    """Self-attention over the tokens of all views with RMS-normalised queries and keys (over all of ``dim``)."""

    def __init__(self, dim: int, device=None, dtype=None, operations=nn):
        super().__init__()
        self.q, self.k, self.v, self.o = (operations.Linear(dim, dim, device=device, dtype=dtype) for _ in range(4))
        self.norm_q, self.norm_k = (
            operations.RMSNorm(dim, eps=NORM_EPS, elementwise_affine=True, device=device, dtype=dtype) for _ in range(2)
        )

    def forward(self, x: Tensor, rope: Rope, heads: int, attention: AttentionFunction) -> Tensor:
        q = apply_rope(self.norm_q(self.q(x)), rope, heads)
        k = apply_rope(self.norm_k(self.k(x)), rope, heads)
        return self.o(attention(q, k, self.v(x), heads))


class ViewSyncBlock(nn.Module):
    """The module beside one transformer block. Parameter names are those of the authors' checkpoint."""

    def __init__(self, dim: int, device=None, dtype=None, operations=nn):
        super().__init__()
        self.cam_encoder = operations.Linear(POSE_NUMBERS, dim, device=device, dtype=dtype)
        self.projector = operations.Linear(dim, dim, device=device, dtype=dtype)
        self.norm_mvs = operations.LayerNorm(dim, eps=NORM_EPS, elementwise_affine=False, device=device, dtype=dtype)
        self.mvs_attn = ViewAttention(dim, device, dtype, operations)
        self.modulation_mvs = nn.Parameter(torch.empty(1, 3, dim, device=device, dtype=dtype))

    def forward(
        self,
        x: Tensor,  # (chunks * views, frames * height * width, dim): the stream after self-attention
        time_modulation: Tensor,  # (chunks * views, n, >= 3, dim), n divides the tokens; Wan's own, rows 0..2 are used
        poses: Tensor,  # (views, frames, 12) or (chunks, views, frames, 12): see syncam_core.cameras.encoding
        grid: tuple[int, int, int],  # frames, height, width of the token grid
        rope: Rope,  # of view_rope(views, height, width, dim // heads)
        heads: int,
        attention: AttentionFunction = scaled_dot_product,
    ) -> Tensor:
        """What to add to ``x``, same shape. Chunks (stacked conditionings) are independent of each other in any order.

        Source: steps 3-8 of the public block: gate * projector(attention(modulate(norm(x)) + cam_encoder(pose))).
        """
        frames, height, width = grid
        views = poses.shape[-3]
        modulation = self.modulation_mvs.to(device=x.device, dtype=x.dtype) + time_modulation[:, :, :3]
        shift, scale, gate = (spread_over_tokens(m, x.shape[1]) for m in modulation.unbind(2))

        y = torch.addcmul(shift, self.norm_mvs(x), 1 + scale)
        camera = self.cam_encoder(poses.to(device=x.device, dtype=x.dtype))
        y = rearrange(y, "(c v) (f h w) d -> c v f (h w) d", v=views, f=frames, h=height, w=width)
        y = rearrange(y + camera.unsqueeze(-2), "c v f s d -> (c f) (v s) d")
        y = self.projector(self.mvs_attn(y, rope, heads, attention))
        y = rearrange(y, "(c f) (v s) d -> (c v) (f s) d", f=frames, v=views)
        return gate * y


class ViewSync(nn.Module):
    """All view-sync blocks of a model: ``blocks.N.{cam_encoder,projector,mvs_attn,modulation_mvs}``."""

    def __init__(self, dim: int, depth: int, device=None, dtype=None, operations=nn):
        super().__init__()
        self.dim = dim
        self.blocks = nn.ModuleList(ViewSyncBlock(dim, device, dtype, operations) for _ in range(depth))


def spread_over_tokens(modulation: Tensor, tokens: int) -> Tensor:
    """Repeat (batch, n, dim) along the tokens; n is 1 (one timestep per sample: broadcasts), or a divisor of them."""
    n = modulation.shape[1]
    if n == 1:
        return modulation
    return modulation.repeat_interleave(tokens // n, dim=1)
