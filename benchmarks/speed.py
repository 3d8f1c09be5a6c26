"""What view synchronization costs: time, memory, and what each way to save gives, in one run on this machine.

    COMFYUI_PATH=/path/to/ComfyUI python benchmarks/speed.py [--threads 1] [--repeats 5] [--parts equality forward ...]

Writes benchmarks/RESULTS.md. Forwards are compared in turns within one process, and the plain implementation also
against itself, which tells how much of a ratio is noise. On a GPU the part "gpu" runs the real Wan2.1 1.3B shapes.
Takes about 12 minutes on one CPU core that is free; parts may be run one by one, others of the page stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import PACK, load_host

RESULTS = PACK / "benchmarks" / "RESULTS.md"
COUPLINGS = ("joint", "anchor", "nearest", "routed")
MEMORY_FLAG = "--measure-resident-memory"
MARK = "<!-- part: "

Lines = Iterator[str]


def main() -> None:
    if MEMORY_FLAG in sys.argv:
        return print_resident_memory()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=2, help="of the transformer, for forwards")
    parser.add_argument("--scenes", type=int, default=3, help="clips of the demo model for each way to sample")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="others stay as they are")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    import torch

    run = load_host(*([] if torch.cuda.is_available() else ["--cpu"]))
    torch.set_num_threads(options.threads)
    for name in options.parts:
        started, load = (time.monotonic(), time.process_time()), os.getloadavg()[0]
        with torch.inference_mode():
            lines = []
            for line in PARTS[name](options, run):
                print(line, flush=True)
                lines.append(line)
        seconds, own = time.monotonic() - started[0], time.process_time() - started[1]
        lines += [
            "",
            (
                f"{date.today()}, {options.threads} thread(s), {seconds:.0f} s of which {own:.0f} s were this process's; load "
                f"of the machine {load:.1f} before and {os.getloadavg()[0]:.1f} after."
            ),
        ]
        print(*lines[-2:], "", sep="\n", flush=True)
        write_part(options.output, name, "\n".join(lines))


def write_part(path: Path, name: str, text: str) -> None:
    """Replace one part of the page; the others stay, in the order in which they are defined."""
    parts = {}
    if path.exists():
        for piece in path.read_text(encoding="utf-8").split(MARK)[1:]:
            other, _, body = piece.partition(" -->\n")
            parts[other] = body.strip("\n")
    parts[name] = text
    pieces = [f"{MARK}{part} -->\n{parts[part]}\n" for part in PARTS if part in parts]
    path.write_text("\n".join([head(), *pieces]), encoding="utf-8")


def head() -> str:
    import comfyui_version
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        "# What view synchronization costs\n\n"
        f"Written by `python benchmarks/speed.py`: {os.cpu_count()} CPU cores ({platform.machine()}, {instructions()}), "
        f"{memory:.0f} GB of memory, {device}; Python {platform.python_version()}, PyTorch {torch.__version__}, ComfyUI "
        f"{comfyui_version.__version__}. Random weights at the widths of Wan2.1 T2V 1.3B with fewer blocks, except for the "
        "demo model. Only ratios within a table mean something: its rows and columns were measured in turns, and [ ] are "
        "the smallest and the largest of the turns. Seconds of one thread are those that the process itself worked, as "
        "other work ran on the machine; it still shares memory and cache, and the spread shows how much that matters.\n"
    )


def instructions() -> str:
    path = Path("/proc/cpuinfo")
    known = path.read_text() if path.exists() else ""
    return next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in known), "CPU")


def equality(options: argparse.Namespace, run: Callable) -> Lines:
    """Before anything is timed: the same numbers."""
    import torch
    from models import Pair, Shape, Widths, new_once

    yield "## The same numbers"
    yield ""
    yield "Relative difference of a forward of ours to the plain implementation, float32, 2 blocks, (views, frames, h, w):"
    yield ""
    pair = Pair(Widths(), torch.float32)
    plain = pair.plain()
    for shape in (Shape(2, 3, 6, 8), Shape(4, 2, 6, 8)):
        inputs = pair.inputs(shape)
        truth = plain(inputs.x, inputs.timestep, inputs.text, inputs.poses)
        for memory in ("whole", "low"):
            got = pair.ours(inputs, pair.options(inputs, new_once(), memory=memory))
            error = ((got - truth).norm() / truth.norm()).item()
            if error > 1e-5:
                raise SystemExit(f"ours and the plain implementation differ by {error:.1e}; nothing was timed.")
            yield f"- {size_of(shape)}, memory {memory}: {error:.1e}"
    base = ((pair.forward(inputs, {}) - truth).norm() / truth.norm()).item()
    yield f"- for comparison, the base without the module: {base:.1e}"


def forward(options: argparse.Namespace, run: Callable) -> Lines:
    """(a) and (b)."""
    import torch
    from flops import base_flops, module_flops, text_keys
    from measure import interleaved, ratio
    from models import Pair, Shape, Widths, new_once

    from syncam_core.view_sync.coupling import joint

    yield "## A forward, against the plain implementation and against the base"
    yield ""
    yield (
        f"Blocks: {options.blocks}; 2 views, joint. *plain again* is the plain one against itself. *overhead* is what the module adds to "
        "the base of the host, *share* what its floating point operations add: with the authors' five matrices, and "
        "as ours (four matrices, text keys and values of the base spared). The aim is an overhead of at most 1.1 x "
        "the share."
    )
    yield ""
    yield (
        "| (views, frames, h, w), dtype | plain, s | plain again / plain | ours / plain | ours / base | overhead | share, "
        "authors' | share, ours | overhead / share, authors' |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    shapes = [Shape(2, 21, 6, 8), Shape(2, 1, 30, 52)]
    if options.quick:
        shapes = [Shape(2, 2, 4, 4)]
    for dtype in (torch.float32, torch.bfloat16):
        pair = Pair(Widths(depth=options.blocks), dtype)
        plain = pair.plain()
        for shape in shapes:
            inputs = pair.inputs(shape)
            ours = pair.options(inputs, new_once())
            run_plain = partial(plain, inputs.x, inputs.timestep, inputs.text, inputs.poses)
            forwards = {
                "plain": run_plain,
                "again": run_plain,
                "ours": partial(pair.ours, inputs, ours),
                "base": lambda pair=pair, inputs=inputs: pair.forward(inputs, {}),
            }
            seconds = interleaved(forwards, options.repeats)
            over_base = ratio(seconds["ours"], seconds["base"])
            total = base_flops(pair.widths, shape)
            module = module_flops(pair.widths, shape, joint(shape.views))
            own = module_flops(pair.widths, shape, joint(shape.views), 4)
            own -= 2 * shape.views * pair.widths.depth * text_keys(pair.widths)
            share, overhead = module / total, over_base[0] - 1
            yield row(
                f"{size_of(shape)}, {name_of(dtype)}",
                f"{statistics.median(seconds['plain']):.2f}",
                spread(ratio(seconds["again"], seconds["plain"])),
                spread(ratio(seconds["ours"], seconds["plain"])),
                spread(over_base),
                f"{overhead:+.1%}",
                f"{share:.1%}",
                f"{own / total:.1%}",
                f"{overhead / share:.2f}",
            )


def once(options: argparse.Namespace, run: Callable) -> Lines:
    """What is computed how often."""
    import torch
    from models import Pair, Shape, Widths, new_once

    yield "## Computed once in a sampling"
    yield ""
    yield "Calls of layers during 5 forwards of one sampling, 2 blocks, 2 views:"
    yield ""
    pair = Pair(Widths(384, 1024, 3, 2), torch.float32)
    inputs = pair.inputs(Shape(2, 2, 4, 4))
    plain = pair.plain()
    kept = pair.options(inputs, new_once())
    counts: dict[str, int] = {}

    def count(module: torch.nn.Module, name: str) -> None:
        def note(*_) -> None:
            counts[name] = counts.get(name, 0) + 1

        module.register_forward_hook(note)

    blocks = pair.base.model.diffusion_model.blocks
    for who, cross, cameras in (("plain", plain.blocks, plain.blocks), ("ours", blocks, pair.weights.model.blocks)):
        for block in cross:
            count(block.cross_attn.k, f"{who}: text keys")
            count(block.cross_attn.v, f"{who}: text values")
        for block in cameras:
            count(block.cam_encoder, f"{who}: cameras")
    module = sys.modules["syncam_pack.nodes.host.view_sync_patch"]
    own_rope, ropes = module.grid_rope, []
    module.grid_rope = lambda *arguments: ropes.append(arguments) or own_rope(*arguments)
    try:
        for _ in range(5):
            plain(inputs.x, inputs.timestep, inputs.text, inputs.poses)
            pair.ours(inputs, pair.options(inputs, kept[pair.patch.ONCE]))
    finally:
        module.grid_rope = own_rope
    for name, times in counts.items():
        yield f"- {name}: {times}"
    yield f"- ours: rotary code of the views: {len(ropes)} more times after the first"


def views(options: argparse.Namespace, run: Callable) -> Lines:
    """(c), time."""
    import torch
    from flops import base_flops, module_flops
    from measure import interleaved
    from models import Pair, Shape, Widths, new_once

    from syncam_core.view_sync.coupling import groups_of

    yield "## Time against the number of views and the resolution"
    yield ""
    frames, height, width = (1, 4, 4) if options.quick else (1, 15, 26)
    yield (
        f"1 block, bfloat16, ({frames}, {height}, {width}) tokens for each view: seconds, median of {options.repeats} "
        "turns; in ( ) the floating point operations of a forward of the real model at 832 x 480, 81 frames, in units of "
        "the base's at 1 view."
    )
    yield ""
    yield row("views", "base", *COUPLINGS)
    yield row(*["---"] * (2 + len(COUPLINGS)))
    pair, real = Pair(Widths(depth=1), torch.bfloat16), Widths(depth=30)
    unit = base_flops(real, Shape(1, 21, 30, 52))
    for count in (1, 2, 4, 8, 16):
        inputs = pair.inputs(Shape(count, frames, height, width))
        forwards = {"base": lambda inputs=inputs: pair.forward(inputs, {})}
        for coupling in COUPLINGS:
            forwards[coupling] = partial(pair.ours, inputs, pair.options(inputs, new_once(), coupling=coupling))
        seconds = interleaved(forwards, max(1, options.repeats // 2))
        full = Shape(count, 21, 30, 52)
        flops = {
            name: base_flops(real, full) + module_flops(real, full, groups_of(name, inputs.poses), 4)
            for name in COUPLINGS
        }
        flops["base"] = base_flops(real, full)
        cells = [f"{statistics.median(seconds[name]):.2f} ({flops[name] / unit:.2f})" for name in forwards]
        yield row(count, *cells)
    yield ""
    yield "The same at 2 views against the resolution, joint:"
    yield ""
    yield row("tokens of a frame", "base, s", "ours, s", "ours / base", "FLOP ratio")
    yield row(*["---"] * 5)
    for height, width in ((4, 4), (5, 5)) if options.quick else ((8, 13), (15, 26), (30, 52)):
        shape = Shape(2, 1, height, width)
        inputs = pair.inputs(shape)
        forwards = {
            "base": lambda inputs=inputs: pair.forward(inputs, {}),
            "ours": partial(pair.ours, inputs, pair.options(inputs, new_once())),
        }
        seconds = interleaved(forwards, options.repeats)
        total = base_flops(pair.widths, shape)
        added = module_flops(pair.widths, shape, groups_of("joint", inputs.poses), 4)
        base, ours = (statistics.median(seconds[name]) for name in ("base", "ours"))
        yield row(f"{height} x {width}", f"{base:.3f}", f"{ours:.3f}", f"{ours / base:.2f}", f"{1 + added / total:.2f}")


def memory(options: argparse.Namespace, run: Callable) -> Lines:
    """(c), memory."""
    import torch
    from live_bytes import LiveBytes
    from measure import counted_peak
    from models import Pair, Shape, Widths

    def plain_peak(pair: Pair, plain, shape: Shape) -> int:
        inputs = pair.inputs(shape)
        with LiveBytes() as live:
            plain(inputs.x, inputs.timestep, inputs.text, inputs.poses, lambda q, k, v, heads: torch.empty_like(q))
        return live.peak

    yield "## Memory"
    yield ""
    yield (
        "GB of tensors alive at the peak of a forward beside the weights, bfloat16, as an allocator would hand them out "
        "(counted on tensors without numbers, for attention that keeps nothing; 1 block, as more hold nothing beside)."
    )
    yield ""
    yield row(
        "frames, size",
        "views",
        "latent",
        "plain",
        *(f"{c}, auto" for c in COUPLINGS[:3]),
        "joint, low",
        "plain / joint",
    )
    yield row(*["---"] * 9)
    pair = Pair(Widths(depth=1), torch.bfloat16, "meta")
    plain = pair.plain()
    sizes = [((21, 30, 52), (1, 2, 4, 8, 16)), ((21, 15, 26), (4,)), ((21, 45, 80), (4,)), ((41, 30, 52), (4,))]
    if options.quick:
        sizes = [((2, 30, 52), (2, 4))]
    for grid, counts in sizes:
        for count in counts:
            shape = Shape(count, *grid)
            peaks = [counted_peak(pair, shape, coupling, "auto") for coupling in COUPLINGS[:3]]
            other = plain_peak(pair, plain, shape)
            low = counted_peak(pair, shape, "joint", "low")
            yield row(
                f"{4 * grid[0] - 3}, {16 * grid[2]} x {16 * grid[1]}",
                count,
                f"{shape.tokens * 64 * 4 / 1e9:.3f}",
                *(f"{peak / 1e9:.2f}" for peak in (other, *peaks, low)),
                f"{other / peaks[0]:.2f}",
            )


def resident(options: argparse.Namespace, run: Callable) -> Lines:
    """(c), memory that a process really takes."""
    yield "## Memory of a process"
    yield ""
    yield (
        "Resident memory of a process at the peak of a forward, less before, really computed on the CPU: bfloat16, 21 "
        "frames of 8 x 13 tokens (a fifteenth of 832 x 480), 1 block, PyTorch's attention for both, in MB. Ours holds "
        "what is kept for the sampling too; the smaller the picture, the more that weighs."
    )
    yield ""
    yield row("views", "plain", "ours, whole", "ours, low", "plain / low")
    yield row(*["---"] * 5)
    for count, peaks in resident_memory().items():
        mb = [peaks[name] / 1e6 for name in ("plain", "whole", "low")]
        yield row(count, *(f"{value:.0f}" for value in mb), f"{mb[0] / mb[2]:.2f}")


def resident_memory() -> dict[str, dict[str, int]]:
    """Measured in a process of its own, where freed memory goes back to the system at once."""
    command = [sys.executable, str(Path(__file__).resolve()), MEMORY_FLAG]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def print_resident_memory() -> None:
    load_host("--cpu", "--use-pytorch-cross-attention")
    import torch
    from measure import resident_peak, resident_peak_of
    from models import Pair, Shape, Widths

    torch.set_num_threads(1)
    told = {}
    with torch.inference_mode():
        pair = Pair(Widths(depth=1), torch.bfloat16)
        plain = pair.plain()
        for count in (1, 1, 2, 4, 8):  # the first run keeps some for good
            shape = Shape(count, 21, 8, 13)
            inputs = pair.inputs(shape)
            told[count] = {
                "plain": resident_peak_of(partial(plain, inputs.x, inputs.timestep, inputs.text, inputs.poses)),
                **{choice: resident_peak(pair, shape, "joint", choice) for choice in ("whole", "low")},
            }
    print(json.dumps(told))


def attention(options: argparse.Namespace, run: Callable) -> Lines:
    """Which kernel the view attention takes on the CPU, and what the other one would cost."""
    import comfy.ldm.modules.attention as host_attention
    import torch
    from measure import interleaved, ratio

    block = sys.modules["syncam_pack.nodes.host.wan_block"]
    yield "## Attention between views on the CPU"
    yield ""
    yield "2 views of 30 x 52 tokens, 12 heads of 128: the host's own (sub-quadratic) against PyTorch's fused kernel."
    yield ""
    yield row("dtype", "chosen", "host's / PyTorch's", "chosen / PyTorch's")
    yield row(*["---"] * 4)
    tokens = 64 if options.quick else 2 * 30 * 52
    kernels = {"PyTorch's": host_attention.attention_pytorch, "host's": host_attention.attention_sub_quad}
    for dtype in (torch.float32, torch.bfloat16):
        q, k, v = (torch.randn(1, tokens, 1536).to(dtype) for _ in range(3))
        forwards = {name: partial(kernel, q, k, v, heads=12) for name, kernel in kernels.items()}
        forwards["chosen"] = partial(block.view_attention, {}, q, k, v, 12)
        seconds = interleaved(forwards, 2 * options.repeats)
        answer = forwards["chosen"]()
        chosen = [name for name in kernels if torch.equal(forwards[name](), answer)]
        yield row(
            name_of(dtype),
            " = ".join(chosen),
            spread(ratio(seconds["host's"], seconds["PyTorch's"])),
            spread(ratio(seconds["chosen"], seconds["PyTorch's"])),
        )


CURVE = (5, 7, 10, 14, 20, 28, 40)  # steps of plain Euler
CONVERGED = 400


def sampling(options: argparse.Namespace, run: Callable) -> Lines:
    """(d)"""
    import torch
    from measure import clock

    from syncam_core.metrics import demo_reference_c2w, score_scenes
    from syncam_core.training.gate import held_out_scene

    count, size, length = 4, 64, 17
    curve, converged = ((2, 4), 8) if options.quick else (CURVE, CONVERGED)
    steps = curve[-1] if options.quick else 20
    model, clip, vae, weights, *_ = run("SynCamDemoModel")
    (negative,) = run("CLIPTextEncode", clip=clip, text="")
    full = {"steps": steps, "cfg": 3.0, "end_percent": 1.0, "cache": None, "sampler": "euler", "scheduler": "simple"}
    plain = {f"Euler, {number} steps": {**full, "steps": number} for number in curve}
    savings = {
        "another seed": {**full, "seed": 1000},
        "EasyCache, threshold 0.05": {**full, "cache": ("EasyCache", 0.05)},
        "EasyCache, threshold 0.1": {**full, "cache": ("EasyCache", 0.1)},
        "EasyCache, threshold 0.15": {**full, "cache": ("EasyCache", 0.15)},
        "LazyCache, threshold 0.1": {**full, "cache": ("LazyCache", 0.1)},
        "LazyCache, threshold 0.2": {**full, "cache": ("LazyCache", 0.2)},
        "view sync in the first 75 % (end_percent 0.75)": {**full, "end_percent": 0.75},
        "view sync in the first 50 % (end_percent 0.5)": {**full, "end_percent": 0.5},
        "CFG 1": {**full, "cfg": 1.0},
        "4 steps, CFG 1": {**full, "steps": 4, "cfg": 1.0},
        **{
            f"{sampler}, {scheduler}, {number} steps": {
                **full, "sampler": sampler, "scheduler": scheduler, "steps": number
            }
            for sampler, scheduler, number in (
                ("dpmpp_2m", "simple", 10),
                ("dpmpp_2m", "simple", 14),
                ("dpmpp_2m", "beta", 10),
                ("dpmpp_2m", "beta", 14),
                ("ipndm", "beta", 9),
                ("ipndm", "beta", 10),
                ("ipndm", "beta", 12),
                ("ipndm", "beta", 14),
                ("deis", "beta", 12),
                ("uni_pc", "simple", 10),
                ("heun", "simple", 6),
            )
        },
    }  # fmt: skip
    ways = {**plain, **savings}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    errors: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.scenes):
        scene, rig = held_out_scene(number, count)
        (cameras,) = run("SynCamEncodeCameras", rig=rig, length=length)
        (latent,) = run("SynCamEmptyLatent", cameras=cameras, width=size, height=size, length=length)
        (positive,) = run("CLIPTextEncode", clip=clip, text=scene.prompt())

        def film(way: dict, number=number, cameras=cameras, latent=latent, positive=positive) -> tuple[dict, float]:
            inputs = {"model": model, "weights": weights, "cameras": cameras}
            (patched,) = run("SynCamApply", **inputs, end_percent=way["end_percent"])
            if way["cache"]:
                node, threshold = way["cache"]
                choices = {"start_percent": 0.15, "end_percent": 0.95, "verbose": False}
                (patched,) = run(node, model=patched, reuse_threshold=threshold, **choices)
            started = clock()
            (sampled,) = run(
                "SynCamSampler",
                model=patched,
                positive=positive,
                negative=negative,
                latent=latent,
                seed=way.get("seed", 0) + number,
                steps=way["steps"],
                cfg=way["cfg"],
                sampler_name=way["sampler"],
                scheduler=way["scheduler"],
                shift=5.0,
            )
            return sampled, clock() - started

        truth = film({**full, "steps": converged})[0]["samples"]
        order = list(ways)
        for name in [*order[number % len(order) :], *order[: number % len(order)]]:
            sampled, took = film(ways[name])
            result = sampled["samples"]
            seconds[name].append(took)
            errors[name].append(((result - truth).norm() / truth.norm()).item())
            (pictures,) = run("SynCamDecodeViews", latent=sampled, vae=vae)
            clips = torch.stack([view.float().cpu() for view in pictures])
            (score,) = score_scenes([(clips, rig)], reference_c2w=demo_reference_c2w())
            scores[name].append(score.reprojection_px)
    yield "## Whole samplings, with each saving"
    yield ""
    yield (
        f"The demo model through the nodes, {count} views, {length} frames of {size} x {size}, shift 5, CFG 3, "
        f"{options.scenes} scenes. The error is the relative difference of the latent to the converged solution, "
        f"{converged} steps of Euler, and not to some {steps} steps, which are themselves that far from it. A saving is "
        "worth something only where fewer plain steps do not give the same: the last column is its time divided by that "
        f"of as many steps of plain Euler as have its error (between those above, interpolated; below 1 it wins). A way "
        "that aims at another picture (CFG 1, view sync cut short) can only lose. The reprojection is the median error "
        "in pixels of 64; another seed shows how large an error is that means a different video."
    )
    yield ""
    yield row("", "s", "error of the latent", "reprojection px", "time / that of Euler with its error")
    yield row(*["---"] * 5)
    for name in ways:
        against = []
        for scene in range(options.scenes):
            known = [errors[one][scene] for one in plain]
            euler = euler_time(errors[name][scene], known, [seconds[one][scene] for one in plain])
            against.append(seconds[name][scene] / euler)
        coarsest = statistics.median(errors[next(iter(plain))])
        is_worse = statistics.median(errors[name]) > coarsest
        yield row(
            name,
            f"{statistics.median(seconds[name]):.2f}",
            f"{statistics.median(errors[name]):.3f} [{min(errors[name]):.3f}, {max(errors[name]):.3f}]",
            f"{statistics.median(scores[name]):.2f}",
            ""
            if name in plain
            else f"further off than {curve[0]} steps"
            if is_worse
            else spread((statistics.median(against), min(against), max(against))),
        )


def euler_time(error: float, errors: list[float], seconds: list[float]) -> float:
    """What plain Euler takes for an error, between two of its numbers of steps; beyond the coarsest, the time of that."""
    import numpy as np

    return float(np.exp(np.interp(np.log(error), np.log(errors[::-1]), np.log(seconds[::-1]))))


def gpu(options: argparse.Namespace, run: Callable) -> Lines:
    """The real model's shapes."""
    import torch
    from flops import base_flops, module_flops
    from measure import interleaved
    from models import Pair, Shape, Widths, new_once

    from syncam_core.view_sync.coupling import joint

    yield "## Wan2.1 T2V 1.3B on a GPU"
    yield ""
    if not torch.cuda.is_available():
        yield "Not run: this machine has no CUDA device. There the same command prints seconds of a forward, peak memory"
        yield "and the share of the device's own rate of matrix products, at 2 and 4 views of 81 frames at 832 x 480."
        return
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = interleaved({"product": lambda: [a @ b for _ in range(20)]}, 5)["product"]
    rate = 20 * 2 * 8192**3 / min(seconds)
    yield f"Random weights, bfloat16; matrix products of 8192 x 8192 run at {rate / 1e12:.0f} TFLOP/s here."
    yield ""
    yield row("views", "s, base", "s, ours", "s, plain", "GB peak, ours", "GB peak, plain", "share of that rate, ours")
    yield row(*["---"] * 7)
    pair = Pair(Widths(depth=30), torch.bfloat16, "cuda")
    plain = pair.plain()
    for count in (2, 4):
        shape = Shape(count, 21, 30, 52)
        inputs = pair.inputs(shape)
        kept = pair.options(inputs, new_once())
        forwards = {
            "base": lambda inputs=inputs: pair.forward(inputs, {}),
            "ours": partial(pair.ours, inputs, kept),
            "plain": partial(plain, inputs.x, inputs.timestep, inputs.text, inputs.poses.to("cuda")),
        }
        seconds = interleaved(forwards, options.repeats)
        peaks = {}
        for name in ("ours", "plain"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            forwards[name]()
            peaks[name] = torch.cuda.max_memory_allocated() / 1e9
        median = {name: statistics.median(times) for name, times in seconds.items()}
        flops = base_flops(pair.widths, shape) + module_flops(pair.widths, shape, joint(count), 4)
        yield row(
            count,
            *(f"{median[name]:.2f}" for name in forwards),
            *(f"{peaks[name]:.1f}" for name in ("ours", "plain")),
            f"{flops / median['ours'] / rate:.0%}",
        )


def row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def spread(ratio: tuple[float, float, float]) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*ratio)


def size_of(shape) -> str:
    return f"({shape.views}, {shape.frames}, {shape.height}, {shape.width})"


def name_of(dtype) -> str:
    return str(dtype).removeprefix("torch.")


PARTS = {part.__name__: part for part in (equality, forward, once, views, memory, resident, attention, sampling, gpu)}


if __name__ == "__main__":
    main()
