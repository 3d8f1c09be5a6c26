"""The score on films of the procedural world, whose truth is known, and on what is known to be wrong."""

from __future__ import annotations

import functools
import json
import math
import random

import pytest
import torch
from scipy import ndimage

from syncam_core.cameras import Rig, orbit_c2w, orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics import (
    NoSubject,
    control_takes,
    demo_reference_c2w,
    mixed_seeds,
    score_scene,
    score_scenes,
    shuffled_cameras,
    unrelated_scenes,
)
from syncam_core.metrics.azimuth import camera_azimuths_deg
from syncam_core.metrics.picture import score_picture
from syncam_core.synthetic import Scene, frame_times, render

TIMES = frame_times(9)


def demo_rig(seed, views=4):
    draw = random.Random(seed)
    others = range(views - 1)
    return orbit_rig(
        [0.0, *(draw.uniform(-180, 180) for _ in others)],
        [20.0, *(draw.uniform(8, 35) for _ in others)],
        [5.0, *(draw.uniform(4.5, 5.5) for _ in others)],
    )


@functools.cache
def film(seed, views=4):
    return render(Scene.random(seed), demo_rig(seed, views), 64, 64, TIMES)


def damaged(video, seed=0):
    noise = 0.04 * torch.randn(video.shape, generator=torch.Generator().manual_seed(seed))
    return (torch.from_numpy(ndimage.gaussian_filter(video.numpy(), (0, 0, 1.5, 1.5, 0))) + noise).clamp(0, 1)


def median_of(scores, name):
    return torch.tensor([getattr(score, name) for score in scores]).median().item()


@pytest.mark.parametrize("views", [2, 4, 6])
def test_rendered_truth_agrees_with_itself_and_its_cameras(views):
    scores = score_scenes((film(seed, views), demo_rig(seed, views)) for seed in range(8))
    assert median_of(scores, "reprojection_px") < 0.35
    assert median_of(scores, "epipolar_px") < 0.4
    for score in scores:
        assert (score.views, score.frames, score.width, score.height) == (views, 9, 64, 64)
        assert score.located == 1
        assert score.reprojection_share == pytest.approx(score.reprojection_px / 64)
        assert score.azimuth_deg <= 1
        assert score.azimuth_pair_deg <= 1
        assert score.is_demo_world


def test_truth_through_blur_and_noise_is_still_close_to_truth():
    scores = score_scenes((damaged(film(seed)), demo_rig(seed)) for seed in range(8))
    assert median_of(scores, "reprojection_px") < 0.6
    for score in scores:
        assert score.azimuth_deg <= 2
        assert max(map(abs, score.azimuth_errors_deg)) <= 5
        assert score.is_demo_world


def test_every_control_is_clearly_worse_than_truth():
    rows = {}
    for seed in range(8):
        scene, rig = Scene.random(seed), demo_rig(seed)
        others = [
            render(Scene.from_prompt(scene.prompt(), Scene.random(1000 * k + seed)), rig, 64, 64, TIMES)
            for k in range(1, 4)
        ]
        for name, take in control_takes(scene, rig, [film(seed), *others], TIMES, seed).items():
            rows.setdefault(name, []).append(take)
    scores = {name: score_scenes(takes) for name, takes in rows.items()}
    assert set(scores) == {
        "rendered truth",
        "generated",
        "views of different seeds",
        "shuffled cameras",
        "unrelated scenes",
    }
    truth = median_of(scores["rendered truth"], "reprojection_px")
    assert median_of(scores["generated"], "reprojection_px") == truth
    for name in ("views of different seeds", "shuffled cameras", "unrelated scenes"):
        assert median_of(scores[name], "reprojection_px") > 5 * truth
        assert median_of(scores[name], "epipolar_px") > 5 * truth
    assert median_of(scores["shuffled cameras"], "azimuth_deg") > 30
    assert median_of(scores["unrelated scenes"], "azimuth_deg") <= 1, "the cameras are right, the world is another"


@pytest.mark.parametrize("turn", [-150.0, -40.0, 25.0, 90.0])
def test_a_world_filmed_from_another_side_has_that_azimuth_error(turn):
    asked = orbit_rig([0.0, 60.0, -100.0], [20.0, 15.0, 30.0], [5.0, 4.6, 5.3])
    filmed = orbit_rig([turn, 60.0 + turn, -100.0], [20.0, 15.0, 30.0], [5.0, 4.6, 5.3])
    score = score_scene(damaged(render(Scene.random(1), filmed, 64, 64, TIMES)), asked)
    assert score.azimuth_errors_deg == pytest.approx((turn, turn, 0), abs=5)
    assert score.azimuth_deg == pytest.approx(abs(turn), abs=5)
    assert score.azimuth_pair_deg == pytest.approx(abs(turn), abs=5), "two of three pairs are off"
    assert score.requested_azimuths_deg == pytest.approx((0, 60, -100))


