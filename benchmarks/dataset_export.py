"""Time and memory of writing a scene of a dataset, against another checkout of the pack.

Each layout is written by both in turns, in processes of their own: 8 views of 81 frames of 832 x 480, as IMAGE batches that
show a rendered picture which moves, with a little noise. Only the layouts that both have are compared.

    python benchmarks/dataset_export.py --before ../syncam-before        a quarter of an hour on two idle cores
    python benchmarks/dataset_export.py --before ... --views 2 --frames 9

Prints the table of DATASETS.md. Linux only, as it asks the kernel for peaks. Needs no ComfyUI.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from fractions import Fraction
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a checkout to compare with")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--layouts", nargs="+", default=["syncamvideo", "nerfstudio", "colmap"])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.before, options.one, options.views, options.frames)))
        return
    print(f"{options.views} views of {options.frames} frames of 832 x 480, {options.turns} turns, {date.today()}\n")
    print("| layout | before, s | now, s | now / before | of CPU time | now, MB beside the views | size of the files |")
    print("|---|---|---|---|---|---|---|")
    for layout in options.layouts:
        print(row(layout, options), flush=True)


def row(layout: str, options: argparse.Namespace) -> str:
    runs: dict[str, list[dict]] = {"before": [], "now": []}
    for _ in range(options.turns):
        for which, checkout in (("before", options.before), ("now", PACK)):
            runs[which].append(in_own_process(checkout, layout, options))

    def middle(which: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[which])

    shares = [now["seconds"] / before["seconds"] for before, now in zip(runs["before"], runs["now"], strict=True)]
    share = f"{statistics.median(shares):.2f} [{min(shares):.2f}, {max(shares):.2f}]"
    cpu, size = (middle("now", key) / middle("before", key) for key in ("cpu", "bytes"))
    times = f"{middle('before', 'seconds'):.1f} | {middle('now', 'seconds'):.1f}"
    return f"| {layout} | {times} | {share} | {cpu:.2f} | {middle('now', 'peak') / 2**20:.0f} | {size:.2f} |"


def in_own_process(checkout: Path, layout: str, options: argparse.Namespace) -> dict:
    sizes = [f"--{name}={getattr(options, name)}" for name in ("views", "frames")]
    command = [sys.executable, __file__, f"--before={checkout}", f"--one={layout}", *sizes]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[-1])


def one_run(checkout: Path, layout: str, views: int, frames: int) -> dict:
    sys.path.insert(0, str(checkout.resolve()))
    import torch
    from measure import resident_peak_of

    from syncam_core.cameras import ring_rig
    from syncam_core.datasets import append_scene, write_take
    from syncam_core.video.clip import ImageClip

    torch.set_num_threads(1)
    film = moving_picture(frames)
    clips = [ImageClip(film)] * views
    rig = ring_rig(views, 4.0)
    spent: dict[str, float] = {}

    def export(folder: Path, some: list[ImageClip]) -> None:
        append_scene(folder, lambda stage: write_take(stage, layout, some, rig.select(range(len(some))), Fraction(15)))

    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder, "first"), [ImageClip(film[:2])])  # what the first run imports
        begin = time.monotonic(), time.process_time()
        spent["peak"] = resident_peak_of(lambda: export(Path(folder, "set"), clips))
        spent["seconds"], spent["cpu"] = time.monotonic() - begin[0], time.process_time() - begin[1]
        spent["bytes"] = sum(file.stat().st_size for file in Path(folder, "set").rglob("*") if file.is_file())
    return spent


def moving_picture(frames: int):  # (frames, 480, 832, 3) in 0..1
    import torch

    from syncam_core.cameras import orbit_rig
    from syncam_core.synthetic import Scene, render

    scene = Scene.from_prompt("a red cube turning on grass under a clear sky", Scene.random(0))
    (picture,) = render(scene, orbit_rig([20.0], [10.0], [4.0]), 480 + 40, 832 + frames, [0.0], supersample=1)[0]
    noise = torch.Generator().manual_seed(0)
    film = torch.empty(frames, 480, 832, 3)
    for index, frame in enumerate(film):
        crop = picture[index % 40 : index % 40 + 480, index : index + 832]
        frame.copy_(crop + 0.01 * torch.randn(crop.shape, generator=noise)).clamp_(0, 1)
    return film


if __name__ == "__main__":
    main()
