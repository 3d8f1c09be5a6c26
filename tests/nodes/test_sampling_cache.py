"""What is computed once for a sampling, and for which text it is taken."""

import sys

import pytest
import torch


@pytest.fixture
def cache(comfy):
    return sys.modules[comfy.pack.__name__ + ".nodes.host.sampling_cache"]


def test_only_the_very_text_has_its_keys_and_values(cache):
    once, text = cache.Once(), torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    kept = once.text_like(text)
    assert once.text_like(text) is kept
    assert once.text_like(text.clone()) is kept
    other = text.clone()
    other[1, 4, 7] += 0.01
    assert once.text_like(other) is not kept
    for different in (text[:1], text.double(), torch.zeros_like(text)):
        assert once.text_like(different) is not kept


def test_the_oldest_text_is_forgotten_first(cache):
    once, texts = cache.Once(), [torch.full((1, 2, 3), float(number)) for number in range(cache.MOST_TEXTS + 1)]
    kept = [once.text_like(text) for text in texts]
    assert [once.text_like(text) is entry for text, entry in zip(texts[1:], kept[1:], strict=True)] == [True] * 4
    assert once.text_like(texts[0]) is not kept[0]


def test_rows_are_one_per_chunk_only_where_all_views_share_them(cache):
    rows = torch.arange(4.0).repeat_interleave(2).view(8, 1, 1)
    assert torch.equal(cache.once_per_chunk(rows, 2), torch.arange(4.0).view(4, 1, 1))
    rows[3] += 1
    assert cache.once_per_chunk(rows, 2) is rows
