"""What is wrong with a scene is said in sentences, and nothing outside of it is ever opened."""

from __future__ import annotations

import json
import os

import av
import numpy as np
import pytest
import torch
from PIL import Image
from takes import noise, rig_for, stored, waves

from syncam_core.cameras import Rig
from syncam_core.datasets import LAYOUTS, append_scene, check_take, open_scene, scenes_in
from syncam_core.errors import UserError
from syncam_core.video.clip import ImageClip
from syncam_core.video.write import write_video

FIRST_PICTURE = {
    "syncamvideo": "videos/cam01.mp4",
    "nerfstudio": "frame_00000/images/cam01.png",
    "colmap": "frame_00000/images/cam01.png",
    "nerfstudio_4d": "images/cam01_00000.png",
    "colmap_4d": "images/cam01_00000.png",
    "dnerf": "train/cam01_00000.png",
}


@pytest.fixture
def scene(tmp_path):
    """Make a scene of three cameras and four frames in a layout."""

    def make(layout):
        return stored(tmp_path, layout, waves(3, 4, 32, 48), rig_for(3, 4, names=("left", "middle", "right")))

    return make


def refusal(path, **options) -> str:
    with pytest.raises(UserError, match=f"^scene '{path.name}'") as caught:
        read_whole(path, **options)
    assert len(str(caught.value)) < 3000
    return str(caught.value)


def read_whole(path, **options) -> int:
    found = open_scene(path, **options)
    return sum(1 for view in range(found.rig.views) for _ in found.pictures(view))


def edit(file, change) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


# ---- damage


def test_a_video_that_is_missing_is_named(scene):
    path = scene("syncamvideo")
    (path / "videos" / "cam02.mp4").unlink()
    assert "'scene00001/videos/cam02.mp4' is missing." in refusal(path)


def test_a_video_of_other_length_is_named(scene):
    path = scene("syncamvideo")
    write_video(path / "videos" / "cam02.mp4", waves(1, 3, 32, 48)[0], 15)
    assert "'scene00001/videos/cam02.mp4' has 3 frames, but its camera has poses for 4." in refusal(path)


def test_a_picture_that_has_got_another_size_since_the_scene_was_opened_is_named(scene):
    path = scene("nerfstudio")
    found = open_scene(path)
    Image.new("RGB", (50, 34)).save(path / "frame_00002" / "images" / "cam01.png")
    pictures = found.pictures(0)
    assert [next(pictures).shape for _ in range(2)] == [(32, 48, 3)] * 2
    with pytest.raises(UserError, match="camera 'left' has pictures of another size from frame 2 on"):
        next(pictures)


def test_a_video_that_was_cut_off_is_named(scene):
    path = scene("syncamvideo")
    file = path / "videos" / "cam03.mp4"
    file.write_bytes(file.read_bytes()[:-400])
    assert "'scene00001/videos/cam03.mp4'" in refusal(path)


def test_a_video_of_another_size_or_rate_is_named(scene):
    path = scene("syncamvideo")
    write_video(path / "videos" / "cam02.mp4", waves(1, 4, 16, 48)[0], 15)
    assert "camera 'middle' has pictures of 48 x 16 pixels, but 'scene.json' says 48 x 32." in refusal(path)
    write_video(path / "videos" / "cam02.mp4", waves(1, 4, 32, 48)[0], 24)
    assert "cam02.mp4' runs at 24 fps, but 'scene00001/videos/cam01.mp4' at 15 fps." in refusal(path)


