"""The rig in a video's tags."""

from __future__ import annotations

import random

import av
import numpy as np
import pytest
import torch

from syncam_core.cameras import Rig, orbit_rig, rig_to_json
from syncam_core.errors import UserError
from syncam_core.formats import read_rig_file, video_tag
from syncam_core.video import write_video
from syncam_core.video.codecs import frame_dtype

KINDS = {".mp4": ("h264", 8), ".mov": ("prores_422_hq", 10), ".mkv": ("ffv1", 8)}


def rig():
    return Rig(names=("für", "b", "c"), c2w=orbit_rig([0.0, 20.0, 40.0]).c2w)


def video(path, tags, frames=4):
    codec, bits = KINDS[path.suffix]
    noise = np.random.default_rng(0).integers(0, 256, (frames, 64, 64, 3)).astype(frame_dtype(bits))
    write_video(path, noise, 15, tags, codec=codec, bits=bits)
    return path


@pytest.mark.parametrize("suffix", KINDS)
def test_the_rig_of_a_video_is_read_from_its_tags(tmp_path, suffix):
    workflow = '{"nodes": []}' * 1000
    path = video(tmp_path / f"a{suffix}", {"workflow": workflow, "syncam_rig": rig_to_json(rig()), "prompt": "{}"})
    read = read_rig_file(path)
    assert read.names == rig().names
    assert torch.equal(read.c2w, rig().c2w)
    assert read_rig_file(path, "c, 1").names == ("c", "für")
    assert video_tag.has_rig(path)
    with av.open(str(path)) as container:  # the same as FFmpeg reads
        (text,) = (value for key, value in container.metadata.items() if key.lower() == "syncam_rig")
    assert video_tag.rig_text(path) == text


@pytest.mark.parametrize("suffix", KINDS)
def test_the_beginning_of_a_large_video_is_enough(tmp_path, suffix):
    path = video(tmp_path / f"a{suffix}", {"syncam_rig": rig_to_json(rig())}, frames=30)
    whole = path.read_bytes()
    (tmp_path / f"b{suffix}").write_bytes(whole[: len(whole) // 2])
    assert read_rig_file(tmp_path / f"b{suffix}").names == rig().names


def test_videos_larger_than_camera_files_may_be_are_read(tmp_path):
    path = video(tmp_path / "a.mp4", {"syncam_rig": rig_to_json(rig())})
    with path.open("r+b") as file:
        file.truncate(40 * 2**20)  # a box that ends too early, as in a file that is still copied
    assert read_rig_file(path).names == rig().names


@pytest.mark.parametrize("suffix", KINDS)
def test_a_video_without_a_rig_says_where_one_comes_from(tmp_path, suffix):
    path = video(tmp_path / f"a{suffix}", {"workflow": "{}"})
    with pytest.raises(UserError, match=rf"^file 'a{suffix}': it is a video without a rig in it; SynCam Render Views"):
        read_rig_file(path)
    assert not video_tag.has_rig(path)


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"format": "syncam-rig", "version": 99, "cameras": []}'])
def test_a_damaged_rig_is_a_sentence(tmp_path, suffix, text):
    path = video(tmp_path / f"a{suffix}", {"syncam_rig": text})
    with pytest.raises(UserError, match=rf"^file 'a{suffix}': "):
        read_rig_file(path)


@pytest.mark.parametrize("suffix", KINDS)
def test_damaged_videos_are_sentences_and_end_soon(tmp_path, suffix):
    whole = video(tmp_path / f"a{suffix}", {"syncam_rig": rig_to_json(rig())}).read_bytes()
    chance = random.Random(0)
    path = tmp_path / f"b{suffix}"
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole[: chance.randrange(4, len(whole))])
        for _ in range(chance.randrange(30)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        outcomes.add(outcome(path))
    assert outcomes == {"read", f"file 'b{suffix}'"}


def outcome(path):
    try:
        read_rig_file(path)
    except UserError as problem:
        return str(problem).partition(":")[0]
    return "read"


def test_boxes_that_promise_more_than_there_is_end_the_search(tmp_path):
    path = tmp_path / "a.mp4"
    ftyp = b"\0\0\0\x10ftypisom\0\0\0\0"
    for rest in (
        b"\0\0\0\0moov",
        b"\0\0\0\x01moov" + b"\xff" * 8,
        b"\0\0\0\x04moov",
        b"\xff\xff\xff\xffmoov",
        b"\0" * 64,
    ):
        path.write_bytes(ftyp + rest)
        with pytest.raises(UserError, match="a video without a rig in it"):
            read_rig_file(path)
