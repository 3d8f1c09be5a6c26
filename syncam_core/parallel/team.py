"""One device's side of view synchronization: its views' stream as all views at its share of the frames, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from .exchange import Exchange, to_frames, to_views
from .plan import Plan, shares


class TeamStream:
    """For one forward of (conds * views, tokens, dim), tokens in the order frames, height, width of ``grid``."""

    def __init__(self, exchange: Exchange, plan: Plan, device: int, grid: tuple[int, int, int]):
        self.exchange, self.grid = exchange, grid
        self.conds = len(plan.parts[device].conds)
        self.views: Sequence[range] = plan.views
        own = list(shares(grid[0], exchange.size))[exchange.rank]
        self.frames = slice(own.start, own.stop)
        self.own_grid = (len(own), *grid[1:])
        self._time: tuple[Tensor, Tensor] | None = None

    def all_views(self, x: Tensor) -> Tensor:
        """(own rows, tokens, dim) as (rows of all views, tokens of the own frames, dim), a new tensor."""
        return to_frames(self.exchange, self._unfolded(x), self.views).flatten(2, 3).flatten(0, 1)

    def back(self, whole: Tensor, x: Tensor) -> None:
        """The way back, into ``x``, which must be contiguous."""
        rows = whole.unflatten(0, (self.conds, -1)).unflatten(2, (self.own_grid[0], math.prod(self.grid[1:])))
        to_views(self.exchange, rows, self.views, self._unfolded(x))

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
