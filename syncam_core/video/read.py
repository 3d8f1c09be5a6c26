"""The frames of a video file, one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO

import av
import numpy as np

from ..errors import UserError

UNSPECIFIED = 2  # as ITU-T H.273 says it of a matrix
QUARTER_TURN = 90


def video_frames(
    source: str | os.PathLike[str] | BytesIO,
    start_s: float = 0.0,
    duration_s: float = 0.0,  # 0: to the end
) -> Iterator[np.ndarray]:  # (height, width, 3) RGB in full range: uint8, or uint16 where the file has more than 8 bits
    """The frames from `start_s` on, upright, in the colours that the file says it has.

    Raises UserError with half a sentence ("is ...") for what is no video or is damaged.
    """
    try:
        with av.open(source if isinstance(source, BytesIO) else os.fspath(source)) as container:
            if not container.streams.video:
                raise UserError("is a file without a video in it")
            stream = container.streams.video[0]
            first = int(start_s / stream.time_base) if start_s else None
            end = int((start_s + duration_s) / stream.time_base) if duration_s else None
            if first is not None:
                container.seek(first, stream=stream)
            for frame in container.decode(stream):
                if first is not None and frame.pts is not None and frame.pts < first:
                    continue
                if end is not None and frame.pts is not None and frame.pts >= end:
                    return
                yield rgb_of(frame)
    except av.error.FFmpegError as problem:
        raise UserError(f"is no video that FFmpeg can read ({problem.strerror or problem})") from problem


def rgb_of(frame: av.VideoFrame) -> np.ndarray:  # (height, width, 3) uint8 or uint16
    """A decoded frame as RGB. Until version 17, PyAV took every video for BT.601 unless it was told what it says."""
    bits = max(component.bits for component in frame.format.components)
    said = {}
    if not frame.format.is_rgb:
        said["dst_color_range"] = "JPEG"
        if frame.colorspace != UNSPECIFIED:
            said["src_colorspace"] = frame.colorspace
        if frame.color_range:
            said["src_color_range"] = frame.color_range
    picture = frame.to_ndarray(format="rgb24" if bits <= 8 else "rgb48le", **said)
    if bits > 8 and not frame.format.is_rgb:
        # swscale gives 65280 for white, as if 16 bits were 8 bits with zeros behind them.
        picture = np.minimum(picture.astype(np.uint32) + (picture >> 8), 65535).astype(np.uint16)
    if frame.rotation:
        picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / QUARTER_TURN)))
    return picture
