"""The meter's hand-made cases, and how an answer is held against what they expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "shared_cases" / "meter"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
TOLERANCE = 1e-6  # metres, degrees; a case may have its own


def load(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def check(case: dict[str, Any], answer: dict[str, Any]) -> None:
    """Assert that the JSON object of a meter is what the case expects, as far as the case names it."""
    expected = dict(case["expected"])
    pairs = {
        f"{answer['views'][pair['first']]['name']} {answer['views'][pair['second']]['name']}": pair["verdict"]
        for pair in answer["pairs"]
    }
    if "trained_pairs" in expected:
        assert 2 * list(pairs.values()).count("inside") == expected.pop("trained_pairs")
    for pair, verdict in case.get("verdicts", {}).items():
        assert pairs[pair] == verdict, pair
    match(answer, expected, case.get("tolerance", TOLERANCE), "meter")


def match(answer: Any, expected: Any, tolerance: float, place: str) -> None:
    """Objects may hold more than is expected; lists have the same length; numbers agree within the tolerance."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            match(answer[key], value, tolerance, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(answer) == len(expected), place
        for index, (one, other) in enumerate(zip(answer, expected, strict=True)):
            match(one, other, tolerance, f"{place}[{index}]")
    elif isinstance(expected, (int, float)) and not isinstance(expected, bool):
        assert abs(answer - expected) <= tolerance, f"{place}: {answer} is not {expected}"
    else:
        assert answer == expected, f"{place}: {answer!r} is not {expected!r}"
