"""The registry of formats: what a file is told to be, and what every format has in common."""

from __future__ import annotations

import inspect
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from random_rigs import rigs, same_cameras

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import FORMATS, file_name, format_of, read_rig_file, write_rig_file

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

UNITLESS = tuple(key for key, module in FORMATS.items() if module.UNIT == "asked for")
MOVING = tuple(key for key in FORMATS if key != "first_release")


def still() -> Rig:
    return orbit_rig([0, 30, 60], [0, 10, 5], [3])


def written(folder, key: str, rig: Rig | None = None) -> Path:
    rig = rig or still()
    path = folder / file_name(rig, "rig", key)
    write_rig_file(rig, path, key)
    return path


def test_the_formats_are_the_contract():
    assert set(FORMATS) == {
        "rig_json", "syncamvideo", "first_release", "realestate10k", "colmap", "nerfstudio", "opencv", "blender",
        "nuke_chan", "usd", "gltf", "open3d", "tum", "kitti",
    }  # fmt: skip
    for module in FORMATS.values():
        assert isinstance(module.NAME, str)
        assert isinstance(module.SUFFIXES, tuple)
        assert [*inspect.signature(module.looks_like).parameters] == ["path", "head"]
        assert [*inspect.signature(module.read).parameters][:3] == ["path", "cameras", "unit_m"]
        assert [*inspect.signature(module.write).parameters][:3] == ["rig", "path", "unit_m"]
    assert len({module.NAME for module in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("key", list(FORMATS))
def test_what_a_format_writes_is_told_from_its_content_whatever_it_is_called(tmp_path, key):
    path = written(tmp_path, key)
    assert format_of(path) == key
    renamed = path.rename(tmp_path / "frame0.dat")
    assert format_of(renamed) == key
    unit_m = 1.0 if key in UNITLESS else None
    torch.testing.assert_close(read_rig_file(renamed, unit_m=unit_m).c2w, still().c2w, atol=1e-6, rtol=0)
    torch.testing.assert_close(read_rig_file(renamed, "3, 1", unit_m, key).c2w, still().c2w[[2, 0]], atol=1e-6, rtol=0)


@pytest.mark.parametrize("key", MOVING)
def test_a_moving_rig_comes_back_from_every_format_that_can_hold_it(tmp_path_factory, key):
    @settings(patient, max_examples=15)
    @given(rigs(moving=True))
    def check(rig):
        path = tmp_path_factory.mktemp("rig") / file_name(rig, "rig", key)
        write_rig_file(rig, path, key)
        back = read_rig_file(path, unit_m=1.0 if key in UNITLESS else None)
        same_cameras(Rig(rig.names, back.c2w), rig, metres=1e-6)
        assert back.views == 1 or back.names == rig.names  # a single camera may be called after its file

    check()


@pytest.mark.parametrize("key", list(FORMATS))
def test_the_unit_given_to_the_reader_scales_the_positions(tmp_path, key):
    path = written(tmp_path, key)
    metres = read_rig_file(path, unit_m=1.0)
    twice = read_rig_file(path, unit_m=2.0)
    torch.testing.assert_close(twice.c2w[..., :3, 3], 2 * metres.c2w[..., :3, 3])
    torch.testing.assert_close(twice.c2w[..., :3, :3], metres.c2w[..., :3, :3])
    for unit_m in (0, -1, math.nan, math.inf):
        with pytest.raises(UserError, match="unit_m"):
            read_rig_file(path, unit_m=unit_m)


@pytest.mark.parametrize("key", ["realestate10k", "colmap", "nuke_chan"])
def test_a_format_without_a_unit_asks_for_it(tmp_path, key):
    with pytest.raises(UserError, match=r"unit.*'unit_m'"):
        read_rig_file(written(tmp_path, key))


def test_a_rig_json_is_in_metres_only(tmp_path):
    with pytest.raises(UserError, match="a rig JSON is in metres"):
        write_rig_file(still(), tmp_path / "rig.json", "rig_json", unit_m=0.01)


def test_a_rig_json_keeps_everything(tmp_path):
    rig = Rig(("links", "rechts oben"), still().c2w[:2], colors=("#123456", "#654321"))
    back = read_rig_file(written(tmp_path, "rig_json", rig))
    assert (back.names, back.colors, back.lenses) == (rig.names, rig.colors, rig.lenses)
    assert torch.equal(back.c2w, rig.c2w)


def test_a_rig_json_that_says_its_format_is_one_whatever_its_metadata_hold(tmp_path):
    path = tmp_path / "rig.json"
    cameras = [{"azimuth": 0, "distance": 2}]
    metadata = {"frames": [{"transform_matrix": 1}], "matrix_world": [], "R": 1, "t": 2, "frame0": {}}
    path.write_text(json.dumps({"format": "syncam-rig", "metadata": metadata, "cameras": cameras}))
    assert read_rig_file(path).views == 1


def test_what_stands_behind_64_kb_is_found_too(tmp_path):
    path = tmp_path / "rig.json"
    path.write_text(json.dumps({"metadata": {"note": "x" * 100_000}, "cameras": [{"azimuth": 0, "distance": 2}]}))
    assert read_rig_file(path).views == 1


@pytest.mark.parametrize(("key", "message"), [("fbx", "'format' is 'fbx'"), ("", "'format' is ''"), (None, "'format' is 'None'")])  # fmt: skip
def test_an_unknown_format_is_refused_with_those_that_are_possible(tmp_path, key, message):
    path = written(tmp_path, "rig_json")
    for call in (lambda: read_rig_file(path, format=key), lambda: write_rig_file(still(), path, key)):
        with pytest.raises(UserError, match=f"{message}; possible are rig_json, "):
            call()


@pytest.mark.parametrize("key", list(FORMATS))
def test_what_is_no_file_is_refused_by_every_format(tmp_path, key):
    for path in (tmp_path / "absent", tmp_path / ("x" * 5000), Path("a\0b"), Path(os.devnull)):
        with pytest.raises(UserError, match="there is no such file"):
            read_rig_file(path, unit_m=1.0, format=key)


def test_a_folder_without_cameras_says_what_could_be_there(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match=r"^folder .*images.txt.*pose files"):
        read_rig_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.fbx", b"Kaydara FBX Binary  \0\x1a\0", "FBX"),
        ("a.json", b"Kaydara FBX Binary  \0\x1a\0", "FBX"),
        ("a.abc", b"Ogawa\xff\0\1", "Alembic"),
        ("a.usdz", b"PK\3\4", "USD"),
        ("a.blend", b"BLENDER-v500", "Blender"),
        ("a.ma", b"//Maya ASCII 2024 scene\n", "Maya"),
    ],
)
def test_scenes_of_other_programs_are_refused_with_the_way_to_go(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content + b" " * (17 * 2**20))  # however large they are
    for key in ("auto", "nuke_chan"):
        with pytest.raises(UserError, match=rf"it is a scene \({kind}\).*script of docs/camera-json-files.md.*\.chan"):
            read_rig_file(path, format=key)


