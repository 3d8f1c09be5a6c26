"""Which views attend to which, and the module run in groups."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_module import DIM, HEADS, inputs, random_block
from scipy.spatial.transform import Rotation

from syncam_core.cameras.builders import ring_rig
from syncam_core.cameras.encoding import encode_poses
from syncam_core.errors import UserError
from syncam_core.view_sync.coupling import (
    COUPLINGS,
    anchor,
    groups_of,
    joint,
    nearest,
    poses_in_group,
    routed,
    view_distances,
)
from syncam_core.wan.attention import grid_rope

GRID = (3, 2, 4)


def ring_poses(views=4, frames=GRID[0]):
    return encode_poses(ring_rig(views).c2w).expand(-1, frames, -1).float()


def added(block, x, time, poses, groups, **more):
    """What the module adds to x, through its way in groups."""
    y = x.clone()
    rope = grid_rope(max(len(group.members) for group in groups), *GRID[1:], DIM // HEADS)
    block.add_to(y, time, block.see(poses, groups, x), GRID, rope, HEADS, **more)
    return y - x


def one_attention(block, x, time, poses, members):
    """The trained module on some of the views: the first is the reference."""
    rows = list(members)
    rope = grid_rope(len(rows), *GRID[1:], DIM // HEADS)
    with torch.no_grad():
        return block(x[rows], time[rows], poses_in_group(poses, tuple(rows)), GRID, rope, HEADS)


def scene(views, chunks=1):
    block, _ = random_block()
    x, time, _ = inputs(chunks, views, *GRID)
    return block, x, time[::views].repeat_interleave(views, dim=0), ring_poses(views)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("views", [1, 2])
def test_one_or_two_views_are_the_trained_module(coupling, views):
    block, x, time, poses = scene(views)
    groups = groups_of(coupling, poses, step=3, seed=5)
    assert groups == joint(views)
    through_groups = added(block, x, time, poses, groups)
    assert torch.allclose(through_groups, one_attention(block, x, time, poses, range(views)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("views", [3, 4, 6])
def test_anchor_is_the_trained_pair_of_every_view_with_the_reference(views):
    block, x, time, poses = scene(views)
    pairs = [one_attention(block, x, time, poses, (0, view)) for view in range(1, views)]
    expected = torch.stack([torch.stack([pair[0] for pair in pairs]).mean(dim=0), *(pair[1] for pair in pairs)])
    assert torch.allclose(added(block, x, time, poses, anchor(views)), expected, atol=1e-9)


def test_nearest_asks_each_view_among_its_neighbours_only():
    """Four cameras around: each has one on either side; with one neighbour the lower index counts."""
    block, x, time, poses = scene(4)
    groups = nearest(view_distances(poses), 1)
    assert [(group.members, group.asked) for group in groups] == [((0, 1), (0, 1)), ((1, 2), (1,)), ((0, 3), (1,))]
    pairs = {group.members: one_attention(block, x, time, poses, group.members) for group in groups}
    expected = torch.stack([pairs[0, 1][0], pairs[0, 1][1], pairs[1, 2][1], pairs[0, 3][1]])
    assert torch.allclose(added(block, x, time, poses, groups), expected, atol=1e-7)


def test_nearest_with_two_neighbours_takes_both_sides_of_a_ring():
    groups = nearest(view_distances(ring_poses(6)), 2)
    asked = {group.members[position]: group.members for group in groups for position in group.asked}
    assert asked == {view: tuple(sorted({view, (view + 1) % 6, (view - 1) % 6})) for view in range(6)}


def test_cameras_that_turn_on_one_spot_are_told_apart_by_their_angle():
    turns = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1, 1)
    for i, angle in enumerate((0, 80, 20)):
        turns[i, 0, :3, :3] = torch.from_numpy(Rotation.from_euler("y", angle, degrees=True).as_matrix())
    distances = view_distances(encode_poses(turns))
    assert distances[0][1] == pytest.approx(torch.pi * 80 / 180, abs=1e-4)
    assert [group.members for group in nearest(distances, 1)] == [(0, 2), (1, 2)]


def test_cameras_that_part_are_as_far_apart_as_they_are_on_average():
    poses = torch.eye(3, 4).flatten().repeat(2, 4, 1)  # (views, frames, 12)
    poses[1, :, 3] = torch.tensor([0.0, 0.0, 1.0, 3.0])
    assert view_distances(poses) == [[0, 1], [1, 0]]


def test_cameras_that_look_the_same_way_are_as_far_apart_as_they_stand():
    """In float32 a rotation differs from itself by a hair: the cosine of their angle may lie above 1."""
    angles = np.random.default_rng(0).uniform(-180, 180, (100, 3))
    poses = torch.zeros(2, 100, 3, 4)
    poses[..., :3] = torch.from_numpy(Rotation.from_euler("xyz", angles, degrees=True).as_matrix())
    poses[1, :, 2, 3] = 1.0
    for pair in poses.flatten(2).split(1, dim=1):
        assert view_distances(pair)[0][1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("views", "size"), [(4, 2), (5, 2), (6, 3), (7, 3), (8, 4)])
def test_routed_groups_are_the_trained_module_on_their_members(views, size):
    block, x, time, poses = scene(views)
    for step in range(3):
        groups = routed(views, step, seed=7, size=size)
        expected = torch.empty_like(x)
        for members, _ in groups:
            expected[list(members)] = one_attention(block, x, time, poses, members)
        assert torch.allclose(added(block, x, time, poses, groups), expected, atol=1e-6)


@given(st.integers(1, 64), st.integers(2, 64), st.integers(0, 10_000), st.integers(0, 2**64 - 1))
def test_routed_groups_hold_every_view_once_and_repeat_from_the_seed(views, size, step, seed):
    groups = routed(views, step, seed, size)
    assert sorted(view for group in groups for view in group.members) == list(range(views))
    assert all(len(group.members) >= min(size, views) for group in groups)
    assert all(list(group.members) == sorted(group.members) for group in groups)
    assert groups == routed(views, step, seed, size)


@pytest.mark.parametrize("views", [4, 6, 8, 12])
def test_routed_pairs_meet_once_in_a_round(views):
    met = [group.members for step in range(views - 1) for group in routed(views, step, seed=3, size=2)]
    assert sorted(met) == list(itertools.combinations(range(views), 2))


def test_routed_groups_differ_between_seeds():
    assert len({routed(8, 0, seed, 4) for seed in range(20)}) > 10


@given(st.lists(st.lists(st.floats(0, 100), min_size=6, max_size=6), min_size=6, max_size=6), st.integers(1, 5))
def test_nearest_asks_every_view_once_whatever_the_distances(distances, neighbours):
    groups = nearest(distances, neighbours)
    assert sorted(group.members[position] for group in groups for position in group.asked) == list(range(6))
    assert all(len(group.members) == neighbours + 1 for group in groups)
    assert len({group.members for group in groups}) == len(groups)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_stacked_chunks_are_independent_in_every_coupling(coupling):
    block, x, time, poses = scene(4, chunks=2)
    groups = groups_of(coupling, poses, step=1, seed=2)
    together = added(block, x, time, poses, groups)
    for chunk in (slice(0, 4), slice(4, 8)):
        assert torch.allclose(together[chunk], added(block, x[chunk], time[chunk], poses, groups), atol=1e-9)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("most_tokens", [1, 32, 64, 70])
def test_pieces_give_what_the_whole_gives(coupling, most_tokens):
    block, x, time, poses = scene(4)
    time = torch.randn(4, 3, 6, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    groups = groups_of(coupling, poses, step=1, seed=2)
    pieces = added(block, x, time, poses, groups, most_tokens=most_tokens)
    assert torch.allclose(pieces, added(block, x, time, poses, groups), rtol=0, atol=1e-12)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_strength_per_view_scales_what_that_view_receives(coupling):
    block, x, time, poses = scene(4)
    groups = groups_of(coupling, poses, step=1, seed=2)
    strength = torch.tensor([1.0, 0.5, 0.0, 2.0])
    scaled = added(block, x, time, poses, groups, strength=strength)
    expected = added(block, x, time, poses, groups) * strength.view(-1, 1, 1)
    assert torch.allclose(scaled, expected, atol=1e-12)
    assert torch.equal(scaled[2], torch.zeros_like(scaled[2]))


def test_poses_in_a_group_are_those_of_a_rig_that_begins_with_its_first_view():
    rig = ring_rig(5)
    poses = encode_poses(rig.c2w)
    for members in [(0, 2), (1, 3), (2, 3, 4)]:
        alone = encode_poses(rig.c2w[list(members)])
        got = poses_in_group(poses, members)
        assert torch.allclose(got, alone, atol=1e-9)
        assert torch.equal(got[0, 0], torch.eye(3, 4, dtype=got.dtype).flatten())


def test_an_unknown_coupling_is_named():
    with pytest.raises(UserError, match=r"^'coupling' is 'star'; choose joint, anchor, nearest, routed\.$"):
        groups_of("star", ring_poses(4))


def test_the_help_page_names_every_coupling_and_no_other():
    page = (Path(__file__).resolve().parents[2] / "web" / "docs" / "SynCamApply.md").read_text(encoding="utf-8")
    table = page.split("| coupling | every view looks at |")[1].split("\n\n")[0]
    assert re.findall(r"^\| \*(\w+)\* \|", table, re.MULTILINE) == list(COUPLINGS)


def test_only_couplings_of_a_size_depend_on_it():
    poses = ring_poses(6)
    for name, coupling in COUPLINGS.items():
        assert (groups_of(name, poses, size=2) != groups_of(name, poses, size=3)) == coupling.sized, name
        steps = {groups_of(name, poses, step=step) for step in range(4)}
        assert (len(steps) > 1) == coupling.changes, name
