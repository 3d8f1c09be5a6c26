"""How many bytes of tensors a piece of PyTorch code holds at its peak, without computing anything.

Run with tensors on the "meta" device, it tells the peak of real sizes in moments: every tensor that an operation makes
is counted until it is freed, as an allocator of a device would. What kernels need inside themselves is not seen.
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


class LiveBytes(TorchDispatchMode):
    """``peak`` is the most that was alive at once of what was made inside the context."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        if function is torch.ops.aten.equal.default and arguments[0].is_meta:
            return True  # nothing to compare; the views share one text here
        given = set()
        tree_map_only(Tensor, lambda t: given.add(t.untyped_storage()._cdata), (arguments, named or {}))
        made = function(*arguments, **(named or {}))
        tree_map_only(Tensor, lambda t: self._note(t, given), made)
        return made

    def _note(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        name = storage._cdata
        if name in self._known or name in given:
            return
        self._known.add(name)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, name, size)

    def _forget(self, name: int, size: int) -> None:
        self._known.discard(name)
        self.now -= size
