"""Peaks of memory and times of one forward, ours and the plain one's."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from models import Pair, ReCapturePair, Shape, new_once


def nothing_kept(function: Callable, q, k, v, heads: int, **_):
    """Attention as a kernel that keeps nothing, for tensors without numbers."""
    return torch.empty_like(q)


def counted_peak(pair: Pair, shape: Shape, coupling: str, memory: str) -> int:
    """Bytes of tensors that a forward of ours holds at once beside the weights; ``pair`` is on "meta"."""
    from live_bytes import LiveBytes

    inputs = pair.inputs(shape)
    settings = {} if isinstance(pair, ReCapturePair) else {"coupling": coupling}
    options = pair.options(inputs, new_once(), memory="whole", **settings)
    options["optimized_attention_override"] = nothing_kept
    if memory != "whole":
        most = sys.modules["syncam_pack.syncam_core.view_sync.memory"].tokens_at_once(
            memory, pair.widths.dim, 2, math.inf
        )
        options[pair.step] = options[pair.step]._replace(most_tokens=most)
    with LiveBytes() as live:
        pair.ours(inputs, options)
    return live.peak


def counted_peak_of(forward: Callable[[], object]) -> int:
    from live_bytes import LiveBytes

    with LiveBytes() as live:
        forward()
    return live.peak


def resident_peak(pair: Pair, shape: Shape, coupling: str, memory: str) -> int:
    """The process's memory at its peak during a forward of ours, less before; Linux."""
    inputs = pair.inputs(shape)
    options = pair.options(inputs, new_once(), coupling=coupling, memory=memory)
    return resident_peak_of(lambda: pair.ours(inputs, options))


def resident_peak_of(forward: Callable[[], object]) -> int:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory_line("VmRSS")
    forward()
    return memory_line("VmHWM") - before


def memory_line(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def interleaved(forwards: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, in turns, in an order that goes round, after one turn that does not count."""
    names = list(forwards)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            started = clock()
            forwards[name]()
            if turn:
                seconds[name].append(clock() - started)
    return seconds


def clock() -> float:
    """Seconds. With one thread on the CPU those that this process really worked, whatever else the machine does."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def ratio(seconds: list[float], of: list[float]) -> tuple[float, float, float]:
    """The median of the ratios turn by turn, and the smallest and the largest."""
    ratios = [a / b for a, b in zip(seconds, of, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)
