"""Lists of view numbers as people write them: "0", "0, 2", "0-3", "all but 2"."""

from __future__ import annotations

import re

from ..errors import UserError

LARGEST = 999


def read_numbers(text: str, name: str) -> list[int]:
    """The numbers that a text lists, in its order, a range "2-5" with both its ends.

    Entries are separated by commas, semicolons or blanks. Raises UserError, naming the input `name`, for anything
    else than numbers from 0 to 999 and rising ranges of them.
    """
    numbers = []
    for entry in re.sub(r"\s*-\s*", "-", text).replace(",", " ").replace(";", " ").split():
        found = re.fullmatch("([0-9]{1,3})(?:-([0-9]{1,3}))?", entry)
        if found is None:
            raise UserError(
                f"'{name}' holds {entry[:40]!r}; give numbers from 0 to {LARGEST} and ranges of them, like '0, 2' or "
                "'0-3'.",
                field=name,
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise UserError(f"'{name}' holds the range '{entry}', which falls; write '{last}-{first}'.", field=name)
        numbers += range(first, last + 1)
    return numbers


def choose_views(text: str, views: int | None, name: str) -> list[int]:
    """The views that a text names, in its order: numbers and ranges, "all", or "all but" numbers and ranges.

    With `views` None the text alone is judged. Raises UserError, naming the input `name`, for an empty list, a view
    that does not exist and one that is named twice.
    """
    exception = re.fullmatch(r"\s*all(?:\s+but\s+(.*))?\s*", text, re.IGNORECASE | re.DOTALL)
    numbers = read_numbers((exception[1] or "") if exception else text, name)
    if not numbers and (exception is None or exception[1] is not None):
        raise UserError(f"'{name}' names no view; give numbers like '0', '0, 2', '0-3' or 'all but 2'.", field=name)
    twice = next((number for index, number in enumerate(numbers) if number in numbers[:index]), None)
    if twice is not None:
        raise UserError(f"'{name}' names view {twice} twice; name every view once.", field=name)
    if views is None:
        return numbers
    missing = next((number for number in numbers if number >= views), None)
    if missing is not None:
        there = "the only view is 0" if views == 1 else f"the views are 0 to {views - 1}"
        raise UserError(f"'{name}' names view {missing}, but {there}; the first view has number 0.", field=name)
    return [view for view in range(views) if view not in numbers] if exception else numbers
