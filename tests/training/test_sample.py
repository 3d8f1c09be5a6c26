"""Sampling, against the authors' loop over the plain implementation in float64."""

from itertools import pairwise

import plain_wan
import pytest
import torch
from tiny_training import TEXT_DIM, random_wan, relative_error

from syncam_core.errors import UserError
from syncam_core.training.config import Objective
from syncam_core.training.sample import sample, sigmas
from syncam_core.training.trainee import Trainee
from syncam_core.view_sync.module import within_each_view

SIZE = (4, 6)


@pytest.fixture(scope="module")
def model():
    state, base, view_sync = random_wan(heads=1, dim=128, depth=1)
    return state, Trainee(base, view_sync, Objective())


def inputs(scenes, views, frames=2, words=5):
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(scenes, words, TEXT_DIM, generator=generator)
    negative = torch.randn(words, TEXT_DIM, generator=generator)
    return text, negative, torch.randn(scenes, views, frames, 12, generator=generator)


def noise_of(seed, views, frames=2):
    return torch.randn(views, 16, frames, *SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_noise_levels_go_from_1_to_0_in_the_authors_closed_form(steps):
    expected = [5 * s / (1 + 4 * s) for s in (1 - i / steps for i in range(steps))] + [0.0]
    assert sigmas(steps, 5.0) == pytest.approx(expected)
    assert sigmas(steps, 5.0)[0] == 1
    assert all(a > b for a, b in pairwise(sigmas(steps, 5.0)))
    assert sigmas(steps, 1.0) == pytest.approx([1 - i / steps for i in range(steps + 1)])


def test_one_step_is_the_noise_less_the_guided_velocity(model):
    _, trainee = model
    text, negative, poses = inputs(1, 2)
    out = sample(trainee, text, negative, poses, SIZE, [7], steps=1, guidance=3.0, mixed_precision=False)
    x = noise_of(7, 2)
    time = torch.full((2,), 1000.0)
    with torch.no_grad():
        wanted = trainee.base(x, time, text.expand(2, -1, -1), trainee.view_sync, poses)
        unwanted = trainee.base(x, time, negative.expand(2, -1, -1), trainee.view_sync, poses)
    torch.testing.assert_close(out[0], x - (unwanted + 3 * (wanted - unwanted)), atol=1e-4, rtol=1e-4)


def test_scenes_sampled_together_equal_the_authors_loop_for_each(model):
    state, trainee = model
    text, negative, poses = inputs(2, 2)
    out = sample(trainee, text, negative, poses, SIZE, [3, 4], steps=3, guidance=4.0, shift=5.0, mixed_precision=False)
    assert out.shape == (2, 2, 16, 2, *SIZE)
    for scene, seed in enumerate((3, 4)):
        words, none = text[scene].expand(2, -1, -1), negative.expand(2, -1, -1)
        truth = plain_wan.sample(state, noise_of(seed, 2), words, none, poses[scene], steps=3, cfg=4.0, shift=5.0)
        assert relative_error(out[scene], truth) <= 1e-4


def test_the_noise_depends_on_the_seed_alone(model):
    """A model that predicts nothing leaves the noise as it is."""
    _, trainee = model
    silent = random_wan(heads=1, dim=128, depth=1)[1]
    torch.nn.init.zeros_(silent.head.head.weight)
    torch.nn.init.zeros_(silent.head.head.bias)
    silent = Trainee(silent, trainee.view_sync, Objective())
    text, negative, poses = inputs(3, 2)
    out = sample(silent, text, negative, poses, SIZE, [5, 6, 5], steps=2)
    for scene, seed in enumerate((5, 6, 5)):
        assert torch.equal(out[scene], noise_of(seed, 2))
    torch.manual_seed(77)
    alone = sample(silent, text[1:2], negative, poses[1:2], SIZE, [6], steps=2, mode="off")
    assert torch.equal(alone[0], out[1])


def test_off_is_the_base_alone(model):
    state, trainee = model
    text, negative, poses = inputs(1, 2)
    off = sample(trainee, text, negative, poses, SIZE, [1], steps=2, mode="off", mixed_precision=False)[0]
    words, none = text[0].expand(2, -1, -1), negative.expand(2, -1, -1)
    truth = plain_wan.sample(state, noise_of(1, 2), words, none, None, steps=2, cfg=3.0, shift=5.0)
    assert relative_error(off, truth) <= 1e-4
    full = sample(trainee, text, negative, poses, SIZE, [1], steps=2, mixed_precision=False)[0]
    assert relative_error(off, full) > 1e-2


def test_masked_is_every_view_alone_with_its_camera_and_for_one_view_the_same_as_full(model):
    _, trainee = model
    text, negative, poses = inputs(1, 1)
    one = [sample(trainee, text, negative, poses, SIZE, [1], steps=2, mode=mode) for mode in ("masked", "full")]
    torch.testing.assert_close(*one)

    text, negative, poses = inputs(1, 3)
    masked = sample(trainee, text, negative, poses, SIZE, [1], steps=1, mode="masked", mixed_precision=False)[0]
    x, time = noise_of(1, 3), torch.full((3,), 1000.0)
    with torch.no_grad():
        for view in range(3):
            both = [
                trainee.base(x[[view]], time[:1], words, trainee.view_sync, poses[:, [view]])
                for words in (text, negative[None])
            ]
            expected = x[view] - (both[1] + 3 * (both[0] - both[1]))[0]
            torch.testing.assert_close(masked[view], expected, atol=1e-4, rtol=1e-4)


def test_a_shorter_negative_prompt_is_followed_by_zeros(model):
    _, trainee = model
    text, negative, poses = inputs(1, 2)
    padded = torch.cat([negative[:2], torch.zeros(3, TEXT_DIM)])
    short, long = (sample(trainee, text, n, poses, SIZE, [1], steps=1) for n in (negative[:2], padded))
    assert torch.equal(short, long)


@pytest.mark.parametrize("is_training", [True, False])
def test_sampling_leaves_the_model_in_the_state_it_was_in(model, is_training):
    _, trainee = model
    trainee.train(is_training)
    text, negative, poses = inputs(1, 1)
    out = sample(trainee, text, negative, poses, SIZE, [1], steps=1)
    assert trainee.training == trainee.base.training == is_training
    assert not out.requires_grad


def test_an_unknown_mode_is_refused_with_the_possible_ones(model):
    with pytest.raises(UserError, match="'mode' is 'half'; possible are full, masked, off"):
        sample(model[1], *inputs(1, 1), SIZE, [1], mode="half")


def test_the_mask_is_of_the_views_of_one_scene_each():
    """Two scenes of two views: four groups, none sees another."""
    seen = []

    def attention(q, k, v, heads):
        seen.append(q.shape)
        return v

    tokens = torch.randn(2, 2 * 6, 8)
    assert torch.equal(within_each_view(attention, 2)(tokens, tokens, tokens, 2), tokens)
    assert seen == [(4, 6, 8)]
