"""Correspondences that are off are put where the pictures say, on a slanted and differently lit picture."""

from __future__ import annotations

import pytest
import torch
from textured_planes import picture
from torch.nn import functional

from syncam_core.metrics.alignment import aligned
from syncam_core.metrics.matching import Matches, matcher_of

SIDE = 256
WARP = torch.tensor([[0.75, 0.08], [-0.05, 0.95]], dtype=torch.float64)  # of the first picture's pixels from its middle
MIDDLE = torch.tensor([SIDE / 2, SIDE / 2], dtype=torch.float64)


@pytest.fixture(scope="module")
def slanted():
    """A picture, and the same as if its surface were turned away, darker and flatter."""
    first = torch.from_numpy(picture(5, SIDE)).float()
    places = torch.arange(SIDE) + 0.5
    px = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).double() - MIDDLE
    source = (px @ torch.linalg.inv(WARP).mT + MIDDLE) / SIDE * 2 - 1
    planes = first.permute(2, 0, 1)[None]
    second = functional.grid_sample(planes, source[None].float(), padding_mode="reflection", align_corners=False)
    return first, 0.6 * second[0].permute(1, 2, 0) + 0.1


def there(first_px: torch.Tensor) -> torch.Tensor:
    return (first_px - MIDDLE) @ WARP.mT + MIDDLE


def test_points_that_are_off_by_pixels_come_to_a_twentieth(slanted):
    draw = torch.Generator().manual_seed(0)
    first_px = 60 + 136 * torch.rand(100, 2, generator=draw, dtype=torch.float64)
    off = 1.5 * (2 * torch.rand(100, 2, generator=draw, dtype=torch.float64) - 1)
    found = aligned(*slanted, Matches.of(first_px, there(first_px) + off, torch.ones(100)))
    errors = (found.second_px - there(found.first_px)).norm(dim=1)
    assert len(found) > 80
    assert errors.median() < 0.05
    assert (errors < 0.2).double().mean() > 0.95
    assert (found.confidence > 0.9).all()


def test_points_that_do_not_show_the_same_are_left_out(slanted):
    draw = torch.Generator().manual_seed(1)
    first_px = 60 + 136 * torch.rand(100, 2, generator=draw, dtype=torch.float64)
    found = aligned(*slanted, Matches.of(first_px, there(first_px).roll(1, 0), torch.ones(100)))
    assert len(found) < 10


def test_no_matches_and_plain_pictures_give_none():
    grey = torch.full((64, 64, 3), 0.5)
    none = torch.empty(0, 2, dtype=torch.float64)
    assert len(aligned(grey, grey, Matches.of(none, none, none[:, 0]))) == 0
    one = torch.tensor([[32.0, 32.0]], dtype=torch.float64)
    assert len(aligned(grey, grey, Matches.of(one, one, torch.ones(1)))) == 0


def test_more_is_matched_where_it_is_known_where_to_look(slanted):
    matcher = matcher_of("sift")
    first, second = (matcher.features(view) for view in slanted)
    places = [matcher.places(seen).double() for seen in (first, second)]
    is_near = torch.cdist(there(places[0]), places[1]) < 3
    among = matcher.match_among(first, second, is_near)
    assert len(among) > 1.2 * len(matcher.match(first, second))
    assert (among.second_px - there(among.first_px)).norm(dim=1).max() < 3.001
    assert len(matcher.match_among(first, second, torch.zeros_like(is_near))) == 0
