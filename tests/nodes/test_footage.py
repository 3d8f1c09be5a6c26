"""Views given as VIDEO: files are decoded once onto the disk, in their own colours."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
import torch
from footage import ramp

from syncam_core.video import write_video
from syncam_core.video.clip import BITS_8, BITS_16, FLOAT


def as_file(path, images, codec="ffv1", bits=16):
    frames = [
        (image.numpy() * (255 if bits == 8 else 65535) + 0.5).astype(f"uint{8 if bits == 8 else 16}")
        for image in images
    ]
    write_video(path, frames, 15, codec=codec, bits=bits)
    return path


@pytest.fixture
def footage(comfy):
    import sys

    return sys.modules[comfy.pack.__name__ + ".nodes.footage"]


@pytest.fixture
def video():
    from comfy_api.latest import InputImpl, Types

    def made(source, **trim):
        if isinstance(source, torch.Tensor):
            return InputImpl.VideoFromComponents(Types.VideoComponents(images=source, frame_rate=Fraction(15)))
        return InputImpl.VideoFromFile(source if isinstance(source, BytesIO) else str(source), **trim)

    return made


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16, FLOAT])
def test_images_videos_in_memory_and_files_give_the_same_frames(footage, video, tmp_path, dtype):
    file = as_file(tmp_path / "a.mkv", ramp(1))
    views = [ramp(1), video(ramp(1)), video(file), video(BytesIO(file.read_bytes()))]
    clips = footage.clips_of(views, list("abcd"), dtype)
    white = {BITS_8: 255, BITS_16: 65535, FLOAT: 1}[dtype]
    for clip in clips:
        assert (len(clip), clip.height, clip.width, clip.dtype) == (6, 96, 128, dtype)
        for frame in (5, 0):
            assert clip[frame].dtype == dtype
            assert np.abs(clip[frame] / white - ramp(1)[frame].numpy()).max() < 0.003
            clip[frame][:] = 0  # the caller's to change
            assert clip[frame].any()


@pytest.mark.parametrize(("codec", "bits"), [("h264", 8), ("h265", 10), ("prores_422_hq", 10)])
def test_colours_are_those_that_the_file_says_it_has(footage, video, tmp_path, codec, bits):
    chart = torch.tensor([(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.1, 0.2, 0.3)]).repeat_interleave(32, 0)
    file = as_file(
        tmp_path / ("a.mov" if codec.startswith("pro") else "a.mp4"), chart.expand(3, 96, -1, -1), codec, bits
    )
    (clip,) = footage.clips_of([video(file)], ["a"])
    for index in range(4):
        assert np.abs(clip[1][48, 32 * index + 16] - chart[32 * index + 16].numpy()).max() < 0.02


def test_a_trimmed_video_is_as_long_as_the_host_says(footage, video, tmp_path):
    file = as_file(tmp_path / "a.mp4", ramp(0, frames=30), "h264", 8)
    trimmed = video(file, start_time=0.4, duration=1.0)
    (clip,) = footage.clips_of([trimmed], ["a"])
    host = trimmed.get_components().images
    assert len(clip) == len(host) == 15
    assert np.abs(clip[0] - host[0].numpy()).mean() < 0.02


def test_a_decoded_file_leaves_nothing_behind(comfy, footage, video, tmp_path):
    before = comfy.folders.get_temp_directory()
    comfy.folders.set_temp_directory(str(tmp_path / "temp"))
    try:
        (clip,) = footage.clips_of([video(as_file(tmp_path / "a.mkv", ramp(0)))], ["a"])
        assert clip[0].any()
        del clip
        assert not list((tmp_path / "temp").iterdir())
    finally:
        comfy.folders.set_temp_directory(before)


def test_what_is_no_video_is_a_sentence_that_names_the_view(footage, video, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(ValueError, match=r"^the video of 'left' in 'views' is no video that FFmpeg can read"):
        footage.clips_of([video(tmp_path / "a.mp4")], ["left"])
    with pytest.raises(ValueError, match=r"but 'a' has 6, 'b' has 5; cut the longer ones"):
        footage.clips_of([ramp(0), video(as_file(tmp_path / "b.mkv", ramp(0, frames=5)))], ["a", "b"])
    with pytest.raises(ValueError, match="'views' holds at place 2 a NoneType"):
        footage.clips_of([video(ramp(0)), None], ["a", "b"])


def test_the_grid_node_takes_files(comfy, video, tmp_path):
    views = [video(as_file(tmp_path / f"{view}.mkv", ramp(view))) for view in range(2)]
    images = comfy.run("SynCamViewGrid", views=views, columns=[2], labels=[False])[0]
    torch.testing.assert_close(images[:, :, 128:], ramp(1), atol=1e-4, rtol=0)
