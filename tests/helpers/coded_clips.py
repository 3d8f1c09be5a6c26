"""Videos whose every picture says in black and white blocks which view and which frame it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from syncam_core.cameras import Rig
from syncam_core.take_files.take import ToldTake
from syncam_core.video import write_video

BLOCK = 16  # pixels


def coded_frame(view: int, frame: int, height: int, width: int) -> np.ndarray:
    """The view in the first row of blocks and the frame in the second, lowest bit first."""
    picture = np.full((height, width, 3), 60 + 20 * (view % 8), np.uint8)
    for row, value in enumerate((view, frame)):
        for bit in range(6):
            color = 255 * (value >> bit & 1)
            picture[row * BLOCK : (row + 1) * BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = color
    return picture


def view_and_frame(picture: np.ndarray, scale: float = 1.0) -> tuple[int, int]:
    """What the blocks of a picture say that is `scale` times as large."""
    at = ((np.arange(6) + 0.5) * BLOCK * scale).astype(int)
    rows = [picture[int((row + 0.5) * BLOCK * scale), at, 1] > 128 for row in range(2)]
    return tuple(sum(1 << bit for bit in range(6) if row[bit]) for row in rows)


def coded_take(
    folder: Path,
    rig: Rig,
    frames: int,
    height: int = 64,
    width: int = 112,
    fps: int | Fraction = 15,
    caption: str = "",
    **options,
) -> ToldTake:
    """A take whose videos are in a folder; `options` are those of `write_video`."""
    suffix = {"ffv1": ".mkv"}.get(options.get("codec"), ".mp4")
    videos = []
    for view in range(rig.views):
        path = folder / f"coded_{view}{suffix}"
        write_video(path, (coded_frame(view, frame, height, width) for frame in range(frames)), fps, **options)
        videos.append(path)
    return ToldTake(rig, Fraction(fps), frames, ((height, width),) * rig.views, tuple(videos), caption)
