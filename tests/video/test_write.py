"""Video files, probed with PyAV as any player would read them."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from syncam_core.errors import UserError
from syncam_core.video import VideoWriter, frame_rate, write_video

COLORS = [
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255),
    (255, 255, 255), (0, 0, 0), (128, 128, 128), (230, 159, 0), (20, 40, 60), (200, 180, 170),
]  # fmt: skip


class Interrupt(BaseException):
    pass


def gray(value, height=48, width=64):
    return np.full((height, width, 3), value, np.uint8)


def chart():
    picture = np.zeros((192, 256, 3), np.uint8)
    for index, color in enumerate(COLORS):
        y, x = divmod(index, 4)
        picture[64 * y : 64 * y + 64, 64 * x : 64 * x + 64] = color
    return picture


def moving(frames, height=48, width=64):
    """A bar that moves four pixels per frame over a ramp."""
    for index in range(frames):
        picture = np.repeat(np.linspace(40, 200, width, dtype=np.uint8)[None, :, None], height, 0).repeat(3, 2)
        picture[:, 4 * index % width : 4 * index % width + 4] = (250, 30, 30)
        yield picture


def rgb_bt709(frame):
    """A decoded yuv420p frame as RGB by the equations of BT.709, limited range, with each chroma sample repeated."""
    planes = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].astype(float)
        for plane in frame.planes
    ]
    y = (planes[0] - 16) / 219
    u, v = ((plane.repeat(2, 0).repeat(2, 1) - 128) / 224 for plane in planes[1:])
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.clip(np.stack([red, green, blue], -1), 0, 1) * 255


def probe(path):
    """What the file says about its video stream (a stream cannot be asked once its file is closed), and its frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        context = stream.codec_context
        about = SimpleNamespace(
            frames=stream.frames,
            height=stream.height,
            width=stream.width,
            time_base=stream.time_base,
            duration=stream.duration * stream.time_base,
            rates={stream.average_rate, stream.guessed_rate},
            codec=context.name,
            pix_fmt=context.pix_fmt,
            color_tags=(context.color_primaries, context.color_trc, context.colorspace, context.color_range),
        )
        return about, frames


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (15, Fraction(15)),
        (16.0, Fraction(16)),
        (30, Fraction(30)),
        (24, Fraction(24)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (7.992, Fraction(999, 125)),
        (0.5, Fraction(1, 2)),
        (240, Fraction(240)),
        (Fraction(2997, 125), Fraction(2997, 125)),
    ],
)
def test_every_frame_is_shown_at_exactly_its_index_over_fps(tmp_path, fps, exact):
    count = write_video(tmp_path / "a.mp4", moving(21), fps)
    stream, frames = probe(tmp_path / "a.mp4")
    assert count == len(frames) == stream.frames == 21
    assert frame_rate(fps) == exact
    assert stream.rates == {exact}
    assert [frame.pts * stream.time_base for frame in frames] == [i / exact for i in range(21)]
    assert stream.duration == 21 / exact


@pytest.mark.parametrize("fps", [0, -1, 240.5, 1e9, float("nan"), float("inf"), "15", None, True, 0.001])
def test_impossible_frame_rates_are_refused_with_what_is_possible(tmp_path, fps):
    with pytest.raises(UserError, match=r"'fps' is .*0\.01 to 240"):
        write_video(tmp_path / "a.mp4", [gray(0)], fps)
    assert not list(tmp_path.iterdir())


def test_files_are_h264_in_limited_range_bt709_and_say_so(tmp_path):
    write_video(tmp_path / "a.mp4", [chart()] * 3, 15)
    stream, frames = probe(tmp_path / "a.mp4")
    assert (stream.codec, stream.pix_fmt) == ("h264", "yuv420p")
    assert stream.color_tags == (1, 1, 1, 1)
    assert {frame.colorspace for frame in frames} == {1}
    assert {frame.color_range for frame in frames} == {1}
    luma = np.frombuffer(frames[0].planes[0], np.uint8)
    assert luma.min() >= 15
    assert luma.max() <= 236


def test_colours_come_back_by_the_equations_of_bt709_and_by_a_player_that_reads_the_tags(tmp_path):
    write_video(tmp_path / "a.mp4", [chart()] * 5, 15)
    _, frames = probe(tmp_path / "a.mp4")
    for frame in frames:
        # PyAV 16 converts by BT.601 unless it is told what the frame itself says.
        tags = {"src_colorspace": frame.colorspace, "src_color_range": frame.color_range}
        played = frame.to_ndarray(format="rgb24", dst_color_range="JPEG", **tags)
        for picture in (rgb_bt709(frame), played):
            for index, color in enumerate(COLORS):
                y, x = divmod(index, 4)
                patch = picture[64 * y + 16 : 64 * y + 48, 64 * x + 16 : 64 * x + 48]
                assert np.abs(patch - np.asarray(color, float)).max() <= 4, color


