"""The multi-view synchronization module of SynCamMaster for a Wan2.1 diffusion transformer.

One :class:`ViewSyncBlock` stands beside each transformer block, between its self-attention and its cross-attention.
Self-attention sees one view over all frames; this module sees all views at one latent frame.

Source: SynCamMaster (arXiv 2412.07760), Eq. 5-6, in the form of the public Wan2.1 weights: the camera enters the query,
key and value only, the residual stream is gated by the timestep, and the view index takes the place of time in the
rotary position code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from ..wan.attention import (
    NORM_EPS,
    AttentionFunction,
    Device,
    Operations,
    Rope,
    SelfAttention,
    apply_rope,
    scaled_dot_product,
)
from ..wan.layers import Blocks
from .coupling import Group, Groups, joint, poses_in_group

POSE_NUMBERS = 12


class ViewAttention(SelfAttention):
    """Self-attention over the tokens of all views, or of views in groups."""

    def in_groups(
        self,
        x: Tensor,  # (chunks, frames, views, tokens, dim)
        seen: Seen,
        frames: slice,  # which frames of `seen` these are
        rope: Rope,  # of as many views as the largest group has, at least
        heads: int,
        attention: AttentionFunction,
        most_tokens: int,
    ) -> Tensor:
        """The mean over each view's groups before the output layer, as ``x``. Queries, keys and values of a view are
        computed once; a group's own cameras are added to them, which is the same as adding them to ``x``."""
        chunks, count, _, tokens, _ = x.shape
        values = self.q(x), self.k(x), self.v(x)
        total, times_asked = torch.zeros_like(x), [0] * seen.views
        for groups in alike(seen.groups, most_tokens // (chunks * count * tokens)):
            asked, everyone = groups[0][1].asked, tuple(range(len(groups[0][1].members)))
            q, k, v = (
                gathered(value, seen, part, groups, positions, frames)
                for part, (value, positions) in enumerate(zip(values, (asked, everyone, everyone), strict=True))
            )
            q = apply_rope(self.norm_q(q), rope.of_views(asked, tokens), heads)
            k = apply_rope(self.norm_k(k), rope.of_views(everyone, tokens), heads)
            answer = rearrange(
                attention(q, k, v, heads), "(c f g) (m s) d -> c f (g m) s d", c=chunks, f=count, m=len(asked)
            )
            for i, view in enumerate(group.members[position] for _, group in groups for position in asked):
                total[:, :, view] += answer[:, :, i]
                times_asked[view] += 1
            del q, k, v, answer
        for view, times in enumerate(times_asked):
            if times > 1:
                total[:, :, view] /= times
        return total


class Seen(NamedTuple):
    """The cameras of one rig in one coupling, as one block's camera encoder sees them."""

    views: int
    groups: Groups
    camera: Tensor | None  # ([chunks,] views, frames, dim): added to the tokens, where all groups begin with view 0
    own: tuple[Tensor, Tensor, Tensor] | None = None  # else what it adds to q, k, v: (all groups' members, frames, dim)
    first: tuple[int, ...] = ()  # each group's first row in `own`

    @property
    def is_joint(self) -> bool:
        return len(self.groups) == 1

    def at(self, frames: slice) -> Seen:
        """At some of the frames."""
        camera = None if self.camera is None else self.camera[..., frames, :]
        if self.own is None:
            return self._replace(camera=camera)
        q, k, v = (part[:, frames] for part in self.own)
        return self._replace(camera=camera, own=(q, k, v))


def alike(groups: Groups, most_views: int) -> Iterator[list[tuple[int, Group]]]:
    """Groups of one shape together, with their numbers, at most ``most_views`` members in all (one group at least)."""

    def shape(numbered: tuple[int, Group]) -> tuple[int, tuple[int, ...]]:
        return len(numbered[1].members), numbered[1].asked

    for (members, _), same in itertools.groupby(sorted(enumerate(groups), key=shape), shape):
        while piece := list(itertools.islice(same, max(1, most_views // members))):
            yield piece


def gathered(
    values: Tensor,  # (chunks, frames, views, tokens, dim): queries, keys or values without their cameras
    seen: Seen,
    part: int,  # which of `seen.own` belongs to them
    groups: list[tuple[int, Group]],
    positions: tuple[int, ...],  # of the members that are wanted from each group
    frames: slice,
) -> Tensor:  # (chunks * frames * groups, positions * tokens, dim), cameras added
    chosen = values[:, :, [group.members[position] for _, group in groups for position in positions]]
    if seen.own is not None:
        rows = [seen.first[number] + position for number, _ in groups for position in positions]
        chosen = chosen + rearrange(seen.own[part][rows][:, frames], "v f d -> f v 1 d")
    return rearrange(chosen, "c f (g m) s d -> (c f g) (m s) d", m=len(positions))


class ViewSyncBlock(nn.Module):
    """The module beside one transformer block. Parameter names are those of the authors' checkpoint.

    ``folded`` is for inference: the attention's output layer and the projector, two matrices in a row, are one, under
    the projector's name (see :func:`fold_output`).
    """

    def __init__(
        self,
        dim: int,
        device: Device | None = None,
        dtype: torch.dtype | None = None,
        operations: Operations = nn,
        folded: bool = False,
    ):
        super().__init__()
        self.folded = folded
        self.cam_encoder = operations.Linear(POSE_NUMBERS, dim, device=device, dtype=dtype)
        self.projector = operations.Linear(dim, dim, device=device, dtype=dtype)
        self.norm_mvs = operations.LayerNorm(dim, eps=NORM_EPS, elementwise_affine=False, device=device, dtype=dtype)
        self.mvs_attn = ViewAttention(dim, device, dtype, operations, folded)
        self.modulation_mvs = nn.Parameter(torch.empty(1, 3, dim, device=device, dtype=dtype))

    def forward(
        self,
        x: Tensor,  # (chunks * views, frames * height * width, dim): the stream after self-attention
        time_modulation: Tensor,  # (chunks * views, n, >= 3, dim), n divides the tokens; Wan's own, rows 0..2 are used
        poses: Tensor,  # (views, frames, 12) or (chunks, views, frames, 12): see syncam_core.cameras.encoding
        grid: tuple[int, int, int],  # frames, height, width of the token grid
        rope: Rope,  # of grid_rope(views, height, width, dim // heads)
        heads: int,
        attention: AttentionFunction = scaled_dot_product,
    ) -> Tensor:
        """What to add to ``x``, same shape: all views attend to each other. Chunks (stacked conditionings) are
        independent of each other in any order.

        Source: steps 3-8 of the public block: gate * projector(attention(modulate(norm(x)) + cam_encoder(pose))).
        """
        camera = self.cam_encoder(poses.to(device=x.device, dtype=x.dtype))
        seen = Seen(poses.shape[-3], joint(poses.shape[-3]), camera)
        return self.to_add(x, time_modulation, seen, grid, rope, heads, attention)

    def to_add(
        self,
        x: Tensor,
        time_modulation: Tensor,
        seen: Seen,
        grid: tuple[int, int, int],
        rope: Rope,
        heads: int,
        attention: AttentionFunction = scaled_dot_product,
    ) -> Tensor:
        """As :meth:`forward`, for any coupling."""
        shift, scale, gate = self.modulation(x, time_modulation, grid)
        views = rearrange(x, "b (f s) d -> b f s d", f=grid[0])
        y = self.synchronized(views, shift, scale, seen, slice(None), rope, heads, attention)
        return rearrange(gate * y, "b f s d -> b (f s) d")

    @torch.no_grad()
    def add_to(
        self,
        x: Tensor,
        time_modulation: Tensor,
        seen: Seen,
        grid: tuple[int, int, int],
        rope: Rope,
        heads: int,
        attention: AttentionFunction = scaled_dot_product,
        strength: float | Tensor = 1.0,  # or one number per row of x, shape (chunks * views,)
        most_tokens: int = 2**62,
    ) -> None:
        """Add what :meth:`forward` gives, times ``strength``, to ``x`` in place, for any coupling, in pieces of whole
        frames with at most ``most_tokens`` tokens (one frame of all views at least). Other arguments as there."""
        shift, scale, gate = self.modulation(x, time_modulation, grid)
        if isinstance(strength, Tensor):
            gate = gate * strength.to(gate).view(-1, 1, 1, 1)
        elif strength != 1:
            gate = gate * strength
        stream = rearrange(x, "b (f s) d -> b f s d", f=grid[0])  # a view: x is contiguous
        at_once = max(1, most_tokens // (stream.shape[0] * stream.shape[2]))
        for start in range(0, grid[0], at_once):
            frames = slice(start, start + at_once)
            piece = stream[:, frames]
            now = [m if m.shape[1] == 1 else m[:, frames] for m in (shift, scale, gate)]
            y = self.synchronized(piece, now[0], now[1], seen, frames, rope, heads, attention, most_tokens)
            piece.addcmul_(now[2], y)
            del y

    @torch.no_grad()
    def see(self, poses: Tensor, groups: Groups, like: Tensor) -> Seen:
        """What this block's camera encoder makes of (views, frames, 12) poses, for ``groups``, in the dtype and on the
        device of ``like``."""
        if all(group.members[0] == 0 for group in groups):
            return Seen(len(poses), groups, self.cam_encoder(poses.to(like)))
        own_poses = torch.cat([poses_in_group(poses, group.members) for group in groups])
        camera = self.cam_encoder(own_poses.to(like))
        # A layer without its bias, through the layer: its weight may lie elsewhere or be packed.
        nothing = torch.zeros_like(camera[:1, :1])
        layers = (self.mvs_attn.q, self.mvs_attn.k, self.mvs_attn.v)
        lengths = (len(group.members) for group in groups)
        first = tuple(itertools.accumulate(lengths, initial=0))[:-1]
        return Seen(len(poses), groups, None, tuple(layer(camera) - layer(nothing) for layer in layers), first)

    def modulation(self, x: Tensor, time_modulation: Tensor, grid: tuple[int, int, int]) -> tuple[Tensor, ...]:
        """Shift, scale and gate, (rows, 1 or frames, 1 or tokens of a frame, dim)."""
        modulation = self.modulation_mvs.to(device=x.device, dtype=x.dtype) + time_modulation[:, :, :3]
        return tuple(spread_over_frames(m, grid) for m in modulation.unbind(2))

    def synchronized(
        self,
        x: Tensor,  # (chunks * views, frames, tokens, dim)
        shift: Tensor,
        scale: Tensor,
        seen: Seen,
        frames: slice,
        rope: Rope,
        heads: int,
        attention: AttentionFunction,
        most_tokens: int = 2**62,
    ) -> Tensor:  # as x, to be gated and added
        views, count = seen.views, x.shape[1]
        if seen.camera is not None:  # added to the shift, which spares a pass over all tokens
            shift = (shift.unflatten(0, (-1, views)) + seen.camera[..., frames, None, :]).flatten(0, 1)
        y = torch.addcmul(shift, self.norm_mvs(x), 1 + scale)
        y = rearrange(y, "(c v) f s d -> c f v s d", v=views)
        if seen.is_joint:
            y = rearrange(y, "c f v s d -> (c f) (v s) d")
            y = self.mvs_attn.jointly(y, rope, heads, attention)
            y = rearrange(y, "(c f) (v s) d -> c f v s d", f=count, v=views)
        else:
            y = self.mvs_attn.in_groups(y, seen, frames, rope, heads, attention, most_tokens)
        y = self.projector(y if self.folded else self.mvs_attn.o(y))
        return rearrange(y, "c f v s d -> (c v) f s d")


class ViewSync(nn.Module):
    """All view-sync blocks of a model: ``blocks.N.{cam_encoder,projector,mvs_attn,modulation_mvs}``."""

    def __init__(
        self,
        dim: int,
        depth: int,
        device: Device | None = None,
        dtype: torch.dtype | None = None,
        operations: Operations = nn,
        folded: bool = False,
    ):
        super().__init__()
        self.dim = dim
        self.blocks = Blocks(ViewSyncBlock(dim, device, dtype, operations, folded) for _ in range(depth))


def spread_over_frames(modulation: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """(batch, n, dim) to (batch, 1 or frames, 1 or tokens of a frame, dim), which broadcasts over the tokens.

    n is 1 (one timestep per sample), the frames (one for each), or another divisor of the tokens.
    """
    frames, n = grid[0], modulation.shape[1]
    if n in (1, frames):
        return modulation.unsqueeze(2)
    tokens = frames * grid[1] * grid[2]
    return modulation.repeat_interleave(tokens // n, dim=1).unflatten(1, (frames, -1))


def fold_output(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's tensors for a folded module: each block's ``projector`` after ``mvs_attn.o`` as one layer.

    Computed in float32 and kept in the projector's dtype; ``mvs_attn.o`` is gone.
    """
    folded = {key: tensor for key, tensor in tensors.items() if ".mvs_attn.o." not in key}
    for key, projector in tensors.items():
        block, _, part = key.partition(".projector.")
        if part == "weight":
            # Copies lie on even addresses, on which a product's rounding depends; tensors mapped from a file may not.
            names = (f"{block}.mvs_attn.o.weight", f"{block}.mvs_attn.o.bias", f"{block}.projector.bias", key)
            weight, bias, own_bias, matrix = (tensors[name].to(torch.float32, copy=True) for name in names)
            folded[key] = (matrix @ weight).to(projector.dtype)
            folded[f"{block}.projector.bias"] = (matrix @ bias + own_bias).to(projector.dtype)
    return folded


def within_each_view(attention: AttentionFunction, views: int) -> AttentionFunction:
    """View attention in which every view sees only itself: the control that keeps the cameras and drops the sharing."""

    def masked(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (rearrange(t, "b (v n) d -> (b v) n d", v=views) for t in (q, k, v))
        return rearrange(attention(q, k, v, heads), "(b v) n d -> b (v n) d", v=views)

    return masked
