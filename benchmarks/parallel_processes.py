"""One job over two processes that talk through gloo, against one process: time, memory, bytes. A thread for each.

    OMP_NUM_THREADS=1 python benchmarks/parallel_processes.py [--repeats 5] [--grid 21 6 8]

Forwards of Wan2.1 1.3B's widths and 21 latent frames, by turns: the two wait while the one works. Times mean something
on two cores that do nothing else; the load is said beside them, and processor times bear more. Memory is the resident
memory at a forward's peak, less after a tiny one: weights do not count. Linux, about two minutes, 3 GB.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PACK / "benchmarks"), str(PACK)]
CALM = 0.1  # cores for other programs


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
    teams = Team(1), Team(2), Team(1)
    try:
        tell(options, *teams)
    finally:
        for team in teams:
            team.end()


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

    def begin(self) -> None:
        for process in self.processes:
            print("go", file=process.stdin, flush=True)

    def result(self) -> list[dict[str, Any]]:
        return [json.loads(process.stdout.readline()) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


def run(*teams: Team) -> Ran:
    """A forward of each, at the same time."""
    before, started = busy_seconds(), time.perf_counter()
    for team in teams:
        team.begin()
    members = [member for team in teams for member in team.result()]
    wall, work = time.perf_counter() - started, sum(member["cpu"] for member in members)
    return Ran(wall, work, max(0.0, busy_seconds() - before - work) / wall, members)


@dataclass(frozen=True)
class Ran:
    wall: float
    cpu: float
    others: float  # cores that other programs had meanwhile
    members: list[dict[str, Any]]

    @property
    def busiest(self) -> float:
        return max(member["cpu"] for member in self.members)


def busy_seconds() -> float:
    """Of all cores together, since the machine was started."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def tell(options: argparse.Namespace, alone: Team, both: Team, other: Team) -> None:
    for team in (alone, both, other):
        run(team)  # what the first one keeps for good
    turns = []
    for turn in range(options.repeats):
        kinds = [(alone,), (both,), (alone, other)]
        ran = {
            len(kind[-1].processes) + 2 * (len(kind) > 1): run(*kind) for kind in kinds[turn % 3 :] + kinds[: turn % 3]
        }
        turns.append((ran[1], ran[2], ran[3]))
    frames, height, width = options.grid
    calm = [turn for turn in turns if max(ran.others for ran in turn[:2]) < CALM]
    print(
        f"Forwards of {options.blocks} blocks of Wan2.1 1.3B's widths, float32, {options.views} views of {frames} x "
        f"{height} x {width} tokens, a thread for each process; other programs had up to "
        f"{max(ran.others for turn in turns for ran in turn):.2f} cores, less than {CALM} in {len(calm)} of "
        f"{len(turns)} turns, which alone count where there are any.\n"
    )
    turns = calm or turns
    print("| | one process | two processes | ratio: median (least, most) |\n|---|---|---|---|")
    line("wall, s", [(one.wall, two.wall) for one, two, _ in turns], "times as fast", is_speed=True)
    line("processor time, all threads, s", [(one.cpu, two.cpu) for one, two, _ in turns], "of one")
    line("of the busier process, s", [(one.cpu, two.busiest) for one, two, _ in turns], "times as fast", is_speed=True)
    peaks = [(one.members[0]["peak"], max(m["peak"] for m in two.members)) for one, two, _ in turns]
    line("work memory of the fuller, MB", [(a / 1e6, b / 1e6) for a, b in peaks], "of one")
    apart = [2 * one.wall / two.wall for one, _, two in turns]
    members = turns[-1][1].members
    exchange = statistics.median(max(m["exchange"] for m in two.members) for _, two, _ in turns)
    error = max(abs(m["sum"] - turns[-1][0].members[0]["sum"]) / m["sum"] for m in members)
    print(
        f"\nTwo forwards that have nothing to do with each other, at the same time: {statistics.median(apart):.2f} times "
        f"as many as one alone. Sent in a forward {members[0]['sent'] / 1e6:.2f} and {members[1]['sent'] / 1e6:.2f} MB, "
        f"{exchange:.2f} s in exchanges, waiting included. Relative difference of the results' norms {error:.1e}."
    )


def line(name: str, pairs: Sequence[tuple[float, float]], words: str, is_speed: bool = False) -> None:
    one, two = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratios = [a / b if is_speed else b / a for a, b in pairs]
    told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f}) {words}"
    print(f"| {name} | {one:.2f} | {two:.2f} | {told} |")


def member(options: argparse.Namespace) -> None:
    import torch
    from measure import memory_line

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
        model(x[..., :4, :4], timestep, text, view_sync, poses, scaled_dot_product)  # what the first one keeps for good
        before = memory_line("VmRSS")
        for _ in sys.stdin:
            result.clear()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            sent, seconds[0] = team.bytes_sent + everyone.bytes_sent, 0.0
            started = time.perf_counter(), time.process_time()
            forward()
            told = {
                "wall": time.perf_counter() - started[0],
                "cpu": time.process_time() - started[1],
                "peak": memory_line("VmHWM") - before,
                "exchange": seconds[0],
                "sent": team.bytes_sent + everyone.bytes_sent - sent,
                "sum": result[0].double().norm().item(),
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
