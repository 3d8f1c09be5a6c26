"""Who has what: every row and every frame exactly once, the busiest device with as little as can be."""

from __future__ import annotations

import itertools

import pytest
import torch

from syncam_core.errors import UserError
from syncam_core.parallel.plan import SPLITS, planned, shares

CASES = list(itertools.product((1, 2, 3), (1, 2, 3, 4, 5, 7), (1, 2, 3, 4, 6, 8, 16), SPLITS))


@pytest.mark.parametrize("split", SPLITS)
def test_cut_and_joined_again_a_batch_is_what_it_was(split):
    for conds, views, devices, _ in (case for case in CASES if case[3] == split):
        plan = planned(conds, views, devices, split)
        rows = torch.arange(conds * views)[:, None].repeat(1, 3)
        parts = [plan.cut(rows, device) for device in range(plan.devices)]
        assert plan.devices <= devices
        assert all(len(part) for part in parts)
        assert sorted(torch.cat(parts)[:, 0].tolist()) == list(range(conds * views))
        assert torch.equal(plan.joined(parts), rows)


def test_auto_leaves_the_busiest_device_no_more_than_any_grid_of_devices_would():
    for conds, views, devices, _ in CASES:
        best = min(
            -(-conds // teams) * -(-views // members)
            for teams in range(1, conds + 1)
            for members in range(1, views + 1)
            if teams * members <= devices
        )
        assert max(part.rows for part in planned(conds, views, devices).parts) == best


def test_two_conditionings_on_two_devices_need_no_exchange_and_one_parts_the_views():
    assert planned(2, 4, 2).views == (range(4),)
    assert planned(1, 4, 2).views == (range(2), range(2, 4))
    assert planned(2, 4, 2, "views").views == (range(2), range(2, 4))
    assert planned(2, 3, 6).devices == 6


def test_shares_are_even_and_the_first_ones_larger():
    assert list(shares(21, 2)) == [range(11), range(11, 21)]
    assert [len(share) for share in shares(7, 3)] == [3, 2, 2]
    assert [len(share) for share in shares(1, 3)] == [1, 0, 0]


def test_another_split_is_refused_by_name():
    with pytest.raises(UserError, match=r"'split' is 'frames'; choose auto, views, views and CFG\."):
        planned(2, 4, 2, "frames")
