"""Lists as people write them: "1, 3-5", "A, back", "all but 2", "0, 30.5". Every text field with a list is read here.

A view is named by its camera's name, by a letter (A is the first one, after Z come AA, AB) or by a number; where several
of these fit, the name wins over the letter over the number. Upper and lower case are one where only one camera fits. In
quotes it is always a name, and '""' stands for a quotation mark in it. Entries are separated by commas, semicolons, line
ends or blanks; commas, digits and letters may be as wide as Chinese and Japanese input methods type them; a part between
two commas that is a camera's name is that camera, whatever it holds. Cameras and views are counted from 1, except where a
docstring says otherwise.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from ..errors import UserError
from .rig import MAX_VIEWS

LONGEST_LIST = 10_000  # characters
LARGEST = 999  # of the whole numbers that stand in ranges
LONGEST_SHOWN = 40
ONE_BATCH = "connect a list of views; a batch with the frames of all becomes one with SynCam Batch to Views"

# Also the commas and the semicolon of Chinese and Japanese input methods; escapes, as Windows consoles print this file.
_SEPARATORS = ",;\uff0c\uff1b\u3001\r\n"
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_PART = re.compile(rf'\s*"(?:[^"]|"")*"\s*(?=[{_SEPARATORS}]|$)|[^{_SEPARATORS}]+')
_END = "[0-9]{1,3}|[A-Za-z]{1,2}"
_RANGE = re.compile(rf"({_END})\s*[-\u2013\u2014]\s*({_END})")
_ENTRY = re.compile(rf'"(?:[^"]|"")*"(?!\S)|(?:{_END})\s*[-\u2013\u2014]\s*(?:{_END})(?!\S)|\S+')
_ALL = re.compile(r"\s*all(?:\s+but\b(.*))?\s*", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBERED = re.compile(r"cam\d{2,}")


# ---- cameras and views


def choose_cameras(text: str, names: Sequence[str], field: str = "cameras") -> list[int]:
    """Positions in `names` of the cameras that a text lists, in its order: entries, ranges, "all", "all but" entries.

    The number n means the camera called cam{n:02d} where the file has cameras of such names, else the n-th camera. An
    empty text means all. Raises UserError, naming the input `field`, for a camera that does not exist, one named twice,
    and a text that leaves none.
    """
    check_length(text, field, 'name the cameras to use, like "1, 3"')
    chosen: list[int] = []
    exception = None if text.strip() in names else _ALL.fullmatch(text)
    for entry in _entries((exception[1] or "") if exception else text, names, field):
        view = _camera(entry, names, field)
        if view is None:
            raise UserError(
                f"'{field}' asks for {entry[:80]!r}, but the cameras are {_listed(names)}; use these"
                + ("; the first has the number 1." if entry == "0" else "."),
                field=field,
            )
        if view in chosen:
            raise UserError(f"'{field}' asks for {names[view]!r} twice; name every camera once.", field=field)
        chosen.append(view)
    if exception is None:
        return chosen or list(range(len(names)))
    if exception[1] is not None and not 0 < len(chosen) < len(names):
        raise UserError(
            f"'{field}' says 'all but' {'every camera' if chosen else 'nothing'}; name the cameras to leave out, like "
            "'all but 2'.",
            field=field,
        )
    return [view for view in range(len(names)) if view not in chosen]


def choose_views(text: str, views: int | None, field: str) -> list[int]:
    """The views that a text lists, in its order: numbers from 0, letters, ranges, "all", or "all but" some of these.

    With `views` None the text alone is judged. Raises UserError, naming the input `field`, for an empty list, a view
    that does not exist and one that is named twice.
    """
    check_length(text, field, "name the views, like '0, 2'")
    exception = _ALL.fullmatch(text)
    chosen: list[int] = []
    for entry in _entries((exception[1] or "") if exception else text, (), field):
        view = _place(entry, first=0)
        if view is None or view > LARGEST:
            raise UserError(
                f"'{field}' holds {entry[:LONGEST_SHOWN]!r}; give numbers from 0 to {LARGEST} and ranges of them, like "
                "'0, 2' or '0-3'.",
                field=field,
            )
        if view in chosen:
            raise UserError(f"'{field}' names view {view} twice; name every view once.", field=field)
        chosen.append(view)
    if not chosen and (exception is None or exception[1] is not None):
        raise UserError(f"'{field}' names no view; give numbers like '0', '0, 2', '0-3' or 'all but 2'.", field=field)
    if views is None:
        return chosen
    missing = next((view for view in chosen if view >= views), None)
    if missing is not None:
        there = "the only view is 0" if views == 1 else f"the views are 0 to {views - 1}"
        raise UserError(f"'{field}' names view {missing}, but {there}; the first view has number 0.", field=field)
    return [view for view in range(views) if view not in chosen] if exception else chosen


def order_of_views(text: str, names: Sequence[str], field: str) -> list[int]:
    """The views that a text lists, in its order and also repeated. Raises UserError as `view_of` does."""
    return [view_of(entry, names, f"'{field}'") for entry in _entries(text, names, field)]


def view_of(camera: str, names: Sequence[str], where: str) -> int:
    """The view that a camera's name (in quotes or not), letter or number means.

    Raises UserError with a sentence that begins with `where` for one that does not exist or that two names fit.
    """
    camera = _typed(camera, names)
    view = _named(camera, names, where)
    if view is None:
        view = _place(camera, first=1)
    if view is not None and 0 <= view < len(names):
        return view
    asked = in_quotes(_unquoted(camera), LONGEST_SHOWN)
    if len(names) == 1:
        raise UserError(f"{where} asks for {asked}, but the only view is A = {names[0]!r}; {ONE_BATCH}.", place=where)
    known = ", ".join(f"{letter_of(view)} = {name!r}" for view, name in enumerate(names[:8]))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    raise UserError(
        f"{where} asks for {asked}, but the cameras are {known}{more}; use a name, a letter, or a number "
        f"from 1 to {len(names)}.",
        place=where,
    )


def letter_of(view: int) -> str:
    """A for the first view, Z for the 26th, then AA, AB and so on."""
    letters = ""
    view += 1
    while view:
        view, digit = divmod(view - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


# ---- numbers


def parse_numbers(text: str, field: str, example: str = "0, 30") -> list[float]:
    """Numbers as a person types them: "0, 30", "0 30", "0;30".

    `field` is what a refusal calls the text, `example` what it shows as possible there. Raises UserError for an empty text,
    an empty entry, a word, NaN, infinity, and more than MAX_VIEWS numbers.
    """
    check_length(text, field, f'give at most {MAX_VIEWS} numbers, like "{example}"')
    trimmed = narrow(text).replace("\u2212", "-").strip().rstrip(_SEPARATORS).strip()
    if not trimmed:
        raise UserError(
            f"'{field}' is empty; give one number, or one for each camera, like \"{example}\".", field=field
        )
    numbers = []
    for entry in re.split(rf"\s*[{_SEPARATORS}]\s*|\s+", trimmed):
        value = float(entry) if _NUMBER.fullmatch(entry) else math.nan
        if not math.isfinite(value):
            shown = repr(entry[:LONGEST_SHOWN]) if entry else "an empty entry"
            raise UserError(
                f"'{field}' holds {shown}, but only finite numbers can stand there, like \"{example}\".", field=field
            )
        numbers.append(value)
    if len(numbers) > MAX_VIEWS:
        raise UserError(f"'{field}' lists {len(numbers)} cameras, but at most {MAX_VIEWS} are possible.", field=field)
    return numbers


def parse_point(text: str, field: str) -> tuple[float, float, float]:
    """A point or vector as a person types it: "0, -1.5, 0". Raises UserError for anything but three numbers."""
    numbers = parse_numbers(text, field, "0, -1.5, 0") if text.strip() else []
    if len(numbers) != 3:
        raise UserError(
            f"'{field}' holds {len(numbers)} number{'s' * (len(numbers) != 1)}, but three are needed: metres to the right, down and away, "
            'like "0, -1.5, 0".',
            field=field,
        )
    x, y, z = numbers
    return x, y, z


def whole_numbers(text: str, field: str) -> list[int]:
    """The whole numbers from 0 to 999 that a text lists, in its order, a range "2-5" with both its ends.

    Raises UserError, naming the input `field`, for anything else than such numbers and rising ranges of them.
    """
    check_length(text, field, "give numbers, like '0, 2'")
    numbers = []
    for entry in _entries(text, (), field):
        if not re.fullmatch("[0-9]{1,3}", entry):
            raise UserError(
                f"'{field}' holds {entry[:LONGEST_SHOWN]!r}; give numbers from 0 to {LARGEST} and ranges of them, like "
                "'0, 2' or '0-3'.",
                field=field,
            )
        numbers.append(int(entry))
    return numbers


def narrow(text: str) -> str:
    """A text with its full-width letters, digits and signs, as East Asian input methods type them, as plain ones."""
    return "".join(unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" or c == "\u3000" else c for c in text)


def check_length(text: str, field: str, what_to_do: str) -> None:
    """Raise UserError for a list that no person has typed."""
    if len(text) > LONGEST_LIST:
        raise UserError(f"'{field}' has {len(text)} characters; {what_to_do}.", field=field)


def in_quotes(text: str, longest: int = LONGEST_LIST) -> str:
    """The text in quotes, with what a message cannot hold (control characters, lone surrogates) written as escapes."""
    shown = text if len(text) <= longest else text[:longest] + "\u2026"
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown) + "'"


# ---- entries


def _entries(text: str, names: Collection[str], field: str) -> Iterator[str]:
    """The entries of a text, ranges spelt out."""
    whole = text.strip()
    for part in [whole] if whole in names else _PART.findall(text):  # a name may hold commas
        part = part.strip()
        # A name may hold blanks ("close up"), so the part between two commas is tried as it stands first.
        for written in [part] if part in names else _ENTRY.findall(part):
            entry = _typed(written, names)
            ends = None if entry in names else _RANGE.fullmatch(entry)
            yield from _between(ends[1], ends[2], field) if ends else [entry]


def _typed(entry: str, names: Collection[str]) -> str:
    """An entry that is no camera's name, in plain letters and digits."""
    is_name = '"' in entry or entry.casefold() in {name.casefold() for name in names}
    return entry if is_name else narrow(entry)


