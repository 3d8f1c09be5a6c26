"""The sound of a scene: read from the video that a view was made of, written into the videos that are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import cast

import av
import numpy as np

from ..errors import UserError
from .read import Source, open_video

# What AAC has; other rates are converted to the last one.
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 88200, 96000, 48000)
LAYOUTS = ("mono", "stereo")
ENCODERS = {"mp4": "aac", "mov": "pcm_s16le", "matroska": "flac"}
GAP_S = 0.01  # a time that is off by more is a gap
AAC_BITS_PER_CHANNEL = 128_000  # per second


@dataclass(frozen=True)
class SoundFormat:
    """How a file's sound is stored."""

    rate: int  # samples per second
    channels: int


@dataclass(frozen=True)
class Sound:
    """A sound that begins with the first frame of its film."""

    samples: np.ndarray  # (channels, samples) float32, -1 to 1; one channel or two
    rate: int  # samples per second

    @property
    def format(self) -> SoundFormat:
        return SoundFormat(self.rate, len(self.samples))

    def between(self, begin: int, end: int) -> np.ndarray:  # (channels, end - begin) float32
        """Some of its samples, silence where there are no more."""
        here = self.samples[:, begin:end]
        return np.pad(here, ((0, 0), (0, end - begin - here.shape[1])))

    def lasting(self, frames: int, fps: Fraction) -> Sound:
        """As long as so many frames: cut, or with silence behind it."""
        return replace(self, samples=self.between(0, round(frames / fps * self.rate)))


def sound_of_samples(samples: np.ndarray, rate: int) -> Sound:
    """A sound of samples that somebody gives, in a rate that can be written.

    Raises UserError with half a sentence ("has ...") for what is none, or has more than two channels.
    """
    if samples.ndim != 2 or not 1 <= len(samples) <= len(LAYOUTS):
        raise UserError(f"has the shape {tuple(samples.shape)}; one channel or two of samples are possible")
    if not 1 <= rate <= 1_000_000:
        raise UserError(f"has {rate} samples per second")
    if not np.isfinite(samples).all():
        raise UserError("has samples that are not finite (NaN)")
    samples = np.ascontiguousarray(samples, np.float32)
    if rate in RATES or not samples.shape[1]:
        return Sound(samples, rate if rate in RATES else RATES[-1])
    frame = _frame(samples, rate, 0)
    pieces = [piece.to_ndarray() for piece in _converted([frame], LAYOUTS[len(samples) - 1], RATES[-1])]
    return Sound(np.concatenate(pieces, axis=1), RATES[-1])


def sound_of_video(source: Source, start_s: float, length_s: Fraction) -> Sound | None:
    """The sound of a video file from the first frame at or behind `start_s` on, so long; None where it has none.

    Sounds of more than two channels become stereo. Raises UserError with half a sentence ("has ...") for one that
    FFmpeg cannot read.
    """
    try:
        with open_video(source) as container:
            if _audio_of(container) is None or not container.streams.video:
                return None
            begin = _first_moment(container, start_s)
        with open_video(source) as container:
            stream = _audio_of(container)
            assert stream is not None
            return _heard(container.decode(stream), begin, length_s)
    except av.error.FFmpegError as problem:
        raise UserError(f"has a sound that FFmpeg cannot read ({problem.strerror or problem})") from problem


def _audio_of(container: av.container.InputContainer) -> av.AudioStream | None:
    """The last one that FFmpeg can decode, as the host takes it: decoding one without a decoder ends the process."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return streams[-1] if streams else None


def _first_moment(container: av.container.InputContainer, start_s: float) -> Fraction:  # in seconds
    """When the first frame is shown that `read.video_frames` gives."""
    stream = container.streams.video[0]
    unit = stream.time_base or Fraction(1, av.time_base)
    first = int(start_s / unit) if start_s else None
    moments = (packet.pts for packet in container.demux(stream) if packet.pts is not None and not packet.is_discard)
    return min((moment for moment in moments if first is None or moment >= first), default=0) * unit


def _heard(frames: Iterable[av.AudioFrame], begin: Fraction, length_s: Fraction) -> Sound | None:
    """The frames at their times: a sound may begin late, and have gaps."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return None
    channels = min(first.layout.nb_channels, len(LAYOUTS))
    rate = first.sample_rate if first.sample_rate in RATES else RATES[-1]
    sound = Sound(np.zeros((channels, round(length_s * rate)), np.float32), rate)
    end = -rate  # of what is heard so far, in samples
    for piece in _converted(chain([first], frames), LAYOUTS[channels - 1], rate):
        samples = piece.to_ndarray()
        at = end
        if piece.pts is not None and piece.time_base:
            said = round((piece.pts * piece.time_base - begin) * rate)
            at = said if abs(said - end) > GAP_S * rate else end  # Matroska rounds times to a millisecond
        if at >= sound.samples.shape[1]:
            break
        end, skipped = at + samples.shape[1], max(0, -at)
        place = sound.samples[:, max(0, at) : max(0, end)]
        place[:] = samples[:, skipped : skipped + place.shape[1]]
    return sound


def _converted(frames: Iterable[av.AudioFrame], layout: str, rate: int) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _frame(samples: np.ndarray, rate: int, at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[len(samples) - 1])
    frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
    return frame


# ---- writing


class SoundTrack:
    """A sound in a file that is being written: AAC in mp4, without loss in the containers that are for editing."""

    def __init__(self, container: av.container.OutputContainer, kind: str, sound: Sound) -> None:
        channels = len(sound.samples)
        self._container, self._sound, self._written = container, sound, 0
        self._stream = cast(av.AudioStream, container.add_stream(ENCODERS[kind], rate=sound.rate))
        self._stream.layout = LAYOUTS[channels - 1]
        if ENCODERS[kind] == "aac":
            self._stream.bit_rate = AAC_BITS_PER_CHANNEL * channels

    def write_until(self, time_s: Fraction) -> None:
        """All that is heard up to a time: as far as the pictures are, so that neither waits for the other in memory."""
        end = round(time_s * self._sound.rate)
        if end > self._written:
            samples = np.ascontiguousarray(self._sound.between(self._written, end))
            self._container.mux(self._stream.encode(_frame(samples, self._sound.rate, self._written)))
            self._written = end

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
