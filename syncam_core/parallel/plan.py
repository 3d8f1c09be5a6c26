"""Who works on what: rows of conditionings and views for each device, and frames while views look at each other.

Only view synchronization couples views, and only within one latent frame. So a device keeps its views for everything
else, and for each synchronization the stream goes from "my views, all frames" to "all views, my frames" and back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ..errors import check_choice

SPLITS = {
    "auto": "whatever gives the busiest device the least, and then exchanges the least",
    "views": "each device has some of the views, for both conditionings",
    "views and CFG": "positive and negative go to different devices first, views to the rest",
}


class Part(NamedTuple):
    """What one device has of a batch of rows (conditionings views)."""

    conds: range
    views: range

    @property
    def rows(self) -> int:
        return len(self.conds) * len(self.views)


@dataclass(frozen=True)
class Plan:
    """A grid of devices: conditionings times views. Devices of the same conditionings form a team, whose members hand
    each other the stream; teams know nothing of each other."""

    conds: tuple[range, ...]
    views: tuple[range, ...]

    @property
    def devices(self) -> int:
        return len(self.conds) * len(self.views)

    @property
    def parts(self) -> list[Part]:
        """Of each device: the members of a team stand together."""
        return [Part(*both) for both in itertools.product(self.conds, self.views)]

    def place(self, device: int) -> tuple[int, int]:
        """The device's team, and its number in there."""
        return divmod(device, len(self.views))

    def cut(self, value: Tensor, device: int) -> Tensor:
        """The rows of (conds * views, ...) that a device has."""
        part = self.parts[device]
        rows = value.unflatten(0, (self.conds[-1].stop, self.views[-1].stop))
        return rows[part.conds.start : part.conds.stop, part.views.start : part.views.stop].flatten(0, 1)

    def cut_for_team(self, value: Tensor, device: int) -> Tensor:
        """The rows of (conds * views, ...) that a device's whole team has."""
        conds, views = self.parts[device].conds, self.views[-1].stop
        return value[conds.start * views : conds.stop * views]

    def joined(self, results: list[Tensor]) -> Tensor:
        """What all devices made of their rows, as the whole batch, where the first result lies."""
        total = (self.conds[-1].stop, self.views[-1].stop)
        whole = results[0].new_empty((*total, *results[0].shape[1:]))
        for (conds, views), result in zip(self.parts, results, strict=True):
            own = result.unflatten(0, (len(conds), len(views)))
            whole[conds.start : conds.stop, views.start : views.stop] = own.to(whole.device)
        return whole.flatten(0, 1)


def planned(conds: int, views: int, devices: int, split: str = "auto") -> Plan:
    """The grid for ``conds`` stacked conditionings of ``views`` views on at most ``devices`` devices; see :data:`SPLITS`.

    More devices than views times conditionings stay idle. Raises UserError for another split.
    """
    check_choice("split", split, SPLITS)
    most = min(conds, devices)
    possible = {"auto": range(1, most + 1), "views": (1,), "views and CFG": (most,)}[split]
    grids = [(teams, min(views, devices // teams)) for teams in possible]

    def cost(grid: tuple[int, int]) -> tuple[int, int, int]:
        teams, members = grid
        return -(-conds // teams) * -(-views // members), members, teams

    teams, members = min(grids, key=cost)
    return Plan(tuple(shares(conds, teams)), tuple(shares(views, members)))


def shares(total: int, parts: int) -> Iterator[range]:
    """0 .. total - 1 in ``parts`` ranges that differ by one at most, the larger ones first; some may be empty."""
    size, larger = divmod(total, parts)
    for part in range(parts):
        start = part * size + min(part, larger)
        yield range(start, start + size + (part < larger))


def bytes_of_swap(plan: Plan, frames: int, per_frame: int) -> list[int]:
    """What each device sends in one synchronization, there and back: views to frames, and frames to views.

    ``per_frame`` is the bytes of one latent frame of one row of the stream.
    """
    own_frames = list(shares(frames, len(plan.views)))
    sent = []
    for device, part in enumerate(plan.parts):
        mine = len(own_frames[plan.place(device)[1]])
        away = part.rows * (frames - mine) + len(part.conds) * (plan.views[-1].stop - len(part.views)) * mine
        sent.append(away * per_frame)
    return sent
