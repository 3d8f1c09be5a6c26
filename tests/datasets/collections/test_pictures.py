"""Picture files, and pictures brought to size."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_datasets import ORBIT, film

from syncam_core.datasets.footage import BrokenFootage
from syncam_core.datasets.pictures import PictureFile, check_size, cover_and_crop
from syncam_core.errors import UserError


@pytest.fixture(scope="module")
def picture():  # (96, 80, 3)
    return film(ORBIT[:1], frames=1, size=(96, 80))[0, 0]


def test_a_picture_of_the_wanted_size_is_left_as_it_is(picture):
    assert torch.equal(cover_and_crop(picture, (96, 80)), torch.from_numpy(picture))


@pytest.mark.parametrize(
    ("size", "scaled", "top", "left"),
    [
        ((48, 40), (48, 40), 0, 0),
        ((32, 32), (38, 32), 3, 0),
        ((24, 80), (96, 80), 36, 0),
        ((48, 16), (48, 40), 0, 12),
        ((120, 60), (120, 100), 0, 20),
    ],
)
def test_pictures_cover_the_size_and_lose_equal_margins(picture, size, scaled, top, left):
    height, width = size
    by_pillow = np.asarray(Image.fromarray(picture).resize(scaled[::-1], Image.Resampling.BILINEAR)).astype(int)
    expected = by_pillow[top : top + height, left : left + width]
    assert np.abs(cover_and_crop(picture, size).numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_file_is_one_frame(tmp_path, picture, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture).save(path, quality=95)
    read = PictureFile(path, f"clip/a.{suffix}", (96, 80))
    assert read.probe() == 1
    frames = read()
    assert frames.shape == (1, 96, 80, 3)
    assert np.abs(frames[0].numpy().astype(int) - picture).mean() < (0.1 if suffix == "png" else 6)


def png(width, height, depth=8, colour=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def gif():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "GIF")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is missing"),
        (b"", "is empty"),
        (b"nothing", "cannot be read"),
        (png(60000, 60000), "pixels|cannot be read"),
        (png(16000, 9000), "16000 x 9000 pixels"),
        (png(4, 4, depth=16, colour=0), "8-bit RGB"),
        (gif(), "cannot be read"),
    ],
)
def test_a_file_that_is_no_such_picture_is_refused_by_its_head(tmp_path, content, why):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    for call in (PictureFile(path, "clip/a.png", (8, 8)).probe, PictureFile(path, "clip/a.png", (8, 8))):
        with pytest.raises(BrokenFootage, match=f"'clip/a.png'.*({why})"):
            call()


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_was_cut_short_is_refused(tmp_path, picture, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture).save(path)
    whole = path.read_bytes()
    for length in range(1, len(whole) - 12, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFootage, match=f"clip/a.{suffix}"):
            PictureFile(path, f"clip/a.{suffix}", (96, 80))()


@pytest.mark.parametrize("size", [(0, 8), (8, 9000), (8,), (8.0, 8)])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(UserError, match="height and width in pixels"):
        check_size(size)
