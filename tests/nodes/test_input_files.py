"""The list of camera files: short work however full the input folder is, and never out of date."""

from __future__ import annotations

import builtins
import io
import json
import os
import statistics
import time
from pathlib import Path

import pytest

RIG = json.dumps({"cameras": [{"azimuth": 0, "distance": 3}, {"azimuth": 15, "distance": 3}]})
POSES = "a clip\n" + "".join(f"{frame} 1 1.7 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 {frame}\n" for frame in range(3))
CAPTION = "a person on a bridge, evening, " * 8


@pytest.fixture
def root(comfy, tmp_path):
    before, folder = comfy.folders.get_input_directory(), tmp_path / "input"
    folder.mkdir()
    comfy.folders.set_input_directory(str(folder))
    yield folder
    comfy.folders.set_input_directory(before)


def listed(comfy) -> list[str]:
    return comfy.nodes["SynCamLoadRig"].GET_SCHEMA().inputs[0].options


@pytest.fixture
def opened(monkeypatch, root):
    """The files of the input folder that are opened."""
    names: list[str] = []
    for module in (builtins, io):
        plain = module.open

        def noted(file, *arguments, plain=plain, **options):
            if isinstance(file, (str, os.PathLike)) and Path(file).is_relative_to(root):
                names.append(Path(file).relative_to(root).as_posix())
            return plain(file, *arguments, **options)

        monkeypatch.setattr(module, "open", noted)
    return names


