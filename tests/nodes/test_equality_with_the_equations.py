"""The patched host model against a second, plain implementation of the published equations."""

import plain_wan
import pytest
import torch
from host_wan import TinyWan, conditioning, relative_error, text, velocities


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "equations")


def random_inputs(views, frames, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(views, 16, frames, height, width, generator=generator)
    return x, torch.randn(views, frames, 12, generator=generator)


@pytest.mark.parametrize(
    ("views", "frames", "height", "width", "sigma"),
    [
        (1, 3, 6, 4, 0.7),
        (2, 1, 8, 8, 1.0),
        (2, 3, 4, 10, 0.93),
        (3, 2, 5, 7, 0.5),
        (4, 4, 6, 4, 0.2),
        (6, 2, 3, 6, 0.05),
    ],
)
def test_velocity_equals_the_equations_for_any_views_grid_length_and_time(tiny, views, frames, height, width, sigma):
    x, poses = random_inputs(views, frames, height, width)
    positive, negative = text(6, seed=1), text(6, seed=2)
    got = velocities(tiny.patched(poses), x, sigma, [negative, positive])
    for velocity, words in zip(got, (negative, positive), strict=True):
        truth = plain_wan.forward(tiny.state, x, 1000 * sigma, words.expand(views, -1, -1), poses)
        assert relative_error(velocity, truth) <= 3e-5


@pytest.mark.parametrize("strength", [0.25, 0.5, 2.0])
def test_strength_scales_what_the_module_adds_in_every_block(tiny, strength):
    x, poses = random_inputs(2, 2, 4, 6)
    words = text(6)
    (got,) = velocities(tiny.patched(poses, strength=strength), x, 0.6, [words])
    truth = plain_wan.forward(tiny.state, x, 600.0, words.expand(2, -1, -1), poses, strength=strength)
    assert relative_error(got, truth) <= 3e-5


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("lengths", [(6, 6, 6), (6, 3, 5)], ids=["stacked", "split"])
def test_conditionings_do_not_touch_each_other_stacked_or_split_in_any_order(tiny, order, lengths):
    x, poses = random_inputs(3, 2, 4, 6)
    texts = [text(length, seed=10 + i) for i, length in enumerate(lengths)]
    got = velocities(tiny.patched(poses), x, 0.6, [texts[i] for i in order])
    for velocity, i in zip(got, order, strict=True):
        truth = plain_wan.forward(tiny.state, x, 600.0, texts[i].expand(3, -1, -1), poses)
        assert relative_error(velocity, truth) <= 3e-5


@pytest.mark.parametrize("steps", [10, 20])
@pytest.mark.parametrize("node_id", ["SynCamSampler", "KSampler"])
def test_sampling_equals_the_authors_loop(comfy, tiny, node_id, steps):
    views, frames, height, width = 2, 2, 4, 6
    _, poses = random_inputs(views, frames, height, width)
    positive, negative = text(6, seed=1), text(6, seed=2)
    settings = {"seed": 7, "steps": steps, "cfg": 5.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    latent = {"samples": torch.zeros(views, 16, frames, height, width)}
    inputs = {"model": tiny.patched(poses), "positive": conditioning(positive), "negative": conditioning(negative)}
    if node_id == "SynCamSampler":
        inputs |= {"latent": latent, "shift": 5.0}
    else:
        inputs["model"] = comfy.run("ModelSamplingSD3", model=inputs["model"], shift=5.0)[0]
        inputs["latent_image"] = latent
    (out,) = comfy.run(node_id, **inputs, **settings)

    noise = torch.randn(latent["samples"].shape, generator=torch.manual_seed(7))
    texts = (words.expand(views, -1, -1) for words in (positive, negative))
    truth = plain_wan.sample(tiny.state, noise, *texts, poses, steps, cfg=5.0, shift=5.0)
    truth = inputs["model"].model.latent_format.process_out(truth)
    assert relative_error(out["samples"], truth) <= 1e-4


def test_views_permuted_with_cameras_and_indices_give_permuted_output(tiny):
    """Permuting the views moves their position codes too, so the equations are asked with the codes put back."""
    x, poses = random_inputs(4, 2, 4, 4)
    words = text(6)
    (straight,) = velocities(tiny.patched(poses), x, 0.4, [words])
    order = [2, 0, 3, 1]
    (moved,) = velocities(tiny.patched(poses[order]), x[order], 0.4, [words])
    assert relative_error(moved, straight[order].double()) > 1e-3, "view indices should matter"

    truth = plain_wan.forward(tiny.state, x[order], 400.0, words.expand(4, -1, -1), poses[order], view_indices=order)
    assert relative_error(truth, straight[order].double()) <= 3e-5
