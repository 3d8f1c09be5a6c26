"""Moving cameras given at some frames: the frames between them, by interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy import ndarray

from .orbit import orbit_matrices

INTERPOLATIONS = ("smooth", "linear")
Progress = TypeVar("Progress", ndarray, Fraction)
EASES = ("none", "in", "out", "in_out", "hold")


def bake_keyframes(
    at: Sequence[int],  # (keyframes,) increasing frame numbers
    poses: ndarray,  # (keyframes, 7) azimuth, elevation, distance, roll, target x, y, z; or (keyframes, 4, 4) c2w
    frames: int,
    interpolation: str = "smooth",  # of INTERPOLATIONS
    eases: Sequence[str] = (),  # (keyframes,) of EASES; empty: "none" for all
) -> ndarray:  # (frames, 4, 4) float64
    """The camera-to-world matrix of every frame, in OpenCV axes, degrees and metres.

    Orbit numbers are interpolated one by one, as plain numbers: from azimuth 0 to 350 is a turn by 350 degrees, and a
    camera that keeps its distance keeps it exactly. Of matrices the centre is interpolated likewise and the rotation
    along the shorter arc; of the two half turns it takes the one to the camera's right. "linear" goes in straight
    lines, "smooth" along monotone cubics (PCHIP: no number ever leaves the range of its two neighbours). The ease of a
    keyframe shapes time on the way to the next one, and "hold" waits there. Keyframes are met exactly, with the
    numbers they came with; before the first and after the last one the camera stands still.
    """
    times = np.asarray(at, dtype=np.float64)
    poses = np.asarray(poses, dtype=np.float64)
    segment, time = _eased_times(times, frames, eases or ("none",) * len(times))
    baked = poses[segment]
    moving = time > times[segment]
    if moving.any():
        between = _curves if poses.ndim == 2 else _matrices_between
        baked[moving] = between(times, poses, segment[moving], time[moving], interpolation)
    return orbit_matrices(baked) if poses.ndim == 2 else baked


def eased(
    progress: Progress,  # 0..1, from one keyframe to the next
    ease: str,  # of EASES
) -> Progress:  # 0..1
    """Even progress u as an eased one: "none" u, "in" u^2, "out" 1-(1-u)^2, "in_out" u^2 (3-2u), "hold" 0."""
    if ease == "in":
        return progress**2
    if ease == "out":
        return 1 - (1 - progress) ** 2
    if ease == "in_out":
        return progress**2 * (3 - 2 * progress)
    if ease == "hold":
        return progress * 0
    return progress


def _eased_times(at: ndarray, frames: int, eases: Sequence[str]) -> tuple[ndarray, ndarray]:
    """For every frame the keyframe that it follows, and the time at which the camera is read: two (frames,) arrays."""
    number = np.arange(frames)
    segment = np.clip(np.searchsorted(at, number, side="right") - 1, 0, len(at) - 1)
    length = np.append(np.diff(at), 1.0)[segment]
    inside = (number > at[0]) & (number < at[-1])
    progress = np.where(inside, (number - at[segment]) / length, 0.0)
    for ease in set(eases) - {"none"}:
        has_it = np.array([one == ease for one in eases])[segment]
        progress[has_it] = eased(progress[has_it], ease)
    return segment, at[segment] + length * progress


def _matrices_between(at: ndarray, c2w: ndarray, segment: ndarray, time: ndarray, interpolation: str) -> ndarray:
    from scipy.spatial.transform import Rotation

    rotations = Rotation.from_matrix(_nearest_rotations(c2w[:, :3, :3]))
    steps = _rotation_vectors((rotations[:-1].inv() * rotations[1:]).as_quat())
    share = (time - at[segment]) / np.diff(at)[segment]
    between = np.zeros((len(time), 4, 4))
    between[:, :3, :3] = (rotations[segment] * Rotation.from_rotvec(share[:, None] * steps[segment])).as_matrix()
    between[:, :3, 3] = _curves(at, c2w[:, :3, 3], segment, time, interpolation)
    between[:, 3, 3] = 1.0
    return between


def _curves(
    at: ndarray,  # (keyframes,)
    values: ndarray,  # (keyframes, n)
    segment: ndarray,  # (m,) the keyframe that each time follows
    time: ndarray,  # (m,)
    interpolation: str,
) -> ndarray:  # (m, n)
    start, end = values[segment], values[segment + 1]
    if interpolation == "linear" or len(at) == 2:
        share = (time - at[segment]) / np.diff(at)[segment]
        curves = start + share[:, None] * (end - start)
    else:
        from scipy.interpolate import PchipInterpolator

        curves = PchipInterpolator(at, values)(time)
    return np.clip(curves, np.minimum(start, end), np.maximum(start, end))  # both are monotone; rounding is not


def _nearest_rotations(matrices: ndarray) -> ndarray:  # (n, 3, 3) both
    left, _, right = np.linalg.svd(matrices)
    return left @ right


def _rotation_vectors(
    quaternions: ndarray,  # (n, 4) x, y, z, w of unit length
) -> ndarray:  # (n, 3) axis times angle in radians
    """The shorter of the two arcs that a quaternion stands for.

    scipy's Slerp does this, too, but leaves the direction of a half turn to rounding. Here it goes to the camera's
    right: about its own down axis, else about its right axis, else clockwise.
    """
    x, y, z, w = quaternions.T
    sign = np.select([np.abs(w) >= 1e-9, np.abs(y) > 1e-6, np.abs(x) > 1e-6], [w, y, x], z)
    vectors, w = np.where(sign[:, None] < 0, -quaternions, quaternions)[:, :3], np.where(sign < 0, -w, w)
    sine = np.linalg.norm(vectors, axis=1)
    small = sine < 1e-12
    scale = np.where(small, 2.0, 2 * np.arctan2(sine, w) / np.where(small, 1.0, sine))
    return scale[:, None] * vectors