def test_the_error_between_two_views_goes_the_short_way_round():
    """One view is seen 170 degrees too far to the right, the other 170 to the left: 20 degrees apart, not 340."""
    asked, shown = orbit_rig([-170, -150], [20, 15], [5, 5]), orbit_rig([0, 40], [20, 15], [5, 5])
    score = score_scene(render(Scene.random(3), shown, 64, 64, TIMES), asked)
    assert score.azimuth_errors_deg == pytest.approx((170, -170), abs=5)
    assert score.azimuth_pair_deg == pytest.approx(20, abs=5)


def test_azimuths_of_cameras_are_those_of_the_orbit():
    rig = orbit_rig([-170.0, -90, 0, 35, 180], [10.0], [4.0])
    assert camera_azimuths_deg(rig.c2w[:, 0]).tolist() == pytest.approx([-170, -90, 0, 35, 180])


def test_with_a_reference_only_poses_relative_to_camera_0_count():
    rig, video = demo_rig(5), film(5)
    elsewhere = torch.eye(4, dtype=torch.float64)
    elsewhere[:3, :3] = orbit_c2w(50, 10, 1)[:3, :3]
    elsewhere[:3, 3] = torch.tensor([3.0, -2.0, 9.0])
    moved = Rig(names=rig.names, c2w=elsewhere @ rig.c2w)
    expected, got = (score_scene(video, r, reference_c2w=demo_reference_c2w()) for r in (rig, moved))
    assert got.azimuth_errors_deg == pytest.approx(expected.azimuth_errors_deg, abs=1e-6)  # degrees
    assert got.reprojection_px == pytest.approx(expected.reprojection_px, abs=1e-6)
    assert expected == score_scene(video, rig), "this rig stands at the reference already"


def test_moving_cameras_and_wide_pictures_are_scored_as_well():
    frames = 7
    # each at its own speed: turned together, they would see the same clip of a turned world
    moves = ((0, 5), (130, -7), (-80, 0))
    c2w = torch.stack([torch.stack([orbit_c2w(a + step * f, 20, 5.5) for f in range(frames)]) for a, step in moves])
    rig = Rig(names=("a", "b", "c"), c2w=c2w)
    video = render(Scene("cube", "green", place_x_m=0.4), rig, 60, 104, frame_times(frames))
    score = score_scene(video, rig)
    assert score.located == 1
    assert score.reprojection_share < 0.01
    assert score.azimuth_deg <= 1
    assert len(score.per_frame_px) == frames
    frozen = Rig(names=rig.names, c2w=c2w[:, :1])
    assert score_scene(video, frozen).per_frame_px[-1] > 4 * score.per_frame_px[-1]


def test_the_error_of_a_view_that_is_shifted_is_known():
    # Four cameras, one shown 8 px too far to the right: it is off by most of that, and the others take the rest.
    rig, video = orbit_rig([0.0, 90, 180, 270], [20.0], [5.0]), None
    video = render(Scene("ball", "red"), rig, 64, 64, TIMES)
    video[0] = video[0].roll(8, dims=2)
    score = score_scene(video, rig)
    mean = torch.tensor(score.per_frame_px)
    assert (mean > 2).all()
    assert (mean < 8).all()


def test_frames_and_views_without_a_subject_lower_the_located_share_only():
    video = film(2).clone()
    video[1, :3] = 0.55
    score = score_scene(video, demo_rig(2))
    assert score.located == pytest.approx(1 - 3 / 36)
    assert score.reprojection_px < 0.6
    video[:, 0] = 0.55
    score = score_scene(video, demo_rig(2))
    assert math.isnan(score.per_frame_px[0])
    assert score.to_json()["per_frame_px"][0] is None
    json.dumps(score.to_json(), allow_nan=False)


def test_a_clip_without_a_subject_is_refused_alone_and_counts_as_lost_among_others():
    empty = torch.full_like(film(0), 0.55)
    with pytest.raises(NoSubject, match=r"no frame shows a strongly coloured subject in two views \(0 of 36 pictures"):
        score_scene(empty, demo_rig(0))
    (score,) = score_scenes([(empty, demo_rig(0))])
    assert (score.located, score.reprojection_px, score.reprojection_share, score.epipolar_px) == (0, 64, 1, 64)


