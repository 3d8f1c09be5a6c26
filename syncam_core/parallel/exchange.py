"""What the members of a team hand each other, as an interface, and its form for threads of one process.

Between processes it is `syncam_core.parallel.distributed`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .plan import shares


class PeerLost(RuntimeError):
    """Another member of the team has ended; why, is told by that member."""


class Exchange(ABC):
    """One member's side. All members do the same swaps in the same order."""

    rank: int
    size: int
    bytes_sent: int = 0  # to others

    @abstractmethod
    def swap(self, outgoing: Sequence[Tensor], incoming: Sequence[Tensor]) -> None:
        """Hand ``outgoing[r]`` to member r, and fill ``incoming[r]`` with what r has for this one.

        Shapes agree pairwise and may be empty. What goes out must stay as it is until the next swap begins. Raises
        :class:`PeerLost` once another member has ended.
        """


class Meeting:
    """Where the threads of one team lay out what they have. One for each forward, so that a broken one is not used again."""

    def __init__(self, size: int, check: Callable[[], None] = lambda: None):
        self.size, self.check = size, check  # `check` raises where the user has interrupted
        # In turns: who is fast may lay out for the next swap while others still take from this one.
        self.boards: tuple[list[list[Tensor | None]], ...] = ([[]] * size, [[]] * size)
        self._change = threading.Condition()
        self._arrived = self._met = 0
        self._is_over = False

    def member(self, rank: int) -> ThreadExchange:
        return ThreadExchange(self, rank)

    def leave(self) -> None:
        """A member has ended, well or badly: nobody is to wait for it."""
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def meet(self) -> None:
        """Wait for all members. Raises :class:`PeerLost` where one will not come any more."""
        with self._change:
            self._arrived += 1
            number = self._met
            if self._arrived == self.size:
                self._arrived, self._met = 0, number + 1
                self._change.notify_all()
            self._change.wait_for(lambda: self._met > number or self._is_over)
            if self._met == number:
                raise PeerLost("another device has ended")


class ThreadExchange(Exchange):
    """Members are threads with a device each: tensors are copied from where they lie."""

    def __init__(self, meeting: Meeting, rank: int):
        self.meeting, self.rank, self.size = meeting, rank, meeting.size
        self._turn = 0

    def swap(self, outgoing: Sequence[Tensor], incoming: Sequence[Tensor]) -> None:
        self.meeting.check()
        finish(outgoing[self.rank].device)  # before somebody else's stream reads it
        board = self.meeting.boards[self._turn]
        self._turn = 1 - self._turn
        board[self.rank] = list(outgoing)
        self.meeting.meet()
        for rank, mine in enumerate(incoming):
            theirs = board[rank][self.rank]
            assert theirs is not None
            mine.copy_(theirs)
            self.bytes_sent += outgoing[rank].nbytes if rank != self.rank else 0
        finish(incoming[self.rank].device)  # before the others may change it
        for row in board:
            row[self.rank] = None  # the last one frees it


def finish(device: torch.device) -> None:
    """Wait for the work that a device was given. Not tested on CUDA; a stream event would do there."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# ---- views and frames


def to_frames(exchange: Exchange, x: Tensor, views: Sequence[range], frames: Sequence[range] | None = None) -> Tensor:
    """The stream of all views at this member's frames.

    ``x`` is (conds, own views, frames, ...); the result (conds, all views, own frames, ...) is a new tensor. ``views``
    and ``frames`` are those of each member; without ``frames`` each has its share of all.
    """
    frames = list(shares(x.shape[2], exchange.size)) if frames is None else frames
    own = len(frames[exchange.rank])
    whole = x.new_empty((x.shape[0], views[-1].stop, own, *x.shape[3:]))
    exchange.swap(
        [x[:, :, each.start : each.stop] for each in frames], [whole[:, each.start : each.stop] for each in views]
    )
    return whole


def to_views(
    exchange: Exchange, whole: Tensor, views: Sequence[range], x: Tensor, frames: Sequence[range] | None = None
) -> None:
    """The way back of :func:`to_frames`, into ``x``."""
    frames = list(shares(x.shape[2], exchange.size)) if frames is None else frames
    exchange.swap(
        [whole[:, each.start : each.stop] for each in views], [x[:, :, each.start : each.stop] for each in frames]
    )
