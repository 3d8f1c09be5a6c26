"""The cache of latents and text: what goes in comes out, once, whole, and only what may be trained on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from tiny_datasets import (
    CAPTION,
    FPS,
    FRAMES,
    SIZE,
    film,
    orbit_poses,
    tiny_encode,
    write_plain_videos,
    write_realestate10k,
    write_syncamvideo,
)

from syncam_core.datasets.collections.plain_videos import read_plain_videos
from syncam_core.datasets.collections.pose_files import read_realestate10k
from syncam_core.datasets.collections.procedural import procedural_scenes
from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.datasets.footage import BrokenFootage, Footage, Kind, Scene
from syncam_core.datasets.problems import BrokenData
from syncam_core.errors import UserError
from syncam_core.training.latent_cache import LatentCache, TextCache, open_cache
from syncam_core.video.write import write_video


class Counting:
    """An encoder that counts its calls."""

    def __init__(self, encode=tiny_encode):
        self.encode, self.calls = encode, 0

    def __call__(self, given):
        self.calls += 1
        return self.encode(given)


@pytest.fixture
def scenes():
    return procedural_scenes(1, 4, 3, FRAMES, SIZE)


@pytest.fixture
def cache(tmp_path):
    return LatentCache(tmp_path / "cache")


def build(cache, scenes, encode=tiny_encode, encoder_id="tiny", **options):
    return cache.build(scenes, encode, encoder_id, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_latents_poses_and_names_come_back(cache, scenes, dtype, in_memory):
    report = build(cache, scenes, dtype=dtype)
    assert report.encoded == tuple(scene.name for scene in scenes)
    cached = open_cache(cache.folder, in_memory)
    assert [one.name for one in cached] == sorted(scene.name for scene in scenes)
    for one, scene in zip(cached, scenes, strict=True):
        expected = torch.stack([tiny_encode(footage.read()) for footage in scene.footage]).to(dtype)
        assert (one.kind, one.caption, one.frames, one.encoder_id) == (scene.kind, scene.caption, FRAMES, "tiny")
        assert one.names == tuple(footage.name for footage in scene.footage)
        assert one.fingerprints == tuple(footage.fingerprint for footage in scene.footage)
        assert (one.shape, one.dtype) == ((3, 16, 3, 4, 4), dtype)
        assert torch.equal(one.c2w, torch.stack([footage.c2w for footage in scene.footage]))
        assert torch.equal(one.latents(), expected)
        assert torch.equal(one.latents([2, 0], 2), expected[[2, 0], :, :2])
        assert one.latents([1]).dtype == dtype


def test_only_the_views_and_frames_that_exist_can_be_asked_for(cache, scenes):
    build(cache, scenes)
    one = open_cache(cache.folder)[0]
    for views in ([3], [-1], []):
        with pytest.raises(UserError, match="has the views 0 to 2"):
            one.latents(views)
    for frames in (0, 4):
        with pytest.raises(UserError, match="has 3 latent frames"):
            one.latents([0], frames)


def test_latents_in_memory_need_no_file(cache, scenes):
    build(cache, scenes)
    held = open_cache(cache.folder, in_memory=True)
    expected = [one.latents() for one in open_cache(cache.folder)]
    shutil.rmtree(cache.folder)
    assert all(torch.equal(one.latents(), latents) for one, latents in zip(held, expected, strict=True))


def test_standing_and_moving_cameras_share_a_scene(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data", turning="cam02")
    build(cache, read_syncamvideo(folder, size=SIZE))
    for one in open_cache(cache.folder):
        assert one.c2w.shape == (3, FRAMES, 4, 4)
        torch.testing.assert_close(one.c2w[0], orbit_poses(0).expand(FRAMES, 4, 4), atol=1e-9, rtol=0)
        torch.testing.assert_close(one.c2w[1], orbit_poses(1, FRAMES, 2.0), atol=1e-9, rtol=0)


def test_single_videos_have_no_poses_and_pictures_one_latent_frame(cache, tmp_path):
    videos = read_plain_videos(write_plain_videos(tmp_path / "videos"), size=SIZE)
    pictures = read_realestate10k(write_realestate10k(tmp_path / "tours"), size=SIZE)
    build(cache, [*videos, *pictures])
    kinds = {one.kind: one for one in open_cache(cache.folder)}
    assert kinds[Kind.VIDEO].c2w is None
    assert kinds[Kind.VIDEO].shape == (1, 16, 3, 4, 4)
    assert kinds[Kind.MULTI_VIEW_IMAGES].shape == (6, 16, 1, 4, 4)
    assert kinds[Kind.MULTI_VIEW_IMAGES].c2w.shape == (6, 1, 4, 4)


# Building once


def test_a_second_build_encodes_nothing_and_touches_nothing(cache, scenes):
    build(cache, scenes)
    before = contents(cache.folder)
    encode = Counting()
    report = build(cache, scenes, encode)
    assert (encode.calls, report.encoded, len(report.kept)) == (0, (), 4)
    assert contents(cache.folder) == before


def test_two_builds_give_the_same_bytes(scenes, tmp_path):
    for name in "ab":
        build(LatentCache(tmp_path / name), scenes)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_order_and_another_number_of_scenes_give_the_same_bytes(scenes, tmp_path):
    build(LatentCache(tmp_path / "a"), scenes)
    build(LatentCache(tmp_path / "b"), scenes[2:])
    build(LatentCache(tmp_path / "b"), scenes[::-1])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_only_a_view_that_changed_is_encoded_again(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data")
    build(cache, read_syncamvideo(folder, size=SIZE))
    before = {one.name: one.latents() for one in open_cache(cache.folder)}
    write_video(folder / "scene2/videos/cam02.mp4", film()[1, ::-1], FPS)
    encode = Counting()
    report = build(cache, read_syncamvideo(folder, size=SIZE), encode)
    assert (encode.calls, report.encoded, report.kept) == (1, ("scene2",), ("scene1",))
    after = {one.name: one.latents() for one in open_cache(cache.folder)}
    assert torch.equal(after["scene1"], before["scene1"])
    assert [torch.equal(a, b) for a, b in zip(after["scene2"], before["scene2"], strict=True)] == [True, False, True]
    build(LatentCache(tmp_path / "fresh"), read_syncamvideo(folder, size=SIZE))
    assert contents(tmp_path / "fresh") == contents(cache.folder)


def test_a_new_caption_needs_no_encoding(cache, scenes):
    build(cache, scenes)
    encode = Counting()
    report = build(cache, [replace(scenes[0], caption="another"), *scenes[1:]], encode)
    assert (encode.calls, report.encoded) == (0, (scenes[0].name,))
    assert open_cache(cache.folder)[0].caption == "another"


@pytest.mark.parametrize("change", [{"encoder_id": "other"}, {"dtype": torch.float32}])
def test_another_encoder_or_dtype_encodes_everything_again(cache, scenes, change):
    build(cache, scenes)
    encode = Counting()
    build(cache, scenes, encode, **change)
    assert encode.calls == 12
    assert {one.dtype for one in open_cache(cache.folder)} == {change.get("dtype", torch.bfloat16)}


def test_footage_that_cannot_be_told_from_other_footage_is_encoded_every_time(cache, scenes):
    unknown = replace(scenes[0], footage=tuple(replace(one, fingerprint="") for one in scenes[0].footage))
    build(cache, [unknown])
    encode = Counting()
    assert build(cache, [unknown], encode).encoded == (unknown.name,)
    assert encode.calls == 3
    (found,) = open_cache(cache.folder)
    assert torch.equal(found.latents(), torch.stack([tiny_encode(one.read()) for one in scenes[0].footage]).bfloat16())


def test_a_damaged_file_is_encoded_again_and_refused_by_open_cache(cache, scenes):
    build(cache, scenes)
    before = contents(cache.folder)
    path = cache.path(scenes[1].name)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match=f"'{path}' is damaged"):
        open_cache(cache.folder)
    assert build(cache, scenes).encoded == (scenes[1].name,)
    assert contents(cache.folder) == before


def test_scene_names_become_safe_and_different_file_names(cache, scenes):
    names = ["a/b", "a-b", "../../etc/passwd", "CON", "ä" * 300, "A/B", "x\x00", "雪"]
    build(cache, [replace(scenes[0], name=name) for name in names])
    files = [path.name for path in cache.folder.iterdir()]
    assert len({name.lower() for name in files}) == len(names)
    assert all(name.isascii() and len(name) < 80 and "/" not in name for name in files)
    assert {one.name for one in open_cache(cache.folder)} == set(names)


# Broken data


def test_what_is_broken_is_never_encoded_and_is_named(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data")
    videos = folder / "scene2/videos"
    (videos / "cam01.mp4").write_bytes((videos / "cam01.mp4").read_bytes()[:-400])  # shows in decoding
    (videos / "cam03.mp4").unlink()  # shows before
    report = build(cache, read_syncamvideo(folder, size=SIZE))
    assert {(p.scene, p.footage) for p in report.problems} == {
        ("scene2", "cam03"),
        ("scene2", "cam01"),
        ("scene2", None),
    }
    assert [one.name for one in open_cache(cache.folder)] == ["scene1"]


def test_refuse_stops_at_once_for_what_shows_early_and_lists_all_that_shows_late(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data")
    for scene in ("scene1", "scene2"):
        path = folder / scene / "videos/cam01.mp4"
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BrokenData) as refused:
        build(cache, read_syncamvideo(folder, size=SIZE), on_broken="refuse")
    assert [(p.scene, p.footage) for p in refused.value.problems] == [("scene1", "cam01"), ("scene2", "cam01")]
    (folder / "scene1/videos/cam01.mp4").unlink()
    encode = Counting()
    with pytest.raises(BrokenData, match=r"scene1/videos/cam01.mp4' is missing"):
        build(cache, read_syncamvideo(folder, size=SIZE), encode, on_broken="refuse")
    assert encode.calls == 0


def test_footage_that_broke_after_it_was_cached_leaves_the_cache(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data")
    build(cache, read_syncamvideo(folder, size=SIZE))
    (folder / "scene1/videos/cam02.mp4").write_bytes(b"")
    (folder / "scene2/caption.txt").write_text("")
    report = build(cache, read_syncamvideo(folder, size=SIZE))
    assert len(report.problems) == 2
    (only,) = open_cache(cache.folder)
    assert (only.name, only.names) == ("scene1", ("cam01", "cam03"))


def test_footage_that_was_repaired_enters_the_cache_alone(cache, tmp_path):
    folder = write_syncamvideo(tmp_path / "data")
    path = folder / "scene1/videos/cam02.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[:-400])
    build(cache, read_syncamvideo(folder, size=SIZE))
    path.write_bytes(whole)
    encode = Counting()
    assert build(cache, read_syncamvideo(folder, size=SIZE), encode).problems == ()
    assert encode.calls == 1
    assert [one.views for one in open_cache(cache.folder)] == [3, 3]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_latents_that_are_not_finite_are_left_out(cache, scenes, bad):
    def encode(pictures):
        latents = tiny_encode(pictures)
        if torch.equal(pictures, scenes[2].footage[1].read()):
            latents[3, 1, 2, 2] = bad
        return latents

    report = build(cache, scenes, encode, dtype=torch.float16)
    (problem,) = report.problems
    assert (problem.scene, problem.footage) == (scenes[2].name, "cam02")
    assert "NaN or infinite numbers as float16" in problem.why
    assert open_cache(cache.folder)[2].names == ("cam01", "cam03")


def test_views_of_another_length_are_left_out(cache):
    def clip(name, frames):
        pictures = torch.full((frames, 32, 32, 3), frames, dtype=torch.uint8)
        return Footage(name, torch.eye(4, dtype=torch.float64)[None], lambda: pictures, f"{name} {frames}")

    one = Scene("scene", Kind.MULTI_VIEW_VIDEO, CAPTION, (clip("a", 9), clip("b", 5), clip("c", 9)))
    (problem,) = build(cache, [one]).problems
    assert (problem.footage, "it has 5 frames" in problem.why) == ("b", True)
    assert open_cache(cache.folder)[0].names == ("a", "c")


def test_a_failing_encoder_stops_the_build_and_leaves_no_half_file(cache, scenes):
    encode = Counting()

    def fail(pictures):
        if encode.calls == 5:
            raise RuntimeError("out of memory")
        return encode(pictures)

    with pytest.raises(RuntimeError, match="out of memory"):
        build(cache, scenes, fail)
    assert [path.name for path in cache.folder.iterdir()] == [cache.path(scenes[0].name).name]
    build(cache, scenes, encode)
    assert encode.calls == 5 + 9  # the second scene from its beginning


def test_scenes_that_were_not_asked_for_stay_and_are_reported(cache, scenes):
    build(cache, scenes)
    report = build(cache, scenes[:3])
    assert report.others == (scenes[3].name,)
    assert len(open_cache(cache.folder)) == 4


# Opening


def test_a_mixed_folder_is_refused_with_both_names(cache, scenes):
    build(cache, scenes[:1])
    others = {
        "encoder": ({"encoder_id": "other"}, scenes[1:2]),
        "dtype": ({"dtype": torch.float32}, scenes[1:2]),
        "shape": ({}, procedural_scenes(1, 2, 3, FRAMES, (32, 48))[1:]),
        "number of latent frames": ({}, procedural_scenes(1, 2, 3, 5, SIZE)[1:]),
    }
    for what, (options, other) in others.items():
        build(cache, other, **options)
        with pytest.raises(UserError, match=rf"is mixed: the {what}.*'seed1-000001'.*'seed1-000000'"):
            open_cache(cache.folder)


def test_an_empty_folder_and_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds no cached scenes"):
        open_cache(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"\x80\x04N.")
    with pytest.raises(UserError, match=r"x\.safetensors' is damaged or no file of the latent cache"):
        open_cache(tmp_path)


def test_files_say_what_they_hold(cache, scenes):
    build(cache, scenes[:1])
    with safe_open(cache.path(scenes[0].name), framework="pt") as file:
        assert set(file.keys()) == {"latents", "c2w"}
        header = json.loads(file.metadata()["syncam"])
    assert (header["name"], header["caption"]) == (scenes[0].name, scenes[0].caption)
    assert [view["name"] for view in header["views"]] == ["cam01", "cam02", "cam03"]


def test_only_known_modes_and_dtypes_are_possible(cache, scenes):
    with pytest.raises(UserError, match="'on_broken' is 'maybe'"):
        build(cache, scenes, on_broken="maybe")
    with pytest.raises(UserError, match=r"'dtype' is torch\.int8"):
        build(cache, scenes, dtype=torch.int8)
    with pytest.raises(UserError, match=r"made \(\) of a video"):
        build(cache, scenes, lambda pictures: pictures.float().mean())


# Text


def spoken(caption):
    return torch.tensor([[len(caption), ord(letter)] for letter in caption] or [[0.0, 0.0]])


def test_every_caption_is_encoded_once(tmp_path):
    cache, encode = TextCache(tmp_path / "text"), Counting(spoken)
    assert cache.build(["a ball", "a cube", "a ball", ""], encode, "tiny", dtype=torch.float32) == 3
    assert cache.build(["a cube", "a cone"], encode, "tiny", dtype=torch.float32) == 1
    assert encode.calls == 4
    assert cache.build(["a ball"], encode, "other", dtype=torch.float32) == 1
    for caption in ("a ball", "a cube", "a cone", ""):
        assert torch.equal(cache.load(caption, "tiny"), spoken(caption).float())
    with pytest.raises(UserError, match="'a cube' is not in the text cache"):
        cache.load("a cube", "other")


def test_text_of_another_dtype_is_encoded_again(tmp_path):
    cache, encode = TextCache(tmp_path / "text"), Counting(spoken)
    assert cache.build(["a ball"], encode, "tiny", dtype=torch.float32) == 1
    assert cache.build(["a ball"], encode, "tiny", dtype=torch.bfloat16) == 1
    assert cache.load("a ball", "tiny").dtype == torch.bfloat16


def test_text_that_is_not_finite_is_refused_by_its_caption(tmp_path):
    cache = TextCache(tmp_path / "text")
    with pytest.raises(UserError, match="NaN or infinite numbers of the caption 'a ball'"):
        cache.build(["a ball"], lambda caption: torch.full((2, 2), torch.nan), "tiny")
    assert list(cache.folder.iterdir()) == []
    with pytest.raises(UserError, match=r"\(tokens, dim\) is needed"):
        cache.build(["a ball"], lambda caption: torch.zeros(3), "tiny")


def test_broken_footage_is_an_error_of_values():
    assert issubclass(BrokenFootage, ValueError)
    assert issubclass(BrokenData, ValueError)
