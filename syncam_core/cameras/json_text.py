"""JSON as people and other programs hand it in: bounded, strict, and refused with sentences."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, TypeAlias

from ..errors import UserError

Json: TypeAlias = Any  # a value of a JSON text that nobody has looked at yet

_EXPLAINED = {
    "Expecting value": "a value is missing or is not written as JSON",
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "a value is missing or is not written as JSON",
    "Expecting property name enclosed in double quotes": "a key in double quotes is expected",
    "Illegal trailing comma before end of object": "there is a comma too many",
    "Illegal trailing comma before end of array": "there is a comma too many",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting ',' delimiter": "a comma or a closing bracket is missing",
    "Extra data": "something stands after the end",
    "Unterminated string starting at": "a closing double quote is missing",
    "Invalid control character at": "a line break or control character stands inside a text",
}
_OTHERWISE = {"True": "true", "False": "false", "None": "null"}
_PYTHON = re.compile(r"(True|False|None)\b")


def parse_json(text: str, max_characters: int) -> Json:
    """The value of a JSON text.

    NaN, Infinity and numbers too large for a float are read as such, for the caller to refuse by their place.

    Raises UserError for a text that is too long, empty, not JSON (with line and column), too deeply nested, or that
    gives one key of an object twice.
    """
    if len(text) > max_characters:
        raise UserError(f"the text has {len(text)} characters, but at most {max_characters} are read.")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise UserError("the text is empty; JSON is needed.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as problem:
        raise UserError(_not_json(text, problem)) from problem
    except RecursionError as problem:
        raise UserError("the text is nested too deeply to be read.") from problem


def _not_json(text: str, problem: json.JSONDecodeError) -> str:
    """What is wrong, where; alike in all versions of Python, of which some stop at a comma and some behind it."""
    place, before = problem.pos, text[: problem.pos].rstrip()
    rest = text[place:].lstrip()
    why = _EXPLAINED.get(problem.msg, "it cannot be read")
    if before.endswith(",") and rest[:1] in ("}", "]"):
        place, why = len(before) - 1, "there is a comma too many"
    elif rest.startswith(("//", "/*", "#")):
        why = "JSON has no comments, but one begins"
    elif rest.startswith("'"):
        why = "keys and texts stand in double quotes"
    elif found := _PYTHON.match(rest):
        why = f"JSON writes {_OTHERWISE[found[0]]} for {found[0]}"
    near = text[place : place + 20].split("\n")[0]
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"the text is not JSON: {why} at line {line}, column {column}" + (
        f", near {near!r}." if near.strip() else "."
    )


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise UserError(f"the key {twice[:60]!r} stands twice in one object; leave one out.")
    return value


def _integer(digits: str) -> int | float:
    # Python converts very long integers in quadratic time, or refuses them; no float is that large anyway.
    if len(digits) > 310:
        return -math.inf if digits.startswith("-") else math.inf
    return int(digits)
