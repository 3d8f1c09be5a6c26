"""What stays the same during one sampling and is computed once: cameras, view positions, keys and values of the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")
MOST_TEXTS = 4  # positive, negative, and those of guiders with more


@dataclass(eq=False)
class KeptText:
    """One text as the blocks read it and, by block, its keys and values."""

    text: Tensor  # (rows, words, dim)
    blocks: dict[int, list[Tensor]] = field(default_factory=dict)


@dataclass(eq=False)
class Once:
    """Belongs to one sampling and ends with it, so clones and runs cannot disturb each other.

    Threads of several devices may use it at the same time: entries are named by device, and none is ever changed.
    """

    seed: int = 0
    keeps_text: bool = True
    _values: dict[tuple, object] = field(default_factory=dict)
    _texts: list[KeptText] = field(default_factory=list)

    def get(self, name: tuple, make: Callable[[], T]) -> T:
        if name not in self._values:
            self._values[name] = make()
        return cast(T, self._values[name])

    def text_like(self, text: Tensor) -> KeptText:
        """The entry of this very text: compared by its numbers, since who made it is not known."""
        for kept in self._texts:
            if kept.text is text:
                return kept
        for kept in self._texts:
            alike = (kept.text.shape, kept.text.dtype, kept.text.device) == (text.shape, text.dtype, text.device)
            if alike and torch.equal(kept.text, text):
                kept.text = text  # the other blocks of this forward find it without looking
                return kept
        kept = KeptText(text)
        self._texts = [*self._texts[1 - MOST_TEXTS :], kept]
        return kept


def once_per_chunk(rows: Tensor, views: int) -> Tensor:
    """(chunks * views, ...) as (chunks, ...) where the views of every chunk are the same, else as it is."""
    chunks = rows.unflatten(0, (-1, views))
    return chunks[:, 0].clone() if torch.equal(chunks, chunks[:, :1].expand_as(chunks)) else rows
