"""A dataset grows scene by scene: whole ones, under names of their own, whatever happens meanwhile."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from takes import noise, rig_for, stored

from syncam_core.datasets import LAYOUTS, append_scene, open_scene, scenes_in
from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.disk.names import checked_folder, checked_name
from syncam_core.errors import UserError


def in_child(work, *arguments) -> multiprocessing.Process:
    """A process of its own, which begins as a copy of this one: torch need not be loaded again."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    return process


def exit_status(process: multiprocessing.Process) -> int:
    process.join(120)
    return process.exitcode


def dies(folder: Path, layout: str, when: int | str) -> None:
    """Write a scene, and be killed after some pictures, or before it gets its name."""

    def die(*arguments) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    ticks = itertools.count(1)
    if when == "rename":
        os.rename = die
    stored(folder, layout, noise(2, 5, 16, 16), rig_for(2), tick=lambda: die() if next(ticks) == when else None)


def appends(folder: Path, job: int) -> None:
    for number in range(4):
        films = noise(2, 2, 8, 8, seed=job * 10 + number)
        stored(folder, "nerfstudio", films, rig_for(2), caption=f"{job} {number}")


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("when", [1, 7, 10, "rename"])
def test_a_kill_in_mid_write_leaves_no_half_scene(tmp_path, layout, when):
    films = noise(2, 3, 16, 16)
    whole = stored(tmp_path, layout, films, rig_for(2))
    assert exit_status(in_child(dies, tmp_path, layout, when)) == -signal.SIGKILL
    assert visible(tmp_path) == ["scene00001"]
    assert len(os.listdir(tmp_path)) == 2
    assert scenes_in(tmp_path) == [whole]
    if layout == "syncamvideo":
        assert [scene.name for scene in read_syncamvideo(tmp_path)] == ["scene00001"]
    assert stored(tmp_path, layout, films, rig_for(2)).name == "scene00002"
    assert [open_scene(path).frames for path in scenes_in(tmp_path)] == [3, 3]


def test_what_a_killed_process_left_goes_after_a_day_and_what_is_being_written_stays(tmp_path):
    for name, age_s in ((".syncam-old", 3 * 24 * 3600), (".syncam-new", 3600)):
        (tmp_path / name / "videos").mkdir(parents=True)
        (tmp_path / name / "videos" / "cam01.mp4").write_bytes(b"half")
        for path in (tmp_path / name / "videos" / "cam01.mp4", tmp_path / name / "videos", tmp_path / name):
            os.utime(path, (time.time() - age_s,) * 2)
    (tmp_path / ".somebody-else").mkdir()
    os.utime(tmp_path / ".somebody-else", (0, 0))
    stored(tmp_path, "nerfstudio", noise(1, 1, 4, 4), rig_for(1))
    assert sorted(os.listdir(tmp_path)) == [".somebody-else", ".syncam-new", "scene00001"]


def test_processes_that_append_at_once_get_numbers_of_their_own(tmp_path):
    processes = [in_child(appends, tmp_path, job) for job in range(3)]
    assert [exit_status(process) for process in processes] == [0, 0, 0]
    assert visible(tmp_path) == [f"scene{number:05d}" for number in range(1, 13)]
    scenes = [open_scene(path) for path in scenes_in(tmp_path)]
    assert sorted(scene.caption for scene in scenes) == [f"{job} {number}" for job in range(3) for number in range(4)]
    for scene in scenes:
        job, number = map(int, scene.caption.split())
        films = noise(2, 2, 8, 8, seed=job * 10 + number)
        assert (np.stack(list(scene.pictures(1))) == films[1]).all()


