"""What the nodes for footage share: views as clips in, films as IMAGE and VIDEO out."""

from __future__ import annotations

from fractions import Fraction

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy_api.latest import InputImpl, Types, io
from torch import Tensor

from ..syncam_core.video.clip import FLOAT, Clip, ImageClip, in_depth
from .views import check_views, common_frame_count


def footage_input() -> io.Input:
    return io.MultiType.Input(
        "views",
        types=[io.Image, io.Video],
        tooltip="One video per view, all of the same length: the list from SynCam Decode Views, or a list of VIDEOs.",
    )


def clips_of(views: list, names: list[str], dtype: np.dtype = FLOAT) -> list[Clip]:
    """A clip for every view, all as long. Raises ``ValueError`` with a sentence for what is no list of views."""
    check_views(views)
    common_frame_count(views, names)
    return [ImageClip(view, dtype) for view in views]


def film_outputs() -> list:
    return [
        io.Image.Output(display_name="images", tooltip="The frames, for any node that takes a video's frames."),
        io.Video.Output(display_name="video", tooltip="The same with its frame rate, for Save Video and the like."),
    ]


def film_out(clip: Clip, fps: Fraction) -> tuple[Tensor, object]:
    """The clip as IMAGE (frames, height, width, 3) float32, and as VIDEO over the same memory."""
    images = torch.empty(len(clip), clip.height, clip.width, 3)
    progress = comfy.utils.ProgressBar(len(clip))
    for index in range(len(clip)):
        comfy.model_management.throw_exception_if_processing_interrupted()
        images[index].copy_(torch.from_numpy(in_depth(clip[index], FLOAT)))
        progress.update(1)
    return images, InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=fps))
