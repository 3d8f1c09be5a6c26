"""The subject's place in a picture, against the renderer's exact mask."""

from __future__ import annotations

import random

import pytest
import torch
from scipy import ndimage

from syncam_core.cameras import orbit_rig
from syncam_core.metrics import locate_subject
from syncam_core.metrics.locate import find_subject
from syncam_core.synthetic import COLORS, FLOORS, MOTIONS, SHAPES, SKIES, Scene, frame_times, render_with_mask


def mask_centroid(mask):  # (..., height, width) -> (..., 2)
    height, width = mask.shape[-2:]
    right, down = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    total = mask.sum((-2, -1))
    return torch.stack([(mask.sum(-2) * right).sum(-1) / total, (mask.sum(-1) * down).sum(-1) / total], -1)


def filmed(scene, seed, frames=(0.0, 0.9, 1.7), height=64, width=64):
    draw = random.Random(seed)
    azimuths = [draw.uniform(-180, 180) for _ in range(4)]
    rig = orbit_rig(azimuths, [draw.uniform(8, 35) for _ in azimuths], [draw.uniform(4.5, 5.5) for _ in azimuths])
    return render_with_mask(scene, rig, height, width, list(frames))


def blurred(video, sigma):
    return torch.from_numpy(ndimage.gaussian_filter(video.numpy(), (0, 0, sigma, sigma, 0)))


def offsets(video, mask):
    found = locate_subject(video)
    assert found.dtype == torch.float64
    assert torch.isfinite(found).all()
    return (found - mask_centroid(mask.double())).norm(dim=-1).flatten()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("color", COLORS)
def test_a_subject_of_any_colour_and_shape_is_found_where_its_mask_is(shape, color):
    off = []
    for motion in MOTIONS:
        floor = random.Random(motion + color).choice(list(FLOORS))
        sky = random.Random(motion + shape).choice(list(SKIES))
        scene = Scene(shape, color, motion, floor, sky, heading_deg=33, phase=0.1, place_x_m=0.2, place_z_m=-0.3)
        off.append(offsets(*filmed(scene, motion + shape)))
    off = torch.cat(off)
    assert off.median() < 0.25
    assert off.max() < 0.75


def test_soft_and_noisy_pictures_move_the_place_by_less_than_a_pixel():
    generator = torch.Generator().manual_seed(0)
    off = []
    for seed in range(12):
        video, mask = filmed(Scene.random(seed), seed)
        video = blurred(video, 1.5) + 0.04 * torch.randn(video.shape, generator=generator)
        off.append(offsets(video.clamp(0, 1), mask))
    off = torch.cat(off)
    assert off.median() < 0.5
    assert off.quantile(0.95) < 1.0


@pytest.mark.parametrize(("height", "width"), [(48, 96), (97, 61), (240, 416)])
def test_pictures_of_any_size_give_places_in_their_own_pixels(height, width):
    off = torch.cat([offsets(*filmed(Scene.random(s), s, (0.5,), height, width)) for s in (3, 4, 5)])
    assert off.median() < 0.25 * max(1, width / 64)


def test_of_several_subjects_the_largest_counts_and_specks_do_not():
    video = torch.full((1, 1, 64, 64, 3), 0.55)
    video[0, 0, 10:20, 12:26] = torch.tensor([0.9, 0.1, 0.1])  # 10 x 14 about (19, 15)
    for top, left in ((2, 50), (40, 40)):  # one above it, one below
        video[0, 0, top : top + 6, left : left + 6] = torch.tensor([0.1, 0.7, 0.1])
    video[0, 0, 60, 5] = torch.tensor([0.0, 0.0, 1.0])
    assert locate_subject(video)[0, 0].tolist() == pytest.approx([19, 15], abs=0.05)


def test_black_eyes_belong_to_the_subject():
    video = torch.full((1, 1, 64, 64, 3), 0.55)
    video[0, 0, 20:40, 20:40] = torch.tensor([0.9, 0.1, 0.1])
    video[0, 0, 23:29, 32:38] = 0.02
    assert locate_subject(video)[0, 0].tolist() == pytest.approx([30, 30], abs=0.05)


def test_where_there_is_no_subject_or_it_leaves_the_picture_nothing_is_found():
    video = torch.full((1, 4, 64, 64, 3), 0.55)
    video[0, 1, 30, 30] = torch.tensor([1.0, 0.0, 0.0])  # a speck
    video[0, 2, 20:40, :9] = torch.tensor([1.0, 0.0, 0.0])  # cut off
    video[0, 3] = torch.tensor([1.0, 0.0, 0.0])  # no background
    assert locate_subject(video).isnan().all()


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_a_subject_that_any_edge_of_the_picture_cuts_off_has_no_centroid(edge):
    near = slice(0, 9) if edge in ("left", "top") else slice(-9, None)
    rows, columns = (slice(20, 40), near) if edge in ("left", "right") else (near, slice(20, 40))
    video = torch.full((1, 1, 64, 64, 3), 0.55)
    video[0, 0, rows, columns] = torch.tensor([1.0, 0.0, 0.0])
    assert find_subject(video).region.any()
    assert locate_subject(video).isnan().all()


def test_the_empty_world_shows_no_subject():
    rig = orbit_rig([0.0, 70.0, 140, 210, 280], [20.0], [5.0])
    for floor in FLOORS:
        for sky in SKIES:
            away = Scene(floor=floor, sky=sky, place_x_m=0.0, place_z_m=9e5)
            video, mask = render_with_mask(away, rig, 64, 64, frame_times(1))
            assert mask.sum() == 0
            assert locate_subject(video).isnan().all()
