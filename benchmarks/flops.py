"""Floating point operations of one forward, by formula: products of matrices and attention, a multiply-add is two."""

from __future__ import annotations

from collections.abc import Sequence

from models import TEXT_DIM, WORDS, Shape, Widths


def base_flops(widths: Widths, shape: Shape) -> float:
    """Wan2.1 alone, with the text's keys and values, which it computes in every forward."""
    d, tokens = widths.dim, shape.frames * shape.frame
    linear = tokens * (4 * d * d + 2 * d * d + 2 * d * widths.ffn)
    attention = 2 * tokens * tokens * d + 2 * tokens * WORDS * d
    block = linear + attention + text_keys(widths)
    ends = tokens * 2 * 64 * d + WORDS * (TEXT_DIM * d + d * d)
    return 2.0 * shape.views * (widths.depth * block + ends)


def text_keys(widths: Widths) -> float:
    """Multiply-adds of one block for one view's text keys and values."""
    return WORDS * 2 * widths.dim**2


def module_flops(widths: Widths, shape: Shape, groups: Sequence, matrices: int = 5) -> float:
    """The view synchronization; the authors have five square matrices for each token, folded they are four."""
    d = widths.dim
    linear = shape.tokens * matrices * d * d
    pairs = sum(len(group.members) * len(group.asked) for group in groups)
    attention = shape.frames * 2 * pairs * shape.frame**2 * d
    return 2.0 * widths.depth * (linear + attention)
