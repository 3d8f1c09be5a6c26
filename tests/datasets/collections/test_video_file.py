"""Frames of a video file: what was written comes back, or a sentence says why not."""

from __future__ import annotations

import random

import av
import numpy as np
import pytest
import torch
from mp4_bytes import show_only, turn
from tiny_datasets import FPS, FRAMES, ORBIT, SIZE, film

from syncam_core.datasets.footage import BrokenFootage
from syncam_core.datasets.video_file import VideoFile
from syncam_core.video.clip import BITS_8, in_depth
from syncam_core.video.codecs import frame_dtype
from syncam_core.video.read import video_frames
from syncam_core.video.write import write_video


@pytest.fixture(scope="module")
def pictures():
    return film(ORBIT[:1])[0]


@pytest.fixture
def clip(tmp_path, pictures):
    write_video(tmp_path / "clip.mp4", pictures, FPS)
    return tmp_path / "clip.mp4"


def reader(path, **options):
    return VideoFile(path, f"scene/{path.name}", options.pop("size", SIZE), **options)


def both(read):
    """What the container says, and what decoding gives; both may refuse."""
    read.probe()
    return read()


def test_the_frames_of_a_file_come_back_in_number_order_and_colour(tmp_path):
    colours = np.array([[200, 30, 30], [30, 180, 40], [40, 50, 210], [128, 128, 128], [235, 235, 20]], dtype=np.uint8)
    write_video(tmp_path / "clip.mp4", np.broadcast_to(colours[:, None, None], (5, 32, 32, 3)).copy(), FPS, crf=4)
    frames = reader(tmp_path / "clip.mp4", length=5, fps=FPS)()
    assert (frames.shape, frames.dtype) == ((5, 32, 32, 3), torch.uint8)
    assert (frames.int() - torch.from_numpy(colours).int()[:, None, None]).abs().max() <= 4


def test_the_container_tells_the_number_of_frames_that_decoding_gives(clip):
    read = reader(clip, length=FRAMES, fps=FPS)
    assert read.probe() == len(read()) == FRAMES


@pytest.mark.parametrize("length", [FRAMES - 1, FRAMES + 1])
def test_another_number_of_frames_is_refused_before_and_while_decoding(clip, length):
    read = reader(clip, length=length)
    with pytest.raises(BrokenFootage, match=rf"'scene/clip.mp4' has {FRAMES} frames, but {length} are expected"):
        read.probe()
    with pytest.raises(BrokenFootage, match=r"clip\.mp4"):
        read()


def test_a_longer_video_gives_its_beginning_where_that_is_allowed(clip):
    read = reader(clip, length=5, may_be_longer=True)
    assert read.probe() == 5
    assert torch.equal(read(), reader(clip)()[:5])
    with pytest.raises(BrokenFootage, match="has 9 frames, but at least 13 are expected"):
        both(reader(clip, length=13, may_be_longer=True))


@pytest.mark.parametrize(("fps", "is_good"), [(8, True), (8.03, True), (7.9, False), (15, False), (24, False)])
def test_another_frame_rate_is_refused(clip, fps, is_good):
    if is_good:
        assert reader(clip, fps=fps).probe() == FRAMES
    else:
        with pytest.raises(BrokenFootage, match=rf"runs at 8 fps, but {fps:g} fps are expected"):
            reader(clip, fps=fps).probe()


def test_film_rates_count_as_their_nominal_ones(tmp_path, pictures):
    write_video(tmp_path / "ntsc.mp4", pictures, 23.976)
    assert reader(tmp_path / "ntsc.mp4", fps=24).probe() == FRAMES


