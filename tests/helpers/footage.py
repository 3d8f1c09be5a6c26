"""Rigs, views and files for the tests of nodes that make something of footage."""

from __future__ import annotations

from pathlib import Path

import torch

from syncam_core.cameras import Rig, orbit_rig


def named_rig(*names: str, apart_deg: float = 10.0) -> Rig:
    """Cameras side by side on an orbit, the first one in front."""
    return Rig(names=names, c2w=orbit_rig([apart_deg * index for index in range(len(names))]).c2w)


def ramp(view: int, frames: int = 6, height: int = 96, width: int = 128) -> torch.Tensor:
    """Frames that differ between views and over time, with flat areas that video coding keeps."""
    images = torch.full((frames, height, width, 3), 0.15 + 0.2 * view)
    for frame in range(frames):
        images[frame, height // 2 :, 16 * frame : 16 * frame + 16] = torch.tensor([0.9, 0.5, 0.1])
    return images


def files_in(folder: Path) -> list[str]:
    """All files below a folder, as paths from there."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
