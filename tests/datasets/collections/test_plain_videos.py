"""Folders of single videos with captions."""

from __future__ import annotations

import shutil

import pytest
from tiny_datasets import CAPTION, FPS, FRAMES, ORBIT, SIZE, film, write_plain_videos

from syncam_core.datasets.collections.plain_videos import read_plain_videos
from syncam_core.datasets.footage import Kind
from syncam_core.datasets.problems import BrokenData, check
from syncam_core.errors import UserError
from syncam_core.video.write import write_video


@pytest.fixture
def folder(tmp_path):
    return write_plain_videos(tmp_path / "videos")


def read(folder, **options):
    return read_plain_videos(folder, **{"size": SIZE, "length": FRAMES, "fps": FPS, **options})


def test_every_video_is_a_scene_of_one_camera_whose_pose_is_unknown(folder):
    scenes = read(folder)
    assert [scene.name for scene in scenes] == ["a.mp4", "b.mp4"]
    for scene in scenes:
        (footage,) = scene.footage
        assert (scene.kind, scene.caption, footage.c2w) == (Kind.VIDEO, CAPTION, None)
        assert footage.read().shape == (FRAMES, *SIZE, 3)
    assert check(scenes)[1].problems == ()


def test_videos_in_folders_and_a_table_of_captions_are_read(folder):
    (folder / "deep").mkdir()
    (folder / "a.mp4").rename(folder / "deep/c.mp4")
    (folder / "metadata.csv").write_text("\ufefffile_name,text\ndeep/c.mp4,two\nb.mp4,one\n", encoding="utf-8")
    assert [(scene.name, scene.caption) for scene in read(folder)] == [("b.mp4", "one"), ("deep/c.mp4", "two")]


def test_a_longer_video_gives_its_beginning(folder):
    assert read(folder, length=5)[0].footage[0].read().shape[0] == 5
    assert read(folder, length=None)[0].footage[0].read().shape[0] == FRAMES


BREAKS = {
    "missing frames": (lambda f: write_video(f / "b.mp4", film(ORBIT[:1])[0][:5], FPS), "at least 9 are expected"),
    "wrong fps": (lambda f: write_video(f / "b.mp4", film(ORBIT[:1])[0], 30), "runs at 30 fps, but 8 fps"),
    "missing file": (
        lambda f: ((f / "b.mp4").unlink(), (f / "metadata.csv").write_text("file_name,text\nb.mp4,text\n")),
        "'b.mp4' is missing",
    ),
    "cut short": (lambda f: (f / "b.mp4").write_bytes((f / "b.mp4").read_bytes()[:-300]), "b.mp4'"),
    "zero bytes": (lambda f: (f / "b.mp4").write_bytes(b""), "'b.mp4' is empty"),
    "empty caption": (lambda f: (f / "b.txt").write_text("  \n"), "no caption"),
    "no caption": (lambda f: (f / "b.txt").unlink(), "'b.txt' is missing"),
    "empty caption in the table": (lambda f: (f / "metadata.csv").write_text("file_name,text\nb.mp4,\n"), "no caption"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_skip_drops_and_names_and_refuse_raises(folder, name):
    break_it, why = BREAKS[name]
    break_it(folder)
    good, report = check(read(folder), "skip")
    assert [scene.name for scene in good] == ["a.mp4"]
    assert {problem.scene for problem in report.problems} == {"b.mp4"}
    assert why in report.table()
    with pytest.raises(BrokenData, match=r"b\.mp4"):
        check(read(folder), "refuse")


def test_a_table_that_leads_out_of_the_folder_is_refused(folder):
    shutil.copy(folder / "a.mp4", folder.parent / "secret.mp4")
    for name in ("../secret.mp4", str(folder.parent / "secret.mp4"), "..\\secret.mp4"):
        (folder / "metadata.csv").write_text(f"file_name,text\n{name},x\n")
        with pytest.raises(UserError, match="leads out of the data set's folder"):
            read(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no videos"):
        read(tmp_path)
