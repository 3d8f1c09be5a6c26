"""Pictures on several cores: work that is handed to a few threads, each of which keeps its order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

MOST_LANES = 8
WAITING = 2  # pieces of work for each lane, beyond which who hands out more has to wait: they hold a picture each


class Lanes:
    """Threads that do what they are handed in its order, at most a few pieces behind."""

    def __init__(self, count: int) -> None:
        self._threads = [ThreadPoolExecutor(1) for _ in range(count)]
        self._behind: deque[Future[None]] = deque()

    @property
    def count(self) -> int:
        return len(self._threads)

    def hand(self, lane: int, work: Callable[[], None]) -> None:
        """Let a lane (any number, taken modulo their count) do something. Raises what earlier work has raised."""
        while len(self._behind) >= WAITING * self.count:
            self._behind.popleft().result()
        self._behind.append(self._threads[lane % self.count].submit(work))

    def finish(self) -> None:
        """Wait for all that was handed out. Raises what it raised."""
        while self._behind:
            self._behind.popleft().result()

    def drop(self) -> None:
        """Give up what has not begun, and wait for what has, whatever it raises."""
        for one in self._behind:
            one.cancel()
        while self._behind:
            wait([self._behind.popleft()])

    def end(self) -> None:
        """As `drop`, and for good."""
        self.drop()
        for thread in self._threads:
            thread.shutdown()


@contextmanager
def lanes(most: int) -> Iterator[Lanes]:
    """As many lanes as the machine has cores, at most `most`; whatever ends the block, no thread goes on behind it."""
    opened = Lanes(max(1, min(most, MOST_LANES, os.cpu_count() or 1)))
    try:
        yield opened
        opened.finish()
    finally:
        opened.end()
