"""The frames of a video file: all that were promised, at the promised rate, or a sentence about what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..video.clip import BITS_8, in_depth
from ..video.read import open_video, rgb_of
from .footage import BrokenFootage
from .pictures import LARGEST_PIXELS, cover_and_crop

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
MOST_FRAMES = 4096
FPS_TOLERANCE = 0.005  # 23.976 counts as 24, and 15 as 14.98; 24 and 25 are 4 % apart

# Playlists and the like, which FFmpeg recognises by content whatever a file is called, could name files elsewhere.
_OPEN_OPTIONS = {"format_whitelist": "mov,mp4,matroska,webm,avi", "protocol_whitelist": "file"}


@dataclass(frozen=True)
class VideoFile:
    """The `read` of footage that is a video.

    Damage is what the decoder finds. Of H.264 clips whose pictures had 60 bytes overwritten, it let through 1 of 140
    at 256 x 256, 0 of 137 at 128 x 128, and 34 of 103 at 32 x 32, where so few bytes are another valid picture; with
    400 bytes, 3 of 553 at all sizes.
    """

    path: Path
    shown: str  # what messages call the file: its path within the data set
    size: tuple[int, int]  # height, width
    length: int | None = None  # frames
    fps: float | None = None
    may_be_longer: bool = False  # take the first `length` frames
    poses: int = 1  # frames of its camera; 1 stands still for any length

    def probe(self) -> int:
        """The number of frames that reading will give, from the container alone. Raises BrokenFootage."""
        with self._opened() as (container, stream):
            # The header counts what an edit list leaves out, too; then it does not agree with the length of the film.
            frames, rate, unit = stream.frames, stream.average_rate, stream.time_base
            if not (frames and stream.duration and unit and rate and round(stream.duration * unit * rate) == frames):
                frames = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
            self._judge_count(frames)
            return min(frames, self.length or frames)

    def __call__(self) -> Tensor:  # (frames, height, width, 3) uint8
        return torch.stack([cover_and_crop(picture, self.size) for picture in self.pictures()])

    def pictures(self) -> Iterator[np.ndarray]:  # (height, width, 3) uint8
        """The frames in their own size, upright, one at a time. Raises BrokenFootage; at the end for a wrong number."""
        moments: list[int] = []
        count, most = 0, self.length or MOST_FRAMES
        with self._opened(lambda: count) as (container, stream):
            for frame in container.decode(stream):
                if count == most:
                    if self.may_be_longer:
                        break
                    raise BrokenFootage(f"'{self.shown}' has more than {most} frames; {self._wanted()}.")
                if frame.is_corrupt:
                    raise BrokenFootage(f"'{self.shown}' is damaged at frame {count}.")
                yield in_depth(rgb_of(frame), BITS_8)
                count += 1
                if frame.pts is not None:
                    moments.append(frame.pts)
        self._judge_count(count)
        self._judge_moments(moments)

    def _wanted(self) -> str:
        return f"{self.length} are expected" if self.length else f"at most {MOST_FRAMES} are possible"

    def _judge_count(self, frames: int) -> None:
        if not frames:
            raise BrokenFootage(f"'{self.shown}' holds no frames.")
        if frames > MOST_FRAMES and not self.may_be_longer:
            raise BrokenFootage(f"'{self.shown}' has {frames} frames; at most {MOST_FRAMES} are possible.")
        if self.length and (frames < self.length or (frames > self.length and not self.may_be_longer)):
            least = "at least " * self.may_be_longer
            raise BrokenFootage(f"'{self.shown}' has {frames} frames, but {least}{self.length} are expected.")
        if self.poses not in (1, frames):
            raise BrokenFootage(f"'{self.shown}' has {frames} frames, but its camera has poses for {self.poses}.")

    def _judge_moments(self, moments: list[int]) -> None:
        """Frames that somebody dropped leave a gap in time, though their number may have been forged or repaired."""
        steps = np.diff(np.asarray(moments, dtype=np.int64))
        if len(steps) and steps.max() > 1.5 * np.median(steps):
            at = int(steps.argmax())
            raise BrokenFootage(f"'{self.shown}' has a gap in time after frame {at}: frames are missing there.")

    @contextmanager
    def _opened(
        self, at_frame: Callable[[], int | None] = lambda: None
    ) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        if not self.path.is_file():
            raise BrokenFootage(f"'{self.shown}' is missing.")
        if not self.path.stat().st_size:
            raise BrokenFootage(f"'{self.shown}' is empty (0 bytes).")
        try:
            with open_video(self.path, _OPEN_OPTIONS) as container:
                if not container.streams.video:
                    raise BrokenFootage(f"'{self.shown}' holds no video.")
                stream = container.streams.video[0]
                if stream.codec_context is None:
                    raise BrokenFootage(f"'{self.shown}' is damaged, or has a codec that is not known here.")
                if stream.width * stream.height > LARGEST_PIXELS:
                    raise BrokenFootage(f"'{self.shown}' has {stream.width} x {stream.height} pixels, too many.")
                rate = stream.average_rate or stream.guessed_rate
                if self.fps and not (rate and abs(float(rate) / self.fps - 1) <= FPS_TOLERANCE):
                    has = f"runs at {float(rate):.6g} fps" if rate else "does not say its fps"
                    raise BrokenFootage(f"'{self.shown}' {has}, but {self.fps:g} fps are expected.")
                # Only a single thread reports damage, instead of painting over it; with threads per frame FFmpeg can
                # hang on it.
                stream.thread_type = "NONE"
                yield container, stream
        except av.error.FFmpegError as problem:
            frame = at_frame()
            where = "cannot be opened as a video" if frame is None else f"is damaged at or after frame {frame}"
            raise BrokenFootage(f"'{self.shown}' {where} ({problem.strerror}).") from problem


def check_clip(length: int | None, fps: float | None) -> None:
    """Raise UserError for a length or frame rate that no clip can have."""
    if length is not None and not 1 <= length <= MOST_FRAMES:
        raise UserError(f"'length' is {length}, but 1 to {MOST_FRAMES} frames are possible.", field="length")
    if fps is not None and not 0 < fps <= 1000:
        raise UserError(f"'fps' is {fps}, but a number above 0 is needed.", field="fps")
