"""Every reader of cameras and scenes against the same things that happen to files: one table of what comes out.

what happens            what comes out
missing                 all cameras: refused, naming the camera; without it: the others, as they were
extra                   the same cameras (a further camera of a JSON file: one more)
chosen                  these cameras, in this order, as they were
leftovers               the same cameras: what macOS, Windows and NAS boxes leave behind is not there
order                   the same poses under the same names
crlf_bom                the same cameras
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from random_rigs import c2w_matrices
from takes import stored, waves
from tiny_datasets import SIZE, write_dl3dv, write_plain_videos, write_realestate10k, write_syncamvideo

from syncam_core.cameras import Rig, rig_to_json
from syncam_core.datasets import open_scene, scenes_in
from syncam_core.datasets.collections.plain_videos import read_plain_videos
from syncam_core.datasets.collections.pose_files import read_dl3dv, read_realestate10k
from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.datasets.problems import check
from syncam_core.datasets.scene_file import LAYOUTS
from syncam_core.errors import UserError
from syncam_core.formats import FORMATS, file_name, read_rig_file, video_tag, write_rig_file
from syncam_core.video import write_video

NAMES = ("cam01", "cam02", "cam10")  # in natural order
FRAMES = 3
APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(200)
TEXTS = (".json", ".txt", ".chan", ".csv", ".usda", ".gltf")


def rig(frames: int = FRAMES) -> Rig:
    return Rig(NAMES, c2w_matrices(np.random.default_rng(11), 3, frames))


@dataclass(frozen=True)
class Reader:
    write: Callable[[Path], Path]  # below a folder; the file or folder to read
    read: Callable[[Path, str], Rig]
    lose: Callable[[Path], None]  # something of the last camera
    turn: Callable[[Path], None]  # the order of the cameras in the file


def edited(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


def turned(document: dict, key: str) -> None:
    document[key] = document[key][::-1]


def turned_frames(document: dict) -> None:
    for frame in list(document):
        document[frame] = dict(reversed(document[frame].items()))


def turned_whole(document: dict) -> None:
    for name in reversed(list(document)):
        document[name] = document.pop(name)


def without_last_image(path: Path) -> None:
    lines = (path / "images.txt").read_text().splitlines()
    last = max(number for number, line in enumerate(lines) if "cam10/" in line)
    (path / "images.txt").write_text("\n".join([*lines[:last], *lines[last + 2 :]]) + "\n")


def turned_images(path: Path) -> None:
    lines = (path / "images.txt").read_text().splitlines()[1:]
    pairs = [lines[at : at + 2] for at in range(0, len(lines), 2)]
    (path / "images.txt").write_text("\n".join(line for pair in reversed(pairs) for line in pair) + "\n")


def copied_backwards(path: Path) -> None:
    """The files of a folder made anew, the last one first: the order that a disk lists them in."""
    for file in sorted(path.iterdir(), reverse=True):
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)


def one_body() -> Rig:
    """Cameras that keep their places against each other while they move: what COLMAP calls a rig."""
    body = c2w_matrices(np.random.default_rng(12), 1, FRAMES)
    mounted = c2w_matrices(np.random.default_rng(13), 3, 1)
    return Rig(NAMES, torch.as_tensor(body) @ torch.as_tensor(mounted))


def without_last_sensor(path: Path) -> None:
    rigs = path / "rigs.txt"
    rigs.write_text(re.sub(r" CAMERA 3 1( \S+){7}", " CAMERA 3 0", rigs.read_text()))


def turned_rig(path: Path) -> None:
    turned_images(path)
    frames = path / "frames.txt"
    lines = frames.read_text().splitlines()[1:]
    turned_data = [re.sub(r"3( CAMERA \d+ \d+)( CAMERA \d+ \d+)( CAMERA \d+ \d+)$", r"3\3\2\1", line) for line in lines]
    frames.write_text("\n".join(reversed(turned_data)) + "\n")


def without_last_lens(path: Path) -> None:
    before, _, last = path.read_text().rpartition("float focalLength")
    path.write_text(f"{before}token focalLength" + re.sub(" = [0-9.]+", ' = "wide"', last, count=1))


def turned_prims(path: Path) -> None:
    begin, *cameras = re.split(r'(?=^    def Camera ")', path.read_text(), flags=re.MULTILINE)
    assert len(cameras) == len(NAMES)
    last, end = cameras[-1].rsplit("\n    }\n", 1)
    path.write_text("".join([begin, f"{last}\n    }}\n", *cameras[-2::-1], end]))


def turned_nodes(document: dict) -> None:
    count = len(document["nodes"])
    turned(document, "nodes")
    turned(document["scenes"][0], "nodes")
    for channel in document["animations"][0]["channels"]:
        channel["target"]["node"] = count - 1 - channel["target"]["node"]


def camera_file(
    key: str,
    lose: Callable[[Path], None],
    turn: Callable[[Path], None],
    frames: int = FRAMES,
    suffix: str = "",
    cameras_of: Callable[[int], Rig] = rig,
) -> Reader:
    def write(folder: Path) -> Path:
        path = folder / (f"rig{suffix}" if suffix else file_name(rig(frames), "rig", key))
        write_rig_file(cameras_of(frames), path, key)
        return path

    unit_m = 1.0 if FORMATS[key].UNIT == "asked for" else None
    return Reader(write, lambda path, cameras: read_rig_file(path, cameras, unit_m), lose, turn)


def scene_of(layout: str, lose: str, turn: Callable[[Path], None]) -> Reader:
    def write(folder: Path) -> Path:
        return stored(folder, layout, waves(3, FRAMES, 16, 16), rig())

    return Reader(write, lambda path, cameras: open_scene(path, cameras).rig, lambda path: (path / lose).unlink(), turn)


def turned_moments(file: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda path: change(path / "frame_00001" / file)


READERS = {
    "rig_json": camera_file(
        "rig_json", edited(lambda doc: doc["cameras"][2].pop("c2w")), edited(lambda doc: turned(doc, "cameras"))
    ),
    "syncamvideo": camera_file(
        "syncamvideo", edited(lambda doc: doc["frame1"].pop("cam10")), edited(turned_frames)
    ),
    "first_release": camera_file(
        "first_release", edited(lambda doc: doc.update(cam10="[1 0 0 0]")), edited(turned_whole), frames=1
    ),
    "blender": camera_file(
        "blender", edited(lambda doc: doc["cameras"][2].pop("matrix_world")), edited(lambda doc: turned(doc, "cameras"))
    ),
    "opencv": camera_file(
        "opencv", edited(lambda doc: doc["cameras"][2].pop("R")), edited(lambda doc: turned(doc, "cameras"))
    ),
    "nerfstudio": camera_file(
        "nerfstudio", edited(lambda doc: doc["frames"].pop()), edited(lambda doc: turned(doc, "frames"))
    ),
    "colmap": camera_file("colmap", without_last_image, turned_images),
    "colmap rig": camera_file("colmap", without_last_sensor, turned_rig, cameras_of=lambda _: one_body()),
    "realestate10k": camera_file("realestate10k", lambda path: (path / "03_cam10.txt").write_text(""), copied_backwards),
    "nuke_chan": camera_file("nuke_chan", lambda path: (path / "03_cam10.chan").write_text("1 2\n"), copied_backwards),
    "tum": camera_file("tum", lambda path: (path / "03_cam10.txt").write_text("1 2\n"), copied_backwards),
    "kitti": camera_file("kitti", lambda path: (path / "03_cam10.txt").write_text("1 2\n"), copied_backwards),
    "usd": camera_file("usd", without_last_lens, turned_prims),
    "gltf": camera_file(
        "gltf", edited(lambda doc: doc["cameras"][2].pop("perspective")), edited(turned_nodes), suffix=".gltf"
    ),
    "open3d": camera_file("open3d", lambda path: (path / "03_cam10.json").write_text("{}"), copied_backwards),
    "scene syncamvideo": scene_of(
        "syncamvideo", "videos/cam10.mp4", lambda path: edited(turned_frames)(path / "cameras/camera_extrinsics.json")
    ),
    "scene nerfstudio": scene_of(
        "nerfstudio",
        "frame_00001/images/cam10.png",
        turned_moments("transforms.json", edited(lambda doc: turned(doc, "frames"))),
    ),
    "scene colmap": scene_of(
        "colmap", "frame_00001/images/cam10.png", turned_moments("sparse/0", turned_images)
    ),
    "scene nerfstudio_4d": scene_of(
        "nerfstudio_4d",
        "images/cam10_00001.png",
        lambda path: edited(lambda doc: turned(doc, "frames"))(path / "transforms.json"),
    ),
    "scene colmap_4d": scene_of(
        "colmap_4d", "images/cam10_00001.png", lambda path: turned_images(path / "sparse" / "0")
    ),
    "scene dnerf": scene_of(
        "dnerf",
        "train/cam10_00001.png",
        lambda path: edited(lambda doc: turned(doc, "frames"))(path / "transforms_train.json"),
    ),
}  # fmt: skip


def test_every_format_and_every_layout_of_scenes_is_in_the_table():
    assert {*FORMATS, *(f"scene {layout}" for layout in LAYOUTS)} <= {*READERS}


@pytest.fixture
def case(request, tmp_path):
    reader = READERS[request.param]
    path = reader.write(tmp_path)
    whole = reader.read(path, "")
    assert whole.names == NAMES
    return reader, path, whole


every_reader = pytest.mark.parametrize("case", READERS, indirect=True)


def same(found: Rig, whole: Rig, names=NAMES) -> None:
    assert found.names == tuple(names)
    torch.testing.assert_close(found.c2w, whole.c2w[[NAMES.index(name) for name in names]], atol=1e-9, rtol=0)


@every_reader
def test_missing(case):
    reader, path, whole = case
    reader.lose(path)
    with pytest.raises(UserError, match=r"cam10|cameras\[2\]"):
        reader.read(path, "")
    same(reader.read(path, "2, 1"), whole, ("cam02", "cam01"))


@every_reader
def test_chosen(case):
    reader, path, whole = case
    same(reader.read(path, "10, 1"), whole, ("cam10", "cam01"))
    same(reader.read(path, "cam02"), whole, ("cam02",))
    with pytest.raises(UserError, match="'cameras' asks for 'cam03', but the cameras are cam01, cam02, cam10"):
        reader.read(path, "cam03")


@every_reader
def test_order(case):
    reader, path, whole = case
    reader.turn(path)
    found = reader.read(path, "")
    same(found.select([found.names.index(name) for name in NAMES]), whole)
    same(reader.read(path, "cam01, cam02, cam10"), whole)


@every_reader
def test_crlf_bom(case):
    reader, path, whole = case
    for file in [path] if path.is_file() else [one for one in path.rglob("*") if one.suffix in TEXTS]:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    same(reader.read(path, ""), whole)


@every_reader
def test_extra(case):
    reader, path, whole = case
    beside = path if path.is_dir() else path.parent
    (beside / "README.md").write_text("read me")
    (beside / "notes").mkdir()
    (beside / "notes" / "notes.doc").write_bytes(b"\0")
    same(reader.read(path, ""), whole)


@pytest.mark.parametrize("key", ["rig_json", "first_release", "blender", "opencv", "syncamvideo"])
def test_extra_camera(tmp_path, key):
    reader = READERS[key]
    path = reader.write(tmp_path)
    whole, document = reader.read(path, ""), json.loads(path.read_text())
    if "cameras" in document:
        document["cameras"].append({**document["cameras"][0], "name": "more"})
    else:
        for frame in [document] if key == "first_release" else document.values():
            frame["more"] = frame["cam01"]
    path.write_text(json.dumps(document))
    found = reader.read(path, "")
    assert found.names == (*NAMES, "more")
    same(found.select([0, 1, 2]), whole)
    assert torch.equal(found.c2w[3], found.c2w[0])


def test_a_camera_that_only_later_frames_have_is_named_unless_others_are_chosen(tmp_path):
    reader = READERS["syncamvideo"]
    path = reader.write(tmp_path)
    whole, document = reader.read(path, ""), json.loads(path.read_text())
    document["frame1"]["late"] = document["frame1"]["cam01"]
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="frame1 has the camera 'late', which the first frame does not have"):
        reader.read(path, "")
    same(reader.read(path, "1, 2"), whole, ("cam01", "cam02"))


def leave_behind(root: Path) -> None:
    """What comes with a folder that was on a Mac, on Windows and on a NAS."""
    for file in [one for one in root.rglob("*") if one.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(APPLE_DOUBLE)
    for folder in [root, *(one for one in root.rglob("*") if one.is_dir())]:
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (folder / name).write_bytes(b"\0\0\0\1Bud1")
    for name in ("__MACOSX", "@eaDir", ".Spotlight-V100"):
        shutil.copytree(root, root / name, ignore=shutil.ignore_patterns("__MACOSX", "@eaDir", ".Spot*", "[!.]*.*"))
        for file in [one for one in root.rglob("*") if one.is_file() and one.suffix and not one.name.startswith(".")][
            :4
        ]:
            (root / name / file.name).write_bytes(APPLE_DOUBLE)


@every_reader
def test_leftovers(case):
    reader, path, whole = case
    leave_behind(path if path.is_dir() else path.parent)
    same(reader.read(path, ""), whole)
    same(reader.read(path, "2, 1"), whole, ("cam02", "cam01"))


def test_leftovers_are_no_scenes(tmp_path):
    for layout in ("syncamvideo", "nerfstudio", "colmap"):
        stored(tmp_path / layout, layout, waves(2, 2, 16, 16), Rig(NAMES[:2], rig().c2w[:2, :2]), name="one")
    leave_behind(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in scenes_in(tmp_path)]
    assert found == ["colmap/one", "nerfstudio/one", "syncamvideo/one"]


# -- videos that carry their rig, and a folder of views with their rig ------------------------------------------------


def film() -> np.ndarray:
    return np.full((FRAMES, 16, 16, 3), 128, np.uint8)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_video_that_carries_a_rig_is_a_reader_like_the_others(tmp_path, suffix):
    path = tmp_path / f"grid.{suffix}"
    codec = "h264" if suffix == "mp4" else "ffv1"
    write_video(path, film(), 15, {"syncam_rig": rig_to_json(rig())}, codec=codec)
    (tmp_path / "notes.txt").write_text("read me")
    leave_behind(tmp_path)
    same(read_rig_file(path), rig())
    same(read_rig_file(path, "10, 1"), rig(), ("cam10", "cam01"))
    assert not video_tag.has_rig(path.with_name(f"._{path.name}"))
    broken = json.loads(rig_to_json(rig()))
    del broken["cameras"][2]["c2w"]
    write_video(
        path, film(), 15, {"syncam_rig": "\ufeff" + json.dumps(broken, indent=1).replace("\n", "\r\n")}, codec=codec
    )
    with pytest.raises(UserError, match=r"cameras\[2\]"):
        read_rig_file(path)
    same(read_rig_file(path, "2, 1"), rig(), ("cam02", "cam01"))


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_of_views_is_a_reader_like_the_others(tmp_path, named):
    from syncam_core.metrics.sync import read_take

    files = [f"views_{name}.mp4" for name in NAMES]
    for shade, file in enumerate(files):
        write_video(tmp_path / file, film() - 40 * np.uint8(shade), 15)
    write_video(tmp_path / "views_grid.mp4", film(), 15)
    about = {"views": [{"camera": name, "file": file} for name, file in zip(NAMES, files, strict=True)]}
    (tmp_path / "views_rig.json").write_text(rig_to_json(rig(), about if named else None))

    def shades():
        views, found = read_take(tmp_path / "views_rig.json")
        same(found, rig())
        return [round(float(view.mean() * 255) / 40) for view in views]

    assert shades() == [3, 2, 1]
    (tmp_path / "README.md").write_text("read me")
    leave_behind(tmp_path)
    text = (tmp_path / "views_rig.json").read_bytes()
    (tmp_path / "views_rig.json").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert shades() == [3, 2, 1]
    if named:
        write_video(tmp_path / "more.mp4", film(), 15)
        assert shades() == [3, 2, 1]
    (tmp_path / files[1]).unlink()
    with pytest.raises(UserError, match="'views_cam02.mp4'" if named else "3 cameras and names no videos"):
        shades()


# -- collections, whose readers name what is broken and keep the rest -------------------------------------------------

COLLECTIONS = {
    "syncamvideo": (write_syncamvideo, read_syncamvideo, "scene2/videos/cam03.mp4", "cam03"),
    "realestate10k": (write_realestate10k, read_realestate10k, "clip2/1033333.png", "1033333"),
    "dl3dv": (write_dl3dv, read_dl3dv, "scene2/images/frame_00003.png", "images/frame_00003.png"),
    "videos": (write_plain_videos, read_plain_videos, "b.txt", "video"),
}


def collected(read, folder: Path) -> tuple[dict[str, list[str]], tuple]:
    scenes, report = check(read(folder, size=SIZE), decode=False)
    return {scene.name: [footage.name for footage in scene.footage] for scene in scenes}, report.problems


@pytest.mark.parametrize("key", COLLECTIONS)
@pytest.mark.parametrize("kind", ["missing", "extra", "leftovers", "order", "crlf_bom"])
def test_collections(tmp_path, key, kind):
    write, read, lost, name = COLLECTIONS[key]
    folder = write(tmp_path / "data")
    whole, problems = collected(read, folder)
    assert len(whole) == 2
    assert not problems
    if kind == "missing":
        (folder / lost).unlink()
        found, problems = collected(read, folder)
        assert name in {problem.footage for problem in problems}
        first, last = whole
        rest = [footage for footage in whole[last] if footage != name]
        assert found == ({**whole, last: rest} if rest else {first: whole[first]})
        return
    if kind == "extra":
        (folder / "README.md").write_text("read me")
        (folder / "papers").mkdir()
    elif kind == "leftovers":
        leave_behind(folder)
    elif kind == "order":
        for below in [folder, *sorted(folder.rglob("*"))]:
            if below.is_dir() and all(one.is_file() for one in below.iterdir()):
                copied_backwards(below)
    else:
        for file in [one for one in folder.rglob("*") if one.suffix in TEXTS]:
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert collected(read, folder) == (whole, ())


def test_a_table_of_captions_that_lists_leftovers_lists_no_clips_of_them(tmp_path):
    folder = write_plain_videos(tmp_path / "data")
    (folder / "metadata.csv").write_text("file_name,text\na.mp4,a\n._a.mp4,a\n__MACOSX/b.mp4,b\n")
    assert [scene.name for scene in read_plain_videos(folder)] == ["a.mp4", "b.mp4"]
