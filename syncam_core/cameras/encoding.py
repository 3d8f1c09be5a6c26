"""Camera poses as the view-sync module reads them: 12 numbers per view and latent frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..wan.geometry import WAN21, Geometry
from .rig import MAX_VIEWS, Rig, inverse

UNIT_M = 2.0  # one unit of translation in the released weights


@dataclass(frozen=True, eq=False)
class CameraEncoding:
    """Poses relative to view 0 at frame 0, ready for the camera encoder of the view-sync module.

    `poses` has the shape (views, latent frames, 12). The 12 numbers are the rows 0..2 of the 4x4 pose
    `inv(c2w_0(0)) @ c2w_i(4k)` in OpenCV camera axes (x right, y down, z forward), flattened row by row
    (`r00 r01 r02 tx r10 ...`), with translations in units of 2 m.

    Tensors of any real dtype, numpy arrays and nested lists are accepted and kept as a contiguous float32 tensor
    on the CPU. Rotations are not checked here: the model can be fed any numbers.

    Raises UserError for another shape, no view, more than MAX_VIEWS views, no frame, or a non-finite number.
    """

    poses: Tensor  # (views, latent_frames, 12) float32
    # What the cameras are called and their "#rrggbb", one of each per view, for pictures; nothing where not known.
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


def encode_cameras(rig: Rig, length: int, geometry: Geometry = WAN21) -> CameraEncoding:
    """The encoding of a rig for a video of `length` frames: latent frame k reads video frame 4k.

    Poses are relative to view 0 at frame 0, so that a moving rig keeps its common motion; for static cameras this
    is the same as the released code's "relative to view 0 at the same frame". View 0 is exactly the identity for as
    long as it stays where it started.

    Raises UserError for a length that is not 4n+1, and for a moving rig with fewer frames than that.
    """
    latent_frames = geometry.latent_frames(length)
    if rig.is_static:
        sampled = rig.c2w[:, :1]
    elif rig.frames < length:
        raise UserError(
            f"'length' is {length}, but the cameras of the rig move over {rig.frames} frames only; "
            f"use a length of at most {geometry.length_below(rig.frames)}, or a rig with at least {length} frames.",
            field="length",
        )
    else:
        sampled = rig.c2w[:, : length : geometry.frames]
    poses = encode_poses(sampled).expand(-1, latent_frames, -1)
    return CameraEncoding(poses, tuple(rig.names), tuple(rig.colors))


def encode_poses(
    c2w: Tensor,  # (views, frames, 4, 4) float64, OpenCV axes, metres
) -> Tensor:  # (views, frames, 12) float64
    """The 12 numbers of each pose, relative to view 0 at frame 0, translations in units of 2 m."""
    in_units = c2w.clone()
    in_units[..., :3, 3] /= UNIT_M  # before inverting, as the released code does it
    return relative_poses(in_units)[..., :3, :].flatten(2)


def relative_poses(
    c2w: Tensor,  # (views, frames, 4, 4) float64
) -> Tensor:  # (views, frames, 4, 4) float64
    """`inv(c2w_0(0)) @ c2w_i(k)`: every camera in the axes of view 0 at frame 0, in the given unit of length.

    The inverse is the general one, as `inverse` says why.
    """
    relative = torch.from_numpy(inverse(c2w[0, 0]).numpy() @ c2w.numpy())  # as the released code multiplies
    still = (c2w[0] == c2w[0, 0]).all(2).all(1)  # (frames,)
    relative[0, still] = torch.eye(4, dtype=relative.dtype)
    return relative


def checked_poses(given: object) -> Tensor:
    if isinstance(given, Tensor):
        poses = given.detach()
    else:
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, RuntimeError) as problem:  # ragged lists, tensors on a GPU, ...
            raise UserError(_NOT_NUMBERS) from problem
        if array.dtype.kind not in "fiu":
            raise UserError(_NOT_NUMBERS)
        poses = torch.from_numpy(array.astype(np.float64))
    if poses.is_complex() or poses.dtype == torch.bool:
        raise UserError(f"camera poses are {poses.dtype}, but real numbers are needed.")
    if poses.ndim != 3 or poses.shape[2] != 12:
        raise UserError(
            f"camera poses have the shape {tuple(poses.shape)}, but (views, latent frames, 12) is needed: "
            "rows 0..2 of each 4x4 pose, flattened row by row."
        )
    views, latent_frames, _ = poses.shape
    if views == 0 or latent_frames == 0:
        raise UserError(
            f"camera poses have the shape {tuple(poses.shape)}, but at least one view and one latent frame are needed."
        )
    if views > MAX_VIEWS:
        raise UserError(f"camera poses hold {views} views, but at most {MAX_VIEWS} are possible; leave some out.")
    poses = poses.to(device="cpu", dtype=torch.float32, copy=True).contiguous()
    broken = (~torch.isfinite(poses)).nonzero()
    if len(broken):
        view, frame, number = broken[0].tolist()
        raise UserError(
            f"camera poses hold {poses[view, frame, number].item()} at view {view}, latent frame {frame}, "
            f"number {number}; every number must be finite."
        )
    return poses


_NOT_NUMBERS = "camera poses are not numbers in the shape (views, latent frames, 12); give a tensor, array or lists."
