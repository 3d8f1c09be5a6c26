"""The view-sync module by itself, without the host."""

import math

import plain_wan
import pytest
import torch
from random_module import DIM, HEADS, inputs, random_block

from syncam_core.view_sync.coupling import joint
from syncam_core.view_sync.module import Seen, ViewSync
from syncam_core.wan.attention import Rope, apply_rope, grid_rope


@torch.no_grad()
def run(block, x, time, poses, grid, rope=None):
    rope = rope or grid_rope(poses.shape[0], *grid[1:], DIM // HEADS)
    return block(x, time, poses, grid, rope, HEADS)


@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize(("views", "grid"), [(1, (2, 3, 2)), (2, (3, 2, 5)), (3, (1, 4, 4)), (5, (2, 1, 3))])
def test_the_module_adds_what_the_equations_say_for_every_stacked_chunk(chunks, views, grid):
    block, state = random_block()
    x, time, poses = inputs(chunks, views, *grid)
    # One timestep per chunk: all views of a sample share it.
    time = time[::views].repeat_interleave(views, dim=0)
    delta = run(block, x, time, poses, grid)
    across = [(v, r, c) for v in range(views) for r in range(grid[1]) for c in range(grid[2])]
    turn = plain_wan.rotations(across, DIM // HEADS)
    for chunk in range(chunks):
        part = slice(chunk * views, (chunk + 1) * views)
        truth = plain_wan.synchronize(
            state, "blocks.0.", list(x[part]), time[part][0, 0], poses, 1.0, HEADS, turn, grid[1] * grid[2]
        )
        assert torch.allclose(x[part] + delta[part], torch.stack(truth), atol=1e-6)


def test_views_permuted_with_cameras_and_indices_give_permuted_output():
    block, _ = random_block()
    grid, views, order = (2, 3, 4), 4, [2, 0, 3, 1]
    x, time, poses = inputs(1, views, *grid)
    time = time[:1].expand(views, -1, -1, -1)
    straight = run(block, x, time, poses, grid)
    rope = grid_rope(views, *grid[1:], DIM // HEADS)
    permuted = Rope(*(t.view(views, -1, *t.shape[1:])[order].flatten(0, 1) for t in rope))
    moved = run(block, x[order], time, poses[order], grid, permuted)
    assert torch.allclose(moved, straight[order], atol=1e-9)


def test_latent_frames_do_not_see_each_other():
    block, _ = random_block()
    x, time, poses = inputs(1, 2, 3, 2, 2)
    before = run(block, x, time, poses, (3, 2, 2)).view(2, 3, 4, DIM)
    x = x.clone().view(2, 3, 4, DIM)
    x[:, 1] = torch.randn_like(x[:, 1])
    after = run(block, x.view(2, 12, DIM), time, poses, (3, 2, 2)).view(2, 3, 4, DIM)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_a_timestep_per_frame_is_spread_over_that_frames_tokens():
    block, _ = random_block()
    grid = (3, 2, 2)
    x, _, poses = inputs(1, 2, *grid)
    time = torch.randn(2, 3, 6, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    together = run(block, x, time, poses, grid).view(2, 3, 4, DIM)
    for f in range(3):
        alone = run(block, x.view(2, 3, 4, DIM)[:, f], time[:, f : f + 1], poses[:, f : f + 1], (1, 2, 2))
        assert torch.allclose(together[:, f], alone, atol=1e-9)


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("strength", [1.0, 2.0, 0.25, (0.5, 2.0)])
def test_in_pieces_and_at_any_strength_the_same_is_added(strength, per_frame):
    block, _ = random_block()
    grid = (3, 2, 2)
    x, time, poses = inputs(1, 2, *grid)
    time = time[:1].expand(2, -1, -1, -1)
    if per_frame:
        time = torch.randn(2, 3, 6, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    rope = grid_rope(2, *grid[1:], DIM // HEADS)
    factor = torch.tensor(strength, dtype=torch.float64)
    expected = x + run(block, x, time, poses, grid, rope) * factor.view(-1, 1, 1)
    seen = Seen(2, joint(2), block.cam_encoder(poses.double()))
    for most_tokens in (1, 16, 2**62):  # one frame of both views has 8
        got = x.clone()
        block.add_to(
            got, time, seen, grid, rope, HEADS, strength=factor if factor.ndim else strength, most_tokens=most_tokens
        )
        assert torch.allclose(got, expected, atol=1e-9)


def test_rope_splits_a_head_of_128_channels_into_44_42_42():
    rope = grid_rope(2, 3, 4, 128)
    angle = torch.atan2(rope.sin, rope.cos).view(2, 3, 4, 64)
    assert angle[0, 0, 0].abs().max() == 0
    assert torch.equal(angle[1, 0, 0].nonzero().flatten(), torch.arange(0, 22))
    assert torch.equal(angle[0, 1, 0].nonzero().flatten(), torch.arange(22, 43))
    assert torch.equal(angle[0, 0, 1].nonzero().flatten(), torch.arange(43, 64))
    assert angle[1, 0, 0, 1] == pytest.approx(10000 ** (-2 / 44), rel=1e-6)


def test_rope_turns_neighbouring_channels_and_keeps_lengths_and_dtype():
    rope = grid_rope(3, 1, 1, 128)
    x = torch.zeros(1, 3, 128, dtype=torch.bfloat16)
    x[..., 0] = 1
    turned = apply_rope(x, rope, heads=1)
    assert turned.dtype == torch.bfloat16
    assert turned[0, 1, 0].item() == pytest.approx(math.cos(1), abs=4e-3)
    assert turned[0, 1, 1].item() == pytest.approx(math.sin(1), abs=4e-3)
    assert turned[0, 1, 2:].abs().max() == 0


def test_rope_needs_no_float64_on_the_device(monkeypatch):
    """Apple's and other devices have none: everything up to the cosines must happen on the CPU."""
    created = []
    arange = torch.arange

    def spy(*args, **kwargs):
        created.append(torch.device(kwargs.get("device") or "cpu").type)
        return arange(*args, **kwargs)

    monkeypatch.setattr(torch, "arange", spy)
    assert grid_rope(2, 3, 4, 128, "meta").cos.device.type == "meta"
    assert set(created) == {"cpu"}


def test_the_wan_1_3b_module_has_the_published_size():
    with torch.device("meta"):
        module = ViewSync(1536, 30)
    assert sum(p.numel() for p in module.parameters()) == 354_954_240
    assert len(module.state_dict()) == 450
