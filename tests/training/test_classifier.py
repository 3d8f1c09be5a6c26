"""The classifier that the gate asks: what it learns from rendered truth, and that it learns nothing it will be asked."""

from __future__ import annotations

import itertools

import pytest
import torch

from syncam_core.metrics.recognition import ATTRIBUTES, MOMENTS, SIDE, prepare
from syncam_core.synthetic import frame_times, render
from syncam_core.training import classifier as subject
from syncam_core.training.classifier import ClassifierConfig, rendered_clips, spoiled, train_classifier
from syncam_core.training.held_out import PLACE_RADII_M, held_out_scene


def small(**changes):
    return ClassifierConfig(
        **{"file": "x", "scenes": 10, "views": 2, "test_scenes": 2, "epochs": 1, "batch": 8, **changes}
    )


def test_clips_are_rendered_truth_with_their_scenes_words():
    config = small(world=2, scenes=3)
    clips, labels = rendered_clips(config)
    assert clips.shape == (6, 3 * MOMENTS, SIDE, SIDE)
    for number in range(3):
        scene, rig = held_out_scene(number, 2, subject.TRAINING_SEED, PLACE_RADII_M[2], 2)
        wanted = prepare(render(scene, rig, SIDE, SIDE, frame_times(17)))  # all frames, of which it takes some
        assert ((clips[2 * number : 2 * number + 2] / 127.5 - 1) - wanted).abs().max() < 0.005
        for name, words in ATTRIBUTES.items():
            assert [words[i] for i in labels[name][2 * number : 2 * number + 2].tolist()] == [getattr(scene, name)] * 2


def test_no_scene_of_a_gate_is_among_those_it_learns_or_is_tested_on():
    def scenes(seed, count):
        return {held_out_scene(number, 2, seed)[0] for number in range(count)}

    gates = [scenes(seed, 64) for seed in range(4)]
    learned, tested = scenes(subject.TRAINING_SEED, 300), scenes(subject.HELD_OUT_SEED, 128)
    for one, other in itertools.combinations([*gates, learned, tested], 2):
        assert not one & other


def test_it_learns_what_is_easy_from_little():
    _, before = train_classifier(small(scenes=2, test_scenes=12))
    _, after = train_classifier(small(scenes=48, test_scenes=12, epochs=10, batch=12))
    assert after["color"].value > 0.7  # chance is 1 / 5
    assert after["color"].value > before["color"].value + 0.25
    assert after["all"].value <= min(after[name].value for name in ATTRIBUTES)


def test_the_same_configuration_gives_the_same_classifier():
    (one, _), (two, _) = (train_classifier(small(scenes=4)) for _ in range(2))
    (other, _) = train_classifier(small(scenes=4, seed=1))
    clips = torch.rand(2, 3 * MOMENTS, SIDE, SIDE)
    assert torch.equal(one(clips)["shape"], two(clips)["shape"])
    assert not torch.equal(one(clips)["shape"], other(clips)["shape"])


def test_spoiling_moves_and_softens_but_keeps_the_colours():
    torch.manual_seed(4)
    clips = torch.zeros(2, 3 * MOMENTS, SIDE, SIDE)
    clips[..., 20:30, 20:30] = 1.0
    for _ in range(5):
        seen = spoiled(clips, small(noise=0.0))
        assert seen.shape == clips.shape
        assert seen.mean() == pytest.approx(clips.mean().item(), rel=1e-4)  # neither blur nor a shift loses light
        assert seen[0, 0, 25, 25] == pytest.approx(1.0, abs=0.01)
    assert spoiled(clips, small(noise=0.5)).std() > clips.std()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="'world' is 7; possible are 1, 2"):
        small(world=7)
    with pytest.raises(ValueError, match="'epochs' is 0"):
        small(epochs=0)
