"""Points of a scene with their colours, which trainers start from: as PLY, and for COLMAP models with their tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ..errors import UserError

_COLOURS = ("red", "green", "blue")

Seen = tuple[
    int, float, float
]  # view, and where in its picture in pixels, right and down; 0.5 0.5 is the first's centre


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the rig's world. `tracks` says in which views each was found; none where nothing was found there."""

    xyz: np.ndarray  # (points, 3) float64, metres
    rgb: np.ndarray  # (points, 3) uint8
    tracks: tuple[tuple[Seen, ...], ...] = ()
    errors: np.ndarray | None = None  # (points,) pixels between where they were found and where they project to
    frames: np.ndarray | None = None  # (points,) the frame that shows them, counted from 0; None: all are of one frame

    def __len__(self) -> int:
        return len(self.xyz)

    def of_frame(self, frame: int) -> Points:
        """The same points, said to be of a frame."""
        return replace(self, frames=np.full(len(self), frame))


NO_POINTS = Points(np.empty((0, 3)), np.empty((0, 3), np.uint8))


def joined(parts: Sequence[Points]) -> Points:
    """The points of all parts, in their order. Either every part says its frames, or none does."""
    if len(parts) < 2:
        return parts[0] if parts else NO_POINTS
    frames = [part.frames for part in parts if part.frames is not None]
    return Points(
        np.concatenate([part.xyz for part in parts]),
        np.concatenate([part.rgb for part in parts]),
        tuple(chain.from_iterable(part.tracks or ((),) * len(part) for part in parts)),
        np.concatenate([np.zeros(len(part)) if part.errors is None else part.errors for part in parts]),
        np.concatenate(frames) if frames else None,
    )


def write_ply(
    path: Path,
    xyz: np.ndarray,  # (points, 3) in the file's axes and unit
    rgb: np.ndarray,  # (points, 3) uint8
    times: np.ndarray | None = None,  # (points,) when each is there, from 0 to 1; None: the file says nothing of it
) -> None:
    """Write a binary PLY. Raises UserError where that is not possible.

    The readers of 3D Gaussian Splatting ask for normals (nx, ny, nz), which points do not have: zeros stand there, as
    in the files that those programs write themselves. `time` is what 4D Gaussian Splatting (fudan-zvg) reads of a point;
    readers that go by names, as all of these do, pass over it.
    """
    names = ("x", "y", "z", "nx", "ny", "nz", *(() if times is None else ("time",)))
    vertices = np.zeros(len(xyz), [*((name, "<f4") for name in names), *((name, "u1") for name in _COLOURS)])
    for name, values in zip(names[:3], xyz.T, strict=True):
        vertices[name] = values
    for name, values in zip(_COLOURS, rgb.T, strict=True):
        vertices[name] = values
    if times is not None:
        vertices["time"] = times
    head = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(xyz)}",
        *(f"property float {name}" for name in names),
        *(f"property uchar {name}" for name in _COLOURS),
        "end_header\n",
    ]
    try:
        Path(path).write_bytes("\n".join(head).encode("ascii") + vertices.tobytes())
    except OSError as problem:
        raise UserError(f"file {Path(path).name!r} cannot be written ({problem.strerror}).") from problem
