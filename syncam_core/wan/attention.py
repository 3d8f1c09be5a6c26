"""Wan's attention in plain PyTorch: rotary position code, normalised queries and keys, one kernel for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

ROPE_THETA = 10000.0
NORM_EPS = 1e-6

# (query, key, value, heads) -> output, all of shape (batch, tokens, dim)
AttentionFunction = Callable[[Tensor, Tensor, Tensor, int], Tensor]


Device = torch.device | str


class Operations(Protocol):
    """Where a module takes its layers from: `torch.nn`, `wan.layers`, or the host's."""

    @property
    def Linear(self) -> Callable[..., nn.Linear]: ...

    @property
    def LayerNorm(self) -> Callable[..., nn.LayerNorm]: ...

    @property
    def RMSNorm(self) -> Callable[..., nn.RMSNorm]: ...


class Rope(NamedTuple):
    """Rotation of interleaved channel pairs: ``cos`` and ``sin`` of shape (tokens, 1, head_dim / 2), float32."""

    cos: Tensor
    sin: Tensor

    def of_views(self, positions: tuple[int, ...], tokens: int) -> Rope:
        """The rows of some view positions, each of ``tokens`` tokens."""
        if positions == tuple(range(len(positions))):
            return Rope(*(rows[: len(positions) * tokens] for rows in self))
        return Rope(*(rows.unflatten(0, (-1, tokens))[list(positions)].flatten(0, 1) for rows in self))


def grid_rope(first: int, height: int, width: int, head_dim: int, device: torch.device | str = "cpu") -> Rope:
    """Rotary position code of the tokens of a grid, ordered (first height width), the first axis being frames or views.

    ``height`` and ``width`` count patches. A head's channels are split as Wan splits them (44 + 42 + 42 of 128). Views
    take the temporal share, so view 0 and view 1 are not interchangeable. The angles are computed in float64, theta is
    10000. Source: ``freqs`` and ``freqs_mvs`` of the public Wan2.1 code.
    """
    spatial = 2 * (head_dim // 6)
    rows = []
    for size, channels in ((first, head_dim - 2 * spatial), (height, spatial), (width, spatial)):
        # On the CPU: several devices have no float64.
        frequency = ROPE_THETA ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        rows.append(torch.outer(torch.arange(size, dtype=torch.float64), frequency))
    angles = torch.cat(
        [
            repeat(rows[0], "v c -> v h w c", h=height, w=width),
            repeat(rows[1], "h c -> v h w c", v=first, w=width),
            repeat(rows[2], "w c -> v h w c", v=first, h=height),
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
    rotated = torch.empty_like(x).view(pairs.shape)
    rotated[..., 0] = torch.addcmul(even * rope.cos, odd, rope.sin, value=-1)
    rotated[..., 1] = torch.addcmul(even * rope.sin, odd, rope.cos)
    return rotated.view(x.shape)


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Full attention by PyTorch's own kernel; the host may hand in another :data:`AttentionFunction`."""
    q, k, v = (rearrange(t, "b n (heads d) -> b heads n d", heads=heads) for t in (q, k, v))
    return rearrange(nn.functional.scaled_dot_product_attention(q, k, v), "b heads n d -> b n (heads d)")


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attention as two matrix products: for short sequences on a CPU, where the fused kernel's backward is slow."""
    q, k, v = (rearrange(t, "b n (heads d) -> b heads n d", heads=heads) for t in (q, k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return rearrange(scores.softmax(-1).to(v.dtype) @ v, "b heads n d -> b n (heads d)")


class SelfAttention(nn.Module):
    """Self-attention with RMS-normalised queries and keys (over all of ``dim``); without its output layer if folded."""

    q: nn.Linear
    k: nn.Linear
    v: nn.Linear
    o: nn.Linear

    def __init__(
        self,
        dim: int,
        device: Device | None = None,
        dtype: torch.dtype | None = None,
        operations: Operations = nn,
        folded: bool = False,
    ):
        super().__init__()
        for name in "qkv" if folded else "qkvo":
            self.add_module(name, operations.Linear(dim, dim, device=device, dtype=dtype))
        self.norm_q, self.norm_k = (
            operations.RMSNorm(dim, eps=NORM_EPS, elementwise_affine=True, device=device, dtype=dtype) for _ in range(2)
        )

    def forward(self, x: Tensor, rope: Rope, heads: int, attention: AttentionFunction) -> Tensor:
        return self.o(self.jointly(x, rope, heads, attention))

    def jointly(self, x: Tensor, rope: Rope, heads: int, attention: AttentionFunction) -> Tensor:
        """What comes before the output layer ``o``, as ``x`` (batch, tokens, dim)."""
        q = apply_rope(self.norm_q(self.q(x)), rope, heads)
        k = apply_rope(self.norm_k(self.k(x)), rope, heads)
        return attention(q, k, self.v(x), heads)
