"""Video files, written frame by frame through PyAV."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..disk.staged import staged_file
from ..errors import UserError
from .codecs import CODECS, MOV_OPTIONS, check_choice, encodable, frame_dtype, last_packets, new_stream
from .frames import pad_to_even
from .sound import Sound, SoundTrack

SLOWEST_FPS, FASTEST_FPS = 0.01, 240
NTSC_NOMINAL_FPS = (24, 30, 48, 60, 120)
LARGEST_SIDE = CODECS["h264"].largest_side


def frame_rate(fps: float | Fraction) -> Fraction:
    """Frames per second as an exact fraction, of at most three decimals where a float is given.

    23.976 (or 23.98), 29.97 and 59.94 mean what they mean everywhere in film: 24000/1001, 30000/1001, 60000/1001.
    """
    if isinstance(fps, bool) or not isinstance(fps, (int, float, Fraction)) or not math.isfinite(fps):
        raise UserError(
            f"'fps' is {fps!r}; use a number from {SLOWEST_FPS} to {FASTEST_FPS} frames per second.", field="fps"
        )
    if not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise UserError(f"'fps' is {float(fps):g}; use {SLOWEST_FPS} to {FASTEST_FPS} frames per second.", field="fps")
    if isinstance(fps, Fraction):
        return fps.limit_denominator(100_000)  # FFmpeg counts in 32 bits; Fraction(23.976) has a denominator of 2**46
    for nominal in NTSC_NOMINAL_FPS:
        if abs(fps - nominal * 1000 / 1001) < 0.005:
            return Fraction(nominal * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)


def check_video_size(height: int, width: int, codec: str = "h264") -> None:
    """Raise UserError for a picture that the format cannot hold."""
    about = CODECS[codec]
    if max(height, width) > about.largest_side:
        raise UserError(
            f"a video of {width} x {height} pixels is too large for {about.name} (at most {about.largest_side} either "
            "way); use smaller or fewer views."
        )
    if min(height, width) < about.smallest_side:
        raise UserError(
            f"a video of {width} x {height} pixels is too small for {about.name} (at least {about.smallest_side} either "
            "way); use larger views or another codec."
        )


class VideoWriter:
    """A video that receives its frames one by one and appears under its name when its `with` block ends.

    `codec` is a key of CODECS, `bits` one of its depths; the path should have the codec's suffix. The colours are
    BT.709 in limited range, of FFV1 RGB as it is. The frame rate is constant: frame i is shown at exactly i / fps, in
    Matroska to the nearest millisecond. Where chroma is shared between pixels, an odd width or height grows by one
    repeated column or row. In mp4 and mov the index stands at the front of the file, and `metadata` is kept as tags
    where ComfyUI looks for "workflow" and "prompt". A sound begins with the first frame. Until the block ends the file has a temporary name in the same
    folder; if it ends with any exception (an interrupt is a BaseException), nothing is left.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float | Fraction,
        metadata: Mapping[str, str] | None = None,
        crf: float | None = None,  # None: the codec's own default
        codec: str = "h264",
        bits: int = 8,
        sound: Sound | None = None,  # cut to the length of the pictures, or with silence behind it
        options: Mapping[str, str] | None = None,  # of FFmpeg's encoder, in place of the codec's own
    ) -> None:
        check_choice(codec, bits, crf)
        self.options = dict(options or {})
        self.path = Path(path)
        self.rate = frame_rate(fps)
        self.metadata = dict(metadata or {})
        self.crf, self.codec, self.bits, self.sound = crf, codec, bits, sound
        self.frames = 0

    def __enter__(self) -> VideoWriter:
        about = CODECS[self.codec]
        self._stream: av.VideoStream | None = None
        self._track: SoundTrack | None = None
        self._reformatter = VideoReformatter()
        # Tags must be set before the first stream is written; faststart moves the index to the front at the end.
        options = MOV_OPTIONS if about.container in ("mp4", "mov") else {}
        with ExitStack() as opened:
            # FFmpeg opens the file with the first packets only, dozens of frames later; a folder that cannot be
            # written to is known now.
            hidden = opened.enter_context(staged_file(self.path))
            self._container = av.open(str(hidden), mode="w", format=about.container, options=options)
            self._container.metadata.update(self.metadata)
            self._file = opened.pop_all()
        return self

    def write(
        self,
        frame: np.ndarray,  # (height, width, 3) RGB in full range: uint8, or uint16 where there are more than 8 bits
    ) -> None:
        """Append one frame; every frame must have the size of the first."""
        dtype = frame_dtype(self.bits)
        if frame.dtype != dtype or frame.ndim != 3 or frame.shape[2] != 3:
            raise UserError(f"a video frame must be (height, width, 3) {dtype}, not {frame.shape} {frame.dtype}.")
        frame = np.ascontiguousarray(frame if CODECS[self.codec].lossless else pad_to_even(frame))
        height, width = frame.shape[:2]
        if self._stream is None:
            self._stream = self._add_stream(height, width)
        if (height, width) != (self._stream.height, self._stream.width):
            raise UserError(
                f"frame {self.frames} is {width} x {height} pixels, "
                f"but the video is {self._stream.width} x {self._stream.height}."
            )
        picture = encodable(self._reformatter, frame, self.codec, self.bits)
        picture.pts, picture.time_base = self.frames, 1 / self.rate
        self._container.mux(self._stream.encode(picture))
        self.frames += 1
        if self._track is not None:
            self._track.write_until(self.frames / self.rate)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as unfinished:
            unfinished.push(self._file)  # removes the file where closing the video fails
            self._finish() if kind is None else self._abandon()
            unfinished.pop_all()
        self._file.__exit__(kind, error, traceback)

    def _finish(self) -> None:
        if self._stream is None:
            self._abandon()
            raise UserError("a video needs at least one frame.")
        try:
            self._container.mux(last_packets(self._stream, self.codec, self.frames))
            if self._track is not None:
                self._track.finish()
        except BaseException:
            self._abandon()
            raise
        self._container.close()

    def _abandon(self) -> None:
        # Closing writes the index of what is there, which may fail for the same reason as the frames did.
        try:
            self._container.close()
        except av.error.FFmpegError:
            return

    def _add_stream(self, height: int, width: int) -> av.VideoStream:
        check_video_size(height, width, self.codec)
        stream = new_stream(self._container, self.codec, self.bits, self.crf, height, width, self.rate, self.options)
        if self.sound is not None:
            self._track = SoundTrack(self._container, CODECS[self.codec].container, self.sound)
        return stream


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],  # (height, width, 3) RGB, uint8 or uint16 as `VideoWriter.write` takes them
    fps: float | Fraction,
    metadata: Mapping[str, str] | None = None,
    crf: float | None = None,
    codec: str = "h264",
    bits: int = 8,
) -> int:
    """Write all frames to one video (see `VideoWriter`) and return how many there were."""
    with VideoWriter(path, fps, metadata, crf, codec, bits) as video:
        for frame in frames:
            video.write(frame)
    return video.frames
