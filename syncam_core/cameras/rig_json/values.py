"""Values of a rig JSON: numbers, choices, known keys, each refused by its place."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Sequence

from ...errors import UserError
from ..json_text import Json


def check_keys(given: dict[str, Json], known: Iterable[str], path: str) -> None:
    for key in given:
        if key not in known:
            guess = difflib.get_close_matches(key[:60].lower(), known, n=1)
            hint = f"did you mean '{guess[0]}'?" if guess else f"possible are {', '.join(known)}."
            raise UserError(f"{path} has the unknown key {key[:60]!r}; {hint}", place=path)


def read_choice(given: dict[str, Json], key: str, possible: Sequence[str], path: str) -> str:
    choice = given.get(key, possible[0])
    if choice not in possible:
        raise UserError(f"{path}.{key} is {shown(choice)}, but possible are {', '.join(possible)}.", place=path)
    return choice


def number(value: Json, path: str, verb: str = "is") -> float:
    if isinstance(value, str):
        raise UserError(f"{path} {verb} {shown(value)}, but a number is needed; write it without quotes.", place=path)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{path} {verb} {shown(value)}, but a number is needed.", place=path)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise UserError(f"{path} {verb} NaN, but a finite number is needed.", place=path)
    if math.isinf(number):
        raise UserError(
            f"{path} {verb} an infinite or far too large number, but a finite number is needed.", place=path
        )
    return number


def whole_number(value: Json) -> int | None:
    # 81.0 is a whole number in JSON, and programs in languages without integers write it so
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        return None
    return int(value) if value == int(value) else None


def is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def shown(value: Json) -> str:
    if isinstance(value, (list, dict)):
        kind, items = ("a list", "items") if isinstance(value, list) else ("an object", "keys")
        return f"{kind} of {len(value)} {items}" if value else f"an empty {kind.split()[1]}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # JSON has one kind of number: 1e3 and 1000 are the same, here as in JavaScript
    return str(value)[:40]