def test_pictures_survive_up_to_codec_tolerance(tmp_path):
    write_video(tmp_path / "a.mp4", moving(30), 15)
    _, frames = probe(tmp_path / "a.mp4")
    for frame, original in zip(frames, moving(30), strict=True):
        error = np.abs(frame.to_ndarray(format="rgb24").astype(int) - original)
        assert error.mean() < 3


def test_a_lower_crf_gives_a_larger_and_truer_file(tmp_path):
    sizes = [write_video(tmp_path / f"{crf}.mp4", moving(20), 15, crf=crf) and crf for crf in (10, 40)]
    fine, coarse = ((tmp_path / f"{crf}.mp4").stat().st_size for crf in sizes)
    assert fine > coarse


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (47, 64), (48, 63), (481, 833)])
def test_odd_sizes_grow_by_a_repeated_edge(tmp_path, height, width):
    frame = gray(100, height, width)
    frame[-1], frame[:, -1] = 200, 200
    write_video(tmp_path / "a.mp4", [frame] * 2, 15)
    stream, frames = probe(tmp_path / "a.mp4")
    assert (stream.height, stream.width) == (height + height % 2, width + width % 2)
    luma = frames[0].to_ndarray()[: stream.height, : stream.width].astype(int)
    edge = 16 + 219 * 200 / 255
    assert np.abs(luma[-1] - edge).max() < 8
    assert np.abs(luma[:, -1] - edge).max() < 8


def test_a_single_frame_makes_a_video(tmp_path):
    assert write_video(tmp_path / "a.mp4", [gray(90)], 15) == 1
    stream, frames = probe(tmp_path / "a.mp4")
    assert len(frames) == stream.frames == 1


def boxes(data, start=0, end=None):
    """(type, start of content, end) of the ISO base media boxes in a stretch of a file."""
    position, end = start, len(data) if end is None else end
    while position + 8 <= end:
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        yield kind.decode("latin-1"), position + 8, position + size
        position += size


def box(data, kind, start=0, end=None):
    return next((first, last) for found, first, last in boxes(data, start, end) if found == kind)


def test_the_index_stands_before_the_pictures(tmp_path):
    write_video(tmp_path / "a.mp4", moving(5), 15)
    kinds = [kind for kind, _, _ in boxes((tmp_path / "a.mp4").read_bytes())]
    assert kinds.index("moov") < kinds.index("mdat")


def test_workflow_and_prompt_stand_where_the_frontend_reads_them(tmp_path):
    tags = {"workflow": json.dumps({"nodes": ["ä", {"a": [1, 2]}]}), "prompt": json.dumps({"1": {"inputs": {}}})}
    write_video(tmp_path / "a.mp4", moving(3), 15, tags)

    data = (tmp_path / "a.mp4").read_bytes()
    meta = box(data, "meta", *box(data, "udta", *box(data, "moov")))
    meta = (meta[0] + 4, meta[1])  # a full box: version and flags come first
    first, last = box(data, "keys", *meta)
    keys = [data[start:end].decode() for _, start, end in boxes(data, first + 8, last)]
    found = {}
    for kind, start, end in boxes(data, *box(data, "ilst", *meta)):
        value_start, value_end = box(data, "data", start, end)
        found[keys[int.from_bytes(kind.encode("latin-1"), "big") - 1]] = data[value_start + 8 : value_end].decode()
    assert {key: found[key] for key in tags} == tags

    with av.open(str(tmp_path / "a.mp4")) as container:
        assert {key: container.metadata[key] for key in tags} == tags


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 15) as video:
        for frame in moving(5):
            video.write(frame)
            assert not path.exists()
    assert path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("error", [Interrupt, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("good_frames", [0, 3, 90])
def test_any_exception_leaves_no_file(tmp_path, error, good_frames):
    def frames():
        yield from moving(good_frames)
        raise error

    with pytest.raises(error):
        write_video(tmp_path / "a.mp4", frames(), 15)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_older_file_of_that_name(tmp_path):
    write_video(tmp_path / "a.mp4", moving(4), 15)
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(UserError, match="at least one frame"):
        write_video(tmp_path / "a.mp4", [], 15)
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_noticed_before_the_first_frame(tmp_path):
    def frames():
        raise AssertionError("a frame was asked for")
        yield

    with pytest.raises(FileNotFoundError):
        write_video(tmp_path / "missing" / "a.mp4", frames(), 15)


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        ([gray(1), gray(2, 64, 64)], "frame 1 is 64 x 64 pixels, but the video is 64 x 48"),
        ([gray(1).astype(np.float32)], "float32"),
        ([gray(1)[..., 0]], r"\(48, 64\)"),
        ([gray(1, 2, 16386)], "16386 x 2 pixels is too large"),
    ],
)
def test_unfit_frames_are_refused_in_a_sentence(tmp_path, frames, sentence):
    with pytest.raises(UserError, match=sentence):
        write_video(tmp_path / "a.mp4", frames, 15)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (60, 128, 128, 3)).astype(np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large|No space"):
            write_video(tmp_path / "a.mp4", noise, 15)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
