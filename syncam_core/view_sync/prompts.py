"""One prompt for all views, with a few words more for some of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import UserError


def prompts_of_views(text: str, suffixes: str, views: int) -> list[str]:
    """The prompt of each view: the text, a blank, and its line of ``suffixes``. A blank line leaves the text as it is.

    The first line belongs to view 0. Lines that are missing count as blank. Raises UserError for words on a line that
    no view has.
    """
    lines = [line.strip() for line in suffixes.splitlines()]
    for number, line in enumerate(lines[views:], views + 1):
        if line:
            raise UserError(
                f"'suffixes' says {line[:40]!r} on line {number}, but 'cameras' has {views} views, a line for each; "
                "remove it, or add a camera to the rig.",
                field="suffixes",
            )
    lines += [""] * (views - len(lines))
    return [" ".join(filter(None, (text.rstrip(), line))) if line else text for line in lines[:views]]


def stack_texts(texts: Sequence[Tensor]) -> Tensor:  # each (1, tokens, ...) -> (views, most tokens, ...)
    """Texts of different lengths in one batch; shorter ones are continued by zeros.

    That is what Wan's text encoder puts behind a prompt of less than 512 tokens, so up to there nothing is added here.
    """
    tokens = max(text.shape[1] for text in texts)
    behind_last_axis = [0, 0] * (texts[0].ndim - 2)
    return torch.cat([pad(text, (*behind_last_axis, 0, tokens - text.shape[1])) for text in texts])
