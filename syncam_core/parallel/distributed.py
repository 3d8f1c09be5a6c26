"""The exchange between processes, of one machine or several: `torch.distributed` beneath, NCCL or gloo.

Processes are started by `torchrun`, which says in the environment who is who.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from ..errors import UserError
from .exchange import Exchange, PeerLost

JOIN_S = 300  # for all processes to be there
SILENCE_S = 7.0  # after which a process that says nothing is lost
BEAT_S = 1.0
GRACE_S = (
    2.0  # for the others to say what is wrong with what all were given, before the first process takes the store along
)
LOST = 3  # exit code


class ProcessExchange(Exchange):
    """Members are the processes of a `torch.distributed` group."""

    def __init__(self, group: dist.ProcessGroup | None = None):
        self.group, self.rank, self.size = group, dist.get_rank(group), dist.get_world_size(group)
        self._kept: dict[str, Tensor] = {}  # what goes out and what comes in, as one piece each

    def swap(self, outgoing: Sequence[Tensor], incoming: Sequence[Tensor]) -> None:
        incoming[self.rank].copy_(outgoing[self.rank])
        leaving = [0 if r == self.rank else t.numel() for r, t in enumerate(outgoing)]
        coming = [0 if r == self.rank else t.numel() for r, t in enumerate(incoming)]
        sent, received = (
            self._piece(name, sum(each), outgoing[0]) for name, each in (("out", leaving), ("in", coming))
        )
        for numbers, theirs in zip(sent.split(leaving), outgoing, strict=True):
            if numbers.numel():
                numbers.view(theirs.shape).copy_(theirs)
        try:
            dist.all_to_all_single(received, sent, coming, leaving, group=self.group)
        except RuntimeError as problem:
            raise PeerLost("another process has ended, or its network is gone") from problem
        for mine, numbers in zip(incoming, received.split(coming), strict=True):
            if numbers.numel():
                mine.copy_(numbers.view(mine.shape))
        self.bytes_sent += sent.nbytes

    def _piece(self, name: str, numbers: int, like: Tensor) -> Tensor:
        """Memory that is used again and again: the next swap begins when this one's is copied."""
        kept = self._kept.get(name)
        if kept is None or len(kept) < numbers or (kept.dtype, kept.device) != (like.dtype, like.device):
            self._kept[name] = kept = like.new_empty(numbers)
        return kept[:numbers]


@contextmanager
def joined() -> Iterator[torch.device]:
    """Join the processes that torchrun started; gives this one's device.

    NCCL and a GPU each where there is one for every process of this machine, else gloo on the CPU. While it lasts, a
    process that is killed, or a machine that is gone, ends the others in one sentence within ten seconds.
    """
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local, locals_ = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    except (KeyError, ValueError):
        raise UserError(
            "this is started by torchrun, which says who is who: torchrun --nproc-per-node 2 -m syncam_core.parallel ..."
        ) from None
    on_gpu = torch.cuda.is_available() and torch.cuda.device_count() >= locals_
    device = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = TCPStore(host, port, size, serves, timedelta(seconds=JOIN_S), wait_for_workers=False)
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            store=PrefixStore("syncam", store),
            rank=rank,
            world_size=size,
            timeout=timedelta(hours=12),  # a step of a large job; who is gone is told by the beat
        )
        words = TCPStore(host, port, size, False, timedelta(seconds=SILENCE_S), wait_for_workers=False)
    except (RuntimeError, ValueError) as problem:
        raise UserError(f"not all {size} processes came together at {host}:{port} ({problem}).") from problem
    beat = Beat(words, rank, size)
    beat.start()
    try:
        _meet()  # nobody ends, and takes the store along, before all have it
        yield device
        _meet()
    except (UserError, OSError):
        beat.stop()
        if serves:
            beat.wait_for_others(GRACE_S)
        raise
    finally:
        beat.stop()
    dist.destroy_process_group()


def _meet() -> None:
    try:
        dist.barrier()
    except RuntimeError as problem:
        raise PeerLost("another process has ended, or its network is gone") from problem


class Beat:
    """Says every second that this process lives, and ends it where another has been silent too long."""

    def __init__(self, store: Store, rank: int, size: int, lost: Callable[[str], None] | None = None):
        self.store, self.rank, self.size = store, rank, size
        self.lost = lost or end
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="syncam beat")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """This process has no more to say; the others are not to wait for it."""
        self._ended.set()
        self._thread.join()

    def wait_for_others(self, at_most_s: float) -> None:
        """Until all have stopped, too, for the process that keeps the store."""
        until = time.monotonic() + at_most_s
        for other in set(range(self.size)) - {self.rank}:
            while time.monotonic() < until and not self._has_stopped(other):
                time.sleep(0.01)

    def _has_stopped(self, other: int) -> bool:
        key = f"beat {other}"
        return self.store.check([key]) and self.store.get(key) == b"done"

    def _run(self) -> None:
        heard: dict[int, tuple[bytes, float]] = {}
        beats = 0
        try:
            while not self._ended.wait(BEAT_S):
                beats += 1
                self.store.set(f"beat {self.rank}", str(beats))
                for other in set(range(self.size)) - {self.rank}:
                    key, now = f"beat {other}", time.monotonic()
                    said = self.store.get(key) if self.store.check([key]) else b""
                    before = heard.get(other)
                    if before is None or before[0] != said:
                        heard[other] = said, now
                    elif said != b"done" and now - before[1] > SILENCE_S:
                        self.lost(f"process {other} has been silent for {SILENCE_S:g} seconds")
                        return
            self.store.set(f"beat {self.rank}", "done")
        except RuntimeError:  # the first process keeps the store
            if not self._ended.is_set():
                self.lost("the first process is gone")


def end(sentence: str) -> None:
    """End this process from any thread: the main one may wait for ever for what was lost."""
    print(f"syncam_core.parallel: {sentence}; this one ends, too.", file=sys.stderr, flush=True)
    os._exit(LOST)