def fill(root: Path) -> None:
    (root / "rig.json").write_text(RIG)
    (root / "walk.txt").write_text(POSES)
    (root / "notes.txt").write_text(CAPTION)
    (root / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    for folder, text in (("poses", POSES), ("captions", CAPTION)):
        (root / folder).mkdir()
        for number in range(3):
            (root / folder / f"{number}.txt").write_text(text)
    model = root / "scan" / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 SIMPLE_PINHOLE 832 480 500 416 240\n")
    (model / "images.txt").write_text("1 1 0 0 0 0 0 3 1 a.png\n\n2 1 0 0 0 1 0 3 1 b.png\n\n")


def test_what_holds_cameras_is_listed_and_no_unchanged_file_is_opened_twice(comfy, root, opened):
    fill(root)
    opened.clear()
    expected = ["poses", "poses/0.txt", "poses/1.txt", "poses/2.txt", "rig.json", "scan", "walk.txt"]
    assert listed(comfy) == expected
    assert {"notes.txt", "walk.txt", "clip.mp4", "captions/0.txt", "poses/2.txt"} <= set(opened)
    assert "rig.json" not in opened
    opened.clear()
    assert listed(comfy) == expected
    assert opened == []


def test_only_what_is_new_or_has_changed_is_opened(comfy, root, opened):
    fill(root)
    listed(comfy)
    opened.clear()
    (root / "notes.txt").write_text(POSES)
    (root / "captions" / "4.txt").write_text(CAPTION)
    assert "notes.txt" in listed(comfy)
    assert {name.split("/")[0] for name in opened} == {"notes.txt", "captions"}
    (root / "walk.txt").write_text(CAPTION)
    (root / "poses" / "1.txt").unlink()
    assert [name for name in listed(comfy) if name.startswith(("walk", "poses"))] == [
        "poses",
        "poses/0.txt",
        "poses/2.txt",
    ]
    same = (root / "walk.txt").stat()
    (root / "other.txt").write_text(POSES + " " * (same.st_size - len(POSES)))  # as large and as old, another file
    os.utime(root / "other.txt", ns=(same.st_atime_ns, same.st_mtime_ns))
    os.replace(root / "other.txt", root / "walk.txt")
    opened.clear()
    assert "walk.txt" in listed(comfy)
    assert opened
    assert set(opened) == {"walk.txt"}


def test_two_changes_in_one_tick_of_the_folder_s_clock_are_both_seen(comfy, root):
    fill(root)
    listed(comfy)
    before = (root / "captions").stat()
    (root / "captions" / "walk.txt").write_text(POSES)
    os.utime(root / "captions", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "captions/walk.txt" in listed(comfy)


def test_leftovers_of_other_systems_are_never_listed(comfy, root):
    (root / "._rig.json").write_bytes(b"\0\5\x16\7")
    (root / ".DS_Store").write_bytes(b"\0")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "rig.json").write_text(RIG)
    (root / "show").mkdir()
    (root / "show" / "._rig.json").write_bytes(b"\0\5\x16\7")
    (root / "show" / "rig.json").write_text(RIG)
    (root / "show" / "__MACOSX").mkdir()
    (root / "show" / "__MACOSX" / "walk.txt").write_text(POSES)
    assert listed(comfy) == ["show/rig.json"]


def test_a_folder_that_went_away_while_it_was_read_is_left_out(comfy, root):
    fill(root)
    (root / "broken.txt").symlink_to(root / "nowhere.txt")
    (root / "loop").symlink_to(root)
    assert "rig.json" in listed(comfy)
    assert "broken.txt" not in listed(comfy)


@pytest.mark.parametrize("folders", [1, 50])
def test_a_full_input_folder_is_listed_about_as_fast_as_the_host_lists_its_videos(comfy, root, folders):
    """The host does not look into folders."""
    from comfy_extras.nodes_video import LoadVideo

    for number in range(5000):
        folder = root / f"captions {number % folders:02d}" if folders > 1 else root
        folder.mkdir(exist_ok=True)
        (folder / f"{number:04d}.txt").write_text(CAPTION)
    for number in range(2000):
        (root / f"{number:04d}.json").write_text("{}")
    for number in range(500):
        (root / f"{number:04d}.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    time.sleep(0.2)  # nobody lists in the moment of the last caption
    assert len(listed(comfy)) == 2000
    ours, hosts = [], []
    for _ in range(7):  # in turn, so that what else the machine does slows both
        begun = time.process_time()
        listed(comfy)
        ours.append(time.process_time() - begun)
        begun = time.process_time()
        LoadVideo.define_schema()
        hosts.append(time.process_time() - begun)
    assert statistics.median(ours) < 2 * statistics.median(hosts)


def test_what_changes_in_a_folder_is_seen_at_once_and_within_a_file_in_two_seconds(comfy, root, opened):
    fill(root)
    time.sleep(0.2)
    before = listed(comfy)
    assert listed(comfy) == before
    (root / "captions" / "walk.txt").write_text(POSES)
    (root / "scan" / "sparse" / "0" / "images.txt").unlink()
    (root / "captions" / "deep").mkdir()
    (root / "captions" / "deep" / "0.txt").write_text(POSES)
    time.sleep(0.2)
    expected = sorted({*before, "captions/deep", "captions/walk.txt"} - {"scan"})
    assert listed(comfy) == expected
    (root / "captions" / "deep" / "0.txt").rename(root / "captions" / "deep" / "0.notes")
    assert "captions/deep" not in listed(comfy)
    time.sleep(0.2)
    listed(comfy)
    (root / "captions" / "0.txt").write_text(POSES)  # in place: the folder does not change
    time.sleep(2.1)
    opened.clear()
    assert "captions/0.txt" in listed(comfy)
    assert set(opened) <= {"captions/0.txt", "captions/1.txt", "captions/2.txt", "captions/walk.txt"}


@pytest.mark.parametrize("what", ["rig.json", "poses", "scan"])
def test_a_changed_camera_file_is_read_again(comfy, root, what):
    fill(root)
    node = comfy.nodes["SynCamLoadRig"]
    before = node.fingerprint_inputs(file=what)
    assert node.fingerprint_inputs(file=what) == before
    changed = {"rig.json": "rig.json", "poses": "poses/1.txt", "scan": "scan/sparse/0/images.txt"}[what]
    time_before = (root / changed).stat()
    (root / changed).write_text((root / changed).read_text().replace("3", "4"))  # as long as it was
    os.utime(root / changed, ns=(time_before.st_atime_ns, time_before.st_mtime_ns + 1))
    assert node.fingerprint_inputs(file=what) != before
