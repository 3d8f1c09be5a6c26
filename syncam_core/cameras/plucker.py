"""A camera's path as Plücker coordinates of its pixels' rays, as the camera-controlled Wan2.1 Fun models read it.

Moment o x d and direction d of the ray through each pixel's centre (Sitzmann et al., arXiv 2106.02634), with poses
relative to the camera's own first frame (CameraCtrl, arXiv 2404.02101), in metres.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ..errors import UserError
from ..wan.geometry import WAN21
from .rig import Lens, Rig, inverse


def wan_camera_embedding(
    rig: Rig,
    view: int,
    width: int,  # pixels
    height: int,
    length: int,  # video frames, 4n+1
) -> Tensor:  # (1, 24, latent frames, height, width) float32
    """The path of one camera, four video frames to a latent one, the first frame four times as the autoencoder has it.

    Raises UserError for a length that is not 4n+1, and for a rig that moves over fewer frames.
    """
    WAN21.check_length(length)
    if 1 < rig.frames < length:
        raise UserError(
            f"'length' is {length}, but the cameras of 'rig' move over {rig.frames} frames.", field="length"
        )
    c2w = rig.cut(0, length).c2w[view].expand(length, 4, 4)
    rays = plucker(inverse(c2w[0]) @ c2w, rig.lenses[view], width, height)
    every_fourth = torch.cat([rays[:1].expand(WAN21.frames - 1, -1, -1, -1), rays])
    return rearrange(every_fourth, "(f four) c h w -> 1 (c four) f h w", four=WAN21.frames)


def plucker(
    c2w: Tensor,  # (frames, 4, 4)
    lens: Lens,
    width: int,
    height: int,
) -> Tensor:  # (frames, 6, height, width) float32
    focal = lens.focal_mm / lens.sensor_width_mm * width
    x = (torch.arange(width, dtype=torch.float32) + 0.5 - width / 2) / focal
    y = (torch.arange(height, dtype=torch.float32) + 0.5 - height / 2) / focal
    through = torch.stack([x.expand(height, width), y[:, None].expand(height, width), torch.ones(height, width)], -1)
    through = torch.nn.functional.normalize(through, dim=-1)
    direction = torch.einsum("fij,hwj->fhwi", c2w[:, :3, :3].float(), through)
    origin = c2w[:, None, None, :3, 3].float().expand_as(direction)
    return torch.cat([torch.linalg.cross(origin, direction), direction], -1).permute(0, 3, 1, 2)
