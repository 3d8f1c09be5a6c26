"""The host's VIDEO and IMAGE: as clips on the way in, as both on the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import InputImpl, Types
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.video.clip import FLOAT, Clip, ImageClip, in_depth
from ...syncam_core.video.frames import even, pad_to_even
from ..shared.checks import check_views, common_frame_count, counted_noun


def clips_of(views: list, names: list[str], dtype: np.dtype = FLOAT) -> list[Clip]:
    """A clip for every view, all as long. Raises ``UserError`` with a sentence for what is no list of views.

    A VIDEO that is a file is decoded once, into a file of raw frames that is gone with the clip: one frame of it is in
    memory, not all.
    """
    check_views([torch.empty(1, 1, 1, 3) if is_video(view) else view for view in views])
    clips = [
        video_clip(view, name, dtype) if is_video(view) else ImageClip(view, dtype)
        for view, name in zip(views, names, strict=True)
    ]
    common_frame_count(clips, names)
    return clips


def is_video(view: Any) -> bool:
    return hasattr(view, "get_components")


def video_clip(video: Any, name: str, dtype: np.dtype) -> Clip:
    """The frames of a VIDEO. Raises UserError with a sentence where it has none."""
    from ...syncam_core.video.spool import Spool, as_depth, frame_bytes

    if not isinstance(video, InputImpl.VideoFromFile):
        images = video.get_components().images
        if images.ndim != 4 or 0 in images.shape:
            raise UserError(f"the video of '{name}' in 'views' has no frames; give another one.")
        return ImageClip(images, dtype)
    clip = None
    with closing(decoded_frames(video, name)) as frames:
        for frame in frames:
            comfy.model_management.throw_exception_if_processing_interrupted()
            if clip is None:
                height, width = frame.shape[:2]
                needed = video.get_frame_count() * frame_bytes(height, width, frame.dtype)
                clip = Spool(folder_paths.get_temp_directory(), needed).new_clip(height, width, frame.dtype)
            clip.append(frame)
    if clip is None:
        raise UserError(f"the video of '{name}' in 'views' has no frames; give another one.")
    return as_depth(clip, dtype)


def decoded_frames(video: Any, name: str) -> Iterator[np.ndarray]:
    from ...syncam_core.video.read import video_frames

    try:
        yield from video_frames(video.get_stream_source(), *video.get_active_trim_window())
    except UserError as problem:
        raise problem.told(f"the video of '{name}' in 'views' {problem}; give another one.") from problem


def film_out(clip: Clip, fps: Fraction) -> tuple[Tensor, object]:
    """The clip as IMAGE (frames, height, width, 3) float32, and as VIDEO over the same memory.

    A video grows to an even size by a repeated column or row: the host's Save Video takes no other. Raises UserError
    with a sentence, before the first frame is made, where they would not fit into the free memory.
    """
    about = f"{counted_noun(len(clip), 'frame')} of {clip.width} x {clip.height}"
    check_memory(
        "the film", about, len(clip), clip.height, clip.width, "make it shorter, or scale the views down first"
    )
    frames = torch.empty(len(clip), even(clip.height), even(clip.width), 3)
    progress = comfy.utils.ProgressBar(len(clip))
    for index in range(len(clip)):
        comfy.model_management.throw_exception_if_processing_interrupted()
        frames[index].copy_(torch.from_numpy(pad_to_even(in_depth(clip[index], FLOAT))))
        progress.update(1)
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, frame_rate=fps))
    return frames[:, : clip.height, : clip.width].contiguous(), video  # of an even size without a copy


def check_memory(what: str, about: str, pictures: int, height: int, width: int, remedy: str) -> None:
    """Refuse pictures that would not fit as images, instead of having the system end the process."""
    needed = 12 * pictures * height * width
    free = comfy.model_management.get_free_memory(torch.device("cpu"))
    if needed > free:
        raise UserError(
            f"{what} needs {needed / 1e9:.1f} GB as images ({about}), but {free / 1e9:.1f} GB are free; {remedy}."
        )
