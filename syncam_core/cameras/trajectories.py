"""Camera trajectories as the re-capture module reads them, and the ten moves that its authors publish.

A re-capture films a source video again along a trajectory. Poses are relative to where the source was filmed from, which
is the trajectory's own first frame unless another camera is named, in metres. (View synchronization counts in units of
2 m relative to view 0; the two encodings are types of their own, so that they cannot be mixed up.)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..wan.geometry import WAN21
from .encoding import checked_poses
from .motion import Move, check_motion_length, move_cameras
from .orbit import look_at_c2w, orbit_c2w
from .rig import MAX_VIEWS, Rig

TRAJECTORY_UNIT_M = 1.0  # one unit of translation in the released re-capture weights
AUTHORS_DISTANCE_M = 4.0  # to the point that moves 7 to 10 look at
CHORD, ORBIT = "authors' chord", "true orbit"
ARCS = (CHORD, ORBIT)
MOST_AMOUNT = 100.0


@dataclass(frozen=True)
class ReCamMove:
    """One of the authors' moves: ``kind`` and ``total`` are a :class:`Move`'s, over the whole video at amount 1."""

    name: str
    kind: str
    total: float  # degrees, or metres


# Source: the example trajectories of the public ReCamMaster-Wan2.1 release, in their order from 1. Their "zoom" is a
# dolly: the lens never changes.
RECAM_MOVES = (
    ReCamMove("pan right", "pan", 20.0),
    ReCamMove("pan left", "pan", -20.0),
    ReCamMove("tilt up", "tilt", 10.0),
    ReCamMove("tilt down", "tilt", -10.0),
    ReCamMove("zoom in", "dolly", 2.0),
    ReCamMove("zoom out", "dolly", -2.0),
    ReCamMove("translate up", "crane", 1.0),
    ReCamMove("translate down", "crane", -1.0),
    ReCamMove("arc left", "orbit", -30.0),
    ReCamMove("arc right", "orbit", 30.0),
)


@dataclass(frozen=True, eq=False)
class TrajectoryEncoding:
    """Poses of n trajectories, ready for the camera encoder of the re-capture module.

    `poses` has the shape (trajectories, latent frames, 12): rows 0..2 of the 4x4 pose `inv(c2w_source(0)) @ c2w_i(4k)` in
    OpenCV camera axes (x right, y down, z forward), flattened row by row, translations in metres. Tensors of any real
    dtype, numpy arrays and nested lists are accepted and kept as a contiguous float32 tensor on the CPU.

    Raises UserError for another shape, none or too many trajectories, no frame, or a number that is not finite.
    """

    poses: Tensor  # (trajectories, latent frames, 12) float32
    names: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "poses", checked_poses(self.poses))

    @property
    def views(self) -> int:
        return self.poses.shape[0]

    @property
    def latent_frames(self) -> int:
        return self.poses.shape[1]


def encode_trajectories(rig: Rig, length: int, source_rig: Rig | None = None) -> TrajectoryEncoding:
    """The trajectories of a rig's cameras for videos of `length` frames: latent frame k reads video frame 4k.

    Every camera's poses are relative to its own first frame, as in the public script. With `source_rig` they are relative
    to its first camera at frame 0, the camera that filmed the source: the re-capture may then begin elsewhere. Training
    saw such pairs, the public examples have none.

    Raises UserError for a length that is not 4n+1, a rig that moves over fewer frames, and a camera that stays where
    the source was filmed from.
    """
    latent_frames = WAN21.latent_frames(length)
    if not rig.is_static and rig.frames < length:
        raise UserError(
            f"'length' is {length}, but the cameras of the rig move over {rig.frames} frames only; use a length of at "
            f"most {WAN21.length_below(rig.frames)}, or a rig with at least {length} "
            "frames.",
            field="length",
        )
    sampled = rig.c2w[:, :1] if rig.is_static else rig.c2w[:, : length : WAN21.frames]
    origin = rig.c2w[:, 0] if source_rig is None else source_rig.c2w[:1, 0]
    poses = _relative(sampled, origin)
    still = _stays(poses)
    if still.any():
        name = rig.names[int(still.nonzero()[0])]
        remedy = "give it a move (SynCam Move Cameras, SynCam ReCam Trajectories, the timeline of the rig editor)"
        raise UserError(
            f"camera {name!r} of 'rig' stays where the source was filmed from, so that its re-capture would be the source; "
            f"{remedy}, or leave it out.",
            field="rig",
        )
    rows = poses[..., :3, :].flatten(2).expand(-1, latent_frames, -1)
    return TrajectoryEncoding(rows, tuple(rig.names), tuple(rig.colors))


def relative_to_source(
    c2w: Tensor,  # (cameras, frames, 4, 4) float64, OpenCV axes, metres
) -> Tensor:  # (cameras, frames, 12) float64
    """The 12 numbers of each pose as training sees them: camera 0 filmed the source, its frame 0 is the origin."""
    return _relative(c2w, c2w[:1, 0])[..., :3, :].flatten(2)


def _relative(c2w: Tensor, origin: Tensor) -> Tensor:
    """``inv(origin) @ c2w`` for (trajectories, frames, 4, 4) and origins (trajectories or 1, 4, 4), float64."""
    # numpy and the general inverse, as the released code has it; see encoding.relative_poses.
    relative = torch.from_numpy(np.linalg.inv(origin.numpy())[:, None] @ c2w.numpy())
    same = (c2w == origin[:, None]).flatten(2).all(2)
    relative[same] = torch.eye(4, dtype=relative.dtype)
    return relative


def _stays(poses: Tensor) -> Tensor:  # (trajectories,) bool
    return ((poses - torch.eye(4, dtype=poses.dtype)).abs() < 1e-9).flatten(1).all(1)


def recam_rig(
    moves: str, amount: float = 1.0, distance_m: float = AUTHORS_DISTANCE_M, arc: str = CHORD, length: int = 81
) -> Rig:
    """A camera for each of the authors' moves that `moves` names ("9, 10", "arc left", "1-4"), all from one place.

    `amount` times the authors' degrees or metres; at frame k of `length` a move has made k / (length - 0.5) of it, as in
    the authors' files, whose last frame is not quite the end. All cameras start level, `distance_m` in front of the
    world's origin, which is the point that moves 7 to 10 keep in the picture. The authors' arcs run straight along the
    chord of a 30 degree orbit; `arc` "true orbit" keeps the distance at every frame.

    Raises UserError for an unknown move, a number that is not finite or out of range, and a length that is not 4n+1.
    """
    if not math.isfinite(amount) or not 0 < abs(amount) <= MOST_AMOUNT:
        raise UserError(
            f"'amount' is {amount:g}, but a number up to {MOST_AMOUNT:g}, not 0, is needed; 1 is the authors' own.",
            field="amount",
        )
    if arc not in ARCS:
        raise UserError(f"'arc' is {arc!r}; possible are {', '.join(ARCS)}.", field="arc")
    if not 0 < distance_m < math.inf:
        raise UserError(
            f"'distance_m' is {distance_m:g}, but a number of metres above 0 is needed.", field="distance_m"
        )
    chosen = moves_of(moves)
    start = Rig(names=("source",), c2w=orbit_c2w(0.0, 0.0, distance_m)[None, None])
    paths = [_path(start, RECAM_MOVES[index], amount, distance_m, arc, length) for index in chosen]
    return Rig(names=_names(chosen), c2w=torch.cat(paths))


def moves_of(text: str) -> list[int]:
    """The positions in RECAM_MOVES that a text names by number (from 1), range or name. Raises UserError."""
    by_name = {move.name: index for index, move in enumerate(RECAM_MOVES)}
    possible = ", ".join(f"{index + 1} {move.name}" for index, move in enumerate(RECAM_MOVES))
    found: list[int] = []
    for entry in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        word = " ".join(entry.lower().replace("_", " ").split())
        span = re.fullmatch(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", word)
        numbers = range(int(span[1]), int(span[2] or span[1]) + 1) if span else ()
        if numbers and numbers[0] >= 1 and numbers[-1] <= len(RECAM_MOVES):
            found += [number - 1 for number in numbers]
        elif word in by_name:
            found.append(by_name[word])
        else:
            raise UserError(f"'moves' asks for {entry[:40]!r}; possible are {possible}.", field="moves")
    if not found:
        raise UserError(f"'moves' is empty; name at least one of {possible}.", field="moves")
    if len(found) > MAX_VIEWS:
        raise UserError(f"'moves' names {len(found)} moves, but at most {MAX_VIEWS} are possible.", field="moves")
    return found


def _names(chosen: list[int]) -> tuple[str, ...]:
    """The moves' names; one that comes again is numbered."""
    names = [RECAM_MOVES[index].name for index in chosen]
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[place] = f"{name} {seen[name]}"
    return tuple(names)


def _path(start: Rig, move: ReCamMove, amount: float, distance_m: float, arc: str, length: int) -> Tensor:
    """The camera-to-world matrices (1, length, 4, 4) of one move from the start."""
    share = (length - 1) / (length - 0.5)  # of the whole move that the last frame has made
    if move.kind != "orbit" or arc == ORBIT:
        made = Move(move.kind, move.total * amount * share, ease="none")
        return move_cameras(start, [made], length).c2w
    check_motion_length(length)
    centre = start.c2w[0, 0, :3, 3]
    end = orbit_c2w(move.total * amount, 0.0, distance_m)[:3, 3]
    ways = torch.arange(length, dtype=torch.float64) / (length - 0.5)
    places = centre + ways[:, None] * (end - centre)
    return torch.stack([look_at_c2w(place.tolist(), (0.0, 0.0, 0.0)) for place in places])[None]


__all__ = [
    "ARCS",
    "RECAM_MOVES",
    "TrajectoryEncoding",
    "encode_trajectories",
    "moves_of",
    "recam_rig",
]