def _between(first: str, last: str, field: str) -> list[str]:
    start, end = _place(first, first=0), _place(last, first=0)
    if start is None or end is None or first.isdigit() != last.isdigit():
        return [f"{first}-{last}"]  # nobody's name
    if start > end:
        raise UserError(
            f"'{field}' holds the range '{first}-{last}', which falls; write '{last}-{first}'.", field=field
        )
    return [str(number) if first.isdigit() else letter_of(number) for number in range(start, end + 1)]


def _camera(entry: str, names: Sequence[str], field: str) -> int | None:
    """The position of a camera in a file, where numbers may be parts of names."""
    view = _named(entry, names, f"'{field}'", field)
    if view is None and re.fullmatch("[0-9]{1,6}", entry):
        view = _named(f"cam{int(entry):02d}", names, f"'{field}'", field)
        # In a file whose cameras are numbered by name, a number without a camera is a mistake, not a position.
        if view is None and any(_NUMBERED.fullmatch(name) for name in names):
            return None
    if view is None:
        view = _place(entry, first=1)
    return view if view is not None and 0 <= view < len(names) else None


def _named(entry: str, names: Sequence[str], where: str, field: str | None = None) -> int | None:
    wanted = entry if entry in names else _unquoted(entry)
    if wanted in names:
        return list(names).index(wanted)
    alike = [index for index, name in enumerate(names) if name.casefold() == wanted.casefold()]
    if len(alike) > 1:
        both = " and ".join(repr(names[index]) for index in alike)
        raise UserError(
            f"{where} could mean {both}; write upper and lower case as in the name.", field=field, place=where
        )
    return alike[0] if alike else None


def _place(entry: str, first: int) -> int | None:
    """The position that a letter or a number means, the first number being `first`; it may be one that nothing has."""
    if re.fullmatch("[A-Za-z]{1,2}", entry):
        *tens, ones = (ord(letter) - ord("A") for letter in entry.upper())
        return sum(26 * (ten + 1) for ten in tens) + ones
    return int(entry) - first if re.fullmatch("[0-9]{1,18}", entry) else None


def _unquoted(entry: str) -> str:
    quoted = QUOTED.fullmatch(entry)
    return quoted[1].replace('""', '"') if quoted else entry


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown
