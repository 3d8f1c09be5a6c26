"""Checkpoints of before PyTorch 1.6, which are pickles one behind the other: opened without trust."""

from __future__ import annotations

import struct

import pytest
import torch

from syncam_core.disk.checkpoint import WeightsError, open_state_dict

NUMBERS = 70_000


def test_an_old_checkpoint_is_read_where_it_may_be_one_and_asks_for_no_more_memory_than_it_has(tmp_path):
    path, weight = tmp_path / "net.pth", torch.arange(float(NUMBERS))
    torch.save({"weight": weight}, path, _use_new_zipfile_serialization=False)
    state, _ = open_state_dict(path, old=True)
    assert torch.equal(state["weight"], weight)
    with pytest.raises(WeightsError, match="bare pickle"):
        open_state_dict(path)
    content, says = path.read_bytes(), b"J" + struct.pack("<i", NUMBERS)  # BININT, of the storage and of the shape
    assert content.count(says) >= 1
    path.write_bytes(content.replace(says, b"J" + struct.pack("<i", 2**30)))
    with pytest.raises(WeightsError, match=f"asks for more memory than its {len(content)} bytes"):
        open_state_dict(path, old=True)
