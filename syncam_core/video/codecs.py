"""Which video formats there are to write: what FFmpeg is told for each, and whether this machine's FFmpeg can do it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from ..errors import UserError

BT709 = 1  # ITU-T H.273: the same code stands for its primaries, transfer function and matrix
RGB_MATRIX = 0
LIMITED_RANGE, FULL_RANGE = 1, 2
# What nothing says otherwise of is written with the crf of its codec, below. Datasets are finer than what is sold as
# lossless to the eye (18), as nothing is trained on what is looked at; previews are fast.
DATASET_CRF, PREVIEW_CRF = 12, 20
MOV_OPTIONS = {"movflags": "use_metadata_tags+faststart"}
X265_DELAY = 2  # frames that x265 holds back for those which are shown before them


@dataclass(frozen=True)
class Codec:
    """One format of video files. `pixels` maps bits per channel to FFmpeg's name of how pixels are stored."""

    name: str  # for people
    suffix: str
    container: str  # FFmpeg's name
    encoders: tuple[str, ...]  # FFmpeg's names; the first one that is there is used
    pixels: Mapping[int, str]
    crf: int | None = None  # the default; None: there is nothing to choose
    worst_crf: int = 51
    smallest_side: int = 1  # pixels
    largest_side: int = 16384  # of H.264 level 6.2 as x264 accepts it
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None  # the four letters by which players know the format
    in_browsers: bool = True  # whether browsers play it

    @property
    def lossless(self) -> bool:
        return not next(iter(self.pixels.values())).startswith("yuv")


CODECS = {
    "h264": Codec("H.264", ".mp4", "mp4", ("libx264", "h264"), {8: "yuv420p", 10: "yuv420p10le"}, crf=18),
    "h265": Codec(
        "H.265",
        ".mp4",
        "mp4",
        ("libx265", "hevc"),
        {8: "yuv420p", 10: "yuv420p10le"},
        crf=20,
        smallest_side=64,  # x265 writes beyond its own memory for some smaller pictures, 48 x 32 among them
        options={"x265-params": "log-level=error"},
        tag="hvc1",  # with FFmpeg's own choice, hev1, Apple's players show nothing
        in_browsers=False,  # only some of them, on some machines
    ),
    "av1": Codec(
        "AV1",
        ".mp4",
        "mp4",
        ("libsvtav1",),
        {8: "yuv420p", 10: "yuv420p10le"},
        crf=25,
        worst_crf=63,
        options={"preset": "8"},
    ),
    "prores_422_hq": Codec(
        "ProRes 422 HQ",
        ".mov",
        "mov",
        ("prores_ks",),
        {10: "yuv422p10le"},
        options={"profile": "hq", "vendor": "apl0"},
        in_browsers=False,
    ),
    # FFV1 stores 8-bit RGB with an unused fourth channel, which costs nothing.
    "ffv1": Codec(
        "FFV1",
        ".mkv",
        "matroska",
        ("ffv1",),
        {8: "bgr0", 16: "gbrp16le"},
        options={"level": "3", "slicecrc": "1"},
        in_browsers=False,
    ),
}


@dataclass(frozen=True)
class Encoding:
    """How a video is written: what `VideoWriter` takes."""

    codec: str = "h264"  # a key of CODECS
    bits: int = 8
    crf: float | None = None  # None: the codec's own default

    @property
    def suffix(self) -> str:
        return CODECS[self.codec].suffix

    @property
    def in_browsers(self) -> bool:
        return CODECS[self.codec].in_browsers


H264 = Encoding()


def frame_dtype(bits: int) -> np.dtype:
    """What frames come in: 8 bit as uint8, more as uint16 over its whole range."""
    return np.dtype(np.uint8) if bits == 8 else np.dtype(np.uint16)


def check_choice(codec: str, bits: int, crf: float | None = None) -> None:
    """Raise UserError for a format, a depth or a quality that there is not."""
    if codec not in CODECS:
        raise UserError(f"'codec' is {str(codec)[:40]!r}; possible are {', '.join(CODECS)}.", field="codec")
    about = CODECS[codec]
    if bits not in about.pixels:
        possible = " or ".join(map(str, about.pixels))
        raise UserError(f"'bit_depth' is {bits!r}, but {about.name} has {possible}; use {possible}.", field="bit_depth")
    if crf is None:
        return
    if about.crf is None:
        raise UserError(f"'crf' is {crf!r}, but {about.name} has no such setting; leave it out.", field="crf")
    if isinstance(crf, bool) or not isinstance(crf, (int, float)) or not 0 <= crf <= about.worst_crf:
        raise UserError(
            f"'crf' is {crf!r}; {about.name} has 0 (best) to {about.worst_crf} (smallest), its usual one is {about.crf}.",
            field="crf",
        )


