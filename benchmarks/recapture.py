"""What re-captures of one source cost together: four in one batch against four runs, and memory against a plain one.

    COMFYUI_PATH=/path/to/ComfyUI python benchmarks/recapture.py [--threads 1] [--repeats 5] [--quick]

Writes benchmarks/RECAPTURE.md. Everything is measured in turns within one process; random weights at the widths of Wan2.1
T2V 1.3B with fewer blocks, and the demo model from its clip to the latent. Takes about ten minutes on one CPU core that is
free.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import PACK, load_host

RESULTS = PACK / "benchmarks" / "RECAPTURE.md"
COUNT = 4
MOVES = "1, 3, 5, 9"
Lines = Iterator[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    import torch

    run = load_host(*([] if torch.cuda.is_available() else ["--cpu"]))
    torch.set_num_threads(options.threads)
    from speed import head

    lines = [
        head()
        .replace("# What view synchronization costs", "# What re-captures cost")
        .replace("speed.py", "recapture.py")
    ]
    with torch.inference_mode():
        for part in (equality, memory, sampling, demo):
            for line in part(options, run):
                print(line, flush=True)
                lines.append(line)
            lines.append("")
    options.output.write_text("\n".join(lines), encoding="utf-8")


def equality(options: argparse.Namespace, run: Callable) -> Lines:
    """Before anything is timed: the same numbers."""
    import torch
    from models import ReCapturePair, Shape, Widths, new_once

    pair = ReCapturePair(Widths(), torch.float32)
    inputs = pair.inputs(Shape(COUNT, 2, 4, 6))
    source = inputs.source.expand_as(inputs.x)
    truth = pair.plain()(inputs.x, inputs.timestep, inputs.text, inputs.poses, source=source)
    yield "Relative difference of a forward of ours to the plain implementation, float32, 2 blocks, 4 trajectories:"
    yield ""
    for choice in ("whole", "low"):
        got = pair.ours(inputs, pair.options(inputs, new_once(), memory=choice))
        error = ((got - truth).norm() / truth.norm()).item()
        if error > 1e-5:
            raise SystemExit(f"ours and the plain implementation differ by {error:.1e}; nothing was timed.")
        yield f"- memory {choice}: {error:.1e}"


def memory(options: argparse.Namespace, run: Callable) -> Lines:
    """At the peak of a forward, counted on tensors without numbers."""
    import torch
    from measure import counted_peak, counted_peak_of
    from models import ReCapturePair, Shape, Widths

    yield "## Memory"
    yield ""
    yield (
        "GB of tensors alive at the peak of a forward beside the weights, bfloat16, 832 x 480, 81 frames (162 with the "
        "source), as an allocator would hand them out (counted on tensors without numbers, for attention that keeps nothing; "
        "1 block, as more hold nothing beside). The aim is at most 0.5."
    )
    yield ""
    yield "| trajectories | plain | ours, auto | ours, low | auto / plain |"
    yield "|---|---|---|---|---|"
    pair = ReCapturePair(Widths(depth=1), torch.bfloat16, "meta")
    plain = pair.plain()
    for count in (1, 2, COUNT, 8):
        shape = Shape(count, *((3, 30, 52) if options.quick else (21, 30, 52)))
        inputs = pair.inputs(shape)
        forward = partial(
            plain, inputs.x, inputs.timestep, inputs.text, inputs.poses, lambda q, *_: torch.empty_like(q)
        )
        other = counted_peak_of(partial(forward, source=inputs.source.expand_as(inputs.x)))
        auto, low = (counted_peak(pair, shape, "", choice) for choice in ("auto", "low"))
        yield f"| {count} | {other / 1e9:.2f} | {auto / 1e9:.2f} | {low / 1e9:.2f} | {auto / other:.2f} |"


def sampling(options: argparse.Namespace, run: Callable) -> Lines:
    """One batch against as many runs, at real widths: the sampling alone."""
    import torch
    from measure import interleaved, ratio
    from models import ReCapturePair, Shape, Widths

    from syncam_core.cameras.trajectories import TrajectoryEncoding

    yield f"## {COUNT} re-captures of one source in one batch, against {COUNT} runs"
    yield ""
    yield (
        "The sampling alone, 2 blocks, CFG 5, 2 steps: seconds of one run, and the batch over the sum of the single runs. The "
        "aim is at most 0.95. Here the time is that of the layers, of which a batch has four times as many rows."
    )
    yield ""
    yield "| (frames, h, w) of a target, dtype | one run, s | batch / runs |"
    yield "|---|---|---|"
    sizes = [(1, 2, 4)] if options.quick else [(2, 4, 6)]
    for dtype in (torch.float32, torch.bfloat16):
        pair = ReCapturePair(Widths(), dtype)
        for size in sizes:
            inputs = pair.inputs(Shape(COUNT, *size))
            texts = [[[torch.randn(1, 512, 4096), {}]] for _ in range(2)]

            def sample(rows: slice, pair=pair, inputs=inputs, texts=texts) -> None:
                poses = TrajectoryEncoding(inputs.poses[rows])
                model = pair.recapture.apply_recapture(pair.base, pair.module, poses, inputs.source)
                latent = {"samples": torch.zeros_like(inputs.x[rows])}
                settings = {"seed": 0, "steps": 2, "cfg": 5.0, "sampler_name": "euler", "scheduler": "simple"}
                run("SynCamSampler", model=model, positive=texts[0], negative=texts[1], latent=latent, **settings)

            def one_by_one(sample=sample) -> None:
                for i in range(COUNT):
                    sample(slice(i, i + 1))

            forwards = {"batch": partial(sample, slice(None)), "runs": one_by_one}
            seconds = interleaved(forwards, options.repeats)
            middle, low, high = ratio(seconds["batch"], seconds["runs"])
            one = statistics.median(seconds["runs"]) / COUNT
            name = str(dtype).removeprefix("torch.")
            yield f"| {size}, {name} | {one:.2f} | {middle:.2f} [{low:.2f}, {high:.2f}] |"


def demo(options: argparse.Namespace, run: Callable) -> Lines:
    """The demo model, from the clip to the latent."""
    from measure import interleaved, ratio

    from syncam_core.cameras.builders import orbit_rig
    from syncam_core.synthetic import Scene, frame_times, render

    yield "## The demo model, from the clip to the latent"
    yield ""
    model, clip, vae, _, weights = run("SynCamDemoModel")
    film = render(Scene("ball", "red", "walking"), orbit_rig([0.0], [20.0], [5.0]), 64, 64, frame_times(17))[0]

    def made(moves: str, parts: str) -> None:
        (rig,) = run("SynCamRigReCam", moves=moves, amount=0.8, distance_m=5.0, arc="true orbit", length=17)
        (trajectories,) = run("SynCamEncodeTrajectories", rig=rig, length=17)
        source = encoded() if parts == "whole" else known
        texts = written() if parts == "whole" else words
        (patched,) = run("SynCamReCamApply", model=model, weights=weights, trajectories=trajectories, source=source)
        (latent,) = run("SynCamEmptyLatent", trajectories=trajectories, width=64, height=64, length=17)
        settings = {"seed": 0, "steps": 4 if options.quick else 20, "cfg": 3.0, "sampler_name": "euler"}
        inputs = {"positive": texts[0], "negative": texts[1], "latent": latent, "scheduler": "simple", **settings}
        run("SynCamSampler", model=patched, **inputs)

    def encoded() -> dict:
        return run("SynCamSourceVideo", videos={"video0": film}, vae=vae, width=64, height=64, length=17)[0]

    def written() -> list:
        return [run("CLIPTextEncode", clip=clip, text=text)[0] for text in ("a red ball walking on sand", "")]

    known, words = encoded(), written()
    singles = MOVES.split(", ")
    yield "| 20 steps, CFG 3 | one run, s | batch / runs |"
    yield "|---|---|---|"
    for parts, name in (("sampling", "the sampling alone"), ("whole", "source and prompt encoded in every run, too")):
        forwards = {
            "batch": partial(made, MOVES, parts),
            "runs": lambda parts=parts: [made(move, parts) for move in singles],
        }
        seconds = interleaved(forwards, options.repeats)
        middle, low, high = ratio(seconds["batch"], seconds["runs"])
        one = statistics.median(seconds["runs"]) / COUNT
        yield f"| {name} | {one:.2f} | {middle:.2f} [{low:.2f}, {high:.2f}] |"


if __name__ == "__main__":
    main()
