"""Cameras that begin at one pose and move away from it: trajectories of a re-capture, held against ReCamMaster's training.

What its data holds stands in the public README: pans of 5 to 45 degrees, tilts of 5 to 30, arcs of 15 to 75, ways of a
quarter of the distance to the subject up to all of it, and lenses of 18 to 50 mm. Every camera is measured against its own
first frame: `pan` and `tilt` by where it looks, `way` by how far it goes. A camera that keeps the point ahead of it within 5
degrees of its axis while it goes is led by it: its turn is an `arc` around the point and no pan, and its `way` is the one
towards or away from the point, or up or down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..rig import Lens
from .findings import Problem, ViewMeter
from .geometry import AIM_INSIDE_DEG, ASSUMED_DISTANCE_M, AT_POINT_M, largest, lens_deg, wrapped
from .verdicts import ROLL_EDGE_DEG, ROLL_INSIDE_DEG, ROUNDING_DEG, grade, worst
from .words import degrees, listed

BEGINS_ALIKE = 1e-6  # difference of matrices
EDGE = 1.1
RANGES = {  # least and most that training has seen; degrees, and shares of the distance to the subject
    "pan": (5.0, 45.0),
    "tilt": (5.0, 30.0),
    "arc": (15.0, 75.0),
    "way": (0.25, 1.0),
}
LENSES_MM = (18.0, 50.0)
LENS_SLACK, LENS_EDGE = 0.02, 0.1
WORDS = {"pan": "pans by", "tilt": "tilts by", "arc": "goes around its subject by", "way": "goes"}
NOTE = (
    "All cameras begin at one pose and move: they are judged as trajectories of a re-capture (ReCamMaster), each against "
    "its own first frame."
)


def are_trajectories(c2w: np.ndarray) -> bool:  # (views, frames, 4, 4)
    """Whether all cameras begin at one pose, and every one leaves it."""
    apart = np.abs(c2w - c2w[:1, :1]).max((2, 3)) > BEGINS_ALIKE
    return bool(not apart[:, 0].any() and apart.any(1).all())


def judged_trajectories(
    views: Sequence[ViewMeter],
    c2w: np.ndarray,  # (views, moments, 4, 4)
    azimuth: np.ndarray,  # (views, moments) degrees, of where cameras look from
    elevation: np.ndarray,
    lenses: Sequence[Lens],
) -> list[ViewMeter]:
    return [
        _judged(view, _sizes(c2w[i], azimuth[i], elevation[i], view.distance_m), lenses[i])
        for i, view in enumerate(views)
    ]


def _sizes(c2w: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, distance_m: float | None) -> dict[str, float]:
    """How far the camera goes in each of RANGES, at the moment when it is farthest."""
    reach = distance_m if distance_m is not None and distance_m > AT_POINT_M else ASSUMED_DISTANCE_M
    centre, forward = c2w[:, :3, 3], c2w[:, :3, 2]
    point = centre[0] + reach * forward[0]
    from_point = centre - point
    ground = np.hypot(from_point[:, 0], from_point[:, 2])
    off = np.degrees(
        np.arctan2(np.linalg.norm(np.cross(forward, -from_point), axis=-1), -(forward * from_point).sum(-1))
    )
    gone = np.linalg.norm(centre - centre[0], axis=-1)
    led = bool((gone > BEGINS_ALIKE * reach).any() and (off <= AIM_INSIDE_DEG).all())
    around = wrapped(np.degrees(np.arctan2(from_point[:, 0], -from_point[:, 2])) - azimuth[0])
    ways = [ground - ground[0], centre[:, 1] - centre[0, 1]] if led else [gone]
    turned, lifted = wrapped(azimuth - azimuth[0]), elevation - elevation[0]
    return {
        "pan": 0.0 if led else abs(float(largest(turned))),
        "tilt": 0.0 if led else abs(float(largest(lifted))),
        "arc": abs(float(largest(around))) if led else 0.0,
        "way": max(float(np.abs(way).max()) for way in ways) / reach,
    }


def _judged(view: ViewMeter, sizes: dict[str, float], lens: Lens) -> ViewMeter:
    problems: list[Problem] = []

    def add(kind: str, verdict: str, text: str) -> None:
        if verdict != "inside":
            problems.append(Problem(kind, verdict, text))

    for kind, size in sizes.items():
        least, most = RANGES[kind]
        text = f"{WORDS[kind]} {_amount(kind, size)} (trained: {_span(kind, least, most)})"
        add(kind, grade(size, most + 2 * ROUNDING_DEG, most * EDGE), text)
    if not problems and all(size < RANGES[kind][0] / EDGE for kind, size in sizes.items()):
        add("motion", "edge", "moves less than any trajectory that was trained")
    roll = abs(view.roll_deg)
    add(
        "roll",
        grade(roll, ROLL_INSIDE_DEG + 2 * ROUNDING_DEG, ROLL_EDGE_DEG),
        f"rolled by {degrees(roll)} (trained: level)",
    )
    millimetres = lens.focal_mm / lens.sensor_width_mm * Lens().sensor_width_mm
    beyond = max(LENSES_MM[0] / millimetres, millimetres / LENSES_MM[1], 1.0) - 1
    wide, narrow = (lens_deg(Lens(focal)) for focal in LENSES_MM)
    text = f"sees {degrees(view.lens_deg)} across (trained: {degrees(narrow)} to {degrees(wide)})"
    add("lens", grade(beyond, LENS_SLACK + 2 * ROUNDING_DEG, LENS_EDGE), text)
    return replace(
        view,
        verdict=worst([problem.verdict for problem in problems]),
        reason=_reason(problems, sizes),
        problems=tuple(problems),
        through=(),
    )


def _reason(problems: Sequence[Problem], sizes: dict[str, float]) -> str:
    if problems:
        sentence = listed([problem.text for problem in problems])
    else:
        shown = [f"{WORDS[kind]} {_amount(kind, size)}" for kind, size in sizes.items() if _is_shown(kind, size)]
        sentence = f"{listed(shown)}, like trained trajectories"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _is_shown(kind: str, size: float) -> bool:
    return size >= (0.01 if kind == "way" else 0.1)


def _amount(kind: str, size: float) -> str:
    return f"{_percent(size)} of its distance" if kind == "way" else degrees(size)


def _span(kind: str, least: float, most: float) -> str:
    return f"{_percent(least)} to {_percent(most)}" if kind == "way" else f"{least:g} to {degrees(most)}"


def _percent(share: float) -> str:
    return f"{math.floor(100 * share + 0.5)} %"