@pytest.mark.parametrize(
    ("name", "content", "kind", "way"),
    [
        ("scan.zip", b"PK\3\4\x14", "an archive", "unpack it"),
        ("cameras.json", b"\x1f\x8b\x08", "an archive", "unpack it"),
        ("scan.tar.gz", b"", "an archive", "unpack it"),
        ("cameras.xml", b"<document><chunk>", "XML", "COLMAP model, which Metashape"),
        ("cameras.txt", b'<?xml version="1.0"?><document version="2.0.0">', "XML", "COLMAP model, which Metashape"),
        ("Registration.csv", b"#name,x,y,alt\na.jpg,1,2,3\n", "a table of photos", "RealityScan"),
        ("bundle.out", b"# Bundle file v0.3\n2 0\n", "a bundle", "transforms.json"),
        ("poses_bounds.npy", b"\x93NUMPY\1\0", "a NumPy array", "transforms.json"),
        ("database.db", b"SQLite format 3\0", "a database", "run its mapper"),
        ("IMG_0001.JPG", b"\xff\xd8\xff\xe0\0", "a picture", "all pictures of the scene with COLMAP"),
        ("cloud.ply", b"ply\nformat ascii 1.0\n", "geometry", "the cameras that belong to it"),
        ("calib.yml", b"%YAML:1.0\nK: !!opencv-matrix\n", "a calibration", "K, R and t as JSON"),
        ("room.fspy", b"fspy\0", "an fSpy project", "script of docs/camera-json-files.md"),
    ],
)
def test_what_other_programs_keep_cameras_in_is_called_by_its_name(tmp_path, name, content, kind, way):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"^file '{name}': it is {kind}, of which no cameras are read here; .*{way}"):
        read_rig_file(tmp_path / name, unit_m=1.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"nodes": [], "links": [], "version": 0.4}', "it is a workflow of ComfyUI, no camera file; drop it onto the"),
        (
            '{"3": {"class_type": "KSampler", "inputs": {}}}',
            "it is a workflow of ComfyUI, no camera file; drop it onto",
        ),
        ('{"camera_angle_x": 0.8, "frames": []}', "its list 'frames' is empty: there are no cameras in it"),
        ("{}", "it holds an empty object"),
    ],
)
def test_json_that_holds_no_cameras_is_called_by_what_it_is(tmp_path, content, said):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=f"^file 'a.json': {said}"):
        read_rig_file(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "images.txt",
            b"# Image list\n1 1 0 0 0 0 0 3 1 a.jpg\n\n",
            "the poses of a COLMAP model without their lenses",
        ),
        ("cameras.bin", b"\1\0\0\0\0\0\0\0", "the lenses of a COLMAP model without their poses"),
        ("points3D.txt", b"# 3D point list\n", "the points of a COLMAP model"),
    ],
)
def test_a_colmap_file_all_alone_says_what_it_lacks(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        UserError, match=f"^file '{name}': it is {said}; put its .* into the same folder, and give that"
    ):
        read_rig_file(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"1 2 3\n", "line 1 has 3 numbers, but 8"),
        (b"# nothing\n", "it holds no frames; a line has 8 numbers"),
        (b"a b c d e f g h\n", "line 1 holds 'a', which is not a number"),
        (b"1 0.5 0.5 0.5 0 0 0.7071068 0.7071068\n", r"it does not look like Nuke \(.chan\): a .chan has rows of 8"),
        (b'{"cameras": []}', "cameras is an empty list"),
    ],
)
def test_a_chan_file_that_is_none_is_refused_in_the_words_of_its_format(tmp_path, content, said):
    path = tmp_path / "shot.chan"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^file 'shot.chan': {said}") as refused:
        read_rig_file(path)
    assert "JSON" not in str(refused.value) or content[:1] == b"{"


