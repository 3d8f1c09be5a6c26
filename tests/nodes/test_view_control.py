"""Strength, range and blocks per view: each view is as if all had its numbers, where blocks allow to see it."""

import re
from pathlib import Path

import pytest
import torch
from host_wan import TEXTS, TinyWan, noise, poses, text, velocities, write_view_sync

from syncam_core.view_sync.control import ViewControl, view_control

LAST_BLOCK = "1"  # of two: what it adds to a view reaches no other


class LoadedWan(TinyWan):
    """Files read once: every patch is a clone of the same base and shares its weights, as in a workflow."""

    def __init__(self, *names, **sizes):
        super().__init__(*names, **sizes)
        self.loaded = super().base(), super().weights()

    def base(self):
        return self.loaded[0]

    def weights(self):
        return self.loaded[1]


@pytest.fixture(scope="module")
def tiny(comfy):
    return LoadedWan(comfy, "control", seed=6)


def run(model, views, sigma=0.6, texts=TEXTS):
    return torch.stack(velocities(model, noise(views), sigma, texts))


def controlled(comfy, tiny, views, strengths="1.0", starts="0", ends="1", blocks="", **apply):
    (control,) = comfy.run("SynCamViewControl", strengths=strengths, starts=starts, ends=ends, blocks=blocks)
    return tiny.patched(poses(views), control=control, **apply)


def test_the_node_gives_what_the_texts_say(comfy):
    (control,) = comfy.run("SynCamViewControl", strengths="1, 0.5", starts="0", ends="1, 0.5", blocks="0-1")
    assert vars(control) == vars(view_control("1, 0.5", "0", "1, 0.5", "0-1"))
    (control,) = comfy.run("SynCamViewControl", strengths="1.0", starts="0", ends="1", blocks="")
    assert vars(control) == vars(ViewControl())


def test_as_it_stands_it_changes_nothing_bit_for_bit(comfy, tiny):
    plain = run(tiny.patched(poses(2)), 2)
    assert torch.equal(run(controlled(comfy, tiny, 2), 2), plain)
    assert torch.equal(run(controlled(comfy, tiny, 2, "1, 1", "0, 0", "1", "0-1"), 2), plain)


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[::-1], [TEXTS[0], text(9)]], ids=["stacked", "turned", "split"])
@pytest.mark.parametrize("strengths", ["1, 0", "0, 1", "0.5, 2, 0", "0, 0.25, 1, 2"])
def test_every_view_receives_its_own_strength_in_every_chunk(comfy, tiny, texts, strengths):
    numbers = [float(number) for number in strengths.split(",")]
    views = len(numbers)
    got = run(controlled(comfy, tiny, views, strengths, blocks=LAST_BLOCK), views, texts=texts)
    for view, number in enumerate(numbers):
        alike = run(controlled(comfy, tiny, views, str(number), blocks=LAST_BLOCK), views, texts=texts)
        torch.testing.assert_close(got[:, view], alike[:, view], rtol=1e-5, atol=1e-5)
        others = [other for other in range(views) if other != view]
        assert not torch.allclose(got[:, others], alike[:, others], atol=1e-3)


