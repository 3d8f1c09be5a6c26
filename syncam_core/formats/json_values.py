"""JSON files: read within bounds, their values checked by their place, written with one item on a line."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ..cameras.json_text import Json, parse_json
from ..cameras.rig import Lens
from ..disk.bounded import MAX_BYTES, file_text
from ..errors import UserError
from .files import write_text

MAX_ITEMS = 60_000  # of a list: 64 cameras over 900 frames


# -- files -----------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Json:
    """The value of a JSON file. Raises UserError for one that is missing, too large, not UTF-8 or not JSON."""
    return parse_json(file_text(Path(path)), MAX_BYTES)


def write_json(path: Path, head: dict[str, Json], key: str = "", items: Json = ()) -> None:
    """Write one object: the pairs of `head` and then `key` with its `items`, each on a line of its own.

    `items` is a list, or a dict; json writes the shortest digits that give every float64 back.
    Raises UserError where the file cannot be written.
    """
    lines = [f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in head.items()]
    if key:
        opening, closing, rows = ("{", "}", _pairs(items)) if isinstance(items, dict) else ("[", "]", map(_line, items))
        body = ",\n    ".join(rows)
        lines.append(f"  {json.dumps(key)}: {opening}\n    {body}\n  {closing}")
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _pairs(items: dict[str, Json]) -> list[str]:
    return [f"{json.dumps(name, ensure_ascii=False)}: {_line(value)}" for name, value in items.items()]


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def refuse_foreign(document: Json, name: str, key: str) -> None:
    """Raises UserError for a document that is no object with `key`, or that names another format or version."""
    if not isinstance(document, dict) or key not in document:
        held = "null" if document is None else shown(document)
        raise UserError(f"it holds {held} without {key!r}; a file of the format '{name}' has it.")
    given = document.get("format", name)
    if given != name:
        raise UserError(f"format is {shown(given)}, but '{name}' is needed.", field="format")
    version = document.get("version", 1)
    if version != 1 or isinstance(version, bool):
        raise UserError(
            f"version is {shown(version)}, but this release of ComfyUI-SynCam reads version 1 of '{name}'.",
            field="version",
        )


# -- values ----------------------------------------------------------------------------------------------------------


def as_object(value: Json, place: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise UserError(f"{place} is {shown(value)}, but an object is needed.", place=place)
    return value


def as_list(value: Json, place: str) -> list[Json]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{place} is {shown(value)}, but a list with at least one item is needed.", place=place)
    if len(value) > MAX_ITEMS:
        raise UserError(
            f"{place} is {shown(value)}, but at most {MAX_ITEMS} are possible; give a part of them.", place=place
        )
    return value


def number(value: Json, place: str) -> float:
    """A finite number. Raises UserError by its place."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{place} is {shown(value)}, but a number is needed.", place=place)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise UserError(f"{place} is NaN or an infinite number, but a finite number is needed.", place=place)
    return result


def positive(value: Json, place: str) -> float:
    result = number(value, place)
    if result <= 0:
        raise UserError(f"{place} is {result:g}, but a number above 0 is needed.", place=place)
    return result


def numbers(value: Json, count: int, place: str) -> list[float]:
    """`count` finite numbers, given as a list, or as a list of lists of one number each (a column)."""
    items = value if isinstance(value, list) else []
    items = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items]
    if len(items) != count:
        raise UserError(f"{place} is {shown(value)}, but {count} numbers are needed.", place=place)
    return [number(item, f"{place}[{index}]") for index, item in enumerate(items)]


def rotation_rows(value: Json, place: str) -> list[list[float]]:
    """Three rows of three finite numbers."""
    if not isinstance(value, list) or len(value) != 3:
        raise UserError(f"{place} is {shown(value)}, but three rows of three numbers are needed.", place=place)
    return [numbers(row, 3, f"{place} row {index}") for index, row in enumerate(value)]


def pose(value: Json, place: str) -> list[list[float]]:
    """A 4x4 matrix of 3 or 4 rows of 4 finite numbers; the last row is 0 0 0 1 within rounding.

    Raises UserError by its place, also for a matrix that is written transposed.
    """
    if not isinstance(value, list) or len(value) not in (3, 4):
        raise UserError(f"{place} is {shown(value)}, but a matrix of 3 or 4 rows of 4 numbers is needed.", place=place)
    rows = [numbers(row, 4, f"{place} row {index}") for index, row in enumerate(value)]
    last = [0.0, 0.0, 0.0, 1.0]
    if len(rows) == 4 and any(abs(a - b) > 1e-6 for a, b in zip(rows[3], last, strict=True)):
        transposed = all(abs(row[3] - b) <= 1e-6 for row, b in zip(rows, last, strict=True))
        hint = " (it looks transposed: the position belongs in the last column)" if transposed else ""
        given = " ".join(f"{value:g}" for value in rows[3])
        raise UserError(f"{place} has the last row {given}, but it must be 0 0 0 1{hint}.", place=place)
    return [*rows[:3], last]


def is_matrix(value: Json) -> bool:
    """Whether a value is one matrix, and not a list of matrices: its first row begins with a number."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], list)
        and bool(value[0])
        and not isinstance(value[0][0], list)
    )


def lens_of(focal_mm: Json, sensor_width_mm: Json, place: str) -> Lens:
    try:
        return Lens(number(focal_mm, "focal length"), number(sensor_width_mm, "sensor width"))
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem


def shown(value: Json) -> str:
    """A value as a sentence can hold it."""
    if isinstance(value, (list, dict)):
        kind, items = ("a list", "items") if isinstance(value, list) else ("an object", "keys")
        return f"{kind} of {len(value)} {items}" if value else f"an empty {kind.split()[1]}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "missing" if value is None else str(value).lower()[:40]
