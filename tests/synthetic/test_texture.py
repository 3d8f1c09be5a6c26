"""The textured world: one place has one colour whoever looks, and the plain world is what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from syncam_core.cameras import orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics import locate_subject
from syncam_core.synthetic import Scene, render
from syncam_core.synthetic.render import background
from syncam_core.synthetic.texture import floor_grain, sky_grain, solid_grain

RIG = orbit_rig([0.0, 20.0], [25.0], [4.0])


def test_a_scene_is_plain_unless_asked_and_knows_its_textures():
    assert Scene().texture == Scene.random(3).texture == 0
    with pytest.raises(UserError, match="texture 2; possible are 0, 1"):
        Scene(texture=2)


def test_grain_is_that_of_the_place_alone_and_about_one_in_the_mean():
    draw = torch.Generator().manual_seed(0)
    x, y, z = (8 * torch.rand(20_000, generator=draw) - 4 for _ in range(3))
    near = torch.full_like(x, 0.001)
    for grain in (floor_grain(x, z, near), solid_grain(x, y, z, near)):
        assert grain.mean() == pytest.approx(1, abs=0.03)
        assert grain.std() > 0.15
    assert torch.equal(floor_grain(x, z, near)[:100], floor_grain(x[:100], z[:100], near[:100]))
    far = torch.full_like(x, 10.0)
    assert torch.equal(floor_grain(x, z, far), torch.ones_like(x))
    length = (x * x + y * y + z * z).sqrt()
    assert sky_grain(x / length, y / length, z / length).std() > 0.05


def test_two_cameras_see_one_colour_at_a_place_of_the_floor():
    scene = Scene(floor="grass", texture=1)
    # between two cameras, as far from both: haze and fading are the same
    places = torch.stack([torch.zeros(60), torch.full((60,), 0.7), torch.linspace(-3, 3, 60)], -1).double()
    colors = []
    for camera in orbit_rig([-20.0, 20.0], [25.0], [4.0]).c2w[:, 0]:
        origin = camera[:3, 3]
        ray = torch.nn.functional.normalize(places - origin, dim=-1).float()
        seen, floor = background(
            scene, tuple(o.view(1, 1, 1).float() for o in origin), tuple(r.view(1, 1, -1) for r in ray.T)
        )
        assert floor.is_floor.all()
        colors.append(torch.stack(seen)[:, 0, 0])
    assert colors[0].std(1).min() > 0.05  # places differ from each other
    assert (colors[0] - colors[1]).abs().max() < 1e-3  # but not between the cameras


def test_the_picture_does_not_depend_on_how_the_work_is_divided():
    scene = Scene.random(1)
    textured = [
        render(replace(scene, texture=1), RIG, 48, 64, [0.0, 0.5], rays_at_once=rays) for rays in (1 << 18, 700)
    ]
    assert torch.equal(*textured)
    assert not torch.equal(textured[0], render(scene, RIG, 48, 64, [0.0, 0.5]))


def test_the_subject_is_still_told_by_its_colour():
    plain, textured = (
        locate_subject(render(replace(Scene.random(5), texture=texture), RIG, 64, 96, [0.0])) for texture in (0, 1)
    )
    assert torch.isfinite(plain).all()
    assert (plain - textured).norm(dim=-1).max() < 2
