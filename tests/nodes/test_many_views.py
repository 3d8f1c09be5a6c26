"""Couplings, pieces and what is computed once, in the host."""

import sys

import pytest
import torch
from host_wan import TEXTS, TinyWan, empty, noise, poses, sampled, velocities

from syncam_core.view_sync.coupling import COUPLINGS


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "many", seed=3)


def run(model, x):
    return torch.stack(velocities(model, x, 0.6, TEXTS))


def sample(comfy, model, views, **settings):
    return sampled(comfy, model, empty(views), **settings)["samples"]


def test_two_views_are_the_same_bit_for_bit_in_every_coupling(tiny):
    got = [run(tiny.patched(poses(2), coupling=coupling), noise(2)) for coupling in COUPLINGS]
    assert all(torch.equal(other, got[0]) for other in got[1:])


def test_with_four_views_every_coupling_is_another(tiny):
    got = [run(tiny.patched(poses(4), coupling=coupling), noise(4)) for coupling in COUPLINGS]
    for i, one in enumerate(got):
        assert all(not torch.allclose(one, other, atol=1e-3) for other in got[:i])


@pytest.mark.parametrize("coupling", ["nearest", "routed"])
def test_one_group_of_all_views_is_joint(tiny, coupling):
    joint = run(tiny.patched(poses(4)), noise(4))
    assert torch.equal(run(tiny.patched(poses(4), coupling=coupling, group_size=4), noise(4)), joint)


def test_views_in_other_groups_do_not_reach_each_other(tiny):
    """Pairs at one step: what changes in one view reaches its partner only."""
    model = tiny.patched(poses(4), coupling="routed")
    x, changed = noise(4), noise(4)
    changed[3] += 1
    reached = (run(model, x) != run(model, changed)).flatten(2).any(dim=2).any(dim=0)
    assert reached[3]
    assert reached.sum() == 2


def test_routed_groups_follow_the_seed_and_change_between_steps(comfy, tiny):
    model = tiny.patched(poses(4), coupling="routed")
    assert torch.equal(sample(comfy, model, 4), sample(comfy, model, 4))
    met = groups_seen(comfy, model)
    assert len(met) == 3
    assert len(set(met)) == 3
    assert met == groups_seen(comfy, model)


def groups_seen(comfy, model):
    """The groups of each step of a sampling."""
    from comfy.patcher_extension import WrappersMP

    seen = []

    def watch(executor, *args, **kwargs):
        seen.append(args[5]["syncam_view_sync"].inserts[0].groups)
        return executor(*args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    sample(comfy, model, 4)
    return list(dict.fromkeys(seen))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_smallest_pieces_give_what_one_piece_gives(tiny, coupling):
    """8 videos of 768 tokens: pieces of two videos, of one frame of all views, and of 512 tokens in the feed-forward."""
    x = noise(4, frames=3, height=32, width=32)
    low, whole = (run(tiny.patched(poses(4, 3), coupling=coupling, memory=memory), x) for memory in ("low", "whole"))
    if coupling == "joint":  # the others hand the attention other batches, which rounds in another way
        assert torch.equal(low, whole)
    assert (low - whole).abs().max() <= 2e-6 * whole.abs().max()


class Counter:
    """How often submodules are called."""

    def __init__(self, *modules):
        self.calls = [0] * len(modules)
        self.handles = [
            module.register_forward_hook(lambda *_, i=i: self.calls.__setitem__(i, self.calls[i] + 1))
            for i, module in enumerate(modules)
        ]

    def __enter__(self):
        return self.calls

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def test_text_cameras_and_positions_are_worked_out_once_for_a_sampling(comfy, tiny, monkeypatch):
    weights = tiny.weights()
    model = tiny.patched(poses(3), weights=weights)
    block, view_block = model.model.diffusion_model.blocks[1], weights.model.blocks[1]
    patch = sys.modules[f"{comfy.pack.__name__}.nodes.host.view_sync_patch"]
    positions = []
    make = patch.grid_rope
    monkeypatch.setattr(patch, "grid_rope", lambda *sizes: positions.append(sizes) or make(*sizes))
    with Counter(block.cross_attn.k, block.cross_attn.v, view_block.cam_encoder, block.cross_attn.q) as calls:
        sample(comfy, model, 3, steps=4)
    assert calls == [1, 1, 1, 4]
    assert len(positions) == 1


def test_another_sampling_starts_anew(comfy, tiny):
    model = tiny.patched(poses(2))
    with Counter(model.model.diffusion_model.blocks[0].cross_attn.k) as calls:
        first = sample(comfy, model, 2)
        second = sample(comfy, model, 2)
    assert calls == [2]
    assert torch.equal(first, second)


def test_the_output_layer_and_the_projector_are_one_layer(tiny):
    module = tiny.weights().model
    assert not [name for name, _ in module.named_parameters() if ".mvs_attn.o." in name]
    state = tiny.state
    weight = state["blocks.0.projector.weight"].double() @ state["blocks.0.mvs_attn.o.weight"].double()
    bias = state["blocks.0.projector.weight"].double() @ state["blocks.0.mvs_attn.o.bias"].double()
    assert torch.allclose(module.blocks[0].projector.weight.double(), weight, atol=1e-6)
    assert torch.allclose(
        module.blocks[0].projector.bias.double(), bias + state["blocks.0.projector.bias"].double(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"coupling": "star"}, "'coupling' is 'star'; choose joint, anchor, nearest, routed."),
        ({"memory": "much"}, "'memory' is 'much'; choose auto, whole, low."),
        ({"group_size": 1}, "'group_size' is 1; give a number from 2 to 64."),
    ],
)
def test_unknown_choices_are_refused(tiny, inputs, said):
    with pytest.raises(ValueError, match=f"^SynCamApply: {said}$"):
        tiny.patched(poses(2), **inputs)
