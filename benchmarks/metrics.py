"""Time and memory of the metrics of one take: 4 views x 81 frames at 832 x 480 of the textured synthetic world, whose
cameras are known, so that the table has the errors as well.

    python benchmarks/metrics.py                      camera accuracy with sift, which needs no file: some minutes
    python benchmarks/metrics.py --models FOLDER      and with the matchers whose files are there

Writes benchmarks/METRICS.md. The frames that are measured are made first and are not in the times. Linux only, as it
asks the kernel for the peak of memory.
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics.camera_accuracy import CameraAccuracy, camera_accuracy, moments_of
from syncam_core.metrics.matching import MATCHERS, matcher_of
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
    text = page(rows, options)
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
