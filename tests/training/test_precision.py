"""What is told, and chosen, where a processor has no instructions for bfloat16."""

from __future__ import annotations

import warnings

import pytest
import torch

from syncam_core.training import precision
from syncam_core.training.precision import is_quick_in_bfloat16, warn_of_slow_bfloat16


def test_only_a_processor_is_asked_for_its_instructions(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert is_quick_in_bfloat16("cuda")
    assert not is_quick_in_bfloat16("cpu")


@pytest.mark.parametrize(
    ("asked", "is_quick", "warns"), [("bf16", False, True), ("bf16", True, False), ("no", False, False)]
)
def test_a_training_that_would_crawl_says_so_and_what_to_change(monkeypatch, asked, is_quick, warns):
    monkeypatch.setattr(precision, "is_quick_in_bfloat16", lambda device: is_quick)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_slow_bfloat16("cpu", asked)
    assert len(told) == warns
    if warns:
        assert '--set mixed_precision="no"' in str(told[0].message)
