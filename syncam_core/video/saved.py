"""Which files hold the views of one run: what a player plays and an edit points to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class SavedViews:
    """The files of one run, all in one folder, with as many frames each and frame i at i / fps seconds."""

    folder: Path  # absolute
    subfolder: str  # the same below the host's output or temp folder, with "/"
    kind: str  # "output" or "temp", as the host's /view route calls the two
    fps: Fraction
    frames: int
    names: tuple[str, ...]  # of the cameras
    colors: tuple[str, ...]  # "#rrggbb"
    files: tuple[str, ...]  # file name of each view
    sizes: tuple[tuple[int, int], ...]  # (height, width) of each view's pictures
    grid: str | None = None
    sheet: str | None = None
    rig: str | None = None
