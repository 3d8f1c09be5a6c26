"""Errors as one sentence that begins with the node's id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def sentences_of(node_id: str) -> Iterator[None]:
    """Put the node's id in front of the sentence of a ValueError."""
    try:
        yield
    except ValueError as problem:
        raise ValueError(f"{node_id}: {problem}") from problem


def verdict(check: Callable, *values) -> bool | str:
    """What `validate_inputs` returns: True where `check` passes, else its sentence."""
    try:
        check(*values)
    except ValueError as problem:
        return str(problem)
    return True