def test_every_format_says_its_unit_and_what_its_files_hold():
    for module in FORMATS.values():
        assert module.UNIT in ("metres", "centimetres", "in the file", "asked for")
        assert 10 < len(module.WORDS) < 90
    assert tuple(key for key, module in FORMATS.items() if module.UNIT == "asked for") == (
        "nerfstudio", "colmap", "realestate10k", "nuke_chan",
    )  # fmt: skip


def test_an_unknown_choice_of_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="'pictures' is 'video'; possible are auto, stills, moving"):
        read_rig_file(written(tmp_path, "rig_json"), pictures="video")


def test_a_camera_of_a_rig_json_that_is_broken_is_in_nobodys_way(tmp_path):
    path = written(tmp_path, "rig_json")
    document = json.loads(path.read_text())
    del document["cameras"][1]["color"]
    whole = read_rig_file(path)
    document["cameras"] = [*document["cameras"], {"name": "late", "distance": "far"}] + [{}] * 70
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="at most 64 are possible"):
        read_rig_file(path)
    back = read_rig_file(path, "3, 2")
    assert (back.names, back.views) == ((whole.names[2], whole.names[1]), 2)
    assert torch.equal(back.c2w, whole.c2w[[2, 1]])


@pytest.mark.parametrize("key", list(FORMATS))
def test_200_mb_are_refused_unread_by_every_format(tmp_path, key):
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    start = time.process_time()
    with pytest.raises(UserError, match=r"larger than 16 MB|no such file"):
        read_rig_file(path, unit_m=1.0, format=key)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("filling", [b"\n", b" \n", b"#\n", b"0 " * 19 + b"\n", b"1 0 0 0 0 0 0 40\n", b"7", b"\0"])
@pytest.mark.parametrize("key", ["auto", "realestate10k", "nuke_chan"])
def test_16_mb_of_text_are_judged_in_seconds(tmp_path, key, filling):
    path = tmp_path / "big.txt"
    path.write_bytes(filling * (16 * 2**20 // len(filling)))
    start = time.process_time()
    with pytest.raises(UserError, match=r"^file 'big.txt': "):
        read_rig_file(path, unit_m=1.0, format=key)
    assert time.process_time() - start < 10


def test_a_folder_of_far_too_many_files_is_refused(tmp_path):
    for number in range(10_001):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(UserError, match="more than 10000 files"):
        read_rig_file(tmp_path, unit_m=1.0, format="realestate10k")


@pytest.mark.parametrize("key", list(FORMATS))
def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path, key):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "below", tmp_path / "a\0b"):
        with pytest.raises(UserError, match="cannot be"):
            write_rig_file(still(), path, key)


def test_asking_for_the_formats_imports_none_of_them():
    code = (
        "import sys, syncam_core.formats as formats; list(formats.FORMATS); "
        "print([name for name in sys.modules if name in ('scipy', 'PIL', 'syncam_core.formats.colmap')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
