"""The host's frame interpolation models, between two views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...syncam_core.video.clip import FLOAT, in_depth

# ---- the host's frame interpolation


def run_interpolation(model: object, first: np.ndarray, second: np.ndarray, steps: int) -> Sequence[np.ndarray]:
    """The pictures from one to another, both included, by the core's Run Frame Interpolation Model."""
    from comfy_extras.nodes_frame_interpolation import FrameInterpolate

    images = torch.from_numpy(np.stack([in_depth(picture, FLOAT) for picture in (first, second)]))
    (made,) = FrameInterpolate.execute(model, images, steps).result
    return [in_depth(picture, first.dtype) for picture in made.float().cpu().numpy()]
