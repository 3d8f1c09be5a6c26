"""Files and folders appear whole or not at all, and what killed processes left goes in time."""

from __future__ import annotations

import os
import time

import pytest

from syncam_core.disk.staged import staged_file, staged_files, staged_folder

HOUR = 3600


class Interrupt(BaseException):
    pass


def test_staged_files_appear_together(tmp_path):
    with staged_files(tmp_path) as stage:
        (stage / "a.txt").write_text("a")
        (stage / "b.txt").write_text("b")
        assert not (tmp_path / "a.txt").exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("error", [Interrupt, OSError])
def test_staged_files_vanish_together(tmp_path, error):
    def stage_and_fail():
        with staged_files(tmp_path) as stage:
            (stage / "a.txt").write_text("a")
            raise error

    with pytest.raises(error):
        stage_and_fail()
    assert not list(tmp_path.iterdir())


def test_staged_files_never_replace_what_is_there(tmp_path):
    def stage_two():
        with staged_files(tmp_path) as stage:
            (stage / "a.txt").write_text("a")
            (stage / "b.txt").write_text("b")

    (tmp_path / "b.txt").write_text("older")
    with pytest.raises(FileExistsError, match=r"b\.txt"):
        stage_two()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("b.txt", "older")]


@pytest.mark.parametrize("error", [Interrupt, OSError])
def test_an_interrupt_between_two_files_takes_the_first_one_back(tmp_path, monkeypatch, error):
    def stage_three():
        with staged_files(tmp_path) as stage:
            for name in "abc":
                (stage / name).write_text(name)

    replace, moved = os.replace, []

    def replace_two(source, target):
        if len(moved) == 2:
            raise error
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_two)
    with pytest.raises(error):
        stage_three()
    assert len(moved) == 2
    assert not list(tmp_path.iterdir())


def test_a_name_belongs_to_one_process(tmp_path):
    with staged_files(tmp_path, "take"), pytest.raises(FileExistsError), staged_files(tmp_path, "take"):
        pytest.fail("two have the name")
    with staged_files(tmp_path, "take"):
        pass


def left(folder, name, hours):
    """A hidden folder with a file in a folder, each of them last written so many hours ago."""
    inner = folder / name / "videos"
    inner.mkdir(parents=True)
    (inner / "cam01.mp4").write_bytes(b"half")
    for path, age in zip((inner / "cam01.mp4", inner, folder / name), hours, strict=True):
        os.utime(path, (time.time() - age * HOUR,) * 2)


@pytest.mark.parametrize("stage", [staged_files, staged_folder])
def test_what_a_killed_process_left_goes_once_nothing_was_written_to_it_for_a_day(tmp_path, stage):
    left(tmp_path, ".syncam-a-day-ago", (25, 25, 25))
    left(tmp_path, ".syncam-this-morning", (23, 23, 23))
    left(tmp_path, ".syncam-half-an-hour-ago", (0.5, 0.5, 0.5))
    # A long film: its folder and the files before it are old, but it is being written.
    left(tmp_path, ".syncam-film", (0.01, 30, 30))
    left(tmp_path, ".syncam-folder", (30, 0.01, 30))
    left(tmp_path, ".somebody-else", (99, 99, 99))
    for name, hours in ((".syncam-old.tmp", 25), (".syncam-new.tmp", 23)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - hours * HOUR,) * 2)
    with stage(tmp_path):
        pass
    stay = {".syncam-this-morning", ".syncam-half-an-hour-ago", ".syncam-film", ".syncam-folder", ".syncam-new.tmp"}
    assert {path.name for path in tmp_path.iterdir()} == {*stay, ".somebody-else"}


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_its_place_whole(tmp_path, durable):
    (tmp_path / "a").write_text("older")
    with staged_file(tmp_path / "a", durable) as staged:
        staged.write_text("newer")
        assert (tmp_path / "a").read_text() == "older"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "newer")]

    def fail():
        with staged_file(tmp_path / "a", durable) as staged:
            staged.write_text("half")
            raise Interrupt

    with pytest.raises(Interrupt):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "newer")]


def test_what_must_survive_a_loss_of_power_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.readlink(f"/proc/self/fd/{handle}")))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *places: (done.append("replace"), replace(*places)))
    with staged_file(tmp_path / "a", durable=True) as staged:
        staged.write_text("a")
    assert done == [str(staged), "replace", str(tmp_path)]
    done.clear()
    with staged_file(tmp_path / "b"):
        pass
    assert done == ["replace"]
