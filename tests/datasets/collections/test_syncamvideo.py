"""The SynCamVideo layout: poses, captions, and every way in which it can be broken."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tiny_datasets import CAPTION, FPS, FRAMES, ORBIT, SIZE, camera_document, film, orbit_poses, write_syncamvideo

from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.datasets.footage import Kind
from syncam_core.datasets.problems import BrokenData, check
from syncam_core.errors import UserError
from syncam_core.video.write import write_video

CAMERAS = tuple(f"cam{number:02d}" for number in range(1, len(ORBIT) + 1))


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return write_syncamvideo(tmp_path_factory.mktemp("whole"), turning="cam02")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to break."""
    return shutil.copytree(whole, tmp_path / "data")


def read(folder, **options):
    return read_syncamvideo(folder, **{"size": SIZE, "length": FRAMES, "fps": FPS, **options})


def table(folder, *rows):
    (folder / "metadata.csv").write_text("file_name,text\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")


def test_scenes_cameras_captions_and_pictures_are_those_on_disk(whole):
    scenes = read(whole)
    assert [scene.name for scene in scenes] == ["scene1", "scene2"]
    for scene in scenes:
        assert (scene.kind, scene.caption) == (Kind.MULTI_VIEW_VIDEO, CAPTION)
        assert tuple(footage.name for footage in scene.footage) == CAMERAS
        for footage, pictures in zip(scene.footage, film(), strict=True):
            frames = footage.read()
            assert (frames.shape, frames.dtype) == ((FRAMES, *SIZE, 3), torch.uint8)
            assert (frames.float() - torch.from_numpy(pictures).float()).abs().mean() < 5
    assert check(scenes)[1].problems == ()


def test_poses_are_those_of_the_rig_in_metres_and_opencv_axes(whole):
    for scene in read(whole):
        still, turning, other = (footage.c2w for footage in scene.footage)
        assert still.dtype == torch.float64
        torch.testing.assert_close(still, orbit_poses(0), atol=1e-9, rtol=0)
        torch.testing.assert_close(turning, orbit_poses(1, FRAMES, 2.0), atol=1e-9, rtol=0)
        torch.testing.assert_close(other, orbit_poses(2), atol=1e-9, rtol=0)


def test_scenes_stand_in_natural_order_and_may_lie_deeper(whole, tmp_path):
    for name in ("train/f24/scene10", "train/f24/scene9"):
        shutil.copytree(whole / "scene1", tmp_path / name)
    assert [scene.name for scene in read(tmp_path)] == ["train/f24/scene9", "train/f24/scene10"]
    (only,) = read(tmp_path / "train/f24/scene9")
    assert (only.name, len(only.footage)) == ("scene9", 3)


def test_pictures_are_scaled_to_cover_the_size_and_cropped(whole):
    assert read(whole, size=(16, 24))[0].footage[0].read().shape == (FRAMES, 16, 24, 3)


def test_a_fingerprint_changes_with_content_pose_and_size_and_not_with_the_place(whole, folder):
    def marks(where, **options):
        return [footage.fingerprint for footage in read(where, **options)[0].footage]

    assert marks(folder) == marks(whole)
    assert not set(marks(folder, size=(16, 16))) & set(marks(whole))
    write_video(folder / "scene1/videos/cam01.mp4", film()[1], FPS)
    document = camera_document(turning="cam02")
    for cameras in document.values():
        cameras["cam03"] = cameras["cam01"]
    (folder / "scene1/cameras/camera_extrinsics.json").write_text(json.dumps(document))
    assert [new == old for new, old in zip(marks(folder), marks(whole), strict=True)] == [False, True, False]


def test_captions_come_from_the_table_first_then_from_the_scenes_own_file(folder):
    (folder / "scene1/caption.txt").unlink()
    (folder / "scene1/caption.json").write_text(json.dumps({"caption": " from json "}))
    table(folder, "scene2/videos/cam02.mp4,second", 'scene2\\videos\\cam01.mp4,"first, with a comma"')
    assert [scene.caption for scene in read(folder)] == ["from json", "first, with a comma"]


# Every way to break a scene: what to do to the folder, which camera it hits (None: the whole scene), what is said.


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def damage(path):
    """A large picture, half of whose bytes are overwritten behind the encoder's comment."""
    write_video(path, film(ORBIT[:1], size=(64, 64))[0], FPS)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 800
    content[start : start + 1500] = bytes(255 - byte for byte in content[start : start + 1500])
    path.write_bytes(content)


