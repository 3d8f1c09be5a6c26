"""Video files in every format, probed with PyAV as any player would read them."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from syncam_core.errors import UserError
from syncam_core.video import VideoWriter, write_video
from syncam_core.video.codecs import (
    CODECS,
    check_choice,
    check_encoder,
    encodable,
    encodes,
    frame_dtype,
    last_packets,
    new_stream,
)
from syncam_core.video.read import video_frames

CHOICES = [(codec, bits) for codec, about in CODECS.items() for bits in about.pixels]
LOSSY = [(codec, bits) for codec, bits in CHOICES if codec != "ffv1"]
FFMPEG_NAMES = {
    "h264": {"h264"},
    "h265": {"hevc"},
    "av1": {"av1", "libdav1d"},
    "prores_422_hq": {"prores"},
    "ffv1": {"ffv1"},
}
WHITE = {8: 255, 10: 65535, 16: 65535}


def film(bits, frames=7, height=96, width=128):
    """Soft colour gradients in all bits that there are, and a bright bar that moves."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    for index in range(frames):
        picture = np.stack([x / width, y / height, 0.5 + 0.4 * np.sin((x + y) / 40 + index / 3)], -1)
        picture[:, 8 * index : 8 * index + 8] = 0.9, 0.8, 0.2
        yield (picture * WHITE[bits] + 0.5).astype(frame_dtype(bits))


def write(path, codec, bits, frames=None, fps=15, **options):
    path = path / f"film{CODECS[codec].suffix}"
    write_video(path, film(bits) if frames is None else frames, fps, codec=codec, bits=bits, **options)
    return path


def probe(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        context = stream.codec_context
        return SimpleNamespace(
            codec=context.name,
            pix_fmt=context.pix_fmt,
            size=(stream.height, stream.width),
            rates={stream.average_rate, stream.guessed_rate},
            color_tags=(context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            times=[frame.pts * stream.time_base for frame in frames],
            frames=frames,
            tags={key.lower(): value for key, value in container.metadata.items()},
            letters=context.codec_tag,
        )


def test_the_ffmpeg_of_this_python_writes_every_format():
    for choice in CHOICES:
        check_encoder(*choice, 96, 128, Fraction(15))  # raises with FFmpeg's reason
        assert encodes(*choice, 96, 128, Fraction(15))


@pytest.mark.parametrize("frames", [1, 2])
def test_so_few_frames_that_x265_holds_them_all_back_have_times_to_decode_them_at(frames):
    """It leaves what stood in its memory there, so that some films, and the trial of the encoder, failed."""
    with av.open(BytesIO(), "w", format="mp4") as container:
        stream = new_stream(container, "h265", 8, None, 96, 128, Fraction(15))
        for frame in film(8, frames):
            assert stream.encode(encodable(VideoReformatter(), frame, "h265", 8)) == []
        packets = last_packets(stream, "h265", frames)
    assert len(packets) == frames
    assert [packet.dts for packet in packets] == [packet.pts for packet in packets]


@pytest.mark.parametrize(("codec", "bits"), CHOICES)
def test_a_file_is_what_it_was_asked_to_be(tmp_path, codec, bits):
    seen = probe(write(tmp_path, codec, bits, metadata={"workflow": '{"a": "ä"}', "syncam_rig": "{}"}))
    about = CODECS[codec]
    assert seen.codec in FFMPEG_NAMES[codec]
    assert seen.pix_fmt == about.pixels[bits]
    assert seen.size == (96, 128)
    assert len(seen.frames) == 7
    assert seen.rates == {Fraction(15)}
    assert seen.color_tags == ((1, 1, 0, 2) if codec == "ffv1" else (1, 1, 1, 1))
    assert seen.tags["workflow"] == '{"a": "ä"}'
    assert seen.tags["syncam_rig"] == "{}"


@pytest.mark.parametrize(("codec", "bits"), LOSSY)
@pytest.mark.parametrize("fps", [15, 23.976, 45.0])
def test_every_frame_is_shown_at_exactly_its_index_over_fps(tmp_path, codec, bits, fps):
    exact = Fraction(24000, 1001) if fps == 23.976 else Fraction(fps)
    seen = probe(write(tmp_path, codec, bits, fps=fps))
    assert seen.times == [index / exact for index in range(7)]


@pytest.mark.parametrize("bits", [8, 16])
def test_matroska_says_times_to_the_millisecond_and_the_rate_exactly(tmp_path, bits):
    seen = probe(write(tmp_path, "ffv1", bits))
    assert seen.times == [Fraction(round(1000 * index / 15), 1000) for index in range(7)]
    assert seen.rates == {Fraction(15)}


@pytest.mark.parametrize(("codec", "bits"), LOSSY)
def test_pictures_survive_up_to_codec_tolerance(tmp_path, codec, bits):
    path = write(tmp_path, codec, bits)
    for decoded, original in zip(video_frames(path), film(bits), strict=True):
        assert decoded.dtype == frame_dtype(bits)
        error = np.abs(decoded.astype(float) - original) / WHITE[bits]
        assert error.mean() < 0.012


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("size", [(96, 128), (31, 47)])
def test_ffv1_gives_every_bit_back_also_of_odd_sizes(tmp_path, bits, size):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, WHITE[bits] + 1, (5, *size, 3)).astype(frame_dtype(bits))
    path = write(tmp_path, "ffv1", bits, frames)
    read = list(video_frames(path))
    assert len(read) == 5
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(read, frames, strict=True))
    # The other way to read it: FFmpeg's own conversion, without our reader
    form = "rgb24" if bits == 8 else "rgb48le"
    assert np.array_equal(np.stack([frame.to_ndarray(format=form) for frame in probe(path).frames]), frames)


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "prores_422_hq"])
def test_ten_bits_are_more_than_eight_and_never_went_through_eight(tmp_path, codec):
    """A gray ramp of 1024 steps keeps over 800 of the 877 levels that limited range has, 8 bits have 220."""
    ramp = np.broadcast_to((np.arange(1024) * 64)[None, :, None], (64, 1024, 3)).astype(np.uint16)
    best = {} if codec == "prores_422_hq" else {"crf": 1}
    path = write(tmp_path, codec, 10, [ramp] * 3, **best)
    frame = probe(path).frames[0]
    luma = np.frombuffer(frame.planes[0], np.uint16).reshape(frame.planes[0].height, -1)[32, :1024].astype(float)
    assert len(np.unique(luma)) > 800
    assert np.abs(luma - (64 + 876 * ramp[32, :, 0].astype(float) / 65535)).max() < 3


