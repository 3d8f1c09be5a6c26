"""The frames of a video file, one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from io import BytesIO
from typing import TypedDict

import av
import numpy as np

from ..errors import UserError

UNSPECIFIED = 2  # as ITU-T H.273 says it of a matrix
QUARTER_TURN = 90


class _TagOptions(TypedDict, total=False):
    metadata_errors: str


# Tags may be in any encoding. PyAV 19 takes them as they are; the earlier ones raise unless they are told not to.
_ANY_TAGS: _TagOptions = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


class _Colors(TypedDict, total=False):
    """What FFmpeg is told of a frame's colours, in PyAV's words."""

    dst_color_range: str
    src_colorspace: int
    src_color_range: int


Source = str | os.PathLike[str] | BytesIO


def open_video(source: Source, options: Mapping[str, str] | None = None) -> av.container.InputContainer:
    """A video file for reading, whatever is written in its tags. `options` are FFmpeg's. Raises av.error.FFmpegError."""
    if isinstance(source, BytesIO):
        source.seek(0)
    else:
        source = os.fspath(source)
    return av.open(source, "r", options=dict(options or {}), **_ANY_TAGS)


def video_frames(
    source: Source,
    start_s: float = 0.0,
    duration_s: float = 0.0,  # 0: to the end
) -> Iterator[np.ndarray]:  # (height, width, 3) RGB in full range: uint8, or uint16 where the file has more than 8 bits
    """The frames from `start_s` on, upright, in the colours that the file says it has.

    Raises UserError with half a sentence ("is ...") for what is no video or is damaged.
    """
    try:
        with open_video(source) as container:
            stream, unit = _pictures_of(container)
            first, end = _ticks(start_s, duration_s, unit)
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


def stretches(
    source: Source,
    start_s: float,
    duration_s: float,  # 0: to the end
    frames: int,
) -> Iterator[tuple[float, float]]:  # start and duration in seconds
    """A video, or a part of it, in stretches of so many frames: each frame is in one of them, though times are floats.

    A stretch begins a quarter of the file's smallest unit of time behind its first frame: who rounds times down to that
    unit, as the host does, finds the frame, and with it no other. Raises UserError as `video_frames` does.
    """
    try:
        with open_video(source) as container:
            stream, unit = _pictures_of(container)
            first, end = _ticks(start_s, duration_s, unit)
            moments = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
    except av.error.FFmpegError as problem:
        raise UserError(f"is no video that FFmpeg can read ({problem.strerror or problem})") from problem
    moments = [moment for moment in moments if (first or 0) <= moment and (end is None or moment < end)]
    begins = moments[::frames]
    for begin, until in zip(begins, [*begins[1:], moments[-1] + 1] if begins else (), strict=True):
        yield float((begin + Fraction(1, 4)) * unit), float((until - begin) * unit)


def _pictures_of(container: av.container.InputContainer) -> tuple[av.VideoStream, Fraction]:
    """The pictures of a file, and the unit of their times in seconds."""
    if not container.streams.video:
        raise UserError("is a file without a video in it")
    stream = container.streams.video[0]
    return stream, stream.time_base or Fraction(1, av.time_base)


def _ticks(start_s: float, duration_s: float, unit: Fraction) -> tuple[int | None, int | None]:
    """The first moment and the end (exclusive) in units of the file's time, rounded as the host rounds them."""
    return (
        int(start_s / unit) if start_s else None,
        int((start_s + duration_s) / unit) if duration_s else None,
    )


def rgb_of(frame: av.VideoFrame) -> np.ndarray:  # (height, width, 3) uint8 or uint16
    """A decoded frame as RGB. Until version 17, PyAV took every video for BT.601 unless it was told what it says."""
    bits = max(component.bits for component in frame.format.components)
    said: _Colors = {}
    if not frame.format.is_rgb:
        said["dst_color_range"] = "JPEG"
        if frame.colorspace != UNSPECIFIED:
            said["src_colorspace"] = frame.colorspace
        if frame.color_range:
            said["src_color_range"] = frame.color_range
    picture: np.ndarray = frame.to_ndarray(format="rgb24" if bits <= 8 else "rgb48le", **said)
    if bits > 8 and not frame.format.is_rgb:
        # swscale gives 65280 for white, as if 16 bits were 8 bits with zeros behind them.
        picture = np.minimum(picture.astype(np.uint32) + (picture >> 8), 65535).astype(np.uint16)
    if frame.rotation:
        picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / QUARTER_TURN)))
    return picture