@pytest.mark.parametrize("views", [2, 3])
def test_a_view_of_strength_0_is_the_plain_models_while_the_others_look_at_it(comfy, tiny, views):
    strengths = ", ".join(["0", *["1"] * (views - 1)])
    led = run(controlled(comfy, tiny, views, strengths), views)
    plain = run(tiny.base(), views)
    torch.testing.assert_close(led[:, 0], plain[:, 0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(led[:, 1:], plain[:, 1:], atol=1e-3)

    x = noise(views)
    x[0] += 0.5
    moved = torch.stack(velocities(controlled(comfy, tiny, views, strengths), x, 0.6, TEXTS))
    assert not torch.allclose(moved[:, 1:], led[:, 1:], atol=1e-3), "the others follow view 0"


def test_strengths_multiply_the_strength_of_apply(comfy, tiny):
    half = run(tiny.patched(poses(2), strength=0.5), 2)
    torch.testing.assert_close(run(controlled(comfy, tiny, 2, "0.5"), 2), half, rtol=1e-5, atol=1e-5)
    both = run(controlled(comfy, tiny, 2, "0.25, 0.25", strength=2.0), 2)
    torch.testing.assert_close(both, half, rtol=1e-5, atol=1e-5)
    assert torch.equal(run(controlled(comfy, tiny, 2, "2", strength=0.0), 2), run(tiny.base(), 2))


def test_strength_0_for_all_views_is_the_plain_model_bit_for_bit(comfy, tiny):
    assert torch.equal(run(controlled(comfy, tiny, 3, "0"), 3), run(tiny.base(), 3))
    assert torch.equal(run(controlled(comfy, tiny, 3, "0, 0, 0"), 3), run(tiny.base(), 3))


@pytest.mark.parametrize(
    ("starts", "ends", "sigma", "on"),
    [
        # At shift 8, Wan's default, sigma 0.889 is half of the way.
        ("0, 0.6", "1", 0.889, (1, 0)),
        ("0, 0.6", "1", 0.6, (1, 1)),
        ("0", "0.4, 1, 0.6", 0.889, (0, 1, 1)),
        ("0.6, 0, 0.4", "1, 0.3, 0.6", 0.889, (0, 0, 1)),
    ],
)
def test_every_view_has_its_own_range(comfy, tiny, starts, ends, sigma, on):
    views = len(on)
    got = run(controlled(comfy, tiny, views, starts=starts, ends=ends), views, sigma)
    alike = run(controlled(comfy, tiny, views, ", ".join(map(str, on))), views, sigma)
    assert torch.equal(got, alike)


def test_the_range_of_apply_bounds_those_of_the_views(comfy, tiny):
    assert torch.equal(run(controlled(comfy, tiny, 2, end_percent=0.4), 2, sigma=0.889), run(tiny.base(), 2, 0.889))


def test_a_block_that_is_not_named_is_the_plain_models(comfy, tiny):
    silent = {k: torch.zeros_like(v) if k.startswith("blocks.1.projector") else v for k, v in tiny.state.items()}
    file = write_view_sync(silent, Path(comfy.folders.models_dir) / "syncam" / "second_block_silent.safetensors")
    (weights,) = comfy.run("SynCamLoadWeights", weights_name=file.name)
    first_block_only = run(tiny.patched(poses(2), weights=weights), 2)
    assert torch.equal(run(controlled(comfy, tiny, 2, blocks="0"), 2), first_block_only)
    assert not torch.allclose(run(controlled(comfy, tiny, 2, blocks="1"), 2), first_block_only, atol=1e-3)
    assert torch.equal(run(controlled(comfy, tiny, 2, blocks="0-1"), 2), run(tiny.patched(poses(2)), 2))


@pytest.mark.parametrize("coupling", ["anchor", "nearest", "routed"])
def test_it_works_with_every_coupling(comfy, tiny, coupling):
    views = 4
    inputs = {"coupling": coupling, "group_size": 2, "blocks": LAST_BLOCK}
    got = run(controlled(comfy, tiny, views, "0, 1, 0.5, 2", **inputs), views)
    for view, number in enumerate((0, 1, 0.5, 2)):
        alike = run(controlled(comfy, tiny, views, str(number), **inputs), views)
        torch.testing.assert_close(got[:, view], alike[:, view], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"strengths": "1, 1, 1"}, "SynCamApply: 'strengths' lists 3 numbers, but there are 2 views"),
        ({"ends": "1, 0.5, 1"}, "SynCamApply: 'ends' lists 3 numbers, but there are 2 views"),
        ({"blocks": "0-2"}, "SynCamApply: 'blocks' names block 2, but the model has 2"),
        ({"strengths": "much"}, "SynCamViewControl: 'strengths' holds 'much'"),
        ({"starts": "0.9", "ends": "0.1"}, "SynCamViewControl: 'starts' holds 0.9 for a view whose number in 'ends'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_sampling(comfy, tiny, texts, says):
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        controlled(comfy, tiny, 2, **texts)
    assert str(caught.value).startswith(says)
    assert str(caught.value).endswith(".")
