"""Moving cameras: a rig and the moves of a film set give a rig with a pose for every frame.

The released weights were trained on cameras that stand still. Moving cameras can be encoded and sampled, but what the
weights make of them is an experiment.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy import ndarray

from ..errors import UserError
from ..wan.geometry import WAN21
from .keyframes import eased
from .rig import Rig, inverse

MOVES = {  # what one unit of 'amount' is, and which way it counts
    "pan": "degrees to the right",
    "tilt": "degrees up",
    "roll": "degrees clockwise",
    "dolly": "metres forward, the way the camera looks",
    "truck": "metres to the camera's right",
    "pedestal": "metres straight up",
    "orbit": "degrees around the target, to the camera's right",
    "rise": "degrees of elevation around the target",
    "crane": "metres straight up, with the target held in the picture",
    "push_in": "metres closer to the target",
}
MOVE_EASES = ("none", "in", "out", "in_out")  # of keyframes.EASES, without the one that does not move
SHORTEST_LENGTH = 5  # the first length that Wan makes with more than one latent frame
_UP = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Move:
    """One move of a camera, from `start_frame` to `end_frame` (None: the last one); it holds before and after.

    `amount` is in the unit that MOVES names; negative numbers go the other way. `target` is the point that "orbit",
    "rise", "crane" and "push_in" refer to, in metres in world axes.

    Raises UserError for an unknown move or ease, numbers that are not finite, and an end that is not after the start.
    """

    kind: str  # a key of MOVES
    amount: float
    ease: str = "in_out"  # of MOVE_EASES
    start_frame: int = 0
    end_frame: int | None = None
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in MOVES:
            raise UserError(f"'move' is {self.kind!r}, but only {', '.join(MOVES)} are possible.", field="move")
        if self.ease not in MOVE_EASES:
            raise UserError(f"'ease' is {self.ease!r}, but only {', '.join(MOVE_EASES)} are possible.", field="ease")
        if not math.isfinite(self.amount):
            raise UserError(
                f"'amount' is {self.amount}, but a finite number is needed: {MOVES[self.kind]}.", field="amount"
            )
        if len(self.target) != 3 or not all(map(math.isfinite, self.target)):
            raise UserError(
                f"'target' is {self.target}, but three finite numbers of metres are needed.", field="target"
            )
        if self.start_frame < 0:
            raise UserError(f"'start_frame' is {self.start_frame}, but the first frame is 0.", field="start_frame")
        if self.end_frame is not None and self.end_frame <= self.start_frame:
            raise UserError(
                f"'end_frame' is {self.end_frame}, but the move starts at frame {self.start_frame}; set it to a later frame, "
                "or to -1 for the last one.",
                field="end_frame",
            )


def move_cameras(
    rig: Rig,
    moves: Sequence[Move],
    length: int = 81,
    cameras: Sequence[int] | None = None,
    together: bool = False,
) -> Rig:
    """The rig with a pose for each of `length` frames, in which cameras make the moves.

    Each move starts from what the moves before it made of a frame, so that moves add up: an orbit and a push-in are a
    spiral; a truck and then a pan ride on a straight track. What counts in `moves` counts for calling this function
    again on its result, too. `cameras` are the positions of those that move; None means all.

    Each of them moves on its own: a pan turns every camera on its spot. With `together` they move as one solid body,
    mounted on the first of them: a pan swings the others around it.

    A rig that moves over more than `length` frames already keeps its frames; the moves are over at `length`.

    Raises UserError for a length that is not 4n+1 or below 5, a rig that moves over fewer frames, a move that ends
    after the last frame, a camera that does not exist, and one that would pass through its target or over its top.
    """
    check_motion_length(length)
    if rig.is_static:
        c2w = rig.c2w[:, :1].expand(-1, length, 4, 4).numpy().copy()
    elif rig.frames < length:
        raise UserError(
            f"'length' is {length}, but the cameras of the rig move over {rig.frames} frames already; give every move "
            "the same length.",
            field="length",
        )
    else:
        c2w = rig.c2w.numpy().copy()
    chosen = rig.positions(cameras)
    for move in moves:
        amounts = move.amount * _progress(move, length, c2w.shape[1])
        body = None
        for view in chosen:
            try:
                if body is None:
                    moved = _moved(c2w[view], move.kind, amounts, np.array(move.target))
                    if together:
                        body = moved @ inverse(torch.from_numpy(c2w[view])).numpy()
                else:
                    moved = body @ c2w[view]
            except UserError as problem:
                raise problem.told(f"camera {rig.names[view]!r} {problem}") from problem
            c2w[view] = moved
    c2w[..., 3, :] = [0.0, 0.0, 0.0, 1.0]
    return dataclasses.replace(rig, c2w=torch.from_numpy(c2w))


def check_motion_length(length: int) -> None:
    """Raise UserError for a length that is not 4n+1, or too short to move in."""
    WAN21.check_length(length)
    if length < SHORTEST_LENGTH:
        raise UserError(
            f"'length' is {length}, but a camera needs at least {SHORTEST_LENGTH} frames to move.", field="length"
        )


def _progress(move: Move, length: int, frames: int) -> ndarray:  # (frames,) 0..1
    end_frame = length - 1 if move.end_frame is None else move.end_frame
    if end_frame > length - 1 or move.start_frame >= end_frame:
        raise UserError(
            f"the move runs from frame {move.start_frame} to frame {end_frame}, but a video of {length} frames ends with "
            f"frame {length - 1}; use numbers from 0 to {length - 1}, the start before the end (-1 is the last frame)."
        )
    progress = (np.arange(frames) - move.start_frame) / (end_frame - move.start_frame)
    return eased(np.clip(progress, 0.0, 1.0), move.ease)


def _moved(
    c2w: ndarray,  # (frames, 4, 4)
    kind: str,
    amounts: ndarray,  # (frames,)
    target: ndarray,  # (3,)
) -> ndarray:  # (frames, 4, 4)
    """One camera, every frame moved by its amount. Raises UserError with half a sentence."""
    match kind:
        case "pan":
            return _turned(c2w, _turns(-_UP, amounts))
        case "tilt":
            return _turned(c2w, _turns(_axis(c2w, 0), amounts))
        case "roll":
            return _turned(c2w, _turns(_axis(c2w, 2), amounts))
        case "dolly":
            return _shifted(c2w, amounts[:, None] * _axis(c2w, 2))
        case "truck":
            return _shifted(c2w, amounts[:, None] * _axis(c2w, 0))
        case "pedestal":
            return _shifted(c2w, amounts[:, None] * _UP)
        case "orbit":
            return _turned_about(c2w, _turns(_UP, amounts), target)
        case "rise":
            return _risen(c2w, amounts, target)
        case "crane":
            return _craned(c2w, amounts, target)
        case "push_in":
            return _pushed_in(c2w, amounts, target)
    raise UserError(f"cannot {kind!r}.")


def _risen(c2w: ndarray, amounts: ndarray, target: ndarray) -> ndarray:
    ground, height = _seen_from(c2w, target)
    elevation = np.degrees(np.arctan2(height, ground)) + amounts
    worst = float(elevation[np.abs(elevation).argmax()])
    if abs(worst) > 90 + 1e-9:
        verb, past, end = ("rise", "over the top of", "above") if worst > 0 else ("sink", "under", "below")
        raise UserError(
            f"would {verb} to an elevation of {worst:.6g} degrees, {past} its target; {math.copysign(90, worst):g} is "
            f"straight {end} it, so use a smaller amount."
        )
    return _turned_about(c2w, _turns(_level_right(c2w, target), -amounts), target)


def _craned(c2w: ndarray, amounts: ndarray, target: ndarray) -> ndarray:
    ground, height = _seen_from(c2w, target)
    if np.any((ground <= 1e-9) & (height * (height + amounts) <= 0)):
        raise UserError("stands straight above or below its target and would crane through it; use a smaller amount.")
    lift = np.degrees(np.arctan2(height + amounts, ground) - np.arctan2(height, ground))
    return _turned(_shifted(c2w, amounts[:, None] * _UP), _turns(_level_right(c2w, target), -lift))


def _pushed_in(c2w: ndarray, amounts: ndarray, target: ndarray) -> ndarray:
    to_target = target - c2w[:, :3, 3]
    distance = np.linalg.norm(to_target, axis=1)
    if np.any(amounts >= distance):
        frame = int((distance - amounts).argmin())
        raise UserError(
            f"is {distance[frame]:.6g} m from its target and cannot push in by {amounts[frame]:.6g} m; it must stay "
            "before it."
        )
    return _shifted(c2w, (amounts / np.maximum(distance, 1e-300))[:, None] * to_target)


def _seen_from(c2w: ndarray, target: ndarray) -> tuple[ndarray, ndarray]:
    """How far from the target the camera stands along the floor, and how high above it, in metres."""
    offset = c2w[:, :3, 3] - target
    ground, height = np.hypot(offset[:, 0], offset[:, 2]), -offset[:, 1]
    if np.any(np.hypot(ground, height) < 1e-9):
        raise UserError("stands at its target, which it cannot move around.")
    return ground, height


def _level_right(c2w: ndarray, target: ndarray) -> ndarray:  # (frames, 3)
    """The horizontal axis to the right of a camera that looks at the target: what its elevation turns about."""
    offset = c2w[:, :3, 3] - target
    right = np.stack([-offset[:, 2], np.zeros(len(c2w)), offset[:, 0]], axis=1)
    # Straight above the target, its own right side says which way it came.
    above = np.hypot(right[:, 0], right[:, 2]) <= 1e-9 * np.abs(offset[:, 1])
    right[above] = c2w[above, :3, 0] * [1.0, 0.0, 1.0]
    right[np.linalg.norm(right, axis=1) < 1e-9] = [1.0, 0.0, 0.0]  # its right side is vertical: any axis will do
    return right / np.linalg.norm(right, axis=1, keepdims=True)


def _axis(c2w: ndarray, column: int) -> ndarray:  # (frames, 3)
    # Camera files are rounded; the amounts of a move must not be.
    return c2w[:, :3, column] / np.linalg.norm(c2w[:, :3, column], axis=1, keepdims=True)


def _turns(axes: ndarray, degrees: ndarray) -> ndarray:  # (3,) or (frames, 3), unit; (frames,) -> (frames, 3, 3)
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(np.radians(degrees)[:, None] * axes).as_matrix()


def _turned(c2w: ndarray, turns: ndarray) -> ndarray:
    moved = c2w.copy()
    moved[:, :3, :3] = turns @ c2w[:, :3, :3]
    return moved


def _turned_about(c2w: ndarray, turns: ndarray, point: ndarray) -> ndarray:
    moved = _turned(c2w, turns)
    moved[:, :3, 3] = np.einsum("fij,fj->fi", turns, c2w[:, :3, 3] - point) + point
    return moved


def _shifted(c2w: ndarray, offsets: ndarray) -> ndarray:
    moved = c2w.copy()
    moved[:, :3, 3] += offsets
    return moved
