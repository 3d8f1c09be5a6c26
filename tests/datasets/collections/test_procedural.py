"""Scenes of the synthetic world as training data."""

from __future__ import annotations

import math

import pytest
import torch

from syncam_core.cameras import Rig, orbit_c2w
from syncam_core.datasets.collections.procedural import CameraRanges, procedural_scenes, procedural_world
from syncam_core.datasets.footage import Kind
from syncam_core.datasets.problems import check
from syncam_core.errors import UserError
from syncam_core.synthetic import frame_times, render


def angles(c2w):
    """Azimuth and elevation in degrees and distance of a camera, from where it stands."""
    x, y, z = c2w[:3, 3].tolist()
    distance = math.hypot(x, y, z)
    return math.degrees(math.atan2(x, -z)), math.degrees(math.asin(-y / distance)), distance


def test_a_scene_depends_on_seed_and_number_only():
    few, many = procedural_scenes(7, 2, 3, 5, (32, 32)), procedural_scenes(7, 6, 3, 5, (32, 32))
    for scene, same in zip(few, many, strict=False):
        assert (scene.name, scene.caption) == (same.name, same.caption)
        for footage, twin in zip(scene.footage, same.footage, strict=True):
            assert (footage.name, footage.fingerprint) == (twin.name, twin.fingerprint)
            assert torch.equal(footage.c2w, twin.c2w)
            assert torch.equal(footage.read(), twin.read())


def test_seeds_and_numbers_give_different_scenes():
    scenes = [*procedural_scenes(1, 20, 2, 5), *procedural_scenes(2, 20, 2, 5)]
    assert len({scene.name for scene in scenes}) == 40
    assert len({footage.fingerprint for scene in scenes for footage in scene.footage}) == 80
    assert len({scene.caption for scene in scenes}) > 20


def test_the_first_camera_is_the_reference_and_the_others_fill_their_ranges():
    found = [angles(footage.c2w[0]) for scene in procedural_scenes(3, 60, 4, 5) for footage in scene.footage[1:]]
    for low, high, numbers in zip((-180, 8, 4.5), (180, 35, 5.5), zip(*found, strict=True), strict=True):
        assert low - 1e-9 <= min(numbers) < low + 0.05 * (high - low)
        assert high + 1e-9 >= max(numbers) > high - 0.05 * (high - low)
        assert sum(numbers) / len(numbers) == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
    for scene in procedural_scenes(3, 5, 2, 5):
        torch.testing.assert_close(scene.footage[0].c2w[0], orbit_c2w(0, 20, 5), atol=1e-12, rtol=0)
        for footage in scene.footage:  # the origin lies straight ahead
            ahead = torch.linalg.inv(footage.c2w[0])[:3, 3]
            torch.testing.assert_close(ahead[:2], torch.zeros(2, dtype=torch.float64), atol=1e-9, rtol=0)


def test_ranges_can_be_chosen():
    cameras = CameraRanges(reference=(10, 5, 3), azimuth_deg=(20, 30), elevation_deg=(0, 1), distance_m=(2, 2))
    (scene,) = procedural_scenes(3, 1, 3, 5, cameras=cameras)
    assert angles(scene.footage[0].c2w[0]) == pytest.approx((10, 5, 3))
    for footage in scene.footage[1:]:
        azimuth, elevation, distance = angles(footage.c2w[0])
        assert 20 <= azimuth <= 30
        assert -1e-9 <= elevation <= 1
        assert distance == pytest.approx(2)


def test_pictures_are_the_worlds_own_of_the_same_moments():
    (scene,) = procedural_scenes(11, 1, 3, 5, (24, 32), fps=8)
    world, rig = procedural_world(11, 0, 3)
    assert (scene.kind, scene.caption) == (Kind.MULTI_VIEW_VIDEO, world.prompt())
    together = render(world, Rig(names=rig.names, c2w=rig.c2w), 24, 32, frame_times(5, 8.0))
    for footage, view in zip(scene.footage, together, strict=True):
        pictures = footage.read()
        assert (pictures.shape, pictures.dtype) == ((5, 24, 32, 3), torch.uint8)
        assert (pictures.float() / 255 - view).abs().max() <= 0.5 / 255 + 1e-6
    assert check([scene])[1].problems == ()


def test_a_length_of_one_gives_pictures_of_a_moment():
    scenes = procedural_scenes(11, 2, 3, 1)
    assert {scene.kind for scene in scenes} == {Kind.MULTI_VIEW_IMAGES}
    assert check(scenes)[1].problems == ()


@pytest.mark.parametrize("change", [{"length": 9}, {"size": (16, 16)}, {"fps": 4.0}, {"supersample": 1}])
def test_a_fingerprint_changes_with_everything_that_pictures_depend_on(change):
    options = {"length": 5, "size": (32, 32), "fps": 8.0, "supersample": 2}
    marks = [procedural_scenes(5, 1, 2, **some)[0].footage[0].fingerprint for some in (options, {**options, **change})]
    assert marks[0] != marks[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"views": 1}, "'views' is 1"),
        ({"views": 65}, "'views' is 65"),
        ({"count": -1}, "'count' is -1"),
        ({"length": 0}, "'length' is 0"),
        ({"fps": 0.0}, "'fps' is 0"),
        ({"size": (0, 4)}, "the size is"),
        ({"motions": ()}, "'motions' is empty"),
        ({"motions": ("flying",)}, "'motions' is flying; possible are some or all of standing, turning"),
    ],
)
def test_impossible_options_are_refused(options, why):
    with pytest.raises(UserError, match=why):
        procedural_scenes(**{"seed": 1, "count": 1, "views": 2, "length": 5, **options})


def test_another_version_of_the_world_has_the_same_scenes_and_cameras_in_other_pictures():
    for one, two in zip(
        procedural_scenes(4, 2, 3, 5, (32, 32)), procedural_scenes(4, 2, 3, 5, (32, 32), world=2), strict=True
    ):
        assert (one.name, one.caption) == (two.name, two.caption)
        for footage, larger in zip(one.footage, two.footage, strict=True):
            assert torch.equal(footage.c2w, larger.c2w)
            assert footage.fingerprint != larger.fingerprint
            assert (footage.read().float() - larger.read().float()).abs().mean() > 2


def test_scenes_of_some_motions_are_those_of_the_whole_data_set_that_have_them():
    every = procedural_scenes(5, 30, 2, 5)
    some = procedural_scenes(5, 8, 2, 5, motions=["walking", "circling"])
    wanted = [scene for scene in every if {"walking", "circling"} & set(scene.caption.split())]
    assert len(wanted) >= 8
    assert [(s.name, s.caption, s.footage[1].fingerprint) for s in some] == [
        (s.name, s.caption, s.footage[1].fingerprint) for s in wanted[:8]
    ]
