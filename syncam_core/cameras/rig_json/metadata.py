"""What may travel with the cameras: any JSON object, within bounds."""

from __future__ import annotations

from typing import TypeAlias

from ...errors import UserError
from ..json_text import Json
from .values import is_finite, number

_Keys: TypeAlias = "tuple[str | int, Json, _Keys | None]"  # a key, in what it stands, and the keys above

MAX_DEPTH = 100  # of metadata


def check_metadata(metadata: dict[str, Json]) -> None:
    """Refuse numbers that JSON cannot hold, and a depth that other readers may not survive."""
    pending: list[tuple[Json, _Keys | None, int]] = [
        (metadata, None, 1)
    ]  # value, (its key, and so up to the top), depth
    while pending:
        value, keys, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise UserError(
                f"metadata is nested more than {MAX_DEPTH} levels deep; leave the deepest ones out.", field="metadata"
            )
        inner = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, (list, tuple, dict)):
                if item or depth == MAX_DEPTH:
                    inner.append((item, (key, value, keys), depth + 1))
            elif isinstance(item, (int, float)) and not isinstance(item, bool) and not is_finite(item):
                number(item, _path_of((key, value, keys)))
        pending += reversed(inner)


def _path_of(keys: _Keys | None) -> str:
    steps = []
    while keys:
        key, parent, keys = keys
        steps.append(f".{str(key)[:60]}" if isinstance(parent, dict) else f"[{key}]")
    path = "metadata" + "".join(reversed(steps))
    return path if len(path) <= 120 else f"{path[:120]}..."
