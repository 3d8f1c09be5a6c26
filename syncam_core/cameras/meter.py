"""How far a rig lies from what the released weights were trained on.

They have seen pairs of cameras of one scene: standing still, level, with one lens, all looking at the same character,
and less than 30 degrees of azimuth and less than 15 of elevation apart (the authors' pair list). The meter holds every
pair and every view against that. `web/lib/meter.mjs` is the same in JavaScript; both run the cases in
`tests/shared_cases/meter`.

**Azimuth and elevation** are those of the direction that a camera looks from, as in the authors' list, which reads them
from the rotation: for a camera that looks at a point they are its azimuth and elevation about that point. Differences
take the short way round.

**The common look-at point** is the least-squares crossing of the viewing axes of the first frame: the point with the
smallest sum of squared distances from them. Cameras that miss it by more than 5 degrees are left out, as long as more
than half of the cameras remain ("common"). Where all cameras stand on one line and look along it, such as a close-up
and a wide view, the point could be anywhere on it: the world's origin if it lies before all of them, else 3 m before
the foremost camera, or midway between cameras that face each other ("axis"). Otherwise, for parallel or scattered axes
and for cameras that all stand on one spot, there is none ("none"): distances then differ by the way along the mean
viewing direction, and every view counts as being at the edge at best.

**Overlap** of two cameras: the share of what one sees that the other sees as well, the mean of both ways. "What it
sees" are 240 points: a grid of 10 x 6 in its picture (832 x 480, by its own lens) at 4 depths evenly spaced within
0.5 to 1.5 times its distance from the common point, or 3 m without one.

**Moving cameras** are measured at up to 9 evenly spaced frames, and the largest difference and the smallest overlap
count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .encoding import UNIT_M
from .rig import Lens, camera_problem

AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG = 30.0, 15.0  # trained pairs lie below both
EDGE = 1.1  # up to a tenth beyond a limit is the edge, farther is outside
# Far above the rounding of float64, far below that of camera files: in the authors' file of 6 digits two cameras at 15
# and -15 degrees lie 29.99999 degrees apart, and their list has this pair.
ROUNDING_DEG = 1e-6

LENS_INSIDE, LENS_EDGE = 0.02, 0.1  # relative difference from the training lens
ROLL_INSIDE_DEG, ROLL_EDGE_DEG = 2.0, 10.0
AIM_INSIDE_DEG, AIM_EDGE_DEG = 5.0, 15.0  # 16 degrees off, the point leaves the picture
STILL = 1e-6  # smaller changes of a matrix are rounding

LEAST_CROSSING_DEG = 0.05  # axes closer to parallel do not say where they cross
ON_AXIS_DEG, ON_AXIS_M = 0.5, 0.01
AT_POINT_M = 1e-3  # a camera this near to a point does not look at it: rounding would say from where
ASSUMED_DISTANCE_M = 3.0  # the nearest of the authors' example cameras
KNOWN_DISTANCES_M = (3.0, 9.0)  # of the parts of the training data whose distances are published

MOMENTS = 9
PICTURE_ASPECT = 832 / 480
OVERLAP_COLUMNS, OVERLAP_ROWS, OVERLAP_DEPTHS = 10, 6, 4
BRIDGE_MARGIN_DEG = 0.5  # so that a suggestion stays inside when it is typed with one decimal

VERDICTS = ("inside", "edge", "outside")
MOST_PAIRS_IN_TEXT = 15


@dataclass(frozen=True)
class Problem:
    """One way in which a view differs from the training data."""

    kind: str  # azimuth, elevation, aim, no_common_point, roll, lens, motion
    verdict: str  # edge, outside
    text: str


@dataclass(frozen=True)
class ViewMeter:
    """One camera, judged as a view of a rig whose view 0 is the reference.

    Azimuth, elevation and distance are those of its first frame, roll and aim the largest of all moments.
    """

    name: str
    azimuth_deg: float
    elevation_deg: float
    roll_deg: float
    distance_m: float | None  # to the common look-at point
    aim_off_deg: float | None  # the angle by which it misses that point
    lens_deg: float  # horizontal angle of view
    moves: bool
    verdict: str  # inside, edge, outside
    reason: str  # one sentence
    problems: tuple[Problem, ...]
    through: tuple[int, ...]  # views that lead from the reference here in trained hops, where the direct way is none


@dataclass(frozen=True)
class PairMeter:
    """Differences between two cameras, `second` minus `first`; the verdict is by the angles alone."""

    first: int
    second: int
    azimuth_deg: float
    elevation_deg: float
    distance_m: float
    overlap: float  # 0..1
    verdict: str


@dataclass(frozen=True)
class Bridge:
    """A camera to add between two others, so that each hop is one the weights were trained on."""

    name: str
    azimuth_deg: float
    elevation_deg: float
    distance_m: float
    target: tuple[float, float, float]
    between: tuple[str, str]


@dataclass(frozen=True)
class Meter:
    """What `measure` finds. Views are in the rig's order, pairs in the order (0, 1), (0, 2), ..., (1, 2), ..."""

    target: tuple[float, float, float] | None  # the common look-at point, metres, world axes
    target_kind: str  # common, axis, none
    views: tuple[ViewMeter, ...]
    pairs: tuple[PairMeter, ...]
    best_reference: int
    bridges: tuple[Bridge, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The worst of all views."""
        return max((view.verdict for view in self.views), key=VERDICTS.index)

    def pair(self, first: int, second: int) -> PairMeter:
        """The pair of two different views; with the later view first its differences change their sign."""
        low, high = sorted((first, second))
        found = next(pair for pair in self.pairs if (pair.first, pair.second) == (low, high))
        if first <= second:
            return found
        # 0 - x, as -0.0 would be written as such
        turned = (0 - found.azimuth_deg, 0 - found.elevation_deg, 0 - found.distance_m)
        return PairMeter(first, second, *turned, found.overlap, found.verdict)


def measure(
    rig: Any,  # has names, c2w (views, frames, 4, 4) and lenses
) -> Meter:
    """Hold a rig against the training data of the released weights; see the module's text for every definition."""
    c2w = np.asarray(rig.c2w, dtype=np.float64)
    moments = c2w[:, _moments(c2w.shape[1])]
    centre, forward = moments[..., :3, 3], moments[..., :3, 2]
    azimuth, elevation, roll = _angles(moments)  # (views, moments)
    kind, target = _common_point(centre[:, 0], forward[:, 0])
    distance, aim_off = _to_target(centre, forward, kind, target)
    overlap = _overlaps(moments, rig.lenses, distance)

    views = len(c2w)
    first, second = np.triu_indices(views, 1)
    differences = np.stack(
        [
            _largest(_wrapped(azimuth[second] - azimuth[first])),
            _largest(elevation[second] - elevation[first]),
            _largest(_distance_differences(distance, centre, forward, first, second)),
            overlap[first, second],
        ],
        axis=-1,
    )
    pairs = [
        PairMeter(i, j, *numbers, _angle_verdict(*numbers[:2]))
        for i, j, numbers in zip(first.tolist(), second.tolist(), differences.tolist(), strict=True)
    ]
    paths = _paths_from_reference(views, pairs)

    judged = []
    for view in range(views):
        facts = SimpleNamespace(
            name=rig.names[view],
            reference=rig.names[0],
            to_reference=None if view == 0 else pairs[view - 1],
            kind=kind,
            aim_off_deg=None if aim_off is None else float(aim_off[view].max()),
            roll_deg=float(_largest(roll[view])),
            lens_deg=_lens_deg(rig.lenses[view]),
            moves=bool((np.abs(c2w[view] - c2w[view, 0]) > STILL).any()),
        )
        problems = _problems(facts, rig.lenses[view])
        through = paths.get(view, ())
        judged.append(
            ViewMeter(
                name=rig.names[view],
                azimuth_deg=float(azimuth[view, 0]),
                elevation_deg=float(elevation[view, 0]),
                roll_deg=facts.roll_deg,
                distance_m=None if distance is None else float(distance[view, 0]),
                aim_off_deg=facts.aim_off_deg,
                lens_deg=facts.lens_deg,
                moves=facts.moves,
                verdict=max((problem.verdict for problem in problems), key=VERDICTS.index, default="inside"),
                reason=_reason(facts, problems, [rig.names[v] for v in through]),
                problems=tuple(problems),
                through=through,
            )
        )
    return Meter(
        target=None if target is None else tuple(target.tolist()),
        target_kind=kind,
        views=tuple(judged),
        pairs=tuple(pairs),
        best_reference=_best_reference(judged, pairs),
        bridges=tuple(_bridges(judged, pairs, target)),
        notes=tuple(_notes(judged, kind, centre[:, 0])),
    )


def trained_pairs(
    rig: Any,  # has c2w (views, frames, 4, 4)
) -> list[tuple[int, int]]:
    """The authors' pair list: ordered pairs of views less than 30 degrees of azimuth and 15 of elevation apart."""
    azimuth, elevation, _ = _angles(np.asarray(rig.c2w, dtype=np.float64)[:, :1])
    azimuth, elevation = azimuth[:, 0], elevation[:, 0]
    views = range(len(azimuth))
    return [
        (i, j)
        for i in views
        for j in views
        if i != j and _angle_verdict(_wrapped(azimuth[j] - azimuth[i]), elevation[j] - elevation[i]) == "inside"
    ]


def warn(
    rig_or_poses: Any,  # a rig, or camera poses (views, latent frames, 12), also as an object's `poses`
) -> str:
    """A short sentence about what of a rig the released weights have not seen, to be shown before sampling.

    Empty where all of it is inside of their training range. Poses hold no lens and no horizon: the lens counts as the
    training's, and up is the direction in which all cameras stand level. Poses that are no rigid cameras are said to be
    that.
    """
    rig = rig_or_poses
    if not hasattr(rig, "c2w"):
        c2w = _c2w_of_poses(getattr(rig, "poses", rig))
        for view, poses in enumerate(c2w, start=1):
            problem = camera_problem(torch.from_numpy(poses))
            if problem:
                return f"View {view}, latent frame {problem[0]}, {problem[1]}"
        rig = _rig_of_poses(c2w)
    meter = measure(rig)
    if meter.verdict == "inside":
        return ""
    worst = next(view for view in meter.views if view.verdict == meter.verdict)
    same, edge = (sum(view.verdict == verdict for view in meter.views) for verdict in (meter.verdict, "edge"))
    count = "the camera is" if len(meter.views) == 1 else f"{same} of {len(meter.views)} cameras {_are(same)}"
    where = "outside of" if meter.verdict == "outside" else "at the edge of"
    others = f" ({edge} more {_are(edge)} at its edge)" if meter.verdict == "outside" and edge else ""
    reasons = _listed([problem.text for problem in worst.problems])
    sentence = f"{count} {where} what the released weights were trained on{others}; {_quoted(worst.name)}: {reasons}."
    return f"{sentence[0].upper()}{sentence[1:]}"


def to_text(meter: Meter) -> str:
    """The findings as lines of text for people."""
    views = meter.views
    counts = [sum(view.verdict == verdict for view in views) for verdict in VERDICTS]
    lines = [
        f"{len(views)} {'camera' if len(views) == 1 else 'cameras'}: {counts[0]} inside the training range, "
        f"{counts[1]} at its edge, {counts[2]} outside.",
        "",
    ]
    for number, view in enumerate(views, start=1):
        distance = "" if view.distance_m is None else f", {_metres(view.distance_m)}"
        place = f"azimuth {_degrees(view.azimuth_deg)}, elevation {_degrees(view.elevation_deg)}{distance}"
        lines += [f"{number} {view.name}: {view.verdict.upper()}. {view.reason}", f"    {place}"]
    if meter.pairs:
        lines += ["", "Pairs (azimuth, elevation, distance, overlap):"]
        shown = meter.pairs
        if len(shown) > MOST_PAIRS_IN_TEXT:
            worst_first = sorted(shown, key=lambda pair: -_cost(pair.azimuth_deg, pair.elevation_deg))
            shown = worst_first[:MOST_PAIRS_IN_TEXT]
        for pair in shown:
            lines.append(
                f"{views[pair.first].name} - {views[pair.second].name}: {_degrees(pair.azimuth_deg)}, "
                f"{_degrees(pair.elevation_deg)}, {_hundredths(pair.distance_m):+.2f} m, {100 * pair.overlap:.0f} %: {pair.verdict}"
            )
        if len(meter.pairs) > len(shown):
            lines.append(f"... these are the widest; {len(meter.pairs) - len(shown)} more are in the JSON.")
    lines.append("")
    if meter.best_reference:
        lines.append(f"Best reference: {views[meter.best_reference].name!r} instead of {views[0].name!r}.")
    elif len(views) > 1:
        lines.append(f"Best reference: {views[0].name!r}, as it is.")
    for bridge in meter.bridges:
        lines.append(
            f"Bridge camera between {bridge.between[0]!r} and {bridge.between[1]!r}: azimuth "
            f"{_degrees(bridge.azimuth_deg)}, elevation {_degrees(bridge.elevation_deg)}, {_metres(bridge.distance_m)}."
        )
    return "\n".join([*lines, *meter.notes]).strip()


def to_document(meter: Meter) -> dict[str, Any]:
    """The findings as a JSON object; `bridges[i].camera` can stand in the cameras of a rig JSON as it is."""
    document = asdict(meter)
    document["verdict"] = meter.verdict
    document["bridges"] = [
        {
            "camera": {
                "name": bridge.name,
                "azimuth": bridge.azimuth_deg,
                "elevation": bridge.elevation_deg,
                "distance": bridge.distance_m,
                "target": list(bridge.target),
            },
            "between": list(bridge.between),
        }
        for bridge in meter.bridges
    ]
    return document


def to_json(meter: Meter) -> str:
    """The text of `to_document`."""
    return json.dumps(to_document(meter), allow_nan=False, ensure_ascii=False)


# ---- geometry


def _moments(frames: int) -> list[int]:
    count = min(frames, MOMENTS)
    return [math.floor(i * (frames - 1) / (count - 1) + 0.5) for i in range(count)] if count > 1 else [0]


def _angles(
    c2w: np.ndarray,  # (views, moments, 4, 4)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (views, moments) degrees
    """Azimuth and elevation of the directions that cameras look from, and roll."""
    right, down, forward = (c2w[..., :3, axis] for axis in range(3))
    level = np.hypot(forward[..., 0], forward[..., 2])
    # Straight up or down the picture's right tells the azimuth, as in orbit_c2w without roll.
    vertical = level < 1e-6
    azimuth = np.where(
        vertical, np.arctan2(right[..., 2], right[..., 0]), np.arctan2(-forward[..., 0], forward[..., 2])
    )
    roll = np.where(vertical, 0.0, np.arctan2(right[..., 1], down[..., 1]))
    # + 0: no negative zeros
    return np.degrees(azimuth) + 0.0, np.degrees(np.arctan2(forward[..., 1], level)) + 0.0, np.degrees(roll) + 0.0


def _wrapped(degrees: Any) -> Any:
    """The same angle within (-180, 180]."""
    return degrees - 360 * np.ceil((degrees - 180) / 360)


def _largest(
    numbers: np.ndarray,  # (..., moments)
) -> np.ndarray:  # (...)
    """The number of largest size, the first of several, with its sign."""
    at = np.abs(numbers).argmax(-1)
    return np.take_along_axis(numbers, at[..., None], -1)[..., 0] + 0.0


def _common_point(
    centre: np.ndarray,  # (views, 3)
    forward: np.ndarray,  # (views, 3)
) -> tuple[str, np.ndarray | None]:
    middle = centre.mean(0)
    about = centre - middle
    # Every two axes that cross propose the point nearest to both; the proposal that most cameras look at wins.
    first, second = np.triu_indices(len(centre), 1)
    sine = np.linalg.norm(np.cross(forward[first], forward[second]), axis=-1)
    crossing = np.degrees(np.arcsin(np.minimum(1.0, sine))) >= LEAST_CROSSING_DEG
    first, second = first[crossing], second[crossing]
    points = _least_squares(
        np.stack([about[first], about[second]], axis=1), np.stack([forward[first], forward[second]], axis=1)
    )
    aimed = _aim_off(about, forward, points[:, None]) <= AIM_INSIDE_DEG  # (proposals, views)
    each = np.arange(len(points))
    votes = np.where(aimed[each, first] & aimed[each, second], aimed.sum(1), 0)
    if votes.max(initial=0) > len(centre) // 2:
        best = aimed[votes.argmax()]
        return "common", _least_squares(about[best], forward[best]) + middle
    return _on_one_axis(centre, forward)


def _least_squares(
    centre: np.ndarray,  # (..., views, 3)
    forward: np.ndarray,
) -> np.ndarray:  # (..., 3)
    """The point with the smallest sum of squared distances from viewing axes."""
    across = np.eye(3) - forward[..., :, None] * forward[..., None, :]
    return np.linalg.solve(across.sum(-3), (across @ centre[..., None]).sum(-3))[..., 0]


def _aim_off(centre: np.ndarray, forward: np.ndarray, point: np.ndarray) -> np.ndarray:  # (...) degrees
    """The angle between the viewing direction and the point; 180 for a camera that stands at it."""
    to_point = point - centre
    across = np.linalg.norm(np.cross(forward, to_point), axis=-1)
    angle = np.degrees(np.arctan2(across, (forward * to_point).sum(-1)))
    return np.where(np.linalg.norm(to_point, axis=-1) > AT_POINT_M, angle, 180.0)


def _on_one_axis(centre: np.ndarray, forward: np.ndarray) -> tuple[str, np.ndarray | None]:
    ahead = forward @ forward[0] > 0  # others look back, towards the first
    turned = np.degrees(np.arcsin(np.minimum(1.0, np.linalg.norm(np.cross(forward, forward[0]), axis=-1))))
    aside = np.linalg.norm(np.cross(centre - centre[0], forward[0]), axis=-1)
    if (turned > LEAST_CROSSING_DEG).any() or (aside > ON_AXIS_M).any():
        return "none", None
    origin = np.zeros(3)
    if (_aim_off(centre, forward, origin) <= ON_AXIS_DEG).all():
        return "axis", origin
    along = (centre - centre[0]) @ forward[0]
    start = along[ahead].max()
    if ahead.all():
        return "axis", centre[0] + (start + ASSUMED_DISTANCE_M) * forward[0]
    end = along[~ahead].min()
    if end - start <= ON_AXIS_M:  # back to back
        return "none", None
    return "axis", centre[0] + (start + end) / 2 * forward[0]


def _to_target(
    centre: np.ndarray,  # (views, moments, 3)
    forward: np.ndarray,
    kind: str,
    target: np.ndarray | None,
) -> tuple[np.ndarray | None, np.ndarray | None]:  # (views, moments) metres, degrees
    if kind == "none":
        return None, None
    return np.linalg.norm(target - centre, axis=-1), _aim_off(centre, forward, target)


def _distance_differences(
    distance: np.ndarray | None,  # (views, moments)
    centre: np.ndarray,  # (views, moments, 3)
    forward: np.ndarray,
    first: np.ndarray,  # (pairs,)
    second: np.ndarray,
) -> np.ndarray:  # (pairs, moments)
    if distance is not None:
        return distance[second] - distance[first]
    mean = forward[first] + forward[second]
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    mean = np.where(length > 1e-6, mean / np.maximum(length, 1e-6), forward[first])
    return ((centre[first] - centre[second]) * mean).sum(-1)


def _overlaps(
    c2w: np.ndarray,  # (views, moments, 4, 4)
    lenses: Sequence[Any],
    distance: np.ndarray | None,  # (views, moments)
) -> np.ndarray:  # (views, views), symmetric
    views, moments = c2w.shape[:2]
    half_width = np.array([lens.sensor_width_mm / lens.focal_mm / 2 for lens in lenses])
    half_height = half_width / PICTURE_ASPECT
    x = ((np.arange(OVERLAP_COLUMNS) + 0.5) / OVERLAP_COLUMNS * 2 - 1)[:, None, None]
    y = ((np.arange(OVERLAP_ROWS) + 0.5) / OVERLAP_ROWS * 2 - 1)[None, :, None]
    z = 0.5 + (np.arange(OVERLAP_DEPTHS) + 0.5) / OVERLAP_DEPTHS
    grid = np.stack(np.broadcast_arrays(x * z, y * z, z), axis=-1).reshape(-1, 3)  # in half widths and distances
    slack = 1 + 1e-9  # a point on the border is inside, whatever the rounding
    seen = np.empty((moments, views, views))  # the share of the first that the second sees
    for moment in range(moments):
        rotation, centre = c2w[:, moment, :3, :3], c2w[:, moment, :3, 3]
        for view in range(views):
            reach = ASSUMED_DISTANCE_M if distance is None else float(distance[view, moment])
            reach = reach if reach > AT_POINT_M else ASSUMED_DISTANCE_M
            points = grid * [half_width[view] * reach, half_height[view] * reach, reach]
            points = points @ rotation[view].T  # about its centre: world coordinates may be large
            there = (points + (centre[view] - centre)[:, None]) @ rotation  # (views, points, 3)
            ahead = there[..., 2]
            inside = (
                (ahead > 1e-9)
                & (np.abs(there[..., 0]) <= half_width[:, None] * ahead * slack)
                & (np.abs(there[..., 1]) <= half_height[:, None] * ahead * slack)
            )
            seen[moment, view] = inside.mean(1)
    return ((seen + seen.transpose(0, 2, 1)) / 2).min(0)


# ---- verdicts


def _grade(size: float, limit: float, edge: float) -> str:
    """inside strictly below the limit."""
    if size < limit - ROUNDING_DEG:
        return "inside"
    return "edge" if size <= edge + ROUNDING_DEG else "outside"


def _angle_verdict(azimuth_deg: float, elevation_deg: float) -> str:
    grades = (
        _grade(abs(azimuth_deg), AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG * EDGE),
        _grade(abs(elevation_deg), ELEVATION_LIMIT_DEG, ELEVATION_LIMIT_DEG * EDGE),
    )
    return max(grades, key=VERDICTS.index)


def _lens_deg(lens: Any) -> float:
    return math.degrees(2 * math.atan(lens.sensor_width_mm / lens.focal_mm / 2))


def _problems(facts: Any, lens: Any) -> list[Problem]:
    problems = []

    def add(kind: str, verdict: str, text: str) -> None:
        if verdict != "inside":
            problems.append(Problem(kind, verdict, text))

    pair, reference = facts.to_reference, facts.reference
    if pair:
        size, limit = abs(pair.azimuth_deg), AZIMUTH_LIMIT_DEG
        where = f"{_degrees(size)} to the {_side(pair.azimuth_deg)} of {_quoted(reference)}"
        add("azimuth", _grade(size, limit, limit * EDGE), f"{where} (trained: less than {_degrees(limit)})")
        size, limit = abs(pair.elevation_deg), ELEVATION_LIMIT_DEG
        where = f"{_degrees(size)} {'above' if pair.elevation_deg >= 0 else 'below'} {_quoted(reference)}"
        add("elevation", _grade(size, limit, limit * EDGE), f"{where} (trained: less than {_degrees(limit)})")
        if facts.kind == "none":
            text = "looks at no point together with the others (trained: all at one)"
            add("no_common_point", "edge", text)
    if facts.aim_off_deg is not None:
        text = f"looks {_degrees(facts.aim_off_deg)} past the common point (trained: at it)"
        add("aim", _grade(facts.aim_off_deg, AIM_INSIDE_DEG + 2 * ROUNDING_DEG, AIM_EDGE_DEG), text)
    size = abs(facts.roll_deg)
    text = f"rolled by {_degrees(size)} (trained: level)"
    add("roll", _grade(size, ROLL_INSIDE_DEG + 2 * ROUNDING_DEG, ROLL_EDGE_DEG), text)
    trained = Lens()
    ratio = lens.focal_mm / lens.sensor_width_mm * trained.sensor_width_mm / trained.focal_mm
    text = f"sees {_degrees(facts.lens_deg)} across (trained: {_degrees(_lens_deg(trained))})"
    # by the larger number over the smaller, so that half and double count the same
    add("lens", _grade(max(ratio, 1 / ratio) - 1, LENS_INSIDE + 2 * ROUNDING_DEG, LENS_EDGE), text)
    add("motion", "outside" if facts.moves else "inside", "moves (trained: standing still)")
    return problems


def _reason(facts: Any, problems: list[Problem], through: list[str]) -> str:
    if problems:
        sentence = _listed([problem.text for problem in problems])
        if through:
            names = ", ".join(_quoted(name) for name in through[:3]) + (" and more" if len(through) > 3 else "")
            sentence += f"; trained hops lead here through {names}"
        return f"{sentence[0].upper()}{sentence[1:]}."
    if facts.to_reference is None:
        return "The reference: the other views are measured from here."
    azimuth_deg, elevation_deg = facts.to_reference.azimuth_deg, facts.to_reference.elevation_deg
    place = []
    if _rounded(azimuth_deg):
        place.append(f"{_degrees(abs(azimuth_deg))} to the {_side(azimuth_deg)} of")
    if _rounded(elevation_deg):
        place.append(f"{_degrees(abs(elevation_deg))} {'above' if elevation_deg >= 0 else 'below'}")
    sentence = " and ".join(place) or "in the same direction as"
    return f"{sentence[0].upper()}{sentence[1:]} {_quoted(facts.reference)}, like the trained pairs."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _side(azimuth_deg: float) -> str:
    return "right" if azimuth_deg >= 0 else "left"


def _quoted(name: str) -> str:
    return f"'{name}'"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _rounded(number: float) -> float:
    # halves upwards, as JavaScript does it
    return math.floor(number * 10 + 0.5) / 10


def _degrees(number: float) -> str:
    rounded = _rounded(number)
    return f"{int(rounded)}°" if rounded == int(rounded) else f"{rounded:.1f}°"


def _metres(number: float) -> str:
    return f"{_hundredths(number):.2f} m"


def _hundredths(number: float) -> float:
    return math.floor(number * 100 + 0.5) / 100


def _notes(views: Sequence[ViewMeter], kind: str, centre: np.ndarray) -> list[str]:
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
        beyond = [view for view in views if not near - 0.01 <= view.distance_m <= far + 0.01]
        if beyond:
            distances = ", ".join(f"{_quoted(view.name)} {_metres(view.distance_m)}" for view in beyond[:4])
            more = f" and {len(beyond) - 4} more" if len(beyond) > 4 else ""
            notes.append(
                f"Distances: the training cameras that are known stand {near:g} to {far:g} m from the subject; "
                f"{distances}{more}."
            )
    if len(views) > 1 and all(abs(view.roll_deg) > ROLL_EDGE_DEG for view in views):
        notes.append("Every camera is rolled: the file's up direction may be another one than this pack's -y.")
    return notes


# ---- reference and bridges


def _cost(azimuth_deg: float, elevation_deg: float) -> float:
    """1 at the limit of the training range."""
    return max(abs(azimuth_deg) / AZIMUTH_LIMIT_DEG, abs(elevation_deg) / ELEVATION_LIMIT_DEG)


def _best_reference(views: Sequence[ViewMeter], pairs: Sequence[PairMeter]) -> int:
    """The view with the fewest others outside, then at the edge, then one that stands still, then the most central."""

    def rank(view: int) -> tuple[float, ...]:
        own = [pair for pair in pairs if view in (pair.first, pair.second)]
        outside, edge = (sum(pair.verdict == verdict for pair in own) for verdict in ("outside", "edge"))
        total = sum(_cost(pair.azimuth_deg, pair.elevation_deg) for pair in own)
        return outside, edge, views[view].moves, math.floor(total * 1e6 + 0.5), view

    return min(range(len(views)), key=rank)


def _paths_from_reference(views: int, pairs: Sequence[PairMeter]) -> dict[int, tuple[int, ...]]:
    """For every view that trained hops connect with view 0: the views in between, on the way with the fewest hops."""
    neighbours: dict[int, list[int]] = {view: [] for view in range(views)}
    for pair in pairs:
        if pair.verdict == "inside":
            neighbours[pair.first].append(pair.second)
            neighbours[pair.second].append(pair.first)
    paths: dict[int, tuple[int, ...]] = {0: ()}
    queue = [0]
    for view in queue:
        for other in sorted(neighbours[view]):
            if other not in paths:
                paths[other] = (*paths[view], view) if view else ()
                queue.append(other)
    return paths


def _bridges(views: Sequence[ViewMeter], pairs: Sequence[PairMeter], target: np.ndarray | None) -> list[Bridge]:
    """The cameras that connect all views with the reference in trained hops, by the shortest gaps first."""
    if target is None:
        return []
    seats = [(view.azimuth_deg, view.elevation_deg, view.distance_m, view.name) for view in views]
    group = list(range(len(views)))  # views that trained hops connect carry one number
    for pair in pairs:
        if pair.verdict == "inside":
            old, new = group[pair.second], group[pair.first]
            group = [new if number == old else number for number in group]
    taken = {view.name for view in views}
    bridges: list[Bridge] = []
    while True:
        connected = [i for i in range(len(seats)) if group[i] == group[0]]
        others = [i for i in range(len(seats)) if group[i] != group[0]]
        if not others:
            return bridges
        hops, _, i, j = min((*_gap(seats[i], seats[j]), i, j) for i in connected for j in others)
        (azimuth, elevation, distance, name), (to_azimuth, to_elevation, to_distance, to_name) = seats[i], seats[j]
        turn = float(_wrapped(to_azimuth - azimuth))
        old = group[j]
        group = [group[0] if number == old else number for number in group]
        for hop in range(1, hops):
            share = hop / hops
            number = len(bridges) + 1
            while f"bridge {number}" in taken:
                number += 1
            taken.add(f"bridge {number}")
            bridge = Bridge(
                name=f"bridge {number}",
                azimuth_deg=float(_wrapped(azimuth + turn * share)),
                elevation_deg=elevation + (to_elevation - elevation) * share,
                distance_m=distance + (to_distance - distance) * share,
                target=tuple(target.tolist()),
                between=(name, to_name),
            )
            bridges.append(bridge)
            seats.append((bridge.azimuth_deg, bridge.elevation_deg, bridge.distance_m, bridge.name))
            group.append(group[0])


def _gap(first: tuple, second: tuple) -> tuple[int, int]:
    """How many hops lead over the gap between two seats, and its size for comparisons."""
    azimuth_deg, elevation_deg = abs(float(_wrapped(second[0] - first[0]))), abs(second[1] - first[1])
    hops = max(
        _hops(azimuth_deg, AZIMUTH_LIMIT_DEG - BRIDGE_MARGIN_DEG),
        _hops(elevation_deg, ELEVATION_LIMIT_DEG - BRIDGE_MARGIN_DEG),
    )
    if _angle_verdict(azimuth_deg, elevation_deg) == "inside":
        hops = 1
    return hops, math.floor(_cost(azimuth_deg, elevation_deg) * 1e6 + 0.5)


def _hops(size: float, most: float) -> int:
    return max(1, math.ceil(size / most - ROUNDING_DEG))


# ---- poses without a rig


def _c2w_of_poses(given: Any) -> np.ndarray:  # (views, latent frames, 4, 4), metres, in the axes of view 0
    poses = np.asarray(given, dtype=np.float64)
    views, latent_frames = poses.shape[:2]
    c2w = np.zeros((views, latent_frames, 4, 4))
    c2w[:, :, :3] = poses.reshape(views, latent_frames, 3, 4)
    c2w[:, :, :3, 3] *= UNIT_M
    c2w[:, :, 3, 3] = 1
    return c2w


def _rig_of_poses(c2w: np.ndarray) -> Any:
    views = len(c2w)
    upright = np.eye(4)
    upright[:3, :3] = _upright(c2w[:, 0, :3, 0], c2w[0, 0, :3, 1], c2w[0, 0, :3, 2])
    return SimpleNamespace(
        names=tuple(f"view {view + 1}" for view in range(views)), c2w=upright @ c2w, lenses=(Lens(),) * views
    )


def _upright(right: np.ndarray, down: np.ndarray, forward: np.ndarray) -> np.ndarray:  # (3, 3)
    """World axes in which the cameras stand level: down is the direction most perpendicular to all `right` (views, 3).

    Cameras that differ in height only leave it open; then the first camera counts as looking straight ahead, which
    changes no difference between them.
    """
    sizes, axes = np.linalg.eigh(right.T @ right)  # ascending
    if sizes[1] > 1e-6 * sizes[2]:
        down = axes[:, 0] * (1 if axes[:, 0] @ down >= 0 else -1)
    ahead = forward - (forward @ down) * down
    if np.linalg.norm(ahead) < 1e-6:  # the first camera looks straight down
        ahead = np.cross(right[0], down)
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])
