"""Views given as VIDEO: files are decoded once onto the disk, in their own colours."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from typing import ClassVar

import numpy as np
import pytest
import torch
from footage import ramp
from host_abilities import need
from mp4_bytes import show_only, turn

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

    return sys.modules[comfy.pack.__name__ + ".nodes.host.video"]


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


@pytest.fixture
def cropped(comfy):
    """The host's VIDEO of a file with a crop, as hosts since 0.35 have it."""
    from comfy_api.latest import InputImpl

    class Cropped(InputImpl.VideoFromFile):
        decoded: ClassVar[list[int]] = []  # how many frames were in memory at once

        def __init__(self, file, x, y, width, height, *, start_time=0, duration=0):
            super().__init__(file, start_time=start_time, duration=duration)
            self.file, self.start, self.duration = file, start_time, duration
            self.x, self.y, self.width, self.height = x, y, width, height

        def get_dimensions(self):
            return self.width, self.height

        def get_components(self):
            components = super().get_components()
            rows, columns = slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)
            components.images = components.images[:, rows, columns]
            self.decoded.append(len(components.images))
            return components

        def as_trimmed(self, start_time=0, duration=0, strict_duration=True):
            place = (self.x, self.y, self.width, self.height)
            return Cropped(self.file, *place, start_time=start_time + self.start, duration=duration)

    yield Cropped
    Cropped.decoded.clear()


@pytest.mark.parametrize("trim", [{}, {"start_time": 0.4, "duration": 1.0}, {"start_time": 0.3}, {"duration": 0.1}])
@pytest.mark.parametrize(("codec", "fps"), [("h264", 15), ("h264", 23.976), ("ffv1", 29.97), ("av1", 60)])
def test_a_cropped_video_is_the_one_that_the_host_shows(footage, cropped, tmp_path, monkeypatch, codec, fps, trim):
    file = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mp4")
    frames = [(image.numpy() * 255 + 0.5).astype("uint8") for image in ramp(0, frames=40)]
    write_video(file, frames, fps, codec=codec)
    monkeypatch.setattr(footage, "HOST_BYTES", 12 * 41 * 33 * 7)
    film = cropped(str(file), 31, 17, 33, 41, **trim)
    (clip,) = footage.clips_of([film], ["a"])
    pieces = list(film.decoded)
    whole = film.get_components().images
    assert (len(clip), clip.height, clip.width) == (len(whole), 41, 33)
    assert all((clip[index] == image.numpy()).all() for index, image in enumerate(whole))
    assert max(pieces) <= 7, "no more than a few frames are in memory"


def test_a_crop_of_a_film_in_memory_and_all_kinds_beside_each_other(footage, video, cropped, tmp_path):
    file = as_file(tmp_path / "a.mkv", ramp(0))
    views = [ramp(0)[:, 24:72, 64:], video(ramp(0)[:, 24:72, 64:]), cropped(BytesIO(file.read_bytes()), 64, 24, 64, 48)]
    clips = footage.clips_of([*views, cropped(str(file), 64, 24, 64, 48)], list("abcd"), BITS_8)
    for clip in clips:
        assert (len(clip), clip.height, clip.width, clip.dtype) == (6, 48, 64, BITS_8)
        assert np.abs(clip[5].astype(int) - clips[0][5]).max() <= 1


def test_a_turned_film_stands_as_in_the_host(footage, video, cropped, tmp_path):
    need("turning of films that lie on their side")
    file = turn(as_file(tmp_path / "a.mp4", ramp(0), "h264", 8))
    (clip,) = footage.clips_of([video(file)], ["a"])
    host = video(file).get_components().images
    assert (clip.height, clip.width) == tuple(host.shape[1:3]) == (128, 96)
    assert np.abs(clip[3] - host[3].numpy()).mean() < 0.02
    (cut,) = footage.clips_of([cropped(str(file), 10, 20, 60, 70)], ["a"])
    assert np.abs(cut[3] - host[3, 20:90, 10:70].numpy()).mean() < 0.02


def test_a_joined_film_goes_through_the_disk_part_by_part(footage, video, cropped, tmp_path):
    class Joined:
        """As the host's Concatenate Video makes it, since 0.36."""

        def __init__(self, *videos):
            self.videos = videos

        def get_components(self):
            raise AssertionError("all of it would be in memory")

    parts = [as_file(tmp_path / f"{view}.mkv", ramp(view, frames=4 + view)) for view in range(3)]
    film = Joined(video(parts[0]), Joined(video(parts[1], duration=0.2)), video(ramp(2)))
    (clip,) = footage.clips_of([film], ["a"])
    expected = [*ramp(0, frames=4), *ramp(1, frames=3), *ramp(2)]
    assert len(clip) == len(expected) == 13
    for index in (12, 0, 3, 4, 6, 7):
        assert np.abs(clip[index] - expected[index].numpy()).max() < 0.003
    with pytest.raises(IndexError):
        clip[13]
    for other in (cropped(str(parts[1]), 0, 0, 64, 48), video(as_file(tmp_path / "b.mp4", ramp(0), "h264", 8))):
        if not isinstance(other, cropped):
            write_video(tmp_path / "b.mp4", [np.zeros((96, 128, 3), "uint8")] * 4, 24)
        with pytest.raises(ValueError, match="the video of 'a' in 'views' is joined of parts with different sizes or"):
            footage.clips_of([Joined(video(parts[0]), other)], ["a"])


def test_frames_that_an_edit_list_leaves_out_are_neither_seen_nor_counted(footage, video, tmp_path, monkeypatch):
    file = show_only(as_file(tmp_path / "a.mp4", ramp(0, frames=30), "h264", 8), 6, 15, 15)
    host = video(file)
    assert host.get_frame_count() == 30, "what the header says"
    # Room for what is there, and not for what the header says.
    usage = footage.Spool.__init__.__globals__["shutil"].disk_usage
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: usage(folder)._replace(free=2 * 64 * 2**20 + 20 * 96 * 128 * 3)
    )
    (clip,) = footage.clips_of([host], ["a"])
    images = host.get_components().images
    assert len(clip) == len(images) == 15
    assert all(np.abs(clip[index] - images[index].numpy()).mean() < 0.02 for index in range(15))


def test_a_disk_that_fills_up_while_a_film_is_decoded_is_a_sentence(comfy, footage, video, tmp_path, monkeypatch):
    free = iter([10**9] * 2 + [10**7] * 100)
    usage = footage.Spool.__init__.__globals__["shutil"].disk_usage
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(folder)._replace(free=next(free)))
    monkeypatch.setitem(footage.Spool.write.__globals__, "CHECKED_AT_ONCE", 3 * 96 * 128 * 3)
    with pytest.raises(ValueError, match=r"need 0 MB more than the 0 MB that are there .* but 10 MB are free there"):
        footage.clips_of([video(as_file(tmp_path / "a.mp4", ramp(0), "h264", 8))], ["a"])


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
