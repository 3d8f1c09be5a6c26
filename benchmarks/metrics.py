"""Time and memory of the metrics of one take: 4 views x 81 frames at 832 x 480 of the textured synthetic world, whose
cameras are known, so that the table has the errors as well.

    python benchmarks/metrics.py                      camera accuracy with sift, which needs no file: some minutes
    python benchmarks/metrics.py --models FOLDER      and with the matchers whose files are there

Writes benchmarks/METRICS.md. The frames that are measured are made first and are not in the times. Linux only, as it
asks the kernel for the peak of memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics.bench import Bench
from syncam_core.metrics.camera_accuracy import CameraAccuracy, camera_accuracy, moments_of
from syncam_core.metrics.matching import MATCHERS, matcher_of
from syncam_core.metrics.networks.files import Networks
from syncam_core.metrics.networks.i3d import I3D
from syncam_core.metrics.networks.inception import FidInception
from syncam_core.metrics.suite import METRICS, measure
from syncam_core.metrics.takes import Take
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.video.clip import BITS_8, Clip, MadeClip

PACK = Path(__file__).resolve().parents[1]
LIMIT_S = 60  # for the camera accuracy of the take on two cores
WRONG_ORDER = (0, 3, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--models", type=Path, action="append", default=[], help="where the matchers' files are")
    parser.add_argument("--output", type=Path, default=PACK / "benchmarks" / "METRICS.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rig = orbit_rig([0.0, 15.0, 30.0, 45.0], [30.0], [4.0])
    views = film(rig, options)
    rows = [row for name in MATCHERS if (row := measured(name, views, rig, options))]
    text = page(rows, options) + networks_page(views, rig, options)
    options.output.write_text(text, encoding="utf-8")
    print(text)


def film(rig: Rig, options: argparse.Namespace) -> list[Clip]:
    """Views of which only the frames that are measured can be read."""
    scene, times = replace(Scene.random(3), texture=1), frame_times(options.frames, 15.0)
    made: dict[int, np.ndarray] = {}
    for frame in moments_of(options.frames, options.every):
        seen = render(scene, rig, options.height, options.width, times[frame : frame + 1], supersample=1)[:, 0]
        made[frame] = (seen * 255).round().byte().numpy()
    sizes = (options.frames, options.height, options.width, BITS_8)
    return [MadeClip(*sizes, lambda frame, view=view: made[frame][view]) for view in range(rig.views)]


def measured(name: str, views: list[Clip], rig: Rig, options: argparse.Namespace) -> list[str] | None:
    try:
        matcher = matcher_of(name, options.models)
    except UserError:
        return None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    right = camera_accuracy(views, rig, matcher, every=options.every)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    wrong = camera_accuracy(views, replace(rig, c2w=rig.c2w[list(WRONG_ORDER)]), matcher, every=options.frames)
    return [matcher.name, f"{wall:.1f} s", f"{cpu:.1f} s", f"{peak:.0f} MB", *errors(right), *errors(wrong)]


# ---- the other metrics


def save_random_networks(folder: Path) -> None:
    """Every network in its real size and layout, with random weights."""
    from torchvision.models import alexnet
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    inception = FidInception().state_dict() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    for name, state in (
        ("clip", CLIPModel(CLIPConfig()).state_dict()),
        ("inception", inception),
        ("i3d", I3D().state_dict()),
        ("alexnet", alexnet(weights=None).state_dict()),
    ):
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / f"{name}.safetensors")


def networks_page(views: list[Clip], rig: Rig, options: argparse.Namespace) -> str:
    # the moments are those that were rendered; what stands between them is the moment before
    sizes = (options.frames, options.height, options.width, BITS_8)
    films = [MadeClip(*sizes, lambda at, view=view: view[at // options.every * options.every]) for view in views]
    take = Take("benchmark", tuple(films), rig, "a red cone circling on sand under a clear sky", 15.0)
    tokenizer = Path(os.environ.get("COMFYUI_PATH", "")) / "comfy" / "sd1_tokenizer"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        save_random_networks(Path(folder))
        for name, metric in METRICS.items():
            bench = Bench(Networks([Path(folder)], tokenizers=[tokenizer]), options.every, "sift", truth=take)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            wall, cpu = time.perf_counter(), time.process_time()
            if metric.features is not None:
                said = f"{len(metric.features(bench, take))} items of the set"
            else:
                found = measure(name, take, bench)
                said = found if isinstance(found, str) else "; ".join(found.notes)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            rows.append([metric.title, f"{wall:.1f} s", f"{cpu:.1f} s", f"{peak:.0f} MB", said])
    head = ["metric", "wall", "CPU", "more memory", "of"]
    return "\n".join(
        [
            "",
            "## All metrics of the same take",
            "",
            "Networks of the real sizes with random weights, each read anew from its file, which is in the time and in the "
            "memory. CLIP-T, CLIP-F and CLIP-V of one run share what CLIP saw, FVD and FVD-V the network. Of set metrics "
            "this is the take's share. Memory is what the peak grew by, in the order of the rows.",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
    )


def errors(accuracy: CameraAccuracy) -> tuple[str, str]:
    return f"{accuracy.rot_err_deg:.3f}°", f"{accuracy.trans_err:.4f}"


def page(rows: list[list[str]], options: argparse.Namespace) -> str:
    moments = len(moments_of(options.frames, options.every))
    head = ["matcher", "wall", "CPU", "more memory", "RotErr", "TransErr", "RotErr, shuffled", "TransErr, shuffled"]
    lines = [
        "# What the metrics of a take cost",
        "",
        f"Written by `python benchmarks/metrics.py`, {date.today()}: 4 views of {options.frames} frames of "
        f"{options.width} x {options.height}, the textured synthetic world from 0, 15, 30 and 45 degrees, 30 degrees above; CPU "
        f"({platform.machine()}), one thread for PyTorch, Python {platform.python_version()}, PyTorch "
        f"{torch.__version__}. Memory is the peak of resident memory over what the process held before (the measured "
        "frames and the matchers before it).",
        "",
        f"## Camera accuracy ({moments} moments, {3 * moments} pairs)",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"The bound for the default matcher is {LIMIT_S} s. Shuffled: the same views, the cameras of views 2 to 4 in "
        "another order, first moment only.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
