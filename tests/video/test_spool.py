"""Frames on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from syncam_core.errors import UserError
from syncam_core.video.clip import BITS_8, BITS_16, FLOAT
from syncam_core.video.spool import Spool, as_depth

PACK = Path(__file__).resolve().parents[2]


def noise(frames, dtype, seed=0, height=9, width=13):
    pictures = np.random.default_rng(seed).random((frames, height, width, 3))
    return (pictures * (1 if dtype == FLOAT else np.iinfo(dtype).max)).astype(dtype)


@pytest.mark.parametrize("dtype", [BITS_8, BITS_16, FLOAT])
def test_frames_come_back_bit_for_bit_in_any_order(tmp_path, dtype):
    with Spool(tmp_path, 0) as spool:
        clips, films = [], [noise(5, dtype, seed) for seed in (1, 2)]
        for frames in films:
            clips.append(spool.new_clip(9, 13, dtype))
            for frame in frames:
                clips[-1].append(frame)
        for clip, frames in zip(clips, films, strict=True):
            assert len(clip) == 5
            for index in (4, 0, 2, 2):
                assert np.array_equal(clip[index], frames[index])
                clip[index][:] = 0  # the caller's to change
        assert as_depth(clips[0], dtype) is clips[0]
        other = as_depth(clips[0], BITS_8)
        assert other[3].dtype == np.uint8
        assert abs(other[3].mean() / 255 - films[0][3].mean() / (1 if dtype == FLOAT else np.iinfo(dtype).max)) < 0.01


def test_a_frame_beyond_the_end_is_an_index_error(tmp_path):
    with Spool(tmp_path, 0) as spool:
        clip = spool.new_clip(9, 13, BITS_8)
        clip.append(noise(1, BITS_8)[0])
        for index in (1, -1):
            with pytest.raises(IndexError):
                clip[index]
        with pytest.raises(UserError, match="a frame is"):
            clip.append(noise(1, BITS_8, width=14)[0])


def test_the_file_has_no_name_and_its_space_is_free_again_when_nobody_needs_it(tmp_path):
    spool = Spool(tmp_path, 0)
    clip = spool.new_clip(9, 13, BITS_8)
    clip.append(noise(1, BITS_8)[0])
    number = spool._file.fileno()
    if os.name == "posix":
        assert not list(tmp_path.iterdir())
    del spool
    assert clip[0].any(), "the clip still needs it"
    del clip
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


def test_too_little_room_is_said_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"need 1000000000\.0 GB for a while in '.*', but .* are free there; free"):
        Spool(tmp_path, 10**18)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_becomes_full_is_a_sentence(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(tmp_path, 0) as spool:
        clip, (first, second) = spool.new_clip(90, 130, BITS_8), noise(2, BITS_8, height=90, width=130)
        clip.append(first)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with pytest.raises(UserError, match=r"cannot be kept in '.*' \(File too large\); free some space"):
                clip.append(second)
        finally:
            signal.signal(signal.SIGXFSZ, handler)
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
def test_a_killed_process_leaves_nothing(tmp_path):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import numpy as np\n"
        "from syncam_core.video.spool import Spool\n"
        "clip = Spool(sys.argv[2], 0).new_clip(90, 130, np.uint8)\n"
        "for _ in range(50): clip.append(np.zeros((90, 130, 3), np.uint8))\n"
        "print('there', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(PACK), str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    process.kill()
    process.wait()
    assert not list(tmp_path.iterdir())