@pytest.mark.parametrize("layout", ["nerfstudio", "colmap"])
def test_a_frame_and_a_picture_that_are_missing_are_named(scene, layout):
    path = scene(layout)
    (path / "frame_00001" / "images" / "cam02.png").unlink()
    assert "frame_00001" in refusal(path)
    assert "cam02" in refusal(path)
    for file in sorted((path / "frame_00001").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    (path / "frame_00001").rmdir()
    assert "'frame_00001' is missing, but there is 'frame_00003'; frames must run from 0 without gaps." in refusal(path)


@pytest.mark.parametrize("layout", ["nerfstudio", "colmap"])
def test_a_last_frame_that_is_missing_is_noticed(scene, layout):
    path = scene(layout)
    (path / "frame_00003").rename(path / "elsewhere")
    assert "it has 3 frames, but 'scene.json' says 4; copy it again." in refusal(path)


@pytest.mark.parametrize("layout", ["nerfstudio", "colmap"])
def test_a_picture_of_another_size_and_a_damaged_one_are_named(scene, layout):
    path = scene(layout)
    file = path / "frame_00002" / "images" / "cam03.png"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "frame_00002/images/cam03.png' cannot be read as a picture" in refusal(path)
    Image.new("RGB", (10, 12)).save(file)
    assert "cam03.png' has 10 x 12 pixels, but the camera's first picture has 48 x 32." in refusal(path)
    file.write_bytes(b"")
    assert "cam03.png' is empty (0 bytes)." in refusal(path)


def bad_rows(text: str, change) -> str:
    rows = [[float(word) for word in row.strip("[] ").split()] for row in text.split("] [")]
    change(rows)
    return " ".join("[" + " ".join(map(str, row)) + "]" for row in rows)


def set_nan(matrix) -> None:
    matrix[0][0] = float("nan")


def shear(matrix) -> None:
    matrix[0][0] += 0.2


@pytest.mark.parametrize(("change", "why"), [(set_nan, "NaN"), (shear, "is not a rotation")])
def test_a_pose_that_is_none_is_named_by_frame_and_camera(scene, change, why):
    path = scene("syncamvideo")

    def spoil(document):
        document["frame2"]["cam03"] = bad_rows(document["frame2"]["cam03"], change)

    edit(path / "cameras" / "camera_extrinsics.json", spoil)
    text = refusal(path)
    assert why in text
    assert "frame2" in text
    assert "cam03" in text


@pytest.mark.parametrize(("change", "why"), [(set_nan, "NaN"), (shear, "is not a rotation")])
def test_a_matrix_that_is_no_pose_is_named_by_frame(scene, change, why):
    path = scene("nerfstudio")
    edit(path / "frame_00002" / "transforms.json", lambda document: change(document["frames"][1]["transform_matrix"]))
    text = refusal(path)
    assert why in text
    assert "'frame_00002'" in text


@pytest.mark.parametrize(
    ("words", "why"), [("nan 0 0 0", "NaN"), ("2 0 0 0", "quaternion of length 2"), ("x 0 0 0", "not a number")]
)
def test_a_quaternion_that_is_none_is_named_by_frame(scene, words, why):
    path = scene("colmap")
    file = path / "frame_00002" / "sparse" / "0" / "images.txt"
    file.with_name("frames.txt").unlink()  # beside it, the poses of images are not looked at
    file.write_text(f"1 {words} 0 0 0 1 cam01.png\n\n")
    text = refusal(path)
    assert why in text
    assert "'frame_00002'" in text


def test_a_camera_that_later_frames_do_not_have_is_named(scene):
    path = scene("nerfstudio")
    edit(path / "frame_00001" / "transforms.json", lambda document: document["frames"].pop())
    assert "'frame_00001': it has no camera 'cam03', which the first frame has." in refusal(path)


def test_a_number_means_the_same_camera_in_every_frame_whatever_their_order_there(tmp_path):
    for frame, names in enumerate((("left", "right"), ("right", "left"))):
        moment = tmp_path / "one" / f"frame_{frame:05d}"
        (moment / "images").mkdir(parents=True)
        entries = []
        for name in names:
            Image.new("RGB", (8, 8), (200 if name == "left" else 50, 0, 0)).save(moment / "images" / f"{name}.png")
            matrix = np.eye(4)
            matrix[0, 3] = -1.0 if name == "left" else 1.0
            entries.append({"file_path": f"images/{name}.png", "transform_matrix": matrix.tolist()})
        (moment / "transforms.json").write_text(json.dumps({"frames": entries}))
    found = open_scene(tmp_path / "one", cameras="2", unit_m=1.0)
    assert (found.rig.names, found.rig.frames) == (("right",), 1)
    assert float(found.rig.c2w[0, 0, 0, 3]) == 1.0
    assert [int(picture[0, 0, 0]) for picture in found.pictures(0)] == [50, 50]


def test_all_that_is_wrong_is_said_at_once(scene):
    path = scene("nerfstudio")
    for frame in range(3):
        (path / f"frame_0000{frame}" / "transforms.json").write_text("{")
    text = refusal(path)
    assert "it has 3 problems." in text
    assert all(f"'frame_0000{frame}'" in text for frame in range(3))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda facts: facts.update(frames=5), "it has 4 frames, but 'scene.json' says 5"),
        (lambda facts: facts.update(frames=True), "frames is true, but a whole number"),
        (lambda facts: facts.update(width=10**9), "width is 1000000000, but a whole number from 1 to 16384"),
        (lambda facts: facts.update(fps=float("nan")), "fps is NaN"),
        (lambda facts: facts.update(fps=0), "'fps' is 0"),
        (lambda facts: facts.update(layout="../x"), "layout is the text '../x'; possible are"),
        (lambda facts: facts.update(version=2), "version is 2, but this release"),
        (lambda facts: facts["cameras"][1].update(stem="cam09"), "has the camera 'middle' (cam09), but there are no"),
        (lambda facts: facts["cameras"][1].update(name="left"), "two cameras have the name 'left'"),
        (lambda facts: facts["cameras"][1].update(name="a\nb"), "control character"),
        (lambda facts: facts["cameras"][1].update(color="red"), "has the colour 'red'"),
        (lambda facts: facts["cameras"][1].update(lens=7), "cameras[1].lens is 7, but an object"),
        (lambda facts: facts["cameras"][1]["lens"].update(focal_mm=-1), "cameras[1].lens"),
        (lambda facts: facts["cameras"].pop(), "there is a camera 'cam03' that 'scene.json' does not have"),
        (lambda facts: facts.update(cameras={}), "cameras is an empty object"),
        (lambda facts: facts.update(cameras=facts["cameras"] * 30), "at most 64 are possible"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_facts_that_do_not_fit_are_refused_by_their_place(scene, layout, change, why):
    path = scene(layout)
    edit(path / "scene.json", change)
    assert why in refusal(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe{", b"[" * 100_000, b" " * 2_000_000])
def test_facts_that_are_no_json_are_refused(scene, content):
    path = scene("nerfstudio")
    (path / "scene.json").write_bytes(content)
    assert "'scene.json'" in refusal(path)


def test_facts_of_a_scene_whose_files_are_gone_do_not_stand_for_them(scene):
    path = scene("syncamvideo")
    (path / "elsewhere").mkdir()
    for name in ("videos", "cameras"):
        (path / name).rename(path / "elsewhere" / name)
    assert "it has no videos/" in refusal(path)


# ---- hostile files


@pytest.mark.parametrize("named", ["../../secret.png", "/etc/passwd", "images/../../../secret.png", "C:\\secret.png"])
def test_a_picture_outside_of_the_scene_is_refused_without_being_opened(scene, named, tmp_path):
    path = scene("nerfstudio")
    Image.new("RGB", (48, 32)).save(tmp_path / "secret.png")

    def lead_out(document):
        document["frames"][0]["file_path"] = named

    edit(path / "frame_00000" / "transforms.json", lead_out)
    assert "the picture of camera 'cam01'" in refusal(path)
    assert "leads out" in refusal(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_links_that_lead_out_of_the_scene_are_refused(scene, layout, tmp_path):
    path = scene(layout)
    file = path / FIRST_PICTURE[layout]
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert "is a link that leads out of the scene; copy the file." in refusal(path)


def test_a_folder_beside_the_scene_whose_name_begins_like_the_scenes_is_outside(scene):
    path = scene("nerfstudio")
    file = path / "frame_00000" / "images" / "cam01.png"
    beside = path.with_name(f"{path.name}_other")
    beside.mkdir()
    file.rename(beside / "cam01.png")
    file.symlink_to(beside / "cam01.png")
    assert "is a link that leads out of the scene; copy the file." in refusal(path)


def test_links_within_the_scene_are_followed(scene):
    path = scene("nerfstudio")
    file = path / "frame_00001" / "images" / "cam01.png"
    file.unlink()
    file.symlink_to(path / "frame_00000" / "images" / "cam01.png")
    pictures = list(open_scene(path).pictures(0))
    assert (pictures[0] == pictures[1]).all()


def test_a_camera_called_like_a_path_is_refused(scene):
    path = scene("syncamvideo")
    (path / "scene.json").unlink()

    def rename(document):
        for cameras in document.values():
            cameras["../../../x"] = cameras.pop("cam01")

    edit(path / "cameras" / "camera_extrinsics.json", rename)
    assert "'../../../x' leads out of the data set's folder" in refusal(path)
    path = scene("colmap")
    (path / "scene.json").unlink()
    file = path / "frame_00000" / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace("cam01.png", "../../x.png"))
    assert "'frame_00000'" in refusal(path, unit_m=1.0)


def test_a_picture_that_claims_to_be_huge_is_refused_unread(scene):
    import struct
    import zlib

    path = scene("nerfstudio")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (path / "frame_00000" / "images" / "cam01.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    text = refusal(path)
    assert "cam01.png" in text
    assert "too many" in text or "cannot be read as a picture" in text


@pytest.mark.parametrize("layout", ["nerfstudio", "syncamvideo"])
def test_json_that_is_huge_is_refused_unread(scene, layout):
    path = scene(layout)
    name = "frame_00000/transforms.json" if layout == "nerfstudio" else "cameras/camera_extrinsics.json"
    with (path / name).open("wb") as file:
        file.truncate(80 * 2**20)
    assert "is larger than" in refusal(path)


def test_a_playlist_in_place_of_a_video_opens_nothing_else(scene, tmp_path):
    path = scene("syncamvideo")
    write_video(tmp_path / "secret.mp4", waves(1, 4, 32, 48)[0], 15)
    (path / "videos" / "cam01.mp4").write_text(f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'\n")
    assert "'scene00001/videos/cam01.mp4' cannot be opened as a video" in refusal(path)


def test_control_characters_of_a_file_do_not_reach_the_message(scene):
    path = scene("nerfstudio")

    def rename(document):
        document["frames"][0]["file_path"] = "a\x1b[31m\x07.png"

    edit(path / "frame_00000" / "transforms.json", rename)
    assert refusal(path).replace("\n", "").isprintable()


# ---- what cannot be read or written at all


def test_a_folder_without_a_scene_is_refused(tmp_path):
    (tmp_path / "x").mkdir()
    assert "it holds no videos/" in refusal(tmp_path / "x")
    assert scenes_in(tmp_path) == []


def test_a_layout_that_the_scene_has_not_is_refused(scene):
    assert "'layout' is colmap, but the scene is of the layout nerfstudio" in refusal(
        scene("nerfstudio"), layout="colmap"
    )


def test_colmap_models_of_others_need_their_unit(scene):
    path = scene("colmap")
    (path / "scene.json").unlink()
    assert "give 'unit_m', the metres per unit" in refusal(path)
    doubled = open_scene(path, unit_m=2.0).rig.c2w[..., :3, 3] / open_scene(path, unit_m=1.0).rig.c2w[..., :3, 3]
    assert (doubled - 2).abs().max() < 1e-9


def test_scenes_are_found_in_natural_order_through_splits(tmp_path):
    for split in ("test", "train"):
        for number in (2, 10, 1):
            stored(tmp_path / split, "nerfstudio", noise(1, 1, 4, 4), rig_for(1), name=f"scene{number}")
    (tmp_path / "train" / ".syncam-scene-x" / "videos").mkdir(parents=True)
    found = [path.relative_to(tmp_path).as_posix() for path in scenes_in(tmp_path)]
    assert found == [f"{split}/scene{number}" for split in ("test", "train") for number in (1, 2, 10)]
    assert scenes_in(tmp_path / "train" / "scene2") == [tmp_path / "train" / "scene2"]


@pytest.mark.parametrize(
    ("sizes", "rig", "caption", "why"),
    [
        ([(4, 8, 8)] * 3, rig_for(2), "", "'rig' has 2 cameras but 'views' has 3 views"),
        ([(4, 8, 8), (4, 8, 10)], rig_for(2), "", "pictures of 8 x 8 pixels .camera 0. and of 10 x 8"),
        ([(4, 8, 8)] * 2, rig_for(2, 3), "", "'views' has 4 frames, but the cameras of 'rig' move over 3 frames only"),
        ([(4, 8, 8)] * 2, rig_for(2), "\ud800", "half a character"),
        ([(4, 8, 8)] * 2, rig_for(2), "a" * 70_000, "'caption' has 70000 bytes, but at most 65536"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(sizes, rig, caption, why):
    clips = [ImageClip(torch.zeros(*size, 3)) for size in sizes]
    with pytest.raises(UserError, match=why):
        check_take("nerfstudio", clips, rig, caption)


def test_a_layout_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="'layout' is 'coco'; possible are syncamvideo, nerfstudio, colmap"):
        check_take("coco", [ImageClip(torch.zeros(1, 4, 4, 3))], rig_for(1), "")


def test_a_caption_keeps_its_text_without_marks_around_it(tmp_path):
    path = stored(tmp_path, "syncamvideo", noise(2, 1, 8, 8), rig_for(2), caption="\ufeff  a dog\n")
    assert (path / "caption.txt").read_bytes() == b"a dog"
    path = stored(tmp_path, "syncamvideo", noise(2, 1, 8, 8), rig_for(2), caption=" ")
    assert not (path / "caption.txt").exists()
    assert open_scene(path).caption == ""


def test_videos_carry_the_tags_and_pictures_of_16_bits_are_rounded(tmp_path):
    class Deep:
        height, width, dtype = 4, 6, np.dtype(np.uint16)

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.full((4, 6, 3), 65535 // 2, np.uint16)

    from fractions import Fraction

    from syncam_core.datasets import write_take

    made = append_scene(
        tmp_path, lambda stage: write_take(stage, "nerfstudio", [Deep(), Deep()], rig_for(2), Fraction(15))
    )
    assert set(np.stack(list(open_scene(made).pictures(0))).ravel()) == {127}
    made = stored(tmp_path, "syncamvideo", noise(2, 1, 8, 8), rig_for(2), tags={"workflow": "{}"})
    with av.open(str(made / "videos" / "cam01.mp4")) as video:
        assert video.metadata["workflow"] == "{}"


def test_cameras_that_stand_still_in_a_rig_of_many_frames_are_one_pose(tmp_path):
    rig = rig_for(2)
    rig = Rig(rig.names, rig.c2w.expand(-1, 5, -1, -1), lenses=rig.lenses)
    scene = open_scene(stored(tmp_path, "colmap", noise(2, 3, 8, 8), rig))
    assert scene.rig.frames == 1
    assert scene.frames == 3
    assert os.listdir(tmp_path) == ["scene00001"]
