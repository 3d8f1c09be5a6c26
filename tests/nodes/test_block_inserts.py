"""The seam of a block: another module than view synchronization is an insert, too, and the block stays one.

The second module here is ReCamMaster's: a camera embedding of each frame is added to what self-attention looks at, and a
projector stands behind self-attention's output, before the gate.
"""

import sys
from functools import partial

import pytest
import torch
from host_abilities import need
from host_wan import TinyWan, text, velocities
from torch import nn

VIEWS, FRAMES, HEIGHT, WIDTH, DIM = 2, 3, 4, 6, 256
GRID = (FRAMES, HEIGHT // 2, WIDTH // 2)
TEXTS = [text(5, seed=1), text(5, seed=2)]


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "inserts", seed=7)


@pytest.fixture(scope="module")
def block(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.host.wan_block"]


@pytest.fixture(scope="module")
def cache(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.host.sampling_cache"]


@pytest.fixture
def x():
    return torch.randn(VIEWS, 16, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(4))


class Weights:
    """Of both blocks: a camera embedding for each frame of each view, and a projector."""

    def __init__(self):
        generator = torch.Generator().manual_seed(11)
        self.camera = torch.randn(2, VIEWS, FRAMES, DIM, generator=generator)
        self.projectors = [nn.Linear(DIM, DIM).requires_grad_(False) for _ in range(2)]
        for projector in self.projectors:
            projector.weight.copy_(torch.randn(DIM, DIM, generator=generator) / DIM**0.5)
            projector.bias.copy_(torch.randn(DIM, generator=generator))


def recamera(block, weights):
    class ReCamera(block.Insert):
        def attention_input(self, index, y, rows, step):
            chunks = step.rows // step.views
            camera = weights.camera[index].repeat(chunks, 1, 1)[rows]
            return (y.unflatten(1, (step.grid[0], -1)) + camera.unsqueeze(2)).flatten(1, 2)

        def attention_output(self, index, y, rows, step):
            return weights.projectors[index](y)

    return ReCamera()


def with_inserts(block, cache, base, inserts, most_tokens=2**62):
    """A model whose blocks run with these inserts: what a second module's own patch comes to."""
    from comfy.patcher_extension import WrappersMP

    def wrapper(executor, x, t, c_concat, c_crossattn, control, options, **kwargs):
        blocks = executor.class_obj.diffusion_model.blocks
        step = block.Step(blocks, inserts, VIEWS, len(x), GRID, None, most_tokens, cache.Once(), [])
        return executor(x, t, c_concat, c_crossattn, control, {**options, block.STEP: step}, **kwargs)

    model = base.clone()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "second", wrapper)
    for index in range(2):
        model.set_model_patch_replace(block.BlockPatch(index), "dit", "double_block", index)
    return model


def written_out(base, weights):
    """The same module in a block that is written out for it."""

    def run(index, args, extra):
        own = model.model.diffusion_model.blocks[index]
        x, e = (
            args["img"],
            (own.modulation.unsqueeze(0) + args["vec"].unflatten(0, (-1, 1)).view(len(args["img"]), 1, 6, -1)),
        )
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = e.unbind(2)
        camera = weights.camera[index].repeat(len(x) // VIEWS, 1, 1).repeat_interleave(GRID[1] * GRID[2], dim=1)
        y = own.self_attn(own.norm1(x) * (1 + scale) + shift + camera, args["pe"])
        x = x + gate * weights.projectors[index](y)
        x = x + own.cross_attn(own.norm3(x), args["txt"])
        return {"img": x + ffn_gate * own.ffn(own.norm2(x) * (1 + ffn_scale) + ffn_shift)}

    model = base.clone()
    for index in range(2):
        model.set_model_patch_replace(partial(run, index), "dit", "double_block", index)
    return model


def run(model, x):
    return torch.stack(velocities(model, x, 0.6, TEXTS))


@pytest.mark.parametrize("most_tokens", [2**62, 20], ids=["whole", "pieces"])
def test_a_camera_before_and_a_projector_behind_self_attention_are_an_insert(tiny, block, cache, x, most_tokens):
    weights, base = Weights(), tiny.base()
    got = run(with_inserts(block, cache, base, (recamera(block, weights),), most_tokens), x)
    expected = run(written_out(base, weights), x)
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(got, run(base, x), atol=1e-2)


def test_an_insert_that_does_nothing_gives_the_base_bit_for_bit(tiny, block, cache, x):
    base = tiny.base()
    assert torch.equal(run(with_inserts(block, cache, base, (block.Insert(),)), x), run(base, x))


def test_inserts_stand_beside_each_other(tiny, block, cache, x):
    base, weights, order = tiny.base(), Weights(), []

    class Note(block.Insert):
        def attention_output(self, index, y, rows, step):
            order.append("output")
            return y

        def after_self_attention(self, index, x, time, step, options):
            order.append("after")

    both = run(with_inserts(block, cache, base, (Note(), recamera(block, weights))), x)
    assert torch.equal(both, run(with_inserts(block, cache, base, (recamera(block, weights),)), x))
    assert order[:2] == ["output", "after"]


def test_an_insert_says_on_which_blocks_it_acts(tiny, block, cache, x):
    base, weights = tiny.base(), Weights()
    here = recamera(block, weights)
    nowhere = recamera(block, weights)
    nowhere.acts_on = lambda index: False
    assert torch.equal(run(with_inserts(block, cache, base, (nowhere,)), x), run(base, x))
    assert not torch.equal(run(with_inserts(block, cache, base, (nowhere, here)), x), run(base, x))


# ---- which attention


def test_a_sparse_override_is_not_asked_between_views_and_any_other_is(block):
    """The host's Model Sparse Attention is told by the module that its override is from."""
    q, k, v = (torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(i)) for i in range(3))
    asked = []

    def override(func, *args, **kwargs):
        asked.append("override")
        return func(*args, **kwargs)

    class Override:
        __call__ = staticmethod(override)

    plain = block.view_attention({}, q, k, v, 2)
    assert torch.allclose(block.view_attention({block.OVERRIDE: override}, q, k, v, 2), plain, atol=1e-6)
    assert asked == ["override"]
    of_host = {"__module__": "comfy_extras.nodes_sparse_attention"}
    sparse = type("SparseOverride", (Override,), of_host)()
    closure = partial(override)
    function = partial(lambda func, *args, **kwargs: override(func, *args, **kwargs))
    function.func.__module__ = "/somewhere/ComfyUI/comfy_extras/nodes_sparse_attention"  # as the host loads its nodes
    for override_of_host in (sparse, function):
        options = {block.OVERRIDE: override_of_host, "other": 1}
        assert torch.equal(block.view_attention(options, q, k, v, 2), plain)
        assert options[block.OVERRIDE] is override_of_host, "self-attention keeps it"
    assert asked == ["override"]
    block.view_attention({block.OVERRIDE: closure}, q, k, v, 2)
    assert asked == ["override"] * 2


def test_the_text_is_attended_to_as_a_quantized_checkpoint_has_chosen_for_the_module(tiny, x):
    model = tiny.patched(torch.zeros(VIEWS, FRAMES, 12))
    expected = run(model, x)
    asked = []

    def chosen(q, k, v, heads, **kwargs):
        from comfy.ldm.modules.attention import optimized_attention

        asked.append(heads)
        return optimized_attention(q, k, v, heads, **kwargs)

    attention = model.model.diffusion_model.blocks[0].cross_attn
    attention.comfy_attention = nn.Module()
    attention.comfy_attention.function = chosen
    try:
        assert torch.equal(run(model, x), expected)
        assert asked
        count = len(asked)
        overridden = model.clone()
        overridden.model_options["transformer_options"]["optimized_attention_override"] = lambda func, *a, **k: func(
            *a, **k
        )
        run(overridden, x)
        assert len(asked) == count, "an override counts more"
    finally:
        del attention.comfy_attention


def test_the_hosts_fused_adaptive_norm_is_used_where_it_has_one(tiny, x, monkeypatch):
    """Hosts since 0.36 have it as `modulate`, with the fused kernel on CUDA; its slow equal runs anywhere."""
    need("adaLN in comfy-kitchen")
    import comfy_kitchen
    from comfy.ldm.wan import model as host

    model = tiny.patched(torch.zeros(VIEWS, FRAMES, 12))
    expected = run(model, x)
    asked = []

    def modulate(x, norm, shift, scale):
        asked.append(shift.shape[0] == x.shape[0])
        return comfy_kitchen.adaln(x, scale, shift, norm.eps)

    monkeypatch.setattr(host, "modulate", modulate, raising=False)
    assert torch.allclose(run(model, x), expected, atol=1e-4)
    assert all(asked)
    assert len(asked) >= 2 * len(model.model.diffusion_model.blocks)
