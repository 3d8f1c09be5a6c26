"""One job over two processes that talk through gloo, against one process: time, memory, bytes. A thread for each.

    OMP_NUM_THREADS=1 python benchmarks/parallel_processes.py [--repeats 5] [--grid 21 6 8]

Forwards of Wan2.1 1.3B's widths and 21 latent frames, by turns: the two wait while the one works. Times mean something
on two cores that do nothing else; the load is said beside them, and processor times bear more. Memory is the resident
memory at a forward's peak, less before the first one: weights do not count. Linux, about two minutes, 3 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PACK / "benchmarks"), str(PACK)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=2, help="of the transformer")
    parser.add_argument("--grid", type=int, nargs=3, default=[21, 6, 8], help="latent frames, height, width in tokens")
    parser.add_argument("--member", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member:
        return member(options)
    one, two = Team(1), Team(2)
    try:
        tell(options, one, two)
    finally:
        one.end()
        two.end()


class Team:
    """Processes that compute a forward together each time they are asked."""

    def __init__(self, size: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        there |= {"OMP_NUM_THREADS": 1, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": PACK}
        self.processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--member", *sys.argv[1:]],
                env={**os.environ, **{k: str(v) for k, v in {**there, "RANK": rank, "LOCAL_RANK": rank}.items()}},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]

    def forward(self) -> list[dict[str, Any]]:
        for process in self.processes:
            print("go", file=process.stdin, flush=True)
        return [json.loads(process.stdout.readline()) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


def tell(options: argparse.Namespace, one: Team, two: Team) -> None:
    first = one.forward()[0], two.forward()
    turns = []
    for turn in range(options.repeats):
        order = (one, two) if turn % 2 else (two, one)
        said = {team: team.forward() for team in order}
        turns.append((said[one][0], said[two]))
    frames, height, width = options.grid
    print(
        f"Forwards of {options.blocks} blocks of Wan2.1 1.3B's widths, float32, {options.views} views of {frames} x "
        f"{height} x {width} tokens, a thread for each process, {options.repeats} turns, load {os.getloadavg()[0]:.1f}.\n"
    )
    print("| | one process | two processes | ratio: median (least, most) |\n|---|---|---|---|")
    wall = [(alone["wall"], max(each["wall"] for each in both)) for alone, both in turns]
    work = [(alone["cpu"], sum(each["cpu"] for each in both)) for alone, both in turns]
    busy = [(alone["cpu"], max(each["cpu"] for each in both)) for alone, both in turns]
    least = [min(seconds) for seconds in zip(*wall, strict=True)]
    line("wall, s", wall, [a / b for a, b in wall], "times as fast")
    print(f"| least wall, s | {least[0]:.2f} | {least[1]:.2f} | {least[0] / least[1]:.2f} times as fast |")
    line("processor time, all threads, s", work, [b / a for a, b in work], "of one")
    line("processor time, busier process, s", busy, [a / b for a, b in busy], "times as fast, if nothing waits")
    peaks = first[0]["peak"], max(each["peak"] for each in first[1])
    print(
        f"| work memory of the fuller, MB | {peaks[0] / 1e6:.0f} | {peaks[1] / 1e6:.0f} | {peaks[1] / peaks[0]:.2f} of one |"
    )
    exchange = statistics.median(max(each["exchange"] for each in both) for _, both in turns)
    sent = " and ".join(f"{each['sent'] / 1e6:.2f}" for each in turns[-1][1])
    print(f"\nSent in a forward {sent} MB, {exchange:.2f} s in exchanges, waiting included. ", end="")
    error = max(abs(each["sum"] - first[0]["sum"]) / first[0]["sum"] for each in first[1])
    print(f"Relative difference of the results' norms {error:.1e}.")


def line(name: str, pairs: Sequence[tuple[float, float]], ratios: Sequence[float], words: str) -> None:
    middle = [statistics.median(each) for each in zip(*pairs, strict=True)]
    told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f}) {words}"
    print(f"| {name} | {middle[0]:.2f} | {middle[1]:.2f} | {told} |")


def member(options: argparse.Namespace) -> None:
    import torch
    from measure import resident_peak_of

    from syncam_core.parallel.distributed import ProcessExchange, joined
    from syncam_core.parallel.headless import ParallelBase, team_of
    from syncam_core.parallel.plan import planned
    from syncam_core.view_sync.module import ViewSync
    from syncam_core.wan import layers
    from syncam_core.wan.attention import scaled_dot_product
    from syncam_core.wan.transformer import Wan, WanConfig

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = WanConfig(num_layers=options.blocks)
    base = Wan(config).requires_grad_(False)
    view_sync = ViewSync(config.dim, config.num_layers, operations=layers).requires_grad_(False)
    for parameter in view_sync.parameters():
        parameter.normal_(std=0.02)
    frames, height, width = options.grid
    x = torch.randn(options.views, config.channels, frames, 2 * height, 2 * width)
    text, timestep = (
        torch.randn(1, 512, config.text_dim).expand(options.views, -1, -1),
        torch.full((options.views,), 700.0),
    )
    poses = torch.randn(1, options.views, frames, 12)
    with joined(), torch.inference_mode():
        everyone = ProcessExchange()
        plan, model = planned(1, options.views, everyone.size, "views"), base
        team = team_of(plan, everyone.rank)
        if everyone.size > 1:
            model = ParallelBase(base, plan, everyone.rank, team, everyone)
        seconds, result = [0.0], []
        swap = ProcessExchange.swap

        def forward():
            result.append(model(x, timestep, text, view_sync, poses, scaled_dot_product))

        def timed(self, *arguments):
            started = time.perf_counter()
            swap(self, *arguments)
            seconds[0] += time.perf_counter() - started

        ProcessExchange.swap = timed
        for _ in sys.stdin:
            result.clear()
            sent, seconds[0] = team.bytes_sent + everyone.bytes_sent, 0.0
            started = time.perf_counter(), time.process_time()
            peak = resident_peak_of(forward)
            told = {
                "wall": time.perf_counter() - started[0],
                "cpu": time.process_time() - started[1],
                "peak": peak,
                "exchange": seconds[0],
                "sent": team.bytes_sent + everyone.bytes_sent - sent,
                "sum": result[0].double().norm().item(),
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
