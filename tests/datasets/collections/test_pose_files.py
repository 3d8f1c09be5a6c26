"""RealEstate10K's pose files and nerfstudio's transforms.json: poses, choice of pictures, and what can be broken."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_datasets import CAPTION, SIZE, pose_row, tour, write_dl3dv, write_realestate10k

from syncam_core.datasets.collections.pose_files import read_dl3dv, read_realestate10k, spread
from syncam_core.datasets.footage import Kind
from syncam_core.datasets.problems import BrokenData, check
from syncam_core.errors import UserError

FRAMES = 6


def realestate(folder, **options):
    return read_realestate10k(folder, **{"size": SIZE, "pictures": FRAMES, **options})


def dl3dv(folder, **options):
    return read_dl3dv(folder, **{"size": SIZE, "pictures": FRAMES, **options})


FORMATS = {"realestate10k": (write_realestate10k, realestate, "clip"), "dl3dv": (write_dl3dv, dl3dv, "scene")}


@pytest.fixture(scope="session")
def wholes(tmp_path_factory):
    return {name: write(tmp_path_factory.mktemp(name)) for name, (write, _, _) in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_picture_comes_with_the_pose_it_was_taken_from(wholes, name):
    _, read, stem = FORMATS[name]
    pictures, poses = tour(FRAMES)
    scenes = read(wholes[name])
    assert [scene.name for scene in scenes] == [f"{stem}1", f"{stem}2"]
    for scene in scenes:
        assert (scene.kind, scene.caption, len(scene.footage)) == (Kind.MULTI_VIEW_IMAGES, CAPTION, FRAMES)
        for footage, picture, c2w in zip(scene.footage, pictures, poses, strict=True):
            assert torch.equal(footage.read(), torch.from_numpy(picture)[None])
            assert footage.c2w.dtype == torch.float64
            torch.testing.assert_close(footage.c2w, torch.from_numpy(c2w)[None], atol=1e-9, rtol=0)
    assert check(scenes)[1].problems == ()


def test_the_published_form_of_a_row_is_world_to_camera(tmp_path):
    # x right, y down, z forward; the camera stands 2 to the right of the world's origin and looks along world x
    row = "77 0.5 0.9 0.5 0.5 0.0 0.0  0 0 -1 3  0 1 0 0  1 0 0 -2"
    (tmp_path / "clip.txt").write_text(f"https://example.invalid\n{row}\n{row.replace('77', '78')}\n")
    shutil.copytree(write_realestate10k(tmp_path / "other", 2, ("clip",), False) / "clip", tmp_path / "clip")
    (footage, _) = realestate(tmp_path, metres_per_unit=2.0)[0].footage
    expected = [[0, 0, 1, 2 * 2.0], [0, 1, 0, 0], [-1, 0, 0, 3 * 2.0], [0, 0, 0, 1]]
    assert footage.c2w.tolist() == [expected]


def test_an_opengl_camera_looks_along_its_negative_z_with_y_up(tmp_path):
    write_dl3dv(tmp_path, 2, ("scene1",))
    document = json.loads((tmp_path / "scene1/transforms.json").read_text())
    for frame in document["frames"]:
        frame["transform_matrix"] = [[1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]
    (tmp_path / "scene1/transforms.json").write_text(json.dumps(document))
    c2w = dl3dv(tmp_path, metres_per_unit=0.5)[0].footage[0].c2w
    assert c2w.tolist() == [[[1, 0, 0, 2.5], [0, -1, 0, 3.0], [0, 0, -1, 3.5], [0, 0, 0, 1]]]


def test_pictures_may_be_named_in_order_or_lie_in_another_folder(tmp_path):
    folder = write_realestate10k(tmp_path / "all", 12, ("clip1",), named_by_timestamp=False)
    (tmp_path / "poses").mkdir()
    (folder / "clip1.txt").rename(tmp_path / "poses/clip1.txt")
    pictures, _ = tour(12)
    (scene,) = realestate(tmp_path / "poses", frames=folder, pictures=12)
    for footage, picture in zip(scene.footage, pictures, strict=True):  # frame2 before frame10
        assert torch.equal(footage.read()[0], torch.from_numpy(picture))


def test_a_pose_file_without_an_address_loses_no_row(tmp_path):
    folder = write_realestate10k(tmp_path, 4, ("clip1",))
    rows = (folder / "clip1.txt").read_text().splitlines()
    (folder / "clip1.txt").write_text("\n".join(rows[1:]))
    assert len(realestate(folder)[0].footage) == 4


def test_smaller_copies_of_the_pictures_can_be_used(tmp_path):
    write_dl3dv(tmp_path, 3, ("scene1",))
    (tmp_path / "scene1/images").rename(tmp_path / "scene1/images_4")
    assert check(dl3dv(tmp_path), decode=False)[1].good_scenes == 0
    assert check(dl3dv(tmp_path, images="images_4"))[1].good_footage == 3
    with pytest.raises(UserError, match="leads out of"):
        dl3dv(tmp_path, images="../images_4")


@pytest.mark.parametrize("name", FORMATS)
def test_captions_come_from_the_table_then_from_the_folder_then_from_the_caller(tmp_path, name):
    write, read, stem = FORMATS[name]
    write(tmp_path, 3, (f"{stem}1", f"{stem}2", f"{stem}3"))
    (tmp_path / "metadata.csv").write_text(f"file_name,text\n{stem}1,a table\n")
    (tmp_path / f"{stem}3/caption.txt").unlink()
    assert [scene.caption for scene in read(tmp_path, caption="a tour")] == ["a table", CAPTION, "a tour"]
    assert check(read(tmp_path), decode=False)[1].good_scenes == 2


# Which pictures


def test_pictures_are_spread_evenly_over_a_clip():
    assert spread(range(9), 5, 100) == [0, 2, 4, 6, 8]
    assert spread(range(9), 3, 100) == [0, 4, 8]
    assert spread(range(3), 8, 100) == [0, 1, 2]


def test_a_long_clip_gives_its_middle_with_neighbours_at_the_largest_gap():
    assert spread(range(1001), 5, 100) == [300, 400, 500, 600, 700]


def test_pictures_on_both_sides_of_a_wide_hole_are_not_neighbours():
    assert spread([0, 1, 2, 50, 60, 70, 80], 4, 20) == [50, 60, 70, 80]
    assert spread([], 4, 20) == []
    assert len(spread([0, 500], 4, 20)) == 1


@given(st.sets(st.integers(0, 400)), st.integers(2, 12), st.integers(1, 120))
def test_neighbours_are_never_farther_apart_than_the_gap(positions, count, gap):
    chosen = spread(sorted(positions), count, gap)
    assert set(chosen) <= positions
    assert len(chosen) <= count
    assert all(0 < after - before <= gap for before, after in itertools.pairwise(chosen))
    assert bool(chosen) == bool(positions)


def test_a_scene_lists_no_more_pictures_than_wanted(wholes):
    names = [footage.name for footage in dl3dv(wholes["dl3dv"], pictures=3, gap=2)[0].footage]
    assert names == ["images/frame_00001.png", "images/frame_00003.png", "images/frame_00005.png"]


# What can be broken: what to do to the folder and its second scene, what is left of its six pictures, what is said.


def lines(folder, change):
    path = folder / "clip2.txt"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def numbers(folder, row, change):
    def apply(rows):
        rows[row] = " ".join(change(rows[row].split()))
        return rows

    lines(folder, apply)


def transforms(folder, change):
    path = folder / "scene2/transforms.json"
    document = json.loads(path.read_text())
    change(document["frames"])
    path.write_text(json.dumps(document))


def mirrored(c2w):
    return pose_row(1099999, np.asarray(c2w) @ np.diag([-1, 1, 1, 1]))


def third(folder, stem="clip2"):
    return sorted((folder / stem).glob("*.png"))[2]


def in_order(folder):
    for index, path in enumerate(sorted((folder / "clip2").glob("*.png"))):
        path.rename(path.with_name(f"frame{index}.png"))


BREAKS = {
    ("realestate10k", "missing picture"): (lambda f: third(f).unlink(), 5, "is missing, but 'clip2.txt' has its pose"),
    ("realestate10k", "a pose less"): (lambda f: lines(f, lambda rows: rows[:-1]), 5, "has no pose in 'clip2.txt'"),
    ("realestate10k", "a pose less, in order"): (
        lambda f: (in_order(f), lines(f, lambda rows: rows[:-1])),
        0,
        "'clip2.txt' has 5 poses, but there are 6 pictures",
    ),
    ("realestate10k", "a picture less, in order"): (
        lambda f: (in_order(f), (f / "clip2/frame3.png").unlink()),
        0,
        "'clip2.txt' has 6 poses, but there are 5 pictures",
    ),
    ("realestate10k", "NaN"): (lambda f: numbers(f, 3, lambda n: [*n[:9], "nan", *n[10:]]), 5, "holds NaN"),
    ("realestate10k", "infinite"): (lambda f: numbers(f, 3, lambda n: [*n[:10], "1e999", *n[11:]]), 5, "infinite"),
    ("realestate10k", "no rotation"): (lambda f: numbers(f, 3, lambda n: [*n[:7], "3", *n[8:]]), 5, "is not a rotation"),
    ("realestate10k", "mirrored"): (
        lambda f: numbers(f, 1, lambda n: [n[0], *mirrored(tour(1)[1][0]).split()[1:]]),
        5,
        "is mirrored",
    ),
    ("realestate10k", "words"): (lambda f: numbers(f, 3, lambda n: [*n[:9], "x", *n[10:]]), 5, "not a number"),
    ("realestate10k", "a number less"): (lambda f: numbers(f, 3, lambda n: n[:-1]), 5, "has 18 numbers, but 19"),
    ("realestate10k", "twice the same time"): (lambda f: lines(f, lambda rows: [*rows, rows[1]]), 0, "2 times"),
    ("realestate10k", "no rows"): (lambda f: (f / "clip2.txt").write_text("https://example.invalid\n"), 0, "holds no poses"),
    ("realestate10k", "no pictures"): (lambda f: shutil.rmtree(f / "clip2"), 0, "has no pictures in 'clip2'"),
    ("realestate10k", "cut short"): (lambda f: third(f).write_bytes(third(f).read_bytes()[:300]), 5, "cannot be read"),
    ("realestate10k", "zero bytes"): (lambda f: third(f).write_bytes(b""), 5, "is empty (0 bytes)"),
    ("realestate10k", "empty caption"): (lambda f: (f / "clip2/caption.txt").write_text("\n"), 0, "no caption"),
    ("dl3dv", "missing picture"): (lambda f: third(f, "scene2/images").unlink(), 5, "is missing, but"),
    ("dl3dv", "a pose less"): (lambda f: transforms(f, lambda frames: frames.pop()), 5, "has no pose in"),
    ("dl3dv", "NaN"): (
        lambda f: transforms(f, lambda frames: frames[1]["transform_matrix"][0].__setitem__(0, float("nan"))),
        5,
        "row 0[0] is NaN",
    ),
    ("dl3dv", "mirrored"): (
        lambda f: transforms(f, lambda frames: [row.__setitem__(0, -row[0]) for row in frames[1]["transform_matrix"]]),
        5,
        "is mirrored",
    ),
    ("dl3dv", "no matrix"): (
        lambda f: transforms(f, lambda frames: frames[1].update(transform_matrix=[[1, 2], [3]])),
        5,
        "but a matrix of 3 or 4 rows of 4 numbers is needed",
    ),
    ("dl3dv", "matrix of words"): (
        lambda f: transforms(f, lambda frames: frames[1].update(transform_matrix="rm -r")),
        5,
        "the text 'rm -r', but a matrix of 3 or 4 rows of 4 numbers is needed",
    ),
    ("dl3dv", "no path"): (lambda f: transforms(f, lambda frames: frames[1].pop("file_path")), 5, "has no 'file_path'"),
    ("dl3dv", "a path out of the folder"): (
        lambda f: transforms(f, lambda frames: frames[1].update(file_path="../scene1/images/frame_00002.png")),
        5,
        "leads out of the data set's folder",
    ),
    ("dl3dv", "an absolute path"): (
        lambda f: transforms(f, lambda frames: frames[1].update(file_path=str(f / "scene1/images/frame_00002.png"))),
        5,
        "leads out of the data set's folder",
    ),
    ("dl3dv", "one path twice"): (
        lambda f: transforms(f, lambda frames: frames[1].update(file_path=frames[0]["file_path"])),
        0,
        "twice",
    ),
    ("dl3dv", "no frames"): (lambda f: (f / "scene2/transforms.json").write_text("{}"), 0, "without 'frames'"),
    ("dl3dv", "no JSON"): (lambda f: (f / "scene2/transforms.json").write_text("frames:"), 0, "is not JSON"),
    ("dl3dv", "empty caption"): (lambda f: (f / "scene2/caption.txt").write_text(" "), 0, "no caption"),
    ("dl3dv", "a caption that is no text"): (lambda f: (f / "scene2/caption.txt").write_bytes(b"\xff"), 0, "not UTF-8"),
}  # fmt: skip


@pytest.fixture
def broken_folder(request, wholes, tmp_path):
    name, _ = request.param
    folder = shutil.copytree(wholes[name], tmp_path / "data")
    BREAKS[request.param][0](folder)
    return folder, FORMATS[name][1], *BREAKS[request.param][1:]


every_break = pytest.mark.parametrize("broken_folder", BREAKS, indirect=True, ids=" ".join)


@every_break
def test_skip_drops_what_is_broken_names_it_and_keeps_the_rest(broken_folder):
    folder, read, left, why = broken_folder
    good, report = check(read(folder), "skip")
    assert [len(scene.footage) for scene in good] == ([FRAMES, left] if left else [FRAMES])
    assert {problem.scene for problem in report.problems} == {good[0].name.replace("1", "2")}
    assert any(why in problem.why for problem in report.problems), report.table()


@every_break
def test_refuse_raises_with_scene_and_reason(broken_folder):
    folder, read, _, why = broken_folder
    with pytest.raises(BrokenData) as refused:
        check(read(folder), "refuse")
    assert why in str(refused.value)
    assert "2" in refused.value.problems[0].scene


@pytest.mark.parametrize(
    "options", [{"pictures": 1}, {"pictures": 100}, {"gap": 0}, {"metres_per_unit": 0.0}, {"metres_per_unit": np.inf}]
)
@pytest.mark.parametrize("name", FORMATS)
def test_impossible_options_are_refused(wholes, name, options):
    with pytest.raises(UserError, match=next(iter(options))):
        FORMATS[name][1](wholes[name], **options)


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_of_something_else_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="holds no"):
        FORMATS[name][1](tmp_path)
