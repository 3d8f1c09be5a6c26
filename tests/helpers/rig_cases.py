"""The shared cases of the rig JSON, which the readers in Python and in JavaScript both have to meet.

A case has a `name` and either the document (`rig`) or the `text` of one. An accepted one says what its cameras are:
`frames`, `c2w` (for each camera the rows of some frames) and, where they matter, `names`, `colors`, `lenses`;
`expected_from` says where the numbers come from, which is neither of the two readers. A refused one names the `place`
that the sentence has to point to, and whether the `schema` can see the mistake, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "shared_cases" / "rig"
TOLERANCE = 1e-9  # of a metre, or of the number where it is larger than 1


def load(kind: str) -> list[dict[str, Any]]:
    """All cases that are "accepted", or all that are "refused"."""
    cases = []
    for path in sorted(FOLDER.glob("*.json")):
        cases += json.loads(path.read_text(encoding="utf-8")).get(kind, [])
    return cases


def text_of(case: dict[str, Any]) -> str:
    return case["text"] if "text" in case else json.dumps(case["rig"])


ACCEPTED, REFUSED = load("accepted"), load("refused")


def check(
    case: dict[str, Any],
    names: list[str],
    colors: list[str],
    lenses: list[dict[str, float]],
    c2w: np.ndarray,  # (views, frames, 4, 4)
) -> None:
    """Assert that cameras are those that an accepted case expects."""
    assert c2w.shape == (len(case["c2w"]), case["frames"], 4, 4)
    assert len(names) == len(colors) == len(lenses) == len(case["c2w"])
    for key, given in (("names", names), ("colors", colors), ("lenses", lenses)):
        if key in case:
            assert given == case[key]
    for view, frames in enumerate(case["c2w"]):
        for frame, rows in frames.items():
            assert np.array_equal(c2w[view, int(frame), 3], [0, 0, 0, 1])
            agree(c2w[view, int(frame), :3], np.array(rows), f"camera {view}, frame {frame}")


def agree(given: np.ndarray, expected: np.ndarray, place: str) -> None:
    assert given.shape == expected.shape
    off = np.abs(given - expected) / np.maximum(1, np.abs(expected))
    assert off.max() <= TOLERANCE, f"{place}: off by {off.max():.3g}"
