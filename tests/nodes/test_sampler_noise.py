"""Which noise the views of SynCamSampler start from, and what it says about sizes that the weights do not know."""

import inspect
import math
import sys

import pytest
import torch
from host_wan import TinyWan, conditioning, empty, random, text

VIEWS, FRAMES, HEIGHT, WIDTH = 3, 2, 4, 6
TEXTS = {"positive": conditioning(text(5, seed=1)), "negative": conditioning(text(5, seed=2))}
SETTINGS = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "seed": 4}


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "noise", seed=3)


def poses(views):
    return torch.stack([random(FRAMES, 12, seed=view) for view in range(views)])


def start_of(comfy, tiny, views=VIEWS, latent=None, **inputs):
    """The latent that the first step sees: at sigma 1 it is the noise itself."""
    from comfy.patcher_extension import WrappersMP

    seen = []

    def watch(executor, x, *args, **kwargs):
        seen.append(x[:views].clone())
        return executor(x, *args, **kwargs)

    model = tiny.patched(poses(views)).clone()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    comfy.run("SynCamSampler", model=model, latent=latent or empty(views), **TEXTS, **(SETTINGS | inputs))
    return seen[0]


def host_noise(views=VIEWS, draws=None):
    import comfy.sample

    return comfy.sample.prepare_noise(empty(views)["samples"], SETTINGS["seed"], draws)


def test_by_default_the_sampler_does_what_the_stock_ksampler_does_bit_for_bit(comfy, tiny):
    model = tiny.patched(poses(VIEWS))
    shifted = comfy.run("ModelSamplingSD3", model=model, shift=5.0)[0]
    for sampler_name in ("euler", "heun", "dpmpp_2m", "uni_pc", "ddim", "euler_ancestral"):
        settings = SETTINGS | {"sampler_name": sampler_name, "denoise": 0.8}
        ours = comfy.run("SynCamSampler", model=model, latent=empty(VIEWS), **TEXTS, **settings)[0]
        stock = comfy.run("KSampler", model=shifted, latent_image=empty(VIEWS), **TEXTS, **settings)[0]
        assert torch.equal(ours["samples"], stock["samples"]), sampler_name


def test_without_the_new_inputs_every_view_has_its_own_noise_of_the_seed(comfy, tiny):
    assert torch.equal(start_of(comfy, tiny), host_noise())
    assert torch.equal(start_of(comfy, tiny, noise="independent", noise_mix=0.9, noise_order="0, 1, 2"), host_noise())
    inputs = inspect.signature(comfy.nodes["SynCamSampler"].execute).parameters
    assert [inputs[name].default for name in ("noise", "noise_mix", "noise_order")] == ["independent", 0.5, ""]


def test_shared_noise_is_the_same_for_all_views(comfy, tiny):
    start = start_of(comfy, tiny, noise="shared")
    assert torch.equal(start[0], start[1])
    assert torch.equal(start[0], start[2])


def test_mixed_noise_is_the_weighted_sum_of_the_shared_and_the_own_draw(comfy, tiny):
    shared, own = start_of(comfy, tiny, noise="shared"), host_noise()
    start = start_of(comfy, tiny, noise="mixed", noise_mix=0.3)
    torch.testing.assert_close(start, math.sqrt(0.3) * shared + math.sqrt(0.7) * own, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("noise", ["independent", "mixed"])
def test_a_reordered_or_extended_rig_keeps_every_cameras_noise(comfy, tiny, noise):
    start = start_of(comfy, tiny, noise=noise)
    assert torch.equal(start_of(comfy, tiny, noise=noise, noise_order="2, 0, 1"), start[[2, 0, 1]])
    longer = start_of(comfy, tiny, views=4, noise=noise, noise_order="3, 0-2")
    assert torch.equal(longer[1:], start)


def test_the_order_goes_before_the_batch_index_of_the_latent(comfy, tiny):
    indexed = {**empty(VIEWS), "batch_index": [5, 6, 7]}
    assert torch.equal(start_of(comfy, tiny, latent=indexed), host_noise(draws=[5, 6, 7]))
    assert torch.equal(start_of(comfy, tiny, latent=indexed, noise_order="0-2"), host_noise())


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"noise": "pink"}, "'noise' is 'pink'"),
        ({"noise_mix": math.nan}, "'noise_mix' is nan"),
        ({"noise_mix": 1.5, "noise": "mixed"}, "'noise_mix' is 1.5"),
        ({"noise_order": "0, 1"}, "'noise_order' names 2 draws, but there are 3 views"),
        ({"noise_order": "0, one, 2"}, "'noise_order' holds 'one'"),
    ],
)
def test_mistakes_are_answered_by_one_sentence(comfy, tiny, inputs, words):
    with pytest.raises(ValueError, match="^SynCamSampler: " + words) as problem:
        start_of(comfy, tiny, **inputs)
    assert "\n" not in str(problem.value)


def test_what_can_be_judged_from_the_text_is_refused_when_queued(comfy):
    node = comfy.nodes["SynCamSampler"]
    assert node.validate_inputs(noise_order="2, 0, 1") is True
    assert node.validate_inputs(noise_order=None) is True
    assert node.validate_inputs(noise_order="x").startswith("SynCamSampler: 'noise_order' holds 'x'")


def test_other_lengths_and_sizes_than_the_weights_know_are_said_in_one_line(comfy):
    import sys

    untrained = sys.modules[comfy.nodes["SynCamSampler"].__module__].untrained
    assert untrained((2, 16, 21, 60, 104), 1536) == ""
    assert untrained((8, 16, 5, 8, 8), 128) == ""
    assert untrained((2, 16, 99, 9, 9), 5120) == "", "nobody knows what weights of another width saw"
    said = untrained((2, 16, 41, 104, 60), 1536)
    assert said.startswith("161 frames of 480 x 832; the weights know 81 of 832 x 480")
    assert "\n" not in said
    assert untrained((2, 16, 5, 6, 8), 128).startswith("17 frames of 64 x 48; the weights know 17 of 64 x 64")


def test_a_shift_gives_the_noise_levels_of_the_hosts_own_node(comfy):
    model = TinyWan(comfy, "shifts").base()
    sampler = sys.modules[comfy.nodes["SynCamSampler"].__module__]
    for shift in (0.5, 1.0, 3.3, 5.0, 8.06):
        theirs = comfy.run("ModelSamplingSD3", model=model, shift=shift)[0].get_model_object("model_sampling")
        ours = sampler.shifted(model, shift).get_model_object("model_sampling")
        assert torch.equal(ours.sigmas, theirs.sigmas)
        sigma = torch.tensor([0.1, 0.7])
        assert torch.equal(ours.timestep(sigma), theirs.timestep(sigma))
        assert getattr(ours, "noise_scale", None) == getattr(theirs, "noise_scale", None)  # hosts before 0.24 have none
        x, noise = torch.ones(2, 1, 1, 1, 1), torch.full((2, 1, 1, 1, 1), 2.0)
        assert torch.equal(ours.noise_scaling(sigma, noise, x), theirs.noise_scaling(sigma, noise, x))
    assert model.get_model_object("model_sampling").shift == 8.0, "the model itself keeps its own"
