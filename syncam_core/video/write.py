"""H.264 mp4 files, written frame by frame through PyAV, and folders in which files appear only together."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from .frames import pad_to_even

SLOWEST_FPS, FASTEST_FPS = 0.01, 240
NTSC_NOMINAL_FPS = (24, 30, 48, 60, 120)
LARGEST_SIDE = 16384  # of H.264 level 6.2 as x264 accepts it
VISUALLY_LOSSLESS_CRF = 18
BT709 = 1  # ITU-T H.273: the same code stands for its primaries, transfer function and matrix
LIMITED_RANGE = 1
TEMPORARY_PREFIX = ".syncam-"


def frame_rate(fps: float | Fraction) -> Fraction:
    """Frames per second as an exact fraction, of at most three decimals where a float is given.

    23.976 (or 23.98), 29.97 and 59.94 mean what they mean everywhere in film: 24000/1001, 30000/1001, 60000/1001.
    """
    if isinstance(fps, bool) or not isinstance(fps, (int, float, Fraction)) or not math.isfinite(fps):
        raise ValueError(f"'fps' is {fps!r}; use a number from {SLOWEST_FPS} to {FASTEST_FPS} frames per second.")
    if not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise ValueError(f"'fps' is {float(fps):g}; use {SLOWEST_FPS} to {FASTEST_FPS} frames per second.")
    if isinstance(fps, Fraction):
        return fps.limit_denominator(100_000)  # FFmpeg counts in 32 bits; Fraction(23.976) has a denominator of 2**46
    for nominal in NTSC_NOMINAL_FPS:
        if abs(fps - nominal * 1000 / 1001) < 0.005:
            return Fraction(nominal * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)


def check_video_size(height: int, width: int) -> None:
    """Raise ValueError for a picture that H.264 cannot hold."""
    if max(height, width) > LARGEST_SIDE:
        raise ValueError(
            f"a video of {width} x {height} pixels is too large for H.264 (at most {LARGEST_SIDE} either way); "
            "use smaller or fewer views."
        )


class VideoWriter:
    """An mp4 that receives its frames one by one and appears under its name when its `with` block ends.

    H.264, yuv420p, BT.709 in limited range, constant frame rate: frame i is shown at exactly i / fps. An odd width or
    height grows by one repeated column or row. The index stands at the front of the file, and `metadata` is kept as
    tags where ComfyUI looks for "workflow" and "prompt". Until the block ends the file has a temporary name in the
    same folder; if it ends with any exception (an interrupt is a BaseException), nothing is left.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float | Fraction,
        metadata: Mapping[str, str] | None = None,
        crf: float = VISUALLY_LOSSLESS_CRF,
    ) -> None:
        self.path = Path(path)
        self.rate = frame_rate(fps)
        self.metadata = dict(metadata or {})
        self.crf = crf
        self.frames = 0

    def __enter__(self) -> VideoWriter:
        self._temporary = self.path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}.mp4")
        self._stream = None
        self._reformatter = VideoReformatter()
        try:
            # FFmpeg opens the file with the first packets only, dozens of frames later; a folder that cannot be
            # written to should be known now.
            self._temporary.touch(exist_ok=False)
            # Tags must be set before the first stream is written; faststart moves the index to the front at the end.
            self._container = av.open(
                str(self._temporary), mode="w", format="mp4", options={"movflags": "use_metadata_tags+faststart"}
            )
            self._container.metadata.update(self.metadata)
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise
        return self

    def write(
        self,
        frame: np.ndarray,  # (height, width, 3) uint8 RGB, full range
    ) -> None:
        """Append one frame; every frame must have the size of the first."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a video frame must be (height, width, 3) uint8, not {frame.shape} {frame.dtype}.")
        frame = np.ascontiguousarray(pad_to_even(frame))
        height, width = frame.shape[:2]
        if self._stream is None:
            self._stream = self._add_stream(height, width)
        if (height, width) != (self._stream.height, self._stream.width):
            raise ValueError(
                f"frame {self.frames} is {width} x {height} pixels, "
                f"but the video is {self._stream.width} x {self._stream.height}."
            )
        picture = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(frame, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        picture.pts, picture.time_base = self.frames, 1 / self.rate
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
                os.replace(self._temporary, self.path)
            else:
                self._abandon()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._stream is None:
            self._abandon()
            raise ValueError("a video needs at least one frame.")
        try:
            self._container.mux(self._stream.encode(None))
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
        check_video_size(height, width)
        has_x264 = "libx264" in av.codecs_available
        stream = self._container.add_stream("libx264" if has_x264 else "h264", rate=self.rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if has_x264:
            stream.options = {"crf": f"{self.crf:g}"}
        context = stream.codec_context
        context.time_base = 1 / self.rate
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        return stream


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],  # (height, width, 3) uint8 RGB
    fps: float | Fraction,
    metadata: Mapping[str, str] | None = None,
    crf: float = VISUALLY_LOSSLESS_CRF,
) -> int:
    """Write all frames to one mp4 (see `VideoWriter`) and return how many there were."""
    with VideoWriter(path, fps, metadata, crf) as video:
        for frame in frames:
            video.write(frame)
    return video.frames


@contextmanager
def staged_files(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """A fresh folder inside `folder`; what is written into it moves to `folder` when the block ends without an error.

    Files that belong together thus appear together: after an exception, an interrupt included, none of them is there.
    Raises FileExistsError, and moves nothing, where a name is already in use.
    """
    folder = Path(folder)
    stage = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=folder))
    moved: list[Path] = []
    try:
        yield stage
        files = sorted(stage.iterdir())
        for file in files:
            if (folder / file.name).exists():
                raise FileExistsError(f"'{folder / file.name}' exists already")
        for file in files:
            moved.append(folder / file.name)
            os.replace(file, moved[-1])
    except BaseException:
        for file in moved:
            file.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
