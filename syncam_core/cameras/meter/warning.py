"""What is said before sampling with cameras that the weights have not seen."""

from __future__ import annotations

import numpy as np
import torch
from numpy import ndarray
from numpy.typing import ArrayLike

from ..encoding import UNIT_M, CameraEncoding
from ..rig import Rig, camera_problem
from .measure import measure
from .words import is_or_are, listed, quoted


def warn(
    rig_or_poses: Rig | CameraEncoding | ndarray,  # a rig, or camera poses (views, latent frames, 12)
) -> str:
    """A short sentence about what of a rig the released weights have not seen, to be shown before sampling.

    Empty where all of it is inside of their training range. Poses hold no lens and no horizon: the lens counts as the
    training's, and up is the direction in which all cameras stand level. Poses that are no rigid cameras are said to be
    that.
    """
    rig = rig_or_poses
    if not isinstance(rig, Rig):
        c2w = _c2w_of_poses(rig.poses if hasattr(rig, "poses") else rig)
        for view, poses in enumerate(c2w, start=1):
            problem = camera_problem(torch.from_numpy(poses))
            if problem:
                return f"View {view}, latent frame {problem[0]}, {problem[1]}"
        rig = _rig_of_poses(c2w)
    meter = measure(rig, as_views=True)
    if meter.verdict == "inside":
        return ""
    worst = next(view for view in meter.views if view.verdict == meter.verdict)
    same, edge = (sum(view.verdict == verdict for view in meter.views) for verdict in (meter.verdict, "edge"))
    count = "the camera is" if len(meter.views) == 1 else f"{same} of {len(meter.views)} cameras {is_or_are(same)}"
    where = "outside of" if meter.verdict == "outside" else "at the edge of"
    others = f" ({edge} more {is_or_are(edge)} at its edge)" if meter.verdict == "outside" and edge else ""
    reasons = listed([problem.text for problem in worst.problems])
    sentence = f"{count} {where} what the released weights were trained on{others}; {quoted(worst.name)}: {reasons}."
    return f"{sentence[0].upper()}{sentence[1:]}"


def _c2w_of_poses(given: ArrayLike) -> np.ndarray:  # (views, latent frames, 4, 4), metres, in the axes of view 0
    poses = np.asarray(given, dtype=np.float64)
    views, latent_frames = poses.shape[:2]
    c2w = np.zeros((views, latent_frames, 4, 4))
    c2w[:, :, :3] = poses.reshape(views, latent_frames, 3, 4)
    c2w[:, :, :3, 3] *= UNIT_M
    c2w[:, :, 3, 3] = 1
    return c2w


def _rig_of_poses(c2w: ndarray) -> Rig:
    views = len(c2w)
    upright = np.eye(4)
    upright[:3, :3] = _upright(c2w[:, 0, :3, 0], c2w[0, 0, :3, 1], c2w[0, 0, :3, 2])
    return Rig(tuple(f"view {view + 1}" for view in range(views)), upright @ c2w)


def _upright(right: np.ndarray, down: np.ndarray, forward: np.ndarray) -> np.ndarray:  # (3, 3)
    """World axes in which the cameras stand level: down is the direction most perpendicular to all `right` (views, 3).

    Cameras that differ in height only leave it open; then the first camera counts as looking straight ahead, which
    changes no difference between them.
    """
    sizes, axes = np.linalg.eigh(right.T @ right)  # ascending
    if sizes[1] > 1e-6 * sizes[2]:
        down = axes[:, 0] * (1 if axes[:, 0] @ down >= 0 else -1)
    ahead = forward - (forward @ down) * down
    if np.linalg.norm(ahead) < 1e-6:  # the first camera looks straight down
        ahead = np.cross(right[0], down)
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])