def test_a_background_of_another_world_is_named():
    video = torch.full((2, 3, 64, 64, 3), 0.1)
    video[..., 25:40, 20:40, :] = torch.tensor([0.9, 0.1, 0.1])
    score = score_scene(video, demo_rig(0, 2))
    assert not score.is_demo_world
    assert "azimuth error       not measured" in score.to_text()
    assert f"reprojection error  {score.reprojection_px:.2f} px" in score.to_text()


def with_nan():
    video = film(0).clone()
    video[2, 4, 10, 10, 1] = math.nan
    return video


@pytest.mark.parametrize(
    ("video", "rig", "sentence"),
    [
        (film(0), demo_rig(0, 3), "there are 4 views but the rig has 3 cameras"),
        (film(0)[:1], demo_rig(0, 4).select([0]), "there is one view only"),
        (with_nan(), demo_rig(0), "view 3 holds pixels that are not numbers"),
        (film(0)[0], demo_rig(0), "the views are 9 x 64 x 64 x 3, but views x frames x height x width x 3"),
        (film(0)[:, :0], demo_rig(0), "the views are 4 x 0 x 64"),
        ([film(0)[0], film(0)[1, :4]], demo_rig(0, 2), "view 1 is 9 x .* and view 2 is 4 x .*need the same frames"),
        ([], demo_rig(0), "there are no views"),
        (film(0)[:2], Rig(names=("a", "b"), c2w=orbit_c2w(0, 20, 5).expand(2, 1, 4, 4)), "all cameras .* at one place"),
        (film(0)[:2], Rig(names=("a", "b"), c2w=demo_rig(0, 2).c2w.expand(2, 5, 4, 4)), "9 frames.*5 frames only"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_sentence(video, rig, sentence):
    for function in (score_scene, score_picture):
        if "one place" in sentence and function is score_picture:
            continue
        with pytest.raises(UserError, match=sentence) as problem:
            function(video, rig)
        assert str(problem.value).endswith(".")


# Controls


def test_mixed_seeds_takes_each_view_from_the_next_sample():
    samples = [torch.full((5, 1, 2, 2, 3), float(k)) for k in range(3)]
    assert mixed_seeds(samples)[:, 0, 0, 0, 0].tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(UserError, match="at least 2 samples, but there are 1"):
        mixed_seeds(samples[:1])
    with pytest.raises(UserError, match="samples of one shape"):
        mixed_seeds([samples[0], samples[1][:2]])


def test_shuffled_cameras_leave_no_view_its_own():
    rig = demo_rig(0)
    shuffled = shuffled_cameras(rig)
    assert sorted(shuffled.names) == sorted(rig.names)
    assert all(a != b for a, b in zip(shuffled.names, rig.names, strict=True))


def test_unrelated_scenes_are_sharp_films_of_one_prompt_that_share_nothing_else():
    scene, rig = Scene.random(4), demo_rig(4)
    video = unrelated_scenes(scene, rig, 64, 64, TIMES, seed=1)
    assert torch.equal(video, unrelated_scenes(scene, rig, 64, 64, TIMES, seed=1))
    assert not torch.equal(video, unrelated_scenes(scene, rig, 64, 64, TIMES, seed=2))
    truth = film(4)
    assert (video[:, :, :6] - truth[:, :, :6]).abs().mean() < 0.01, "the same sky and hills above"
    assert all((a - b).abs().mean() > 0.005 for a, b in zip(video, truth, strict=True))


# The picture


def test_the_picture_has_a_row_per_view_and_shows_what_agrees():
    rig, video = demo_rig(3), film(3)
    picture = score_picture(video, rig)
    assert picture.shape == (4 * 324 - 4, 3 * 324 - 4, 3)
    assert picture.min() >= 0
    assert picture.max() <= 1
    wrong = score_picture(unrelated_scenes(Scene.random(3), rig, 64, 64, TIMES), rig)
    # the cross covers the dot where the views agree, and uncovers its view's colour where they do not
    dots = []
    for sheet in (picture, wrong):
        ink = torch.tensor([int(rig.colors[3][i : i + 2], 16) / 255 for i in (1, 3, 5)])
        dots.append(((sheet[3 * 324 :, :320] - ink).abs().amax(-1) < 0.02).sum().item())
    assert dots[1] > dots[0] > 0


def test_the_picture_of_many_views_or_few_frames_stays_of_a_size_to_look_at():
    rig = orbit_rig([360.0 / 40 * k for k in range(40)], [20.0], [5.0])
    video = render(Scene(), rig, 32, 32, [0.0])
    picture = score_picture(video, rig)
    assert picture.shape == (40 * 100 - 4, 96, 3)