def cameras(folder, change):
    path = folder / "cameras/camera_extrinsics.json"
    document = json.loads(path.read_text())
    document = change(document) or document
    path.write_text(json.dumps(document))


def every_frame(camera, change):
    def apply(document):
        for frame in document.values():
            frame[camera] = change(frame[camera])

    return lambda scene: cameras(scene, apply)


def rows(text):
    return [row.split() for row in text.replace("[", "").split("]")[:4]]


def text(rows):
    return "".join("[" + " ".join(row) + "] " for row in rows)


BREAKS = {
    "missing file": (lambda s: (s / "videos/cam02.mp4").unlink(), "cam02", "cam02.mp4' is missing"),
    "missing frames": (
        lambda s: write_video(s / "videos/cam02.mp4", film()[1][:-2], FPS),
        "cam02",
        "has 7 frames, but 9 are expected",
    ),
    "wrong fps": (
        lambda s: write_video(s / "videos/cam02.mp4", film()[1], 15),
        "cam02",
        "runs at 15 fps, but 8 fps are expected",
    ),
    "zero bytes": (lambda s: (s / "videos/cam02.mp4").write_bytes(b""), "cam02", "cam02.mp4' is empty"),
    "cut short": (lambda s: cut(s / "videos/cam02.mp4"), "cam02", "cam02.mp4'"),
    "garbage in the middle": (lambda s: damage(s / "videos/cam02.mp4"), "cam02", "cam02.mp4' is damaged at or after"),
    "no video at all": (lambda s: (s / "videos/cam02.mp4").write_text("text"), "cam02", "cam02.mp4'"),
    "a frame without pose": (
        lambda s: cameras(s, lambda document: document["frame4"].pop("cam02") and None),
        "cam02",
        "frame4 has no camera 'cam02'",
    ),
    "fewer poses than frames": (
        lambda s: cameras(s, lambda document: {key: document[key] for key in list(document)[:-1]}),
        None,
        "has 9 frames, but its camera has poses for 8",
    ),
    "NaN in a pose": (
        lambda s: every_frame("cam02", lambda t: text([["nan", *rows(t)[0][1:]], *rows(t)[1:]]))(s),
        "cam02",
        "row 0 holds NaN",
    ),
    "no rotation": (
        lambda s: every_frame("cam02", lambda t: text([["2", *rows(t)[0][1:]], *rows(t)[1:]]))(s),
        "cam02",
        "is not a rotation",
    ),
    "mirrored": (
        lambda s: every_frame("cam02", lambda t: text([rows(t)[0], [str(-float(n)) for n in rows(t)[1]], *rows(t)[2:]]))(s),
        "cam02",
        "is mirrored",
    ),
    "a video without a camera": (
        lambda s: shutil.copy(s / "videos/cam01.mp4", s / "videos/cam07.mp4"),
        "cam07",
        "has no camera 'cam07'",
    ),
    "no camera file": (lambda s: (s / "cameras/camera_extrinsics.json").unlink(), None, "camera_extrinsics.json' is missing"),
    "no JSON": (lambda s: (s / "cameras/camera_extrinsics.json").write_text("{"), None, "is not JSON"),
    "other JSON": (lambda s: (s / "cameras/camera_extrinsics.json").write_text("[]"), None, "it must look like"),
    "empty caption": (lambda s: (s / "caption.txt").write_text(" \n"), None, "has no caption"),
    "no caption": (lambda s: (s / "caption.txt").unlink(), None, "has no caption"),
    "a caption that is no text": (lambda s: (s / "caption.txt").write_bytes(b"\xff\xfe"), None, "caption.txt' is not UTF-8"),
    "empty caption of a clip": (
        lambda s: table(s.parent, "scene2/videos/cam01.mp4,a ball", "scene2/videos/cam02.mp4,"),
        "cam02",
        "has an empty caption in 'metadata.csv'",
    ),
    "a clip in the table only": (
        lambda s: table(s.parent, "scene2/videos/cam08.mp4,a ball"),
        "cam08",
        "cam08",
    ),
    "one camera left": (
        lambda s: [(s / f"videos/{camera}.mp4").unlink() for camera in CAMERAS[1:]],
        None,
        "has 1 good camera, but at least 2 are needed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_skip_drops_what_is_broken_names_it_and_keeps_the_rest(folder, name):
    break_it, camera, why = BREAKS[name]
    break_it(folder / "scene2")
    good, report = check(read(folder), "skip")
    assert good[0].name == "scene1"
    assert len(good[0].footage) == len(CAMERAS)
    assert {problem.scene for problem in report.problems} == {"scene2"}
    assert any(why in problem.why for problem in report.problems), report.table()
    if camera is None:
        assert len(good) == report.good_scenes == 1
        assert None in {problem.footage for problem in report.problems}
    else:
        assert [footage.name for footage in good[1].footage] == [name for name in CAMERAS if name != camera]
        assert [problem.footage for problem in report.problems] == [camera]
    assert report.good_footage == sum(len(scene.footage) for scene in good)


@pytest.mark.parametrize("name", BREAKS)
def test_refuse_raises_with_scene_camera_and_reason(folder, name):
    break_it, camera, why = BREAKS[name]
    break_it(folder / "scene2")
    with pytest.raises(BrokenData) as refused:
        check(read(folder), "refuse")
    assert "scene2" in str(refused.value)
    assert why in str(refused.value)
    assert camera is None or camera in str(refused.value)


@pytest.mark.parametrize("name", [name for name in BREAKS if "garbage" not in name and "cut" not in name])
def test_all_but_damage_inside_of_a_file_is_known_without_decoding(folder, name):
    break_it, _, why = BREAKS[name]
    break_it(folder / "scene2")
    _, report = check(read(folder), decode=False)
    assert any(why in problem.why for problem in report.problems)


@pytest.mark.parametrize("hostile", ["../../cam", "/etc/cam", "a/b", "..", "C:cam", "a\\b", "cam\x00"])
def test_a_camera_name_that_leads_elsewhere_is_refused(folder, hostile):
    def rename(document):
        for frame in document.values():
            frame[hostile] = frame["cam02"]

    cameras(folder / "scene2", rename)
    good, report = check(read(folder), decode=False)
    assert [problem.footage for problem in report.problems] == [hostile]
    assert [footage.name for footage in good[1].footage] == list(CAMERAS)


@pytest.mark.parametrize("row", ["../other/videos/cam01.mp4,x", "/etc/videos/cam01.mp4,x", ",x"])
def test_a_table_that_leads_out_of_the_folder_is_refused_as_a_whole(folder, row):
    table(folder, row)
    with pytest.raises(UserError, match=r"'metadata.csv'.*(leads out of|names no file)"):
        read(folder)


def test_a_table_of_other_columns_or_with_two_texts_for_a_clip_is_refused(folder):
    (folder / "metadata.csv").write_text("file,caption\n")
    with pytest.raises(UserError, match="it has no column 'file_name'"):
        read(folder)
    table(folder, "scene1/videos/cam01.mp4,one", "scene1/videos/./cam01.mp4,two")
    with pytest.raises(UserError, match="a second text"):
        read(folder)


def test_a_row_of_another_form_and_a_scene_that_is_not_there_are_named(folder):
    table(folder, "scene1/cam01.mp4,x", "scene5/videos/cam01.mp4,x")
    problems = check(read(folder), decode=False)[1].problems
    assert {problem.scene for problem in problems} == {"scene1/cam01.mp4", "scene5"}


def test_two_files_of_one_camera_are_refused(folder):
    shutil.copy(folder / "scene2/videos/cam02.mp4", folder / "scene2/videos/cam02.mov")
    (problem,) = check(read(folder), decode=False)[1].problems
    assert (problem.scene, problem.footage) == ("scene2", "cam02")


def test_without_an_expected_length_the_clips_of_a_scene_must_agree(folder):
    write_video(folder / "scene2/videos/cam03.mp4", film()[2][:5], FPS)
    good, report = check(read(folder, length=None, fps=None))
    assert [(problem.scene, problem.footage) for problem in report.problems] == [("scene2", "cam03")]
    assert [len(scene.footage) for scene in good] == [3, 2]


@pytest.mark.parametrize("options", [{"size": (0, 8)}, {"length": 0}, {"fps": -1.0}, {"fps": float("nan")}])
def test_impossible_options_are_refused(whole, options):
    with pytest.raises(UserError, match="is"):
        read(whole, **options)


def test_a_folder_without_scenes_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no scenes"):
        read(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        read(tmp_path / "none")
