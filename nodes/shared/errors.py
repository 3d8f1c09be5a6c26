"""Errors as one sentence that begins with the node's id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ...syncam_core.errors import UserError


def refusal(node_id: str, check: Callable, given: Sequence, kind: type) -> bool | str:
    """What `validate_inputs` of a list node returns for one input; a linked input is (None,) and is judged later."""
    with_id = sentences_of(node_id)(check)
    return verdict(with_id, given[0]) if isinstance(given[0], kind) else True


@contextmanager
def sentences_of(node_id: str) -> Iterator[None]:
    """Put the node's id in front of a user's sentence, unless it names a node: what one node set up may refuse in
    another's run. A fault of the program passes as it is, with its trace."""
    try:
        yield
    except UserError as problem:
        if re.match(r"SynCam\w*: ", str(problem)):
            raise
        raise problem.told(f"{node_id}: {problem}") from problem


def verdict(check: Callable, *values) -> bool | str:
    """What `validate_inputs` returns: True where `check` passes, else its sentence."""
    try:
        check(*values)
    except UserError as problem:
        return str(problem)
    return True
