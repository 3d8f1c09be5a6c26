"""Points of a scene with their colours, which trainers start from: as PLY, and for COLMAP models with their tracks."""

from __future__ import annotations

from dataclasses import dataclass
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

    def __len__(self) -> int:
        return len(self.xyz)

    def joined(self, others: Points) -> Points:
        """These, then the others."""
        tracks = [of.tracks or ((),) * len(of) for of in (self, others)]
        errors = [np.zeros(len(of)) if of.errors is None else of.errors for of in (self, others)]
        return Points(
            np.concatenate([self.xyz, others.xyz]),
            np.concatenate([self.rgb, others.rgb]),
            tracks[0] + tracks[1],
            np.concatenate(errors),
        )


NO_POINTS = Points(np.empty((0, 3)), np.empty((0, 3), np.uint8))


def write_ply(
    path: Path,
    xyz: np.ndarray,  # (points, 3) in the file's axes and unit
    rgb: np.ndarray,  # (points, 3) uint8
) -> None:
    """Write a binary PLY. Raises UserError where that is not possible.

    The readers of 3D Gaussian Splatting ask for normals (nx, ny, nz), which points do not have: zeros stand there, as
    in the files that those programs write themselves.
    """
    names = ("x", "y", "z", "nx", "ny", "nz")
    vertices = np.zeros(len(xyz), [*((name, "<f4") for name in names), *((name, "u1") for name in _COLOURS)])
    for name, values in zip(names[:3], xyz.T, strict=True):
        vertices[name] = values
    for name, values in zip(_COLOURS, rgb.T, strict=True):
        vertices[name] = values
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
