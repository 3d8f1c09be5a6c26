"""Where a point of the world appears in a camera's picture."""

from __future__ import annotations

import torch
from torch import Tensor

from ..cameras.rig import Lens


def focal_px(lens: Lens, width: int) -> float:
    """The focal length in pixels of a picture `width` pixels wide.

    Pixels are square, the sensor's width fills the picture's width: a lower picture sees less, not smaller.
    """
    return lens.focal_mm / lens.sensor_width_mm * width


def project(
    points: Tensor,  # (..., 3) world, metres
    c2w: Tensor,  # (..., 4, 4) OpenCV axes
    lens: Lens,
    height: int,
    width: int,
) -> tuple[Tensor, Tensor]:  # (..., 2) pixels, (...) metres
    """Pixel positions (right, down) and depths along the viewing direction of points; the leading axes broadcast.

    The picture spans 0..width and 0..height, so the centre of its first pixel is (0.5, 0.5). A point that is not in
    front of the camera (depth <= 0) has no position: NaN. A finite position may still lie outside of the picture.
    The pinhole model: pixel = focal (x, y) / z + (width, height) / 2.
    """
    offset = (points - c2w[..., :3, 3])[..., None]
    x, y, z = (c2w[..., :3, :3].mT @ offset.to(c2w.dtype))[..., 0].unbind(-1)
    scale = focal_px(lens, width) / torch.where(z > 0, z, torch.nan)
    return torch.stack([x * scale + width / 2, y * scale + height / 2], dim=-1), z