def check_encoder(codec: str, bits: int, height: int, width: int, rate: Fraction) -> None:
    """Raise UserError where this machine's FFmpeg cannot write such a video; found out by encoding one frame."""
    problem = _problem(codec, bits, height, width, rate)
    if problem:
        about = CODECS[codec]
        others = [key for key in CODECS if key != codec and not _problem(key, min(CODECS[key].pixels), 64, 64, rate)]
        raise UserError(
            f"'codec' is {codec!r}, but FFmpeg cannot write {width} x {height} pixels in {about.name} with {bits} bits "
            f"here ({problem}); use another size or one of {', '.join(others)}.",
            field="codec",
        )


def encodes(codec: str, bits: int, height: int, width: int, rate: Fraction) -> bool:
    """Whether this machine's FFmpeg can write such a video."""
    return not _problem(codec, bits, height, width, rate)


def _problem(codec: str, bits: int, height: int, width: int, rate: Fraction) -> str:
    """Why a video cannot be written, nothing where it can."""
    try:
        _encode_one_frame(codec, bits, height, width, rate)
    except (av.error.FFmpegError, ValueError, LookupError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


@lru_cache(maxsize=64)  # of what works: what failed for want of memory may work the next time
def _encode_one_frame(codec: str, bits: int, height: int, width: int, rate: Fraction) -> None:
    about = CODECS[codec]
    if not about.lossless:
        height, width = height + height % 2, width + width % 2
    with av.open(BytesIO(), "w", format=about.container) as container:
        stream = new_stream(container, codec, bits, None, height, width, rate)
        frame = np.zeros((height, width, 3), frame_dtype(bits))
        container.mux(stream.encode(encodable(VideoReformatter(), frame, codec, bits)))
        container.mux(last_packets(stream, codec, frames=1))


def new_stream(
    container: av.container.OutputContainer,
    codec: str,
    bits: int,
    crf: float | None,  # None: the format's own default
    height: int,
    width: int,
    rate: Fraction,
    more: Mapping[str, str] | None = None,  # options of the encoder that is the first choice
) -> av.VideoStream:
    """A stream of constant frame rate whose colours are tagged as what `encodable` makes."""
    about = CODECS[codec]
    encoder = next((name for name in about.encoders if name in av.codecs_available), about.encoders[-1])
    if encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # it knows no other way not to print thirty lines per file
    stream = cast(av.VideoStream, container.add_stream(encoder, rate=rate))
    stream.width, stream.height, stream.pix_fmt = width, height, about.pixels[bits]
    options: dict[str, object] = dict(about.options)
    if about.crf is not None and encoder.startswith("lib"):
        options["crf"] = f"{about.crf if crf is None else crf:g}"
    if encoder == about.encoders[0]:
        options.update(more or {})
    stream.options = options
    context = stream.codec_context
    context.time_base = 1 / rate
    if about.tag:
        context.codec_tag = about.tag
    context.color_primaries = context.color_trc = BT709
    context.colorspace = RGB_MATRIX if about.lossless else BT709
    context.color_range = FULL_RANGE if about.lossless else LIMITED_RANGE
    return stream


def last_packets(stream: av.VideoStream, codec: str, frames: int) -> list[av.Packet[av.VideoStream]]:
    """What the encoder still holds behind the last of so many frames."""
    packets = stream.encode(None)
    if codec == "h265" and frames <= X265_DELAY:
        for packet in packets:
            packet.dts = packet.pts  # x265 gives none that counts; so few frames are decoded as they are shown
    return packets


def encodable(
    reformatter: VideoReformatter,
    frame: np.ndarray,  # (height, width, 3) RGB in full range, as `frame_dtype` says
    codec: str,
    bits: int,
) -> av.VideoFrame:
    """The frame as the encoder takes it: BT.709 in limited range, or RGB as it is where nothing may be lost."""
    about = CODECS[codec]
    if bits > 8 and not about.lossless:
        frame = frame - (frame >> 8)  # swscale takes 65280 for white: it would write 943 where BT.709 has 940
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24" if bits == 8 else "rgb48le")
    if about.lossless:
        return reformatter.reformat(picture, format=about.pixels[bits])
    picture = reformatter.reformat(
        picture,
        format=about.pixels[bits],
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    if hasattr(picture, "color_primaries"):  # ProRes says it in every frame; before PyAV 17 it stays unsaid there
        picture.color_primaries = picture.color_trc = BT709
    return picture
