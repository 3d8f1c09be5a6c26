"""One device's side of view synchronization: its views' stream as all views at its share of the frames, and back.

In rounds of some frames, so that a device never holds more of the others' stream than it works on at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from .exchange import Exchange, to_frames, to_views
from .plan import Plan, shares


class TeamStream:
    """For one forward of (conds * views, tokens, dim), tokens in the order frames, height, width of ``grid``.

    A round has at most ``most_tokens``, the same for all members, or one frame of all views.
    """

    def __init__(self, exchange: Exchange, plan: Plan, device: int, grid: tuple[int, int, int], most_tokens: int):
        self.exchange, self.grid = exchange, grid
        self.conds = len(plan.parts[device].conds)
        self.views: Sequence[range] = plan.views
        self._shares = list(shares(grid[0], exchange.size))
        at_once = max(1, most_tokens // (self.conds * plan.views[-1].stop * math.prod(grid[1:])))
        parts = [list(shares(len(own), -(-len(self._shares[0]) // at_once))) for own in self._shares]
        self._rounds = [
            [range(own.start + part.start, own.start + part.stop) for own, part in zip(self._shares, now, strict=True)]
            for now in zip(*parts, strict=True)
        ]
        self._time: tuple[Tensor, Tensor] | None = None

    def rounds(self, x: Tensor, time: Tensor, into: Tensor | None = None) -> Iterator[Round]:
        """``x`` (own rows, tokens, dim), some frames of all views after the other; ``time`` is Wan's modulation.

        What is in a round's stream when the next one is asked for goes to the rows of ``into``, by default ``x`` itself,
        which must be contiguous.
        """
        of_all, own = self.time(time), self._shares[self.exchange.rank]
        per_frame = of_all.shape[1] // max(1, len(own))
        for frames in self._rounds:
            now = frames[self.exchange.rank]
            whole = to_frames(self.exchange, self._unfolded(x), self.views, frames)
            first, last = (per_frame * (frame - own.start) for frame in (now.start, now.stop))
            times = of_all if of_all.shape[1] == 1 else of_all[:, first:last]
            one = Round(
                whole.flatten(2, 3).flatten(0, 1), times, slice(now.start, now.stop), (len(now), *self.grid[1:])
            )
            if len(now):
                yield one
            rows = one.x.unflatten(0, (self.conds, -1)).view_as(whole)
            to_views(self.exchange, rows, self.views, self._unfolded(x if into is None else into), frames)
            del whole, one, rows

    def time(self, time: Tensor) -> Tensor:
        """Wan's modulation (own rows, n, >= 3, dim) as (rows of all views, m, 3, dim) for the own frames.

        All blocks of a forward have the same one, so it is exchanged once.
        """
        if self._time is None or self._time[0].data_ptr() != time.data_ptr():
            self._time = time, self._exchanged_time(time[:, :, :3])
        return self._time[1]

    def _exchanged_time(self, time: Tensor) -> Tensor:
        n, frames = time.shape[1], self.grid[0]
        if n == 1:
            spread = time.expand(-1, frames, -1, -1)
        else:
            spread = time if n % frames == 0 else time.repeat_interleave(math.prod(self.grid) // n, dim=1)
        rows = spread.unflatten(1, (frames, -1)).unflatten(0, (self.conds, -1))
        whole = to_frames(self.exchange, rows, self.views).flatten(2, 3).flatten(0, 1)
        return whole[:, :1] if n == 1 else whole

    def _unfolded(self, x: Tensor) -> Tensor:
        return x.view(self.conds, -1, self.grid[0], math.prod(self.grid[1:]), x.shape[-1])


@dataclass(eq=False)
class Round:
    x: Tensor  # (rows of all views, tokens of the frames, dim): to be changed in place, or put another in its place
    time: Tensor  # (rows of all views, m, 3, dim)
    frames: slice
    grid: tuple[int, int, int]  # of these frames
