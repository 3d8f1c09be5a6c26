"""What the world shows: words and sentences, seeds, and the motion of the subject."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncam_core.errors import UserError
from syncam_core.synthetic import (
    COLORS,
    FLOORS,
    GROUND_Y_M,
    MOTIONS,
    PLACE_RADIUS_M,
    SHAPES,
    SKIES,
    VOCABULARY,
    Scene,
    frame_times,
    vocabulary_words,
)

WORDS = {"shape": SHAPES, "color": tuple(COLORS), "motion": MOTIONS, "floor": tuple(FLOORS), "sky": tuple(SKIES)}
scenes = st.builds(
    Scene,
    **{field: st.sampled_from(words) for field, words in WORDS.items()},
    heading_deg=st.floats(-180, 180),
    phase=st.floats(0, 1),
)
places = st.tuples(st.floats(-5, 5), st.floats(-5, 5))


def test_every_scene_is_read_back_from_its_prompt():
    for words in itertools.product(*WORDS.values()):
        scene = Scene(*words)
        assert Scene.from_prompt(scene.prompt()) == scene


def test_a_prompt_consists_of_vocabulary_words_and_no_word_has_two_meanings():
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert len(set(itertools.chain(*WORDS.values()))) == sum(map(len, WORDS.values()))
    for words in itertools.product(*WORDS.values()):
        prompt = Scene(*words).prompt()
        assert vocabulary_words(prompt) == tuple(prompt.split())


def test_a_prompt_in_a_persons_own_words_is_understood():
    text = "Cinematic shot: a VIOLET, shiny sphere jumping happily on the lawn; sunset!"
    assert Scene.from_prompt(text) == Scene("ball", "purple", "bouncing", "grass", "pink")


@pytest.mark.parametrize("text", ["", "a dog on a skateboard", "ballroom bluegrass", "\x00 红色的球"])
def test_unknown_words_are_ignored_and_leave_the_default(text):
    assert Scene.from_prompt(text) == Scene()


def test_of_two_colours_the_first_counts():
    assert Scene.from_prompt("a green cube beside a red ball").color == "green"
    assert Scene.from_prompt("a green cube beside a red ball").shape == "cube"


@given(scenes, scenes)
def test_what_a_prompt_leaves_open_comes_from_the_base(wanted, base):
    read = Scene.from_prompt(wanted.prompt(), base)
    assert read.prompt() == wanted.prompt()
    for free in ("heading_deg", "phase", "place_x_m", "place_z_m"):
        assert getattr(read, free) == getattr(base, free)
    assert Scene.from_prompt("", base) == base


def test_the_same_seed_draws_the_same_scene_and_another_seed_another():
    assert Scene.random(5) == Scene.random(5)
    assert len({Scene.random(seed) for seed in range(-50, 50)}) == 100


def test_random_places_are_spread_evenly_over_a_disc():
    drawn = [Scene.random(seed) for seed in range(3000)]
    x, z = (torch.tensor([getattr(scene, name) for scene in drawn]) for name in ("place_x_m", "place_z_m"))
    away = torch.hypot(x, z)
    assert PLACE_RADIUS_M == 0.6
    assert away.max() <= 0.6
    sigma = math.sqrt(0.25 / len(drawn))
    for share in (0.25, 0.5, 0.75):  # of the area, within the root of it times the radius
        assert (away < 0.6 * math.sqrt(share)).float().mean().item() == pytest.approx(share, abs=5 * sigma)
    for side in (x > 0, z > 0, x > z, x > -z):
        assert side.float().mean().item() == pytest.approx(0.5, abs=5 * sigma)


def test_a_random_place_depends_on_no_word():
    drawn = [Scene.random(seed) for seed in range(3000)]
    for shape in SHAPES:
        x = torch.tensor([scene.place_x_m for scene in drawn if scene.shape == shape])
        assert x.mean().abs() < 5 * 0.3 / math.sqrt(len(x)), "the mean of x is 0, its deviation half the radius"


def test_a_seed_keeps_its_scene_across_machines_and_versions():
    scene = Scene.random(0)
    assert scene.prompt() == "a yellow cone bouncing on sand under a pink sky"
    assert (scene.heading_deg, scene.phase) == pytest.approx((43.4524120528, 0.1030334544), abs=1e-9)


def test_seeds_draw_every_word_equally_often():
    drawn = [Scene.random(seed) for seed in range(3000)]
    for field, words in WORDS.items():
        for word in words:
            share = sum(getattr(scene, field) == word for scene in drawn) / len(drawn)
            # five standard deviations
            assert share == pytest.approx(1 / len(words), abs=5 * math.sqrt(0.25 / len(drawn)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", "dog"),
        ("color", "Red"),
        ("sky", ""),
        ("phase", math.nan),
        ("place_x_m", math.inf),
        ("place_z_m", math.nan),
        ("place_z_m", True),
        ("place_x_m", "0"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_with_the_value_and_what_is_possible(field, value):
    with pytest.raises(UserError, match=f"the scene has {field} {value!r}"):
        Scene(**{field: value})


@pytest.mark.parametrize("times", [[], [math.nan], [[0.0]]])
def test_times_that_are_no_list_of_seconds_are_refused(times):
    with pytest.raises(UserError, match="frame times need a list of finite seconds"):
        Scene().subject_centre(times)


def test_frame_times_begin_at_0_and_are_evenly_spaced():
    assert frame_times(3, 4).tolist() == [0, 0.25, 0.5]


@settings(deadline=None)
@given(scenes, st.floats(0, 100))
def test_the_subject_stays_near_the_origin_and_above_the_floor(scene, start):
    centre = scene.subject_centre(start + frame_times(17))
    assert (centre[:, [0, 2]].norm(dim=1) <= 0.7 + 1e-9).all(), "without a place of its own"
    on_floor = Scene(scene.shape).subject_centre([0.0])[0, 1]
    assert (centre[:, 1] <= on_floor + 1e-9).all()
    assert (centre[:, 1] >= on_floor - 0.5 - 1e-9).all()
    assert on_floor < GROUND_Y_M


@settings(deadline=None)
@given(scenes, places, st.floats(0, 100))
def test_a_place_moves_the_subject_by_exactly_that_and_turns_nothing(scene, place, start):
    times = start + frame_times(5)
    placed = replace(scene, place_x_m=place[0], place_z_m=place[1])
    moved = placed.subject_centre(times) - scene.subject_centre(times)
    expected = torch.tensor([place[0], 0, place[1]], dtype=torch.float64).expand(5, 3)
    torch.testing.assert_close(moved, expected, atol=1e-12, rtol=0)
    assert torch.equal(placed.subject_front(times), scene.subject_front(times))
    assert placed.prompt() == scene.prompt()


@settings(deadline=None)
@given(scenes)
def test_no_motion_is_faster_than_two_pixels_of_64_a_frame(scene):
    steps = scene.subject_centre(frame_times(81)).diff(dim=0).norm(dim=1)
    assert steps.max() <= 0.13
    assert scene.subject_heading_deg(frame_times(81)).diff().abs().max() <= 9 + 1e-9


@settings(deadline=None)
@given(scenes)
def test_motions_come_back_to_where_they_began(scene):
    seconds = torch.arange(4, dtype=torch.float64)
    for truth in (scene.subject_centre, scene.subject_front):
        torch.testing.assert_close(truth(seconds + 10), truth(seconds), atol=1e-9, rtol=0)


@settings(deadline=None)
@given(scenes)
def test_the_front_is_the_horizontal_direction_of_the_heading(scene):
    times = frame_times(9)
    front = scene.subject_front(times)
    for heading, (x, y, z) in zip(scene.subject_heading_deg(times).tolist(), front.tolist(), strict=True):
        expected = (math.sin(math.radians(heading)), 0, -math.cos(math.radians(heading)))
        assert (x, y, z) == pytest.approx(expected, abs=1e-12)


@given(st.floats(-180, 180), st.floats(0, 1))
def test_a_circling_subject_moves_where_it_looks(heading, phase):
    scene = Scene(motion="circling", heading_deg=heading, phase=phase)
    velocity = (scene.subject_centre([1.0001]) - scene.subject_centre([0.9999]))[0]
    front = scene.subject_front([1.0])[0]
    assert torch.dot(velocity / velocity.norm(), front).item() == pytest.approx(1, abs=1e-6)


@given(st.floats(-180, 180), st.floats(0, 1))
def test_a_walking_subject_keeps_to_the_line_of_its_front(heading, phase):
    scene = Scene(motion="walking", heading_deg=heading, phase=phase)
    centre, front = scene.subject_centre(frame_times(40)), scene.subject_front(frame_times(40))
    across = centre[:, 0] * front[:, 2] - centre[:, 2] * front[:, 0]
    assert across.abs().max() < 1e-9
    assert (front == front[0]).all()
    assert (centre * front).sum(1).max() - (centre * front).sum(1).min() > 1.3