@pytest.mark.parametrize(("codec", "bits"), LOSSY)
def test_colours_come_back_by_the_equations_of_bt709(tmp_path, codec, bits):
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (20, 40, 60), (200, 180, 170)]
    chart = np.concatenate([np.full((64, 64, 3), np.array(color) * WHITE[bits] // 255) for color in colors], 1)
    frame = probe(write(tmp_path, codec, bits, [chart.astype(frame_dtype(bits))] * 3)).frames[0]
    depth, shift = (np.uint16, 4.0) if bits > 8 else (np.uint8, 1.0)
    planes = [
        np.frombuffer(plane, depth).reshape(plane.height, -1)[:, : plane.width].astype(float) / shift
        for plane in frame.planes
    ]
    for index, color in enumerate(colors):
        half = planes[1].shape[0] // 2
        y = (planes[0][32, 64 * index + 32] - 16) / 219
        u, v = ((plane[half, 32 * index + 16] - 128) / 224 for plane in planes[1:])
        red, blue = y + 1.5748 * v, y + 1.8556 * u
        green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
        assert np.abs(np.array([red, green, blue]) * 255 - color).max() < 6


def test_h265_has_the_letters_that_apples_players_want(tmp_path):
    assert probe(write(tmp_path, "h265", 8)).letters == "hvc1"


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_a_lower_crf_gives_a_larger_file(tmp_path, codec):
    fine, coarse = (write(tmp_path, codec, 8, crf=crf).stat().st_size for crf in (4, 45))
    assert fine > 1.5 * coarse


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (("vp9", 8), r"'codec' is 'vp9'; possible are h264, h265, av1, prores_422_hq, ffv1\."),
        (("h264", 16), r"'bit_depth' is 16, but H\.264 has 8 or 10; use 8 or 10\."),
        (("prores_422_hq", 8), r"'bit_depth' is 8, but ProRes 422 HQ has 10; use 10\."),
        (("ffv1", 8, 20), r"'crf' is 20, but FFV1 has no such setting"),
        (("h264", 8, 52), r"'crf' is 52; H\.264 has 0 \(best\) to 51"),
        (("av1", 8, float("nan")), r"'crf' is nan; AV1 has 0 \(best\) to 63"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(tmp_path, choice, sentence):
    with pytest.raises(UserError, match=sentence):
        check_choice(*choice)
    options = dict(zip(("codec", "bits", "crf"), choice, strict=False))
    with pytest.raises(UserError, match=sentence):
        VideoWriter(tmp_path / "a.mp4", 15, **options)


def test_what_ffmpeg_refuses_is_found_out_before_the_first_frame():
    check_encoder("av1", 10, 64, 96, Fraction(15))
    with pytest.raises(
        ValueError, match=r"^'codec' is 'av1', but FFmpeg cannot write 20000 x 64 pixels in AV1 .*; use"
    ):
        check_encoder("av1", 8, 64, 20000, Fraction(15))


def test_h265_smaller_than_its_encoder_can_bear_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"48 x 32 pixels is too small for H\.265 \(at least 64 either way\)"):
        write_video(tmp_path / "a.mp4", film(8, height=32, width=48), 15, codec="h265")
    assert not list(tmp_path.iterdir())
    write_video(tmp_path / "a.mp4", film(8, height=64, width=64), 15, codec="h265")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_films_of_a_few_frames_are_whole_and_on_time_whatever_they_show(tmp_path, codec, count):
    noise = np.random.default_rng(count)
    for bits in CODECS[codec].pixels:
        dtype = frame_dtype(bits)
        for top in (1, np.iinfo(dtype).max):
            frames = noise.integers(0, top, (count, 96, 96, 3), dtype)
            path = tmp_path / f"{bits} {top}{CODECS[codec].suffix}"
            write_video(path, frames, 15, codec=codec, bits=bits)
            with av.open(str(path)) as container:
                times = [round(frame.time * 15) for frame in container.decode(video=0)]
            assert times == [*range(count)]


@pytest.mark.parametrize(("codec", "bits"), [("h264", 10), ("ffv1", 16)])
def test_frames_of_another_depth_are_refused(tmp_path, codec, bits):
    with pytest.raises(UserError, match=r"uint16, not .* uint8"):
        write(tmp_path, codec, bits, film(8))
    assert not list(tmp_path.iterdir())
