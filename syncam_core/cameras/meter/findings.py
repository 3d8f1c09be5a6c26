"""What the meter finds."""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS = ("inside", "edge", "outside")


@dataclass(frozen=True)
class Problem:
    """One way in which a view differs from the training data."""

    kind: str  # azimuth, elevation, aim, no_common_point, roll, lens, motion; of trajectories pan, tilt, arc, way
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
    verdict: str = "inside"  # edge, outside
    reason: str = ""  # one sentence
    problems: tuple[Problem, ...] = ()
    through: tuple[
        int, ...
    ] = ()  # views that lead from the reference here in trained hops, where the direct way is none


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
    trajectories: bool = False  # views are judged as ways of one camera, not as views of one moment

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
