"""Which cameras of a file to use, and in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UserError


def choose_cameras(wanted: str, names: Sequence[str]) -> list[int]:
    """Positions in `names` of the cameras that a person asks for, in the order asked for.

    Entries are separated by commas, semicolons or blanks. An entry is the exact name of a camera, or a number: the
    number n means the camera called cam{n:02d} where the file has it, else the n-th camera. An empty text means all.

    Raises UserError for a camera that does not exist, naming those that do, and for one asked for twice.
    """
    if len(wanted) > 10_000:
        raise UserError(
            f"'cameras' has {len(wanted)} characters; name the cameras to use, like \"1, 3\".", field="cameras"
        )
    chosen: list[int] = []
    for entry in _entries(wanted, names):
        index = _index_of(entry, names)
        if index is None:
            raise UserError(
                f"'cameras' asks for {entry[:80]!r}, but the cameras are {_listed(names)}; use these.", field="cameras"
            )
        if index in chosen:
            raise UserError(f"'cameras' asks for {names[index]!r} twice; name every camera once.", field="cameras")
        chosen.append(index)
    return chosen or list(range(len(names)))


def positions_of(cameras: Sequence[int] | None, views: int) -> list[int]:
    """The positions of cameras in a rig of `views`; None means all. Raises UserError for one that does not exist."""
    chosen = list(range(views)) if cameras is None else [int(camera) for camera in cameras]
    for camera in chosen:
        if not 0 <= camera < views:
            raise UserError(f"camera number {camera} does not exist; the rig has cameras 0 to {views - 1}.")
    return chosen


def _entries(wanted: str, names: Sequence[str]) -> list[str]:
    if wanted.strip() in names:
        return [wanted.strip()]  # a name may hold commas
    entries = []
    for part in re.split("[,;\uff0c\uff1b\u3001]", wanted):
        # a name may hold blanks ("close up"), so the part between two commas is tried as it stands first
        entries += [part.strip()] if part.strip() in names else part.split()
    return entries


def _index_of(entry: str, names: Sequence[str]) -> int | None:
    if entry in names:
        return names.index(entry)
    if not re.fullmatch("[0-9]{1,6}", entry):
        return None
    number = int(entry)
    if f"cam{number:02d}" in names:
        return names.index(f"cam{number:02d}")
    # In a file whose cameras are numbered by name, a number without a camera is a mistake, not a position.
    numbered = any(re.fullmatch(r"cam\d{2,}", name) for name in names)
    return number - 1 if 1 <= number <= len(names) and not numbered else None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown
