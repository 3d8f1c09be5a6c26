"""The host's VIDEO and IMAGE: as clips on the way in, as both on the way out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from fractions import Fraction

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import Input, InputImpl, Types
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.video.clip import FLOAT, Clip, ImageClip, in_depth, joined
from ...syncam_core.video.frames import clean_rgb, even, pad_to_even
from ...syncam_core.video.read import stretches, video_frames
from ...syncam_core.video.spool import Spool, as_depth
from ..shared.checks import check_views, common_frame_count, counted_noun

HOST_BYTES = 256 * 2**20  # of the pictures that the host decodes at once, where it has to do it


def clips_of(views: Sequence[object], names: list[str], dtype: np.dtype = FLOAT) -> list[Clip]:
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


def is_video(view: object) -> bool:
    return hasattr(view, "get_components")


def video_clip(video: Input.Video, name: str, dtype: np.dtype) -> Clip:
    """The frames of a VIDEO as the host shows them: trimmed, cropped, turned, joined.

    Raises UserError with a sentence where it has none.
    """
    parts = parts_of(video)
    clips = [
        file_clip(part, name)
        if isinstance(part, InputImpl.VideoFromFile)
        else ImageClip(part.get_components().images, dtype)
        for part in parts
    ]
    looks = {(clip.height, clip.width) for clip in clips}
    if len(parts) > 1 and (len(looks) > 1 or len({part.get_frame_rate() for part in parts}) > 1):
        raise UserError(
            f"the video of '{name}' in 'views' is joined of parts with different sizes or frame rates; give one whose "
            "parts are alike."
        )
    if not len(clips[0]) or 0 in (clips[0].height, clips[0].width):
        raise UserError(f"the video of '{name}' in 'views' has no frames; give another one.")
    return joined([as_depth(clip, dtype) for clip in clips])


def parts_of(video: Input.Video) -> list[Input.Video]:
    """The videos that the host's Concatenate Video has joined, or the video itself."""
    return [part for member in getattr(video, "videos", ()) for part in parts_of(member)] or [video]


def file_clip(video: InputImpl.VideoFromFile, name: str) -> Clip:
    """Its frames in a file, where one of them at a time needs memory.

    How many there are is seen when they are decoded: what files say about it counts what an edit list leaves out.
    """
    clip = None
    with closing(frames_of(video, name)) as frames:
        for frame in frames:
            comfy.model_management.throw_exception_if_processing_interrupted()
            if clip is None:
                clip = Spool(folder_paths.get_temp_directory()).new_clip(*frame.shape[:2], frame.dtype)
            clip.append(frame)
    if clip is None:
        raise UserError(f"the video of '{name}' in 'views' has no frames; give another one.")
    return clip


def frames_of(video: InputImpl.VideoFromFile, name: str) -> Generator[np.ndarray, None, None]:
    source, window = video.get_stream_source(), trim_window(video)
    try:
        with closing(video_frames(source, *window)) as frames:
            first = next(frames, None)
        if first is None:
            return
        width, height = video.get_dimensions()
        # A crop keeps within the picture, so only the whole picture has its two sides, upright or not.
        if sorted((height, width)) == sorted(first.shape[:2]):
            yield from video_frames(source, *window)
            return
        for start, duration in stretches(source, *window, max(1, HOST_BYTES // (12 * height * width))):
            part = video.as_trimmed(start - window[0], duration, strict_duration=False)
            yield from map(clean_rgb, part.get_components().images)
    except UserError as problem:
        raise problem.told(f"the video of '{name}' in 'views' {problem}; give another one.") from problem


def trim_window(video: InputImpl.VideoFromFile) -> tuple[float, float]:
    """Where its part of the file begins and how long that is, 0 for all, in seconds."""
    if hasattr(video, "get_active_trim_window"):
        return video.get_active_trim_window()
    # Hosts before 0.24 keep it to themselves.
    start_s, duration_s = video._VideoFromFile__start_time, video._VideoFromFile__duration
    if start_s < 0:
        start_s = max(video._get_raw_duration() + start_s, 0)
    return float(start_s), float(duration_s)


def film_out(clip: Clip, fps: Fraction, audio: dict[str, object] | None = None) -> tuple[Tensor, object]:
    """The clip as IMAGE (frames, height, width, 3) float32, and as VIDEO over the same memory, with an AUDIO.

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
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, frame_rate=fps, audio=audio))
    return frames[:, : clip.height, : clip.width].contiguous(), video  # of an even size without a copy


def check_memory(what: str, about: str, pictures: int, height: int, width: int, remedy: str) -> None:
    """Refuse pictures that would not fit as images, instead of having the system end the process."""
    needed = 12 * pictures * height * width
    free = comfy.model_management.get_free_memory(torch.device("cpu"))
    if needed > free:
        raise UserError(
            f"{what} needs {needed / 1e9:.1f} GB as images ({about}), but {free / 1e9:.1f} GB are free; {remedy}."
        )
