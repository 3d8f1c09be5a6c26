"""Pictures of the world: geometry against ground truth, colours by hand, and any camera at all."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Lens, Rig, orbit_c2w, orbit_rig
from syncam_core.errors import UserError
from syncam_core.synthetic import (
    COLORS,
    FLOORS,
    GROUND_Y_M,
    MOTIONS,
    SHAPES,
    SKIES,
    SUN_DIRECTION,
    Scene,
    frame_times,
    project,
    render,
    render_with_mask,
    subject_mask,
)


def one_camera(c2w, lens=None):
    return Rig(names=("cam01",), c2w=c2w.reshape(1, -1, 4, 4), lenses=(lens or Lens(),))


def centroid(mask):  # (height, width) -> pixels right, down
    height, width = mask.shape
    right, down = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    return torch.stack([(mask.sum(0) * right).sum(), (mask.sum(1) * down).sum()]) / mask.sum()


def looking_down(x, z, above_floor_m):
    """A camera above a place of the floor: right is +x, down in the picture is -z."""
    c2w = torch.eye(4, dtype=torch.float64)
    c2w[:3, 1] = torch.tensor([0.0, 0.0, -1.0])
    c2w[:3, 2] = torch.tensor([0.0, 1.0, 0.0])
    c2w[:3, 3] = torch.tensor([x, GROUND_Y_M - above_floor_m, z])
    return c2w


def moving_rig(frames):
    still = orbit_rig([200.0], [40.0], [5.0]).c2w.expand(1, frames, 4, 4)
    moving = torch.stack([orbit_c2w(10.0 * frame, 20, 4.5) for frame in range(frames)])[None]
    return Rig(names=("still", "moving"), c2w=torch.cat([still, moving]), lenses=(Lens(), Lens(35.0, 36.0)))


# Where the subject is


@pytest.mark.parametrize("shape", SHAPES)
def test_the_subject_is_seen_within_a_pixel_of_its_projected_centre(shape):
    draw = random.Random(shape)
    off = []
    for _ in range(24):
        scene = Scene(shape, motion=draw.choice(MOTIONS), heading_deg=draw.uniform(-180, 180), phase=draw.uniform(0, 1))
        rig = orbit_rig([draw.uniform(-180, 180)], [draw.uniform(10, 35)], [draw.uniform(4.5, 6.5)])
        times = [draw.uniform(0, 2)]
        mask = subject_mask(scene, rig, 64, 64, times)[0, 0]
        assert mask[[0, -1]].sum() + mask[:, [0, -1]].sum() == 0, "the motion left the picture"
        pixels, _ = project(scene.subject_centre(times), rig.c2w[0], rig.lenses[0], 64, 64)
        off.append((centroid(mask) - pixels[0]).norm().item())
    assert max(off) < 1


def test_a_placed_subject_and_its_shadow_look_the_same_from_a_camera_that_is_placed_alike():
    # straight above floor without landmarks, where every place looks like the next
    films = [
        render_with_mask(
            Scene("cone", "red", "walking", heading_deg=40, phase=0.2, place_x_m=x, place_z_m=z),
            one_camera(looking_down(x, z, 4.0)),
            48,
            48,
            [0.3],
        )
        for x, z in ((0.0, 5.0), (1.5, 6.5))
    ]
    assert films[0][1].sum() > 50
    for first, second in zip(*films, strict=True):
        # the floor is lit everywhere alike; what rounding moves over an outline is at most a sample of four
        assert (first - second).abs().mean() < 1e-3
        assert ((first - second).abs() > 1e-3).float().mean() < 0.01


def test_a_camera_that_moves_right_sees_the_subject_move_left():
    c2w = orbit_c2w(37, 20, 4.5)
    moved = c2w.clone()
    moved[:3, 3] += 0.5 * c2w[:3, 0]
    before, after = (centroid(subject_mask(Scene(), one_camera(c), 64, 64, [0.0])[0, 0]) for c in (c2w, moved))
    focal = 24 / 23.76 * 64
    assert (after - before).tolist() == pytest.approx([-0.5 * focal / 4.5, 0], abs=0.4)


def test_a_longer_lens_magnifies_the_subject_by_the_ratio_of_focal_lengths():
    areas = [
        subject_mask(Scene(), one_camera(orbit_c2w(0, 10, 8), Lens(focal, 24.0)), 96, 96, [0.0]).sum().item()
        for focal in (24.0, 48.0)
    ]
    assert areas[1] / areas[0] == pytest.approx(4, rel=0.03)


def test_the_mask_is_where_the_picture_differs_from_one_with_another_subject_colour():
    rig = orbit_rig([20.0], [25.0], [4.6])
    red, mask = render_with_mask(Scene(color="red"), rig, 64, 64, [0.0])
    blue = render(Scene(color="blue"), rig, 64, 64, [0.0])
    differs = (red - blue).abs().sum(-1) > 0
    assert not differs[mask == 0].any()
    assert differs[mask > 0].float().mean() > 0.85  # all but the eyes and the beak


# Which way it faces


def eyes(rgb, mask):
    """Pixels of the subject that are nearly black."""
    return (rgb.amax(-1) < 0.12) & (mask == 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("color", COLORS)
def test_the_face_is_seen_from_the_heading_and_not_from_behind(shape, color):
    for heading in (0.0, 75.0, -140.0):
        scene = Scene(shape, color, heading_deg=heading)
        rgb, mask = render_with_mask(scene, orbit_rig([heading, heading + 180], [20.0], [4.6]), 128, 128, [0.0])
        assert eyes(rgb, mask)[0].sum() >= 20
        assert eyes(rgb, mask)[1].sum() == 0


def test_from_the_subjects_left_its_beak_points_left_in_the_picture():
    # facing azimuth 0, seen from azimuth 90: the front, -z, is on the picture's left
    rgb, mask = render_with_mask(Scene(color="blue"), orbit_rig([90.0, -90.0], [10.0], [4.6]), 96, 96, [0.0])
    orange = ((rgb[..., 0] > 2 * rgb[..., 2]) & (mask > 0.99)).float()
    middles = [centroid(view[0])[0].item() for view in mask]
    beaks = [centroid(view[0])[0].item() for view in orange]
    assert beaks[0] < middles[0] - 8
    assert beaks[1] > middles[1] + 8


# Colours


def test_one_ray_to_the_subject_by_hand():
    # From azimuth 90 the middle ray runs along -x at y = 0. A ball on the floor has its centre at y = 0.70 - 0.66, so
    # the ray meets it 0.04 m above its equator, where the normal is (0.9982, -0.0606, 0): turned away from the sun,
    # which stands at azimuth -60. Light there: 0.62 + 0.10 * 0.0606 = 0.62606.
    rgb = render(Scene("ball", "red"), orbit_rig([90.0]), 5, 5, [0.0], supersample=1)[0, 0, 2, 2]
    assert rgb.tolist() == pytest.approx([0.92 * 0.62606, 0.08 * 0.62606, 0.10 * 0.62606], abs=1e-5)


def test_one_ray_to_the_floor_by_hand():
    # 2 m above the middle of the dark disc; haze 2^2 / (2^2 + 14^2) = 0.02 towards the clear sky's horizon
    rgb = render(Scene(), one_camera(looking_down(2.1, 0.2, 2.0)), 1, 1, [0.0], supersample=1)[0, 0, 0, 0]
    dark, horizon = (0.26, 0.28, 0.31), (0.84, 0.90, 0.96)
    assert rgb.tolist() == pytest.approx([d + 0.02 * (h - d) for d, h in zip(dark, horizon, strict=True)], abs=1e-5)


def test_a_pixel_is_the_mean_of_its_rays():
    rig, scene = orbit_rig([0.0, 130.0], [25.0], [4.0]), Scene.random(2)
    fine, fine_mask = render_with_mask(scene, rig, 24, 40, [0.0, 0.7], supersample=1)
    coarse, coarse_mask = render_with_mask(scene, rig, 12, 20, [0.0, 0.7], supersample=2)
    cells = fine.reshape(2, 2, 12, 2, 20, 2, 3)
    torch.testing.assert_close(coarse, cells.mean((3, 5)), atol=1e-5, rtol=0)
    torch.testing.assert_close(coarse_mask, fine_mask.reshape(2, 2, 12, 2, 20, 2).mean((3, 5)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("sky", SKIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_chroma_tells_the_subject_from_everything_else(shape, sky, floor):
    rig = orbit_rig([0.0, 45, 90, 135, 180, 225, 270, 315], [0.0, 20, 40, 10, 30, 15, 25, 35], [4.6])
    for color in COLORS:
        rgb, mask = render_with_mask(Scene(shape, color, floor=floor, sky=sky), rig, 64, 64, [0.0])
        chroma = rgb.amax(-1) - rgb.amin(-1)
        assert chroma[mask == 0].max() < 0.17
        subject = chroma > 0.19
        both, either = (subject & (mask > 0.5)).sum(), (subject | (mask > 0.5)).sum()
        assert both / either > 0.85


def test_the_shadow_falls_away_from_the_sun():
    level = math.hypot(SUN_DIRECTION[0], SUN_DIRECTION[2])
    towards = torch.tensor([SUN_DIRECTION[0] / level, 0, SUN_DIRECTION[2] / level], dtype=torch.float64)
    foot = torch.tensor([0, GROUND_Y_M, 0], dtype=torch.float64)
    rig = orbit_rig([-60.0, 30, 120, 210], [50.0], [5.0])
    for shape in SHAPES:
        rgb, mask = render_with_mask(Scene(shape, heading_deg=120), rig, 128, 128, [0.0])
        for view in range(4):
            seen = []
            for place in (foot - 0.95 * towards, foot + 0.95 * towards):
                (u, v), _ = project(place, rig.c2w[view, 0], rig.lenses[view], 128, 128)
                if mask[view, 0, int(v), int(u)] == 0:
                    seen.append(rgb[view, 0, int(v), int(u)].mean().item())
            if len(seen) == 2:
                assert seen[0] < 0.8 * seen[1]
                break
        else:
            pytest.fail("no camera sees both places")


def test_a_shadow_lies_where_the_line_from_the_sun_through_a_ball_meets_the_floor():
    # 0.5 m up in the air at the top of its bounce; seen from straight above with and without its height
    scene = Scene("ball", "red", "bouncing", phase=0.5)
    centre = scene.subject_centre([0.0])[0]
    sun = torch.tensor(SUN_DIRECTION, dtype=torch.float64)
    on_floor = centre + (GROUND_Y_M - centre[1]) / sun[1] * sun
    rig = one_camera(looking_down(on_floor[0].item(), on_floor[2].item(), 6.0), Lens(48.0, 24.0))
    rgb, mask = render_with_mask(scene, rig, 96, 96, [0.0])
    floor = torch.tensor(FLOORS["concrete"])
    gray_level = (rgb[0, 0] / floor).mean(-1)
    dark = ((gray_level < 0.8) & (rgb[0, 0].amax(-1) > 0.26) & (mask[0, 0] == 0)).float()
    dark[:, 64:] = 0  # the landmarks' side
    assert gray_level[48, 48] < 0.65  # the core of the shadow, in the middle of the picture
    assert dark.sum() > 100


def test_the_floor_tells_the_azimuth():
    # without the subject's help: it is cut out, and the same on all sides
    azimuths = [0.0, 45, 90, 135, 180, 225, 270, 315]
    rgb, mask = render_with_mask(Scene("pillar"), orbit_rig(azimuths, [22.0], [4.6]), 64, 64, [0.0])
    rgb = torch.where((mask > 0).any(0, keepdim=True)[..., None], 0.0, rgb)[:, 0]
    for first in range(8):
        for second in range(first):
            assert (rgb[first] - rgb[second]).abs().mean() > 0.02


# The same pixels, however they are computed


@settings(deadline=None, max_examples=12)
@given(st.integers(200, 20_000), st.integers(0, 1000), st.booleans(), st.integers(1, 3))
def test_the_pixels_do_not_depend_on_how_the_work_is_divided(rays_at_once, seed, moves, supersample):
    rig = moving_rig(5) if moves else orbit_rig([0.0, 77.0, 190.0], [15.0, 35.0, 0.0], [4.0])
    arguments = (Scene.random(seed), rig, 13, 21, frame_times(5))
    whole = render_with_mask(*arguments, supersample=supersample)
    parts = render_with_mask(*arguments, supersample=supersample, rays_at_once=rays_at_once)
    assert torch.equal(whole[0], parts[0])
    assert torch.equal(whole[1], parts[1])


def test_a_view_and_a_frame_look_the_same_alone_as_among_others():
    rig, scene, times = moving_rig(6), Scene.random(8), frame_times(6)
    clip = render(scene, rig, 24, 32, times)
    alone = render(scene, one_camera(rig.c2w[1, 4], rig.lenses[1]), 24, 32, times[4:5])
    assert torch.equal(clip[1, 4], alone[0, 0])


def test_a_rig_of_one_frame_is_the_same_as_the_camera_standing_still():
    rig = orbit_rig([30.0, 100.0], [20.0], [4.0])
    held = Rig(names=rig.names, c2w=rig.c2w.expand(2, 4, 4, 4))
    scene = Scene(motion="circling")
    assert torch.equal(render(scene, rig, 20, 20, frame_times(4)), render(scene, held, 20, 20, frame_times(4)))


def test_pictures_are_the_same_twice_and_leave_the_random_state_alone():
    before = torch.get_rng_state()
    first, second = (render(Scene.random(1), orbit_rig([0.0]), 32, 32, [0.3]) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


# Any camera, any size


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000),
    st.floats(-720, 720),
    st.floats(-90, 90),
    st.floats(0.01, 30) | st.floats(1e3, 1e8),
    st.floats(-180, 180),
    st.integers(1, 33),
    st.integers(1, 33),
    st.floats(0.5, 5000),
)
def test_any_camera_gives_a_picture_within_0_and_1(seed, azimuth, elevation, distance, roll, height, width, focal):
    rig = one_camera(orbit_c2w(azimuth, elevation, distance, roll), Lens(focal, 36.0))
    rgb, mask = render_with_mask(Scene.random(seed), rig, height, width, [0.0, 0.5])
    assert rgb.shape == (1, 2, height, width, 3)
    assert mask.shape == (1, 2, height, width)
    assert rgb.dtype == mask.dtype == torch.float32
    for picture in (rgb, mask):
        assert torch.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_camera_inside_the_subject_looks_out_of_it(shape):
    c2w = torch.eye(4, dtype=torch.float64)
    c2w[:3, 3] = Scene(shape).subject_centre([0.0])[0]
    c2w[:3, :3] = orbit_c2w(90, 0, 1)[:3, :3]  # sideways, past beak and tail
    assert subject_mask(Scene(shape), one_camera(c2w, Lens(50.0, 24.0)), 16, 16, [0.0]).sum() == 0


def test_a_camera_that_looks_away_sees_no_subject():
    c2w = orbit_c2w(0, 0, 3)
    c2w[:3, 3] = -c2w[:3, 3]  # behind the subject, looking on along +z
    assert subject_mask(Scene(), one_camera(c2w), 32, 32, [0.0]).sum() == 0


def test_a_camera_below_the_floor_looks_up_through_it():
    rig = orbit_rig([0.0], [-40.0], [4.0])
    mask = subject_mask(Scene(), rig, 64, 64, [0.0])[0, 0]
    pixels, _ = project(Scene().subject_centre([0.0]), rig.c2w[0], rig.lenses[0], 64, 64)
    assert (centroid(mask) - pixels[0]).norm() < 1


def test_a_telephoto_lens_from_two_kilometres_sees_a_whole_subject():
    near = subject_mask(Scene("cube"), one_camera(orbit_c2w(30, 10, 40), Lens(200.0, 24.0)), 64, 64, [0.0])
    far = subject_mask(Scene("cube"), one_camera(orbit_c2w(30, 10, 2000), Lens(10_000.0, 24.0)), 64, 64, [0.0])
    assert far.sum().item() == pytest.approx(near.sum().item(), rel=0.02)


@pytest.mark.parametrize("name", ["height", "width", "supersample", "rays_at_once"])
def test_a_size_of_0_is_refused(name):
    sizes = {"height": 8, "width": 8, name: 0}
    with pytest.raises(UserError, match=f"'{name}' is 0, but at least 1 is needed"):
        render(Scene(), orbit_rig([0.0]), times=[0.0], **sizes)


def test_a_moving_rig_that_is_too_short_is_refused():
    with pytest.raises(UserError, match="9 frames are asked for, but the cameras of the rig move over 5 frames only"):
        render(Scene(), moving_rig(5), 8, 8, frame_times(9))
