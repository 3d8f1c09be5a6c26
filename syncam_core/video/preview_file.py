"""Video files to look at: every frame a key frame, so that a player can show any of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import UserError
from .clip import BITS_8, Clip, in_depth, in_order
from .codecs import PREVIEW_CRF
from .read import open_video, video_frames
from .write import VideoWriter

FASTER_PRESET = "veryfast"  # half the time of x264's default for files of the same size, with key frames only
# What Chromium, Firefox and Safari play of what this pack writes; all of it 8 bit and 4:2:0.
PLAYED_CODECS = {".mp4": ("h264", "av1", "vp9"), ".webm": ("vp8", "vp9", "av1")}
PLAYED_PIXELS = ("yuv420p", "yuvj420p")


class PreviewWriter(VideoWriter):
    """A `VideoWriter` whose frames are all key frames."""

    def __init__(self, path: Path, fps: Fraction) -> None:
        super().__init__(path, fps, crf=PREVIEW_CRF)

    def _add_stream(self, height: int, width: int) -> av.VideoStream:
        stream = super()._add_stream(height, width)
        stream.codec_context.gop_size = 1
        if stream.codec_context.name == "libx264":
            stream.options = {**stream.options, "preset": FASTER_PRESET}
        return stream


def digest_of(clip: Clip, fps: Fraction) -> str:
    """A short name for the pictures and times of a clip: the same for the same ones, in any run."""
    digest = hashlib.blake2b(f"{len(clip)} {clip.height} {clip.width} {fps}".encode(), digest_size=10)
    for frame in in_order(clip):
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def plays_in_browsers(path: Path) -> bool:
    """Whether any browser plays a video file as it is. Raises OSError or UserError for a file that is no video."""
    codecs = PLAYED_CODECS.get(path.suffix.lower(), ())
    try:
        with open_video(path) as container:
            context = container.streams.video[0].codec_context
            return av.Codec(context.name).canonical_name in codecs and context.pix_fmt in PLAYED_PIXELS
    except (av.error.InvalidDataError, IndexError) as problem:
        raise UserError(f"'{path.name}' is no video file.") from problem


def frames_of_file(path: Path) -> Iterator[np.ndarray]:  # (height, width, 3) uint8
    """The frames of a video file from the first to the last."""
    return (in_depth(frame, BITS_8) for frame in video_frames(path))
