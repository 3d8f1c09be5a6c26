"""Version 2 of the world: what is larger, painted and smoother in it, and that version 1 is what no one asks for."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from syncam_core.cameras import orbit_rig
from syncam_core.metrics.locate import COLORFUL, DARK_OFFSET, PALE
from syncam_core.synthetic import (
    COLORS,
    FLOORS,
    GROUND_Y_M,
    MOTIONS,
    SHAPES,
    SKIES,
    WORLDS,
    Scene,
    frame_times,
    render,
    render_with_mask,
    subject_mask,
)
from syncam_core.synthetic.render import background, camera_rays
from syncam_core.synthetic.subject import body_of, is_hit, shade


def tones(shape, side, heights_m, aside_m):
    """How bright rays from one side (x, z of a unit vector in the subject's axes) see a grey body, at heights above the
    floor and distances aside of its middle: (heights, aside)."""
    body = body_of(shape, 2)
    x, z = side
    height, aside = torch.meshgrid(torch.tensor(heights_m), torch.tensor(aside_m), indexing="ij")
    origin = (4 * x - aside * z, body.base - height, 4 * z + aside * x)
    ray, to_sun = (tuple(torch.full_like(height, n) for n in (sign * x, 0.0, sign * z)) for sign in (-1, 1))
    hit, color = shade(body, (0.5, 0.5, 0.5), origin, ray, to_sun)
    assert hit.all()
    return color[0]


def test_world_1_is_the_default_and_all_worlds_draw_the_same_scene_from_a_seed():
    assert Scene().world == 1
    for seed in range(20):
        one, two = (Scene.random(seed, world=world) for world in WORLDS)
        assert one == Scene.random(seed)
        assert two == replace(one, world=2)


@pytest.mark.parametrize("world", [0, 3, "2", None])
def test_an_unknown_world_is_refused_with_the_possible_ones(world):
    with pytest.raises(ValueError, match="possible are 1, 2"):
        Scene(world=world)


@pytest.mark.parametrize("shape", SHAPES)
def test_subjects_of_world_2_cover_more_than_twice_the_picture(shape):
    rig = orbit_rig([0.0, 70.0, 200.0], [20.0], [5.0])
    one, two = (subject_mask(Scene(shape=shape, world=w), rig, 64, 64, [0.0]).sum() for w in WORLDS)
    assert 2.0 < two / one < 2.7  # 1.5 times as large, and its middle nearer to the cameras


@pytest.mark.parametrize("shape", SHAPES)
def test_subjects_stand_on_the_floor_in_both_worlds(shape):
    level = orbit_rig([30.0], [0.0], [40.0])  # from far off and level, the lowest pixel is the foot
    for world in WORLDS:
        mask = subject_mask(Scene(shape=shape, world=world), level, 600, 64, [0.0])[0, 0]
        lowest = float(mask.amax(1).nonzero().max()) + 1
        assert lowest == pytest.approx(300 + 64 * GROUND_Y_M / 40, abs=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_painted_body_has_bands_on_its_left_a_stripe_on_its_right_and_a_dark_back(shape):
    radius = body_of(shape, 2).radius
    heights = [0.3, 0.9]  # metres: in the lowest band, which is dark, and in the next, which is not, above the tail
    aside = [0.0, 0.33 * radius, 0.5 * radius if shape != "cone" else 0.33 * radius]
    left, right, back = (tones(shape, side, heights, aside) for side in ((-1.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    assert (left[0] < 0.7 * left[1]).all()
    assert torch.allclose(left[:, 0], left[:, 1], rtol=0.1)  # all across
    assert torch.allclose(right[0, :2], right[1, :2], rtol=0.25)  # upright
    if shape != "cone":  # too narrow up there to see beside its stripe
        assert (right[:, 0] < 0.7 * right[:, 2]).all()
    assert back[1, 0] < 0.7 * left[1, 0]


@pytest.mark.parametrize(("shape", "floor", "sky"), [*itertools.product(SHAPES, FLOORS, SKIES)])
def test_colourfulness_tells_the_painted_subject_from_the_painted_world(shape, floor, sky):
    rig = orbit_rig([0.0, 90.0, 180.0, 270.0], [12.0, 20.0, 30.0, 35.0], [5.0])
    for color in COLORS:
        scene = Scene(shape, color, "standing", floor, sky, heading_deg=35.0, world=2)
        rgb, mask = render_with_mask(scene, rig, 64, 64, [0.0])
        colorful = (rgb.amax(-1) - rgb.amin(-1)) / (rgb.amax(-1) + DARK_OFFSET)
        assert colorful[mask == 0].max() < PALE
        inside = mask == 1
        assert (colorful[inside] > (PALE + COLORFUL) / 2).float().mean() > 0.95  # the rest are eyes


def test_landmarks_of_world_2_carry_patterns_that_world_1_does_not():
    rig = orbit_rig([0.0], [60.0], [7.0])
    origin, ray = camera_rays(rig.c2w[:, :1].float(), torch.tensor([128.0]), slice(0, 128), 128, 128, 1)
    one, two = (torch.stack(background(Scene(world=world), origin, ray)[0]) for world in WORLDS)
    changed = (one - two).abs().amax(0) > 0.02
    assert 0.02 < changed.float().mean() < 0.25
    x, z = (background(Scene(), origin, ray)[1].x, background(Scene(), origin, ray)[1].z)
    assert torch.hypot(x, z)[changed].max() < 4  # nothing far away, where it would only flicker


@pytest.mark.parametrize("motion", MOTIONS)
def test_motions_of_world_2_have_no_jerk(motion):
    times = frame_times(200, 50.0)
    speeds = {}
    for world in WORLDS:
        centre = Scene(motion=motion, phase=0.1, world=world).subject_centre(times)
        speeds[world] = centre.diff(dim=0) * 50
    change = speeds[2].diff(dim=0).norm(dim=1)
    assert change.max() < 0.12  # metres per second from one fiftieth of a second to the next
    if motion == "bouncing":
        assert speeds[1].diff(dim=0).norm(dim=1).max() > 1  # where world 1 meets the floor
    assert (speeds[2].norm(dim=1).max() > 0.3) == (motion in ("walking", "circling", "bouncing"))


def test_a_bounce_of_world_2_touches_the_floor_and_rises_by_half_a_metre():
    height = -Scene(motion="bouncing", world=2).subject_centre(frame_times(401, 200.0))[:, 1]
    assert height.max() - height.min() == pytest.approx(0.5, abs=1e-4)
    assert height[0] == height.min()
    assert height[200] == pytest.approx(float(height.max()), abs=1e-4)  # after a second, half of its period


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bounding_sphere_holds_the_larger_subject(shape):
    """A picture whose rays are cut to the sphere is the picture of all of it: seen from afar nothing is clipped."""
    body = body_of(shape, 2)
    draw = torch.Generator().manual_seed(3)
    foot = torch.randn(3000, 3, generator=draw)
    foot = foot / foot.norm(dim=1, keepdim=True) * body.bound
    across = torch.linalg.cross(foot, torch.randn(3000, 3, generator=draw))
    across = across / across.norm(dim=1, keepdim=True)
    start = foot - 4 * across
    assert not is_hit(body, tuple(start.unbind(1)), tuple(across.unbind(1))).any()


def test_pictures_of_world_2_do_not_depend_on_how_the_work_is_divided():
    scene, rig = Scene("cube", motion="walking", world=2), orbit_rig([0.0, 100.0], [20.0], [5.0])
    whole = render(scene, rig, 24, 32, frame_times(3))
    assert torch.equal(whole, render(scene, rig, 24, 32, frame_times(3), rays_at_once=500))
