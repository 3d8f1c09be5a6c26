"""What of a view the weights were trained on, in a word and in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..rig import Lens, Rig
from .findings import VERDICTS, PairMeter, Problem, ViewMeter
from .geometry import AIM_EDGE_DEG, AIM_INSIDE_DEG, ON_AXIS_M, lens_deg
from .words import degrees, listed, metres, quoted, side, tenths

AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG = 30.0, 15.0  # trained pairs lie below both
EDGE = 1.1  # up to a tenth beyond a limit is the edge, farther is outside
# Far above the rounding of float64, far below that of camera files: in the authors' file of 6 digits two cameras at 15
# and -15 degrees lie 29.99999 degrees apart, and their list has this pair.
ROUNDING_DEG = 1e-6
LENS_INSIDE, LENS_EDGE = 0.02, 0.1  # relative difference from the training lens
ROLL_INSIDE_DEG, ROLL_EDGE_DEG = 2.0, 10.0
KNOWN_DISTANCES_M = (3.0, 9.0)  # of the parts of the training data whose distances are published


def grade(size: float, limit: float, edge: float) -> str:
    """inside strictly below the limit."""
    if size < limit - ROUNDING_DEG:
        return "inside"
    return "edge" if size <= edge + ROUNDING_DEG else "outside"


def worst(verdicts: Sequence[str]) -> str:
    return max(verdicts, key=VERDICTS.index, default="inside")


def angle_verdict(azimuth_deg: float, elevation_deg: float) -> str:
    grades = (
        grade(abs(azimuth_deg), AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG * EDGE),
        grade(abs(elevation_deg), ELEVATION_LIMIT_DEG, ELEVATION_LIMIT_DEG * EDGE),
    )
    return worst(grades)


def cost(azimuth_deg: float, elevation_deg: float) -> float:
    """1 at the limit of the training range."""
    return max(abs(azimuth_deg) / AZIMUTH_LIMIT_DEG, abs(elevation_deg) / ELEVATION_LIMIT_DEG)


def judged(view: ViewMeter, rig: Rig, to_reference: PairMeter | None, kind: str) -> ViewMeter:
    """The view with its problems, and what they come to; `kind` is that of the common point."""
    lens = rig.lenses[rig.names.index(view.name)]
    problems = _problems(view, lens, rig.names[0], to_reference, kind)
    return replace(
        view,
        verdict=worst([problem.verdict for problem in problems]),
        reason=_reason(problems, to_reference, rig.names[0], [rig.names[other] for other in view.through]),
        problems=tuple(problems),
    )


def _problems(view: ViewMeter, lens: Lens, reference: str, pair: PairMeter | None, kind: str) -> list[Problem]:
    problems = []

    def add(kind: str, verdict: str, text: str) -> None:
        if verdict != "inside":
            problems.append(Problem(kind, verdict, text))

    if pair:
        size, limit = abs(pair.azimuth_deg), AZIMUTH_LIMIT_DEG
        where = f"{degrees(size)} to the {side(pair.azimuth_deg)} of {quoted(reference)}"
        add("azimuth", grade(size, limit, limit * EDGE), f"{where} (trained: less than {degrees(limit)})")
        size, limit = abs(pair.elevation_deg), ELEVATION_LIMIT_DEG
        where = f"{degrees(size)} {'above' if pair.elevation_deg >= 0 else 'below'} {quoted(reference)}"
        add("elevation", grade(size, limit, limit * EDGE), f"{where} (trained: less than {degrees(limit)})")
        if kind == "none":
            text = "looks at no point together with the others (trained: all at one)"
            add("no_common_point", "edge", text)
    if view.aim_off_deg is not None:
        text = f"looks {degrees(view.aim_off_deg)} past the common point (trained: at it)"
        add("aim", grade(view.aim_off_deg, AIM_INSIDE_DEG + 2 * ROUNDING_DEG, AIM_EDGE_DEG), text)
    size = abs(view.roll_deg)
    text = f"rolled by {degrees(size)} (trained: level)"
    add("roll", grade(size, ROLL_INSIDE_DEG + 2 * ROUNDING_DEG, ROLL_EDGE_DEG), text)
    trained = Lens()
    ratio = lens.focal_mm / lens.sensor_width_mm * trained.sensor_width_mm / trained.focal_mm
    text = f"sees {degrees(view.lens_deg)} across (trained: {degrees(lens_deg(trained))})"
    # by the larger number over the smaller, so that half and double count the same
    add("lens", grade(max(ratio, 1 / ratio) - 1, LENS_INSIDE + 2 * ROUNDING_DEG, LENS_EDGE), text)
    add("motion", "outside" if view.moves else "inside", "moves (trained: standing still)")
    return problems


def _reason(problems: list[Problem], pair: PairMeter | None, reference: str, through: list[str]) -> str:
    if problems:
        sentence = listed([problem.text for problem in problems])
        if through:
            names = ", ".join(quoted(name) for name in through[:3]) + (" and more" if len(through) > 3 else "")
            sentence += f"; trained hops lead here through {names}"
        return f"{sentence[0].upper()}{sentence[1:]}."
    if pair is None:
        return "The reference: the other views are measured from here."
    azimuth_deg, elevation_deg = pair.azimuth_deg, pair.elevation_deg
    place = []
    if tenths(azimuth_deg):
        place.append(f"{degrees(abs(azimuth_deg))} to the {side(azimuth_deg)} of")
    if tenths(elevation_deg):
        place.append(f"{degrees(abs(elevation_deg))} {'above' if elevation_deg >= 0 else 'below'}")
    sentence = " and ".join(place) or "in the same direction as"
    return f"{sentence[0].upper()}{sentence[1:]} {quoted(reference)}, like the trained pairs."


def notes_of(views: Sequence[ViewMeter], kind: str, centre: np.ndarray) -> list[str]:
    notes = []
    on_one_spot = bool((np.linalg.norm(centre - centre[0], axis=-1) <= ON_AXIS_M).all())
    if kind == "axis":
        notes.append(
            "The cameras look along one line: the point at which they look is assumed, only distance differences are "
            "certain."
        )
    elif kind == "none" and on_one_spot:
        notes.append(
            "All cameras stand on one spot and look different ways, at no common point. If that is not meant, their "
            "matrices may be world-to-camera; invert them."
        )
    elif kind == "none":
        notes.append(
            "No point is in the middle of most pictures: distances are measured along the viewing direction, and no "
            "bridge cameras can be suggested."
        )
    else:
        near, far = KNOWN_DISTANCES_M
        known = [(view.name, view.distance_m) for view in views if view.distance_m is not None]
        beyond = [(name, distance) for name, distance in known if not near - 0.01 <= distance <= far + 0.01]
        if beyond:
            distances = ", ".join(f"{quoted(name)} {metres(distance)}" for name, distance in beyond[:4])
            more = f" and {len(beyond) - 4} more" if len(beyond) > 4 else ""
            notes.append(
                f"Distances: the training cameras that are known stand {near:g} to {far:g} m from the subject; "
                f"{distances}{more}."
            )
    if len(views) > 1 and all(abs(view.roll_deg) > ROLL_EDGE_DEG for view in views):
        notes.append("Every camera is rolled: the file's up direction may be another one than this pack's -y.")
    return notes