def test_poses_of_another_number_of_frames_are_refused(clip):
    assert reader(clip, poses=1).probe() == reader(clip, poses=FRAMES).probe() == FRAMES
    with pytest.raises(BrokenFootage, match="has 9 frames, but its camera has poses for 8"):
        reader(clip, poses=8).probe()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"no video at all", "cannot be opened"),
        (bytes(5000), "cannot be opened"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n", "cannot be opened"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "cannot be opened"),
    ],
)
def test_what_is_no_video_is_refused_and_playlists_lead_nowhere(tmp_path, pictures, content, why):
    write_video(tmp_path / "other.mp4", pictures, FPS)
    (tmp_path / "clip.mp4").write_bytes(content)
    for call in (reader(tmp_path / "clip.mp4").probe, reader(tmp_path / "clip.mp4")):
        with pytest.raises(BrokenFootage, match=f"'scene/clip.mp4'.*{why}|'scene/clip.mp4' is damaged"):
            call()


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    for name in ("none.mp4", "folder.mp4"):
        with pytest.raises(BrokenFootage, match=f"'scene/{name}' is missing"):
            both(reader(tmp_path / name))


def test_a_video_that_was_cut_short_anywhere_is_refused(clip):
    whole = clip.read_bytes()
    for length in range(1, len(whole), 61):
        clip.write_bytes(whole[:length])
        with pytest.raises(BrokenFootage, match=r"clip\.mp4"):
            both(reader(clip, length=FRAMES, fps=FPS))


def test_overwritten_pictures_are_refused_and_not_painted_over(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, film(ORBIT[:1], size=(128, 128))[0], FPS)
    whole, good = path.read_bytes(), reader(path)()
    start = whole.index(b"mdat") + 4
    draw, refused, slipped = random.Random(5), 0, 0
    for _ in range(40):
        at = draw.randrange(start, len(whole) - 60)
        path.write_bytes(whole[:at] + draw.randbytes(60) + whole[at + 60 :])
        try:
            frames = both(reader(path, length=FRAMES, fps=FPS))
        except BrokenFootage as problem:
            assert "clip.mp4" in str(problem)  # noqa: PT017 (most, not all, raise)
            refused += 1
        else:  # the encoder's own comment stands among the pictures, and may say anything
            slipped += not torch.equal(frames, good)
    assert refused >= 30
    assert slipped <= 2  # of so few bytes some read as other pictures; with FFmpeg's concealment nearly all of them


@pytest.mark.parametrize("dropped", [1, 2])
def test_frames_dropped_from_the_middle_are_noticed_though_the_number_is_right(tmp_path, pictures, dropped):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index + dropped * (index > 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BrokenFootage, match="gap in time after frame 5"):
        reader(path, length=FRAMES)()


def test_a_video_filmed_upright_is_turned_upright(clip):
    straight = reader(clip)()
    assert torch.equal(reader(turn(clip))(), torch.rot90(straight, -1, (1, 2)))


@pytest.mark.parametrize(("codec", "bits", "suffix"), [("h264", 8, "mp4"), ("h265", 10, "mp4"), ("prores_422_hq", 10, "mov"), ("ffv1", 16, "mkv")])  # fmt: skip
def test_colours_and_depths_are_those_that_every_node_sees(tmp_path, pictures, codec, bits, suffix):
    path, large = tmp_path / f"clip.{suffix}", np.repeat(np.repeat(pictures, 2, axis=1), 2, axis=2)
    deep = large.astype(frame_dtype(bits)) * (1 if bits == 8 else 257)
    write_video(path, deep, FPS, codec=codec, bits=bits)
    seen = np.stack([in_depth(picture, BITS_8) for picture in video_frames(path)])
    assert np.array_equal(np.stack([*reader(path).pictures()]), seen)
    assert np.abs(seen.astype(int) - large).mean() < 4


def test_frames_that_an_edit_list_leaves_out_do_not_count(clip):
    whole = reader(clip)()
    read = reader(show_only(clip, 2, 5, FPS), length=5)
    with av.open(str(clip)) as container:
        assert container.streams.video[0].frames == FRAMES, "the index counts all of them"
    assert read.probe() == 5
    assert torch.equal(read(), whole[2:7])


def test_tags_in_another_encoding_do_not_stop_a_video(clip):
    write_video(clip, [frame.numpy() for frame in reader(clip)()], FPS, {"title": "a caf\u00e9 at night"})
    straight, content = reader(clip)(), clip.read_bytes()
    clip.write_bytes(content.replace("caf\u00e9".encode(), b"caf\xe9\xff"))
    assert torch.equal(reader(clip)(), straight)
    assert reader(clip).probe() == FRAMES
