"""Judging footage from whatever reader, and the command that prints the judgement."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_datasets import write_dl3dv, write_plain_videos, write_realestate10k, write_syncamvideo

from syncam_core.datasets.collections.checks import main
from syncam_core.datasets.footage import BrokenFootage, Footage, Kind, Scene
from syncam_core.datasets.problems import BrokenData, check
from syncam_core.errors import UserError

ROOT = Path(__file__).parents[3]


def footage(name="cam01", frames=5, size=(8, 8), c2w="still", read=None):
    pictures = torch.zeros(frames, *size, 3, dtype=torch.uint8)
    pose = torch.eye(4, dtype=torch.float64)[None] if isinstance(c2w, str) else c2w
    return Footage(name=name, c2w=pose, read=read or (lambda: pictures), fingerprint=f"{name} {frames} {size}")


def scene(*some, kind=Kind.MULTI_VIEW_VIDEO, caption="a ball", name="scene1"):
    return Scene(name, kind, caption, some)


THREE = tuple(footage(f"cam{number:02d}") for number in range(1, 4))


def pose(change):
    c2w = torch.eye(4, dtype=torch.float64).repeat(1, 1, 1)
    change(c2w)
    return c2w


def raises(problem):
    def read():
        raise problem

    return read


BAD = {
    "NaN": (footage("bad", c2w=pose(lambda p: p[0, 0].fill_(float("nan")))), "holds NaN"),
    "infinite": (footage("bad", c2w=pose(lambda p: p[0, 0, 3].fill_(float("inf")))), "infinite"),
    "scaled": (footage("bad", c2w=pose(lambda p: p[0, :3, :3].mul_(2))), "is scaled by 2"),
    "mirrored": (footage("bad", c2w=pose(lambda p: p[0, 0, 0].neg_())), "is mirrored"),
    "transposed": (footage("bad", c2w=pose(lambda p: p[0, 3, :3].fill_(2))), "last row"),
    "no pose": (footage("bad", c2w=None), "its camera pose is unknown"),
    "3 x 4": (footage("bad", c2w=torch.eye(4, dtype=torch.float64)[None, :3]), "float64 are needed"),
    "float32": (footage("bad", c2w=torch.eye(4)[None]), "float64 are needed"),
    "four poses": (footage("bad", c2w=torch.eye(4, dtype=torch.float64).repeat(4, 1, 1)), "poses for 4"),
    "other length": (footage("bad", frames=4), "it has 4 frames of 8 x 8 pixels, but most"),
    "other size": (footage("bad", size=(8, 16)), "of 16 x 8 pixels, but most"),
    "NaN pictures": (footage("bad", read=lambda: torch.full((5, 8, 8, 3), float("nan"))), "NaN or infinite"),
    "float pictures": (footage("bad", read=lambda: torch.zeros(5, 8, 8, 3)), "uint8 is needed"),
    "no pictures": (footage("bad", read=lambda: torch.zeros(0, 8, 8, 3, dtype=torch.uint8)), "uint8 is needed"),
    "broken": (footage("bad", read=raises(BrokenFootage("'x.mp4' is damaged."))), "'x.mp4' is damaged."),
    "disk": (footage("bad", read=raises(OSError(5, "Input/output error"))), "Input/output error"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_footage_is_dropped_and_named_or_refused(name):
    bad, why = BAD[name]
    for place in range(4):
        given = scene(*THREE[:place], bad, *THREE[place:])
        good, report = check([given])
        assert good == [scene(*THREE)]
        assert [(p.scene, p.footage) for p in report.problems] == [("scene1", "bad")]
        assert why in report.problems[0].why
    with pytest.raises(BrokenData, match="scene1 / bad"):
        check([scene(*THREE, bad)], "refuse")


def test_a_programmers_mistake_is_not_taken_for_broken_data():
    with pytest.raises(ZeroDivisionError):
        check([scene(*THREE, footage("bad", read=raises(ZeroDivisionError())))])


def test_a_scene_that_is_in_order_passes_unchanged_in_either_mode():
    moving = torch.eye(4, dtype=torch.float64).repeat(5, 1, 1)
    scenes = [
        scene(*THREE, footage("moving", c2w=moving)),
        scene(footage("video", c2w=None), kind=Kind.VIDEO, name="scene2"),
        scene(footage("a", frames=1), footage("b", frames=1), kind=Kind.MULTI_VIEW_IMAGES, name="scene3"),
    ]
    for mode in ("skip", "refuse"):
        good, report = check(scenes, mode)
        assert good == scenes
        assert (report.problems, report.good_scenes, report.good_footage) == ((), 3, 7)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (scene(*THREE, caption=""), "has no caption"),
        (scene(*THREE, caption=" \n\t"), "has no caption"),
        (scene(THREE[0]), "has 1 good camera, but at least 2"),
        (scene(THREE[0], BAD["NaN"][0]), "has 1 good camera, but at least 2"),
        (scene(), "has 0 good cameras, but at least 2"),
        (scene(kind=Kind.VIDEO), "has 0 good cameras, but at least 1"),
        (scene(footage("a"), footage("b"), kind=Kind.MULTI_VIEW_IMAGES), "a single picture is expected"),
        (scene(footage("a"), footage("a")), "2 cameras of the scene have this name"),
    ],
)
def test_a_scene_that_cannot_be_used_is_dropped_and_named_or_refused(given, why):
    fine = scene(*THREE, name="fine")
    good, report = check([given, fine])
    assert good == [fine]
    assert why in str([problem.why for problem in report.problems])
    assert report.problems[-1].footage is None
    with pytest.raises(BrokenData, match=why):
        check([given, fine], "refuse")


def test_of_two_scenes_with_one_name_the_second_is_dropped():
    good, report = check([scene(*THREE), scene(*THREE[:2])])
    assert good == [scene(*THREE)]
    assert "same name" in report.problems[0].why


def test_without_decoding_nothing_is_read():
    unread = scene(*(replace(one, read=raises(AssertionError("was read"))) for one in THREE))
    assert check([unread], decode=False)[0] == [unread]


def test_refuse_lists_twenty_problems_and_counts_the_rest():
    scenes = [scene(*THREE, caption="", name=f"scene{number}") for number in range(1, 26)]
    with pytest.raises(BrokenData) as refused:
        check(scenes, "refuse")
    text = str(refused.value)
    assert "25 problems" in text
    assert "scene20:" in text
    assert "scene21:" not in text
    assert text.endswith("and 5 more")
    assert len(refused.value.problems) == 25
    assert pickle.loads(pickle.dumps(refused.value)).problems == refused.value.problems


def test_another_word_than_skip_and_refuse_is_an_error():
    with pytest.raises(UserError, match="'on_broken' is 'ignore'"):
        check([], "ignore")


def test_progress_counts_scenes():
    seen = []
    check([scene(*THREE, name=name) for name in "ab"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


# The command

WRITERS = {
    "syncamvideo": write_syncamvideo,
    "realestate10k": write_realestate10k,
    "dl3dv": write_dl3dv,
    "videos": write_plain_videos,
}


@pytest.mark.parametrize("form", WRITERS)
def test_the_command_ends_with_0_for_a_whole_data_set_and_1_with_a_table_for_a_broken_one(tmp_path, capsys, form):
    WRITERS[form](tmp_path / "data")
    arguments = [str(tmp_path / "data"), "--format", form, "--size", "32x32"]
    assert main(arguments) == 0
    assert "2 of 2 scenes" in capsys.readouterr().out
    files = [path for suffix in ("mp4", "png") for path in sorted((tmp_path / "data").rglob(f"*.{suffix}"))]
    files[-1].write_bytes(b"")
    assert main(arguments) == main([*arguments, "--quick"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("scene")
    assert f"{files[-1].name}' is empty (0 bytes)." in out


def test_the_command_checks_length_and_fps(tmp_path, capsys):
    write_plain_videos(tmp_path)
    arguments = [str(tmp_path), "--format", "videos", "--size", "32x32", "--quick"]
    assert main([*arguments, "--length", "9", "--fps", "8"]) == 0
    assert main([*arguments, "--length", "10"]) == main([*arguments, "--fps", "15"]) == 1
    assert "runs at 8 fps, but 15 fps are expected" in capsys.readouterr().out


def test_the_command_runs_as_a_module_without_warnings_and_ends_with_2_for_no_folder(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "syncam_core.datasets.collections.checks", str(tmp_path / "none")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("checks: ")
    assert "is no folder" in done.stderr
