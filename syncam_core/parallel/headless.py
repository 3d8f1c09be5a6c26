"""One job over several processes: the plain transformer, each process with its rows, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..training.gate import decode_latents
from ..view_sync.coupling import Groups, groups_of
from ..view_sync.memory import MOST_TOKENS
from ..view_sync.module import ViewSync, ViewSyncBlock
from ..wan.attention import AttentionFunction, Rope
from ..wan.transformer import Wan
from ..wan.vae import WanVAE
from .distributed import ProcessExchange
from .exchange import Exchange
from .plan import Plan
from .team import TeamStream


@dataclass(eq=False)
class ParallelBase:
    """Called as the transformer it stands in for, with all rows, by every process; gives all rows back to each."""

    base: Wan
    plan: Plan
    device: int  # this process's number
    team: Exchange
    everyone: Exchange
    coupling: str = "joint"
    group_size: int = 2
    seed: int = 0
    forwards: int = field(default=0, init=False)  # one for each step

    def __call__(
        self,
        x: Tensor,  # (conds * views, channels, frames, height, width)
        timestep: Tensor,
        context: Tensor,
        view_sync: ViewSync,
        poses: Tensor,  # (conds, views, frames, 12)
        attention: AttentionFunction,
        view_attention: AttentionFunction | None = None,
    ) -> Tensor:
        own = [self.plan.cut(value, self.device) for value in (x, timestep, context)]
        frames, height, width = (side // patch for side, patch in zip(x.shape[2:], self.base.config.patch, strict=True))
        at_once = MOST_TOKENS // self.team.size
        stream = TeamStream(self.team, self.plan, self.device, (frames, height, width), at_once)
        groups = groups_of(self.coupling, poses[0].cpu(), self.group_size, self.forwards, self.seed)
        self.forwards += 1
        beside = TeamViewSync(view_sync, stream, groups)
        result = self.base(*own, beside, poses[: stream.conds], attention, view_attention)
        results = [result.new_empty((part.rows, *result.shape[1:])) for part in self.plan.parts]
        self.everyone.swap([result] * self.everyone.size, results)
        return self.plan.joined(results)


class TeamViewSync(nn.Module):
    """View synchronization of views that are in several processes, in the place of the whole one."""

    def __init__(self, view_sync: ViewSync, stream: TeamStream, groups: Groups):
        super().__init__()
        self.blocks = [TeamBlock(block, stream, groups) for block in view_sync.blocks]


@dataclass(frozen=True, eq=False)
class TeamBlock:
    block: ViewSyncBlock
    stream: TeamStream
    groups: Groups

    def __call__(
        self,
        x: Tensor,  # (conds * own views, tokens, dim)
        time: Tensor,
        poses: Tensor,
        grid: tuple[int, int, int],
        rope: Rope,
        heads: int,
        attention: AttentionFunction,
    ) -> Tensor:  # what to add to x
        added = torch.empty_like(x, memory_format=torch.contiguous_format)
        seen = self.block.see(poses[0], self.groups, x)
        for now in self.stream.rounds(x.contiguous(), time, added):
            here = seen.at(now.frames)
            now.x = self.block.to_add(now.x, now.time, here, now.grid, rope, heads, attention).to(x.dtype)
        return added


def team_of(plan: Plan, device: int) -> ProcessExchange:
    """The exchange of this process's team; every process must ask."""
    members = len(plan.views)
    groups = [dist.new_group(range(first, first + members)) for first in range(0, plan.devices, members)]
    return ProcessExchange(groups[plan.place(device)[0]])


@torch.no_grad()
def decoded(
    vae: WanVAE, latents: Tensor, everyone: Exchange, device: torch.device, done: Callable[[int], None]
) -> list[Tensor]:
    """Views (frames, height, width, 3) as uint8 in the first process, nothing in the others; each decodes its own.

    ``latents`` is (views, channels, frames, height, width), normalised; ``done`` is told which view is ready.
    """
    views: list[Tensor] = []
    for first in range(0, len(latents), everyone.size):
        here = min(everyone.size, len(latents) - first)
        mine = torch.empty(0, dtype=torch.uint8, device=device)
        if everyone.rank < here:
            view = decode_latents(vae, latents[first + everyone.rank][None].to(device))[0]
            mine = view.mul(255).round().to(torch.uint8)
            done(first + everyone.rank)
        shape = torch.tensor(mine.shape if mine.ndim == 4 else (0, 0, 0, 0), device=device)
        shapes = [torch.empty_like(shape) for _ in range(everyone.size)]
        everyone.swap([shape] * everyone.size, shapes)
        nothing = mine.new_empty(0)
        to_first = [mine.flatten() if r == 0 else nothing for r in range(everyone.size)]
        came = [mine.new_empty(int(each.prod())) if everyone.rank == 0 else nothing for each in shapes]
        everyone.swap(to_first, came)
        if everyone.rank == 0:
            views += [numbers.view(*each.tolist()).cpu() for numbers, each in zip(came[:here], shapes, strict=False)]
    return views
