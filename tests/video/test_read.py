"""Films read back: their frames, upright, and the stretches in which another reader may take them."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from mp4_bytes import show_only, turn

from syncam_core.errors import UserError
from syncam_core.metrics.sync import read_video
from syncam_core.video import write_video
from syncam_core.video.codecs import CODECS
from syncam_core.video.preview_file import frames_of_file, plays_in_browsers
from syncam_core.video.read import stretches, video_frames


def gray(count, height=48, width=64):
    """Frames that are told apart by their level."""
    return [np.full((height, width, 3), 20 + 6 * index, np.uint8) for index in range(count)]


def levels(frames):
    return [round((frame.mean() - 20) / 6) for frame in frames]


def test_a_film_comes_back_whole_or_in_part(tmp_path):
    write_video(tmp_path / "a.mp4", gray(30), 15)
    assert levels(video_frames(tmp_path / "a.mp4")) == [*range(30)]
    source = BytesIO((tmp_path / "a.mp4").read_bytes())
    for _ in range(2):  # a buffer is read from its beginning
        assert levels(video_frames(source, 0.4, 1.0)) == [*range(6, 21)]


def test_tags_in_another_encoding_stop_nobody(tmp_path):
    write_video(tmp_path / "a.mp4", gray(5), 15, {"title": "a caf\u00e9 at night"})
    content = (tmp_path / "a.mp4").read_bytes()
    assert "caf\u00e9".encode() in content
    (tmp_path / "a.mp4").write_bytes(content.replace("caf\u00e9".encode(), b"caf\xe9\xff"))
    assert levels(video_frames(tmp_path / "a.mp4")) == levels(frames_of_file(tmp_path / "a.mp4")) == [*range(5)]
    assert len(read_video(tmp_path / "a.mp4")) == 5
    assert plays_in_browsers(tmp_path / "a.mp4")


def test_a_turned_film_and_one_with_an_edit_list_are_played_as_they_are_shown(tmp_path):
    frames = gray(12)
    for frame in frames:
        frame[:24] = 255
    write_video(tmp_path / "a.mp4", frames, 15)
    (picture, *_) = frames_of_file(turn(tmp_path / "a.mp4"))
    assert picture.shape == (64, 48, 3)
    assert (picture[:, 30:] > 250).all(), "its upper half stands on the right"
    write_video(tmp_path / "b.mp4", gray(12), 15)
    assert levels(frames_of_file(show_only(tmp_path / "b.mp4", 3, 6, 15))) == [*range(3, 9)]


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("ffv1", ".mkv"), ("av1", ".mp4")])
@pytest.mark.parametrize("fps", [15, 23.976, 29.97, 60, 0.5])
@pytest.mark.parametrize("window", [(0.0, 0.0), (0.4, 0.0), (0.1, 0.3)])
def test_every_frame_lies_in_one_stretch(tmp_path, codec, suffix, fps, window):
    """Read as the host reads a part of a film: with times rounded down to the file's smallest unit."""
    window = tuple(time * 15 / fps for time in window)
    write_video(tmp_path / f"a{suffix}", gray(17), fps, codec=codec)
    parts = list(stretches(tmp_path / f"a{suffix}", *window, 3))
    films = [levels(video_frames(tmp_path / f"a{suffix}", *part)) for part in parts]
    assert [frame for film in films for frame in film] == levels(video_frames(tmp_path / f"a{suffix}", *window))
    assert all(1 <= len(film) <= 3 for film in films)


def test_a_part_behind_the_end_has_no_stretches(tmp_path):
    write_video(tmp_path / "a.mp4", gray(5), 15)
    assert list(stretches(tmp_path / "a.mp4", 99.0, 0.0, 3)) == []
    assert list(video_frames(tmp_path / "a.mp4", 99.0)) == []


def test_what_is_no_video_is_half_a_sentence(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for read in (video_frames, lambda source: stretches(source, 0.0, 0.0, 3)):
        with pytest.raises(UserError, match=r"^is no video that FFmpeg can read"):
            list(read(tmp_path / "a.mp4"))
        with pytest.raises(UserError, match=r"^is a file without a video in it"):
            list(read(tmp_path / "sound.mp4"))


@pytest.mark.parametrize(("codec", "bits"), [("h265", 10), ("prores_422_hq", 10), ("ffv1", 16)])
def test_white_and_black_of_deep_films_are_the_whole_range(tmp_path, codec, bits):
    chart = np.zeros((64, 64, 3), np.uint16)
    chart[:, 32:] = 65535
    file = tmp_path / f"a{CODECS[codec].suffix}"
    write_video(file, [chart] * 2, 15, codec=codec, bits=bits)
    for frame in video_frames(file):
        assert frame.dtype == np.uint16
        assert (frame[:, 40:] > 65500).all()
        assert (frame[:, :24] < 40).all()


def test_a_picture_of_16_bits_comes_back_to_the_bit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 65536, (2, 48, 64, 3), np.uint16)
    write_video(tmp_path / "a.mkv", noise, 15, codec="ffv1", bits=16)
    assert np.array_equal(np.stack([*video_frames(tmp_path / "a.mkv")]), noise)
