"""Reading COLMAP's models with rigs and frames, beside pycolmap, COLMAP's own reader.

Models of 2,000 images with the key points of each, as COLMAP writes them: a rig of eight cameras that walks, and one walking
camera. Both readers take turns in one process; imports, and the first reading of each, are not counted. Times are the
processor's: both read in one thread, and whatever else the machine does lengthens neither.

    pip install pycolmap
    python benchmarks/colmap.py [--images 2000] [--points 200] [--turns 15]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.formats import colmap


def walking(views: int, frames: int) -> Rig:
    """Cameras on a ring that is carried a centimetre further with each frame."""
    still = orbit_rig([360 / views * view for view in range(views)], [10], [3])
    c2w = still.c2w.reshape(views, 1, 4, 4).repeat(1, frames, 1, 1)
    c2w[:, :, 0, 3] += 0.01 * torch.arange(frames, dtype=c2w.dtype)
    return Rig(still.names, c2w)


def seconds(read: Callable[[], object]) -> float:
    begun = time.process_time()
    read()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--points", type=int, nargs="+", default=[0, 200, 1000], help="key points of an image")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    try:
        import pycolmap
    except ImportError:
        raise SystemExit("pycolmap, which this is held against, is missing: pip install pycolmap") from None
    print(
        "| model | key points each | ours, ms | pycolmap, ms | ours / pycolmap [least, most] |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for views, points, binary in itertools.product((8, 1), options.points, (False, True)):
            path = Path(folder, f"{views}_{points}_{binary}")
            colmap.write(walking(views, options.images // views), path, binary=binary)
            model = pycolmap.Reconstruction(path)
            seen = np.random.default_rng(0).uniform(0, 480, (points, 2))
            for image in model.images.values():
                image.points2D = pycolmap.Point2DList([pycolmap.Point2D(point) for point in seen])
            (model.write_binary if binary else model.write_text)(path)
            readers = (lambda at=path: colmap.read(at, unit_m=1.0), lambda at=path: pycolmap.Reconstruction(at))
            [read() for read in readers]
            turns = [[seconds(read) for read in readers] for _ in range(options.turns)]
            ratios = [ours / theirs for ours, theirs in turns]
            ours, theirs = (1000 * statistics.median(each) for each in zip(*turns, strict=True))
            print(
                f"| {views} x {options.images // views} images, {'binary' if binary else 'text'} | {points} | {ours:.0f} | "
                f"{theirs:.0f} | {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] |",
                flush=True,
            )


if __name__ == "__main__":
    main()
