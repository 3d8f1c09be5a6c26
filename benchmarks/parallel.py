"""What several devices give: speed of two threads on two cores, and counts of the real model on 2, 4 and 8 devices.

    COMFYUI_PATH=/path/to/ComfyUI OMP_NUM_THREADS=1 python benchmarks/parallel.py [--repeats 5] [--parts speed counted]

"speed" runs forwards of Wan's real widths and 21 latent frames in turns, on one device and on two, which are names of
one CPU with a thread each; it needs two cores that are free, and takes about three minutes. "counted" takes seconds and
computes nothing: operations by formula, memory and bytes by running the same code without numbers. Writes
benchmarks/PARALLEL.md.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import PACK, load_host

PAGE = PACK / "benchmarks" / "PARALLEL.md"
CARD_FLOPS, LINK_BYTES = 90e12, 25e9  # assumed: bf16 in practice, PCIe 4.0 x16 in practice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=2, help="of the transformer")
    parser.add_argument("--grid", type=int, nargs=3, default=[21, 6, 8], help="latent frames, height, width in tokens")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each thread that asks; a call of PyTorch tells one thread alone
    import torch

    load_host("--cpu")
    torch.set_num_threads(1)
    lines = [f"What several devices give: `python benchmarks/parallel.py`, {date.today()}."]
    with torch.inference_mode():
        for part in options.parts:
            lines.append("")
            for line in PARTS[part](options):
                print(line, flush=True)
                lines.append(line)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Pool:
    """Threads as the host's MultiGPUThreadPool has them."""

    def __init__(self, devices: int):
        self._threads = {i: ThreadPoolExecutor(1) for i in range(1, devices)}
        self._results: dict = {}

    def submit(self, device, function, *arguments) -> None:
        self._results[device.index] = self._threads[device.index].submit(function, *arguments)

    def get_result(self, device):
        return self._results.pop(device.index).result(), None


class Parted:
    """A forward of one model over several devices, each with a copy of it."""

    def __init__(self, widths, dtype, devices: int, device: str = "cpu"):
        import torch
        from models import Pair

        self.module: ModuleType = sys.modules["syncam_pack.nodes.host.parallel"]
        self.pair = Pair(widths, dtype, device)
        copies = [self.pair, *(Pair(widths, dtype, device) for _ in range(devices - 1))]
        models = []
        for number, pair in enumerate(copies):
            pair.base.set_additional_models(self.module.VIEW_SYNC_KEY, [pair.weights])
            pair.base.load_device = torch.device("cpu" if device == "cpu" else device, number)
            models.append(pair.base)
        self.devices = self.module.Devices(models, Pool(devices), sent=[0] * devices)

    def forward(self, inputs, options: dict, split: str = "views"):
        from models import new_once

        step = options[self.pair.step]
        self.devices.keeps = [step.once, *(self.devices.keeps[1:] or [new_once() for _ in self.devices.models[1:]])]
        own = {**options, self.pair.step: step._replace(blocks_run=[])}
        plan = self.module.planned(1, len(inputs.x), len(self.devices.models), split)
        args = [inputs.x.to(self.pair.dtype), inputs.timestep, inputs.text, None, None, own]
        return self.module.Forward(plan, self.devices, self.pair.base.model.diffusion_model._forward, args, {}).result()


