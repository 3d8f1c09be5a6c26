"""The transformer that is trained, against a second, plain implementation of the published equations in float64."""

import plain_wan
import pytest
import torch
from tiny_training import TEXT_DIM, random_wan, relative_error

from syncam_core.errors import UserError
from syncam_core.training.trainee import initialize_view_sync
from syncam_core.view_sync.module import ViewSync, within_each_view
from syncam_core.wan.attention import explicit_attention, scaled_dot_product
from syncam_core.wan.transformer import Wan, WanConfig, initialize_wan

HEADS, HEAD_DIM = 3, 32


def random_inputs(scenes, views, frames, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(scenes * views, 16, frames, height, width, generator=generator)
    context = torch.randn(scenes * views, 5, TEXT_DIM, generator=generator)
    return x, context, torch.randn(scenes, views, frames, 12, generator=generator)


@pytest.mark.parametrize(
    ("views", "frames", "height", "width", "timestep"),
    [
        (1, 3, 4, 6, 700.0),
        (2, 1, 8, 8, 1000.0),
        (2, 3, 4, 10, 930.5),
        (3, 2, 6, 4, 500.0),
        (4, 4, 4, 4, 61.7),
        (6, 2, 2, 6, 0.5),
    ],
)
def test_base_and_view_sync_equal_the_equations_for_any_views_grid_length_and_time(
    views, frames, height, width, timestep
):
    state, base, view_sync = random_wan()
    x, context, poses = random_inputs(1, views, frames, height, width)
    time = torch.full((views,), timestep)
    with torch.no_grad():
        together = base(x, time, context, view_sync, poses)
        alone = base(x, time, context)
    truth = plain_wan.forward(state, x, timestep, context, poses[0], head_dim=HEAD_DIM)
    assert relative_error(together, truth) <= 3e-5
    truth = plain_wan.forward(state, x, timestep, context, head_dim=HEAD_DIM)
    assert relative_error(alone, truth) <= 3e-5
    assert relative_error(together, alone) > 1e-2, "the module should do something in this test"


@pytest.mark.parametrize("attention", [explicit_attention, scaled_dot_product])
def test_scenes_in_one_batch_with_cameras_and_times_of_their_own_equal_the_scenes_alone(attention):
    state, base, view_sync = random_wan()
    x, context, poses = random_inputs(3, 2, 2, 4, 6)
    timesteps = (950.0, 430.0, 12.5)
    with torch.no_grad():
        got = base(x, torch.tensor(timesteps).repeat_interleave(2), context, view_sync, poses, attention)
    for scene, timestep in enumerate(timesteps):
        own = slice(2 * scene, 2 * scene + 2)
        truth = plain_wan.forward(state, x[own], timestep, context[own], poses[scene], head_dim=HEAD_DIM)
        assert relative_error(got[own], truth) <= 3e-5


def gradients(base, view_sync, checkpointing):
    x, context, poses = random_inputs(2, 2, 2, 4, 4)
    base.gradient_checkpointing = checkpointing
    base.train()
    for module in (base, view_sync):
        module.zero_grad()
    loss = base(x, torch.tensor([900.0, 900.0, 300.0, 300.0]), context, view_sync, poses).square().mean()
    loss.backward()
    return loss.detach(), [p.grad.clone() for module in (base, view_sync) for p in module.parameters()]


def test_gradient_checkpointing_gives_the_same_loss_and_gradients():
    _, base, view_sync = random_wan()
    loss, straight = gradients(base, view_sync, False)
    again, checkpointed = gradients(base, view_sync, True)
    assert torch.equal(loss, again)
    assert all(torch.equal(a, b) for a, b in zip(straight, checkpointed, strict=True))
    assert all(g.abs().max() > 0 for g in straight), "every parameter takes part"


def test_the_gradient_is_that_of_the_equations():
    """Along a random direction, against a central difference of the float64 implementation."""
    state, base, view_sync = random_wan()
    x, context, poses = random_inputs(1, 2, 2, 4, 4)
    base(x, torch.full((2,), 600.0), context, view_sync, poses).square().mean().backward()
    parameters = dict(base.named_parameters()) | dict(view_sync.named_parameters())
    generator = torch.Generator().manual_seed(1)
    direction = {k: torch.randn(v.shape, generator=generator, dtype=torch.float64) for k, v in state.items()}
    slope = sum((parameters[k].grad.double() * direction[k]).sum() for k in state).item()

    def loss(step):
        moved = {k: v.double() + step * direction[k] for k, v in state.items()}
        return plain_wan.forward(moved, x, 600.0, context, poses[0], head_dim=HEAD_DIM).square().mean().item()

    assert slope == pytest.approx((loss(1e-6) - loss(-1e-6)) / 2e-6, rel=1e-4)


def test_with_the_authors_beginning_the_output_is_bit_equal_to_the_base_alone():
    _, base, view_sync = random_wan()
    initialize_view_sync(view_sync, base)
    x, context, poses = random_inputs(2, 3, 2, 4, 6)
    time = torch.tensor([800.0, 100.0]).repeat_interleave(3)
    with torch.no_grad():
        assert torch.equal(base(x, time, context, view_sync, poses), base(x, time, context))


def test_the_authors_beginning_copies_self_attention_and_modulation_and_zeroes_encoder_and_projector():
    _, base, view_sync = random_wan()
    initialize_view_sync(view_sync, base)
    begun, original = view_sync.state_dict(), base.state_dict()
    for i in range(2):
        block = f"blocks.{i}."
        for part in ("cam_encoder", "projector"):
            assert not begun[f"{block}{part}.weight"].any()
            assert not begun[f"{block}{part}.bias"].any()
        assert torch.equal(begun[block + "modulation_mvs"], original[block + "modulation"][:, :3])
        names = [k.removeprefix(block + "mvs_attn.") for k in begun if k.startswith(block + "mvs_attn.")]
        assert len(names) == 10
        for name in names:
            assert torch.equal(begun[f"{block}mvs_attn.{name}"], original[f"{block}self_attn.{name}"])
    begun["blocks.0.mvs_attn.q.weight"].add_(1)
    assert not torch.equal(begun["blocks.0.mvs_attn.q.weight"], original["blocks.0.self_attn.q.weight"]), "a copy"


@pytest.mark.parametrize("attention", [explicit_attention, scaled_dot_product])
def test_within_each_view_equals_every_view_run_alone_with_its_pose(attention):
    _, base, view_sync = random_wan()
    x, context, poses = random_inputs(2, 3, 2, 4, 6)
    time = torch.tensor([800.0, 100.0]).repeat_interleave(3)
    with torch.no_grad():
        masked = base(x, time, context, view_sync, poses, attention, within_each_view(attention, 3))
        # views become scenes of one view; their place in the rotary code is lost, which within one view changes nothing
        alone = base(x, time, context, view_sync, poses.flatten(0, 1).unsqueeze(1), attention)
        shared = base(x, time, context, view_sync, poses, attention)
    assert relative_error(masked, alone) <= 3e-6
    assert relative_error(shared, alone) > 1e-2


def test_explicit_attention_equals_pytorchs_kernel_forward_and_backward():
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 24, generator=generator, requires_grad=True) for n in (7, 5, 5))
    results = []
    for attention in (explicit_attention, scaled_dot_product):
        out = attention(q, k, v, 4)
        results.append([out, *torch.autograd.grad(out.square().sum(), (q, k, v))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("base_dtype", [torch.float32, torch.bfloat16])
def test_mixed_precision_stays_near_the_equations_whatever_the_dtype_of_the_frozen_base(base_dtype):
    state, base, view_sync = random_wan()
    x, context, poses = random_inputs(2, 2, 2, 4, 6)
    truth = torch.cat(
        [
            plain_wan.forward(state, x[2 * i : 2 * i + 2], 500.0, context[2 * i : 2 * i + 2], poses[i], head_dim=32)
            for i in range(2)
        ]
    )
    base.to(base_dtype).requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        got = base(x, torch.full((4,), 500.0), context, view_sync, poses)
    got.float().square().mean().backward()
    assert relative_error(got, truth) <= 0.05
    assert all(p.grad is not None and p.grad.isfinite().all() for p in view_sync.parameters())


def test_a_new_model_predicts_nothing_and_learns_at_once():
    torch.manual_seed(0)
    base = Wan(WanConfig(dim=32, ffn_dim=64, num_heads=2, num_layers=1, text_dim=TEXT_DIM))
    initialize_wan(base)
    x, context, _ = random_inputs(2, 1, 2, 4, 4)
    out = base(x, torch.full((2,), 500.0), context)
    assert not out.any()
    (out - x).square().mean().backward()
    assert base.head.head.weight.grad.abs().max() > 0


def test_the_default_sizes_are_those_of_the_1_3b_model_with_its_825_and_450_tensors():
    with torch.device("meta"):
        base, view_sync = Wan(WanConfig()), ViewSync(1536, 30)
    assert (len(base.state_dict()), len(view_sync.state_dict())) == (825, 450)
    assert sum(p.numel() for p in base.parameters()) == 1_418_996_800
    assert sum(p.numel() for p in view_sync.parameters()) == 354_954_240


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(UserError, match="'dim' is 96, which does not divide into 5 heads"):
        WanConfig(dim=96, num_heads=5)