def test_a_scene_that_another_process_has_just_put_there_is_not_replaced(tmp_path):
    def meanwhile(stage: Path) -> None:
        (stage / "ours").touch()
        (tmp_path / "scene00001").mkdir()
        (tmp_path / "scene00001" / "theirs").touch()

    assert append_scene(tmp_path, meanwhile) == tmp_path / "scene00002"
    assert os.listdir(tmp_path / "scene00001") == ["theirs"]
    assert os.listdir(tmp_path / "scene00002") == ["ours"]

    def again(stage: Path) -> None:
        (stage / "ours").touch()
        (tmp_path / "named").mkdir()
        (tmp_path / "named" / "theirs").touch()

    with pytest.raises(FileExistsError, match="'named' exists already"):
        append_scene(tmp_path, again, "named")
    assert os.listdir(tmp_path / "named") == ["theirs"]
    assert sorted(os.listdir(tmp_path)) == ["named", "scene00001", "scene00002"]


def test_a_file_in_the_place_of_a_scene_is_passed_over(tmp_path):
    (tmp_path / "scene00003").write_text("not a folder")
    (tmp_path / "SCENE7").mkdir()
    assert append_scene(tmp_path, lambda stage: None).name == "scene00008"
    assert (tmp_path / "scene00003").read_text() == "not a folder"


@pytest.mark.parametrize("name", ["dog", "DOG", "Dog"])
def test_a_name_in_use_is_refused_before_anything_is_written(tmp_path, name):
    (tmp_path / "dog").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        append_scene(tmp_path, lambda stage: pytest.fail("it was written"), name)
    assert os.listdir(tmp_path) == ["dog"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_interrupt_and_a_full_disk_leave_nothing(tmp_path, layout, problem):
    stored(tmp_path, layout, noise(2, 3, 8, 8), rig_for(2))
    before = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    ticks = iter(range(4))

    def tick() -> None:
        if next(ticks) == 3:
            raise problem

    with pytest.raises(type(problem)):
        stored(tmp_path, layout, noise(2, 3, 8, 8), rig_for(2), tick=tick)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == before


def test_the_scene_is_as_open_to_others_as_any_new_folder(tmp_path):
    (tmp_path / "usual").mkdir()
    made = stored(tmp_path / "set", "nerfstudio", noise(1, 1, 4, 4), rig_for(1))
    assert made.stat().st_mode == (tmp_path / "usual").stat().st_mode


# ---- names


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("syncam/dataset", "syncam/dataset"),
        (" a\\b/ ", "a/b"),
        ("./a//b/.", "a/b"),
        ("Hunde 🐕", "Hunde 🐕"),
        ("v1.2", "v1.2"),
    ],
)
def test_a_folder_is_called_the_same_on_every_system(given, path):
    assert checked_folder(given, "'dataset'") == path


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "names no folder"),
        ("././", "names no folder"),
        ("../a", "leads out"),
        ("a/../../b", "leads out"),
        ("a\\..\\b", "leads out"),
        ("/etc", "leads out"),
        ("C:/a", "leads out"),
        ("C:a", "leads out"),
        ("a" * 300, "a name of 300 bytes"),
        ("🐕" * 50, "a name of 200 bytes"),
        ("a/" * 20 + "a", "21 folders deep"),
        ("a\0b", "which holds '\\\\x00'"),
        ("a\nb", "which holds"),
        ("what?", "which holds '\\?'"),
        ("a/.git", "hidden folder"),
        ("a /b", "blank or a dot"),
        ("a./b", "blank or a dot"),
        ("x/con", "device on Windows"),
        ("Lpt1.txt", "device on Windows"),
        ("\ud800", "half a character"),
    ],
)
def test_a_name_that_leads_out_or_that_some_system_refuses_is_refused_in_a_sentence(given, why):
    with pytest.raises(UserError, match=why) as caught:
        checked_folder(given, "'dataset'")
    assert str(caught.value).startswith("'dataset' is ")
    assert len(str(caught.value)) < 400
    str(caught.value).encode()  # it can be shown


def test_a_name_is_one_folder_or_none():
    assert checked_name("", "'split'") == ""
    assert checked_name(" ", "'split'") == ""
    assert checked_name("train", "'split'") == "train"
    with pytest.raises(UserError, match="'split' is 'a/b', but it is one folder"):
        checked_name("a/b", "'split'")