def speed(options: argparse.Namespace) -> Iterator[str]:
    import torch
    from models import Shape, Widths, new_once

    parted = Parted(Widths(depth=options.blocks), torch.float32, 2)
    shape = Shape(options.views, *options.grid)
    inputs = parted.pair.inputs(shape)
    once = new_once()
    settings = parted.pair.options(inputs, once)
    clock = Clock(parted.module)
    forwards = {
        "one": lambda: parted.pair.ours(inputs, settings),
        "two": lambda: parted.forward(inputs, settings),
    }
    results = {name: forward() for name, forward in forwards.items()}
    error = ((results["two"] - results["one"]).norm() / results["one"].norm()).item()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in forwards}
    parted.devices.sent, clock.waits, clock.busy = [0, 0], 0.0, [0.0, 0.0]
    for turn in range(options.repeats):
        for name in list(forwards)[:: 1 if turn % 2 else -1]:
            started = time.perf_counter(), time.process_time()
            forwards[name]()
            seconds[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
    one, two = seconds["one"], seconds["two"]
    wall = [a[0] / b[0] for a, b in zip(one, two, strict=True)]
    work = [b[1] / a[1] for a, b in zip(one, two, strict=True)]
    yield (
        f"Forwards of {options.blocks} blocks of Wan2.1 1.3B's widths, float32, {shape.views} views of {shape.frames} x "
        f"{shape.height} x {shape.width} tokens, one thread for each device, {options.repeats} turns."
    )
    yield ""
    yield "| | one device | two devices | ratio: median (least, most) |"
    yield "|---|---|---|---|"
    yield f"| wall, s | {middle(one, 0):.2f} | {middle(two, 0):.2f} | {spread(wall)} times as fast |"
    yield f"| processor time of all threads, s | {middle(one, 1):.2f} | {middle(two, 1):.2f} | {spread(work)} of one |"
    busiest = max(clock.busy) / options.repeats
    yield f"| of the busier thread, s | {middle(one, 1):.2f} | {busiest:.2f} | {middle(one, 1) / busiest:.2f} times as fast, if nothing waits |"
    own = [sent / options.repeats for sent in parted.devices.sent]
    counted = counted_bytes(parted.module, shape, options.blocks, parted.pair.widths.dim, 4, 2)
    yield ""
    yield f"Relative difference of the results {error:.1e}. In each forward each device sends {told(own, 1e6)} MB, by "
    yield f"formula {told(counted, 1e6)} MB, and is in exchanges for {clock.waits / options.repeats / 2:.2f} s, waiting included."
    yield f"Load of the machine: {os.getloadavg()[0]:.1f}."


class Clock:
    """Seconds that all threads spend in exchanges, and processor time of each device's thread."""

    def __init__(self, module: ModuleType):
        self.waits, self.busy = 0.0, [0.0, 0.0]
        exchange = sys.modules["syncam_pack.syncam_core.parallel.exchange"].ThreadExchange
        swap, on = exchange.swap, module.Forward.on

        def timed(member, *arguments):
            started = time.perf_counter()
            swap(member, *arguments)
            self.waits += time.perf_counter() - started

        def watched(forward, device, meetings):
            started = time.thread_time()
            result = on(forward, device, meetings)
            self.busy[device] += time.thread_time() - started
            return result

        exchange.swap, module.Forward.on = timed, watched


def counted(options: argparse.Namespace) -> Iterator[str]:
    import torch
    from flops import base_flops, module_flops
    from models import Shape, Widths

    widths = Widths(depth=30)
    yield (
        "Counted, not measured: Wan2.1 1.3B, 480 x 832, 81 frames, bf16, joint coupling, one conditioning. Seconds are "
        f"operations at {CARD_FLOPS / 1e12:.0f} TFLOP/s and bytes at {LINK_BYTES / 1e9:.0f} GB/s, not overlapped."
    )
    yield ""
    yield "| views | devices | TFLOP of the busiest | GB sent by the busiest | s of work + s of exchange | times as fast | work memory of the fullest, of one device's |"
    yield "|---|---|---|---|---|---|---|"
    for views in (2, 4, 8):
        alone, memory = None, None
        for devices in (1, 2, 4, 8):
            if devices > views:
                continue
            module = sys.modules["syncam_pack.nodes.host.parallel"]
            plan = module.planned(1, views, devices, "views")
            most = max(part.rows for part in plan.parts)
            whole, groups = Shape(views, 21, 30, 52), joint(views)
            share = -(-21 // devices) / 21
            flops = base_flops(widths, Shape(most, 21, 30, 52)) + share * module_flops(widths, whole, groups, 4)
            sent = max(counted_bytes(module, whole, widths.depth, widths.dim, 2, devices)) if devices > 1 else 0
            work, exchange = flops / CARD_FLOPS, sent / LINK_BYTES
            alone = alone or work
            peak = max(peaks(Widths(depth=1), whole, devices, torch.bfloat16, "auto"))
            memory = memory or peak
            yield (
                f"| {views} | {devices} | {flops / 1e12:.0f} | {sent / 1e9:.1f} | {work:.1f} + {exchange:.2f} | "
                f"{alone / (work + exchange):.2f} | {peak / 1e9:.1f} GB, {peak / memory:.2f} |"
            )
    yield ""
    yield "Work memory of the fuller of two devices at 4 views, of one device's, by `memory` of SynCam Apply:"
    for memory_choice in ("auto", "low", "whole"):
        one, two = (max(peaks(Widths(depth=1), Shape(4, 21, 30, 52), n, torch.bfloat16, memory_choice)) for n in (1, 2))
        yield f"{memory_choice} {two / 1e9:.2f} of {one / 1e9:.2f} GB, {two / one:.2f};"


def joint(views: int):
    return sys.modules["syncam_pack.syncam_core.view_sync.coupling"].joint(views)


def peaks(widths, shape, devices: int, dtype, memory: str) -> list[int]:
    """Bytes of tensors that each device holds at once in a forward, beside the weights."""
    from live_bytes import LiveBytes

    parted = Parted(widths, dtype, devices, "meta")
    inputs = parted.pair.inputs(shape)
    settings = parted.pair.options(inputs, memory="whole")
    most = sys.modules["syncam_pack.syncam_core.view_sync.memory"].tokens_at_once(memory, widths.dim, 2, math.inf)
    settings[parted.pair.step] = settings[parted.pair.step]._replace(most_tokens=most)
    if devices == 1:
        with attention_that_keeps_nothing(), LiveBytes() as live:
            parted.pair.ours(inputs, settings)
        return [live.peak]
    found = [0] * devices
    forward = parted.module.Forward
    original = forward.on

    def watched(self, device, meetings):
        with LiveBytes() as live:
            result = original(self, device, meetings)
        found[device] = live.peak
        return result

    forward.on = watched
    try:
        with attention_that_keeps_nothing():
            parted.forward(inputs, settings)
    finally:
        forward.on = original
    return found


@contextmanager
def attention_that_keeps_nothing() -> Iterator[None]:
    """As a GPU's kernel, in the place of the host's own: an override, which may have to see all queries, is none."""
    import comfy.ldm.wan.model
    from measure import nothing_kept

    modules = (comfy.ldm.wan.model, sys.modules["syncam_pack.nodes.host.wan_block"])
    kept = [module.optimized_attention for module in modules]
    for module in modules:
        module.optimized_attention = functools.partial(nothing_kept, None)
    try:
        yield
    finally:
        for module, attention in zip(modules, kept, strict=True):
            module.optimized_attention = attention


def counted_bytes(module: ModuleType, shape, blocks: int, dim: int, itemsize: int, devices: int) -> list[float]:
    """What each device sends in a forward: the stream of each block, and the modulation by time once."""
    plan_module = sys.modules["syncam_pack.syncam_core.parallel.plan"]
    plan = module.planned(1, shape.views, devices, "views")
    stream = plan_module.bytes_of_swap(plan, shape.frames, shape.frame * dim * itemsize)
    frames = list(plan_module.shares(shape.frames, devices))
    time_bytes = [
        len(part.views) * (shape.frames - len(own)) * 3 * dim * itemsize
        for part, own in zip(plan.parts, frames, strict=True)
    ]
    return [blocks * sent + once for sent, once in zip(stream, time_bytes, strict=True)]


def middle(seconds: list[tuple[float, float]], which: int) -> float:
    return statistics.median(pair[which] for pair in seconds)


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"


def told(numbers: list[float], unit: float) -> str:
    return " and ".join(f"{number / unit:.2f}" for number in numbers)


PARTS = {"counted": counted, "speed": speed}

if __name__ == "__main__":
    main()
