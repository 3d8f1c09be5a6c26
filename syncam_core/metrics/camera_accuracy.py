"""RotErr and TransErr: do the cameras that the pictures show stand as they were asked to?

Per moment and view i, the pose of view i relative to view 0 is found in the two pictures (`matching.py`,
`relative_pose.py`) and held against the rig's. With R and t as in x_i = R x_0 + t:

    RotErr   = arccos((trace(R_found R_asked^T) - 1) / 2)
    TransErr = | t_found / |t_found| - t_asked / |t_asked| |

after CameraCtrl (He et al., arXiv 2404.02101), with positions of unit length because two pictures show no length: 0 is
the same direction, 2 the opposite one. SynCamMaster (arXiv 2412.07760, Table 4) reports the mean of both over frames;
neither the unit of its RotErr nor code was published, so both units are told here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig, inverse
from ..errors import UserError
from ..synthetic import focal_px
from ..video.clip import FLOAT, Clip, in_depth
from .alignment import aligned
from .matching import Features, Matcher, Matches
from .relative_pose import RelativePose, distances_to_lines, relative_pose

UNPUBLISHED = (
    "The authors published neither code for RotErr and TransErr nor the unit of RotErr. Compare order and ratios with the "
    "paper's rows, not values."
)
TRAINING_DATA, OWN = LENSES = ("training data", "rig")
FEW_INLIERS = 200  # so few must each be exact; more of them make up for it
NEAR_PX = 3.0  # of an epipolar line, where more matches are looked for
AT_ONE_PLACE_M = 1e-6
LEAST_INLIERS = 30  # fewer agree on a pose by chance
LEAST_SHARE = 0.05  # of the matches: among thousands of wrong ones some always agree


@dataclass(frozen=True, eq=False)
class PairAccuracy:
    """View `view` against view 0 at one frame. Where too few matches agree there is no number, but NaN, and no pose."""

    view: int
    frame: int
    matches: int
    inliers: int
    rot_err_deg: float
    trans_err: float  # NaN also where the rig has both cameras at one place
    rotation: Tensor | None  # (3, 3) float64, from the axes of view 0 to those of this one
    translation: Tensor | None  # (3,) float64 of length 1
    is_ambiguous: bool = False  # enough matches agree, but with two poses alike, as on a single plane

    @property
    def is_measured(self) -> bool:
        return self.rotation is not None

    def to_text(self) -> str:
        if self.is_ambiguous:
            return f"not measured: {self.said()}"
        if not self.is_measured:
            return f"not measured: {self.inliers} of {self.matches} matches"
        trans = "cameras at one place" if math.isnan(self.trans_err) else f"{self.trans_err:.4f}"
        return f"{self.rot_err_deg:.3f} degrees, {trans}; {self.inliers} of {self.matches} matches"

    def said(self) -> str:
        """How many matches agree on what."""
        agree = f"{self.inliers} of {self.matches} matches agree"
        if self.is_ambiguous:
            return f"{agree}, but with two poses alike: they lie on one plane"
        return f"{agree} on a pose at best, {LEAST_INLIERS} and {LEAST_SHARE:.0%} of them are needed"


@dataclass(frozen=True, eq=False)
class CameraAccuracy:
    """What was found in a clip, pair by pair, and how."""

    names: tuple[str, ...]
    frames: int
    every: int
    matcher: str
    lens: str
    pairs: tuple[PairAccuracy, ...]
    opinion: tuple[PairAccuracy, ...] = ()  # Depth Anything 3's
    opinion_missing: str = ""  # why there is none, though it was asked for

    @property
    def rot_err_deg(self) -> float:
        """Mean over the measured pairs; NaN without one."""
        return _mean(pair.rot_err_deg for pair in self.pairs)

    @property
    def trans_err(self) -> float:
        return _mean(pair.trans_err for pair in self.pairs)

    @property
    def measured(self) -> int:
        return sum(pair.is_measured for pair in self.pairs)

    def of_view(self, view: int) -> list[PairAccuracy]:
        return [pair for pair in self.pairs if pair.view == view]

    def to_text(self) -> str:
        """A few lines for a person."""
        moments = len({pair.frame for pair in self.pairs})
        lines = [f"{len(self.names)} views, {moments} of {self.frames} frames, {self.matcher}, lens: {self.lens}"]
        if not self.measured:
            most = max(self.pairs, key=lambda pair: pair.inliers)
            lines.append(f"not measured: {most.said()}")
        else:
            lines += _means(self.rot_err_deg, self.trans_err)
            lines.append(f"measured  {self.measured} of {len(self.pairs)} pairs (view 1 with each other one)")
        for view in range(1, len(self.names)):
            pairs = self.of_view(view)
            found = [pair for pair in pairs if pair.is_measured]
            said = f"{_mean(p.rot_err_deg for p in found):.3f} degrees, {_mean(p.trans_err for p in found):.4f}"
            rest = f" in {len(found)} of {len(pairs)} frames"
            lines.append(f"view {view + 1} {self.names[view]}: {said + rest if found else pairs[0].to_text()}")
        if self.opinion:
            rot, trans = _mean(p.rot_err_deg for p in self.opinion), _mean(p.trans_err for p in self.opinion)
            lines.append(f"Depth Anything 3: RotErr {rot:.3f} degrees, TransErr {trans:.4f}")
        elif self.opinion_missing:
            lines.append(f"Depth Anything 3: {self.opinion_missing}")
        return "\n".join([*lines, UNPUBLISHED])

    def to_json(self) -> dict[str, object]:
        """The numbers as JSON values; null where there is none."""
        return {
            "rot_err_deg": _json(self.rot_err_deg),
            "rot_err_rad": _json(math.radians(self.rot_err_deg)),
            "trans_err": _json(self.trans_err),
            "measured_pairs": self.measured,
            "matcher": self.matcher,
            "lens": self.lens,
            "every": self.every,
            "frames": self.frames,
            "views": list(self.names),
            "pairs": [_pair_json(pair) for pair in self.pairs],
            "depth_anything_3": [_pair_json(pair) for pair in self.opinion] or (self.opinion_missing or None),
            "not_published": UNPUBLISHED,
        }


def moments_of(frames: int, every: int) -> range:
    """The frames that are measured. Raises UserError for a step below 1."""
    if every < 1:
        raise UserError(f"'every' is {every}, but it counts frames; give 1 or more.", field="every")
    return range(0, frames, every)


def camera_accuracy(
    views: Sequence[Clip],
    rig: Rig,
    matcher: Matcher[Features],
    *,
    lens: str = TRAINING_DATA,
    every: int = 8,
    on_pair: Callable[[], None] = lambda: None,
    on_matches: Callable[[int, int, Matches, RelativePose | None], None] | None = None,
) -> CameraAccuracy:
    """Measure every pair (view 0, view i) at frames 0, `every`, 2 `every` and so on.

    `lens` says through which lens the pictures were made: that of the training data, 24 mm on 23.76 mm (the model has no
    lens input and paints as if through it), or each camera's own in the rig (for renderings and footage). Of the views
    one moment is in memory. `on_pair` is called after each pair; `on_matches` gets its view, frame, matches and pose.

    Raises UserError for a single view, a rig with another number of cameras or too few frames, views that are not equally
    long, an unknown lens and a step below 1.
    """
    frames = _checked(views, rig, lens)
    moments = moments_of(frames, every)
    lenses = [Lens()] * len(views) if lens == TRAINING_DATA else list(rig.lenses)
    pairs = []
    for frame in moments:
        picture = _picture(views[0], frame)
        features = matcher.features(picture)
        for view in range(1, len(views)):
            other = _picture(views[view], frame)
            seen = matcher.features(other)
            found = matcher.match(features, seen)
            planes = _Planes.of([views[0], views[view]], [lenses[0], lenses[view]])
            pose = planes.pose(found)
            if pose is not None and LEAST_INLIERS <= pose.is_inlier.sum() < FEW_INLIERS:
                pose = _sharpened(pose, planes, matcher, (features, seen), (picture, other), found)
            pairs.append(_held(rig, view, frame, len(found), pose))
            if on_matches is not None:
                on_matches(view, frame, found, pose if pairs[-1].is_measured else None)
            on_pair()
    said = "24 mm on 23.76 mm, of the training data" if lens == TRAINING_DATA else "the rig's"
    return CameraAccuracy(rig.names, frames, every, matcher.name, said, tuple(pairs))


def depth_anything_accuracy(
    geometries: Sequence[Mapping[str, object]],  # DA3_GEOMETRY of the views of one moment each
    rig: Rig,
    moments: Sequence[int],
) -> tuple[tuple[PairAccuracy, ...], str]:
    """The same errors of the cameras that Depth Anything 3 saw, or why there are none.

    `extrinsics` (1, views, 3 or 4, 4) are world-to-camera matrices. A model without a camera head gives identity
    matrices without a word; so does a single picture.

    Raises UserError for another number of geometries than moments (one stands for the first moment), or of views.
    """
    if len(geometries) not in (1, len(moments)):
        raise UserError(
            f"'da3_geometry' has {len(geometries)} items, but {len(moments)} moments are measured; give one for each of "
            f"the frames {', '.join(map(str, moments))}, or one for the first.",
            field="da3_geometry",
        )
    pairs = []
    for frame, geometry in zip(moments, geometries, strict=False):
        w2c = geometry.get("extrinsics")
        if not isinstance(w2c, Tensor) or w2c.ndim != 4 or len(w2c) != 1:
            return (), "the geometry has no cameras; run it in multiview mode with a Small or Base model"
        if w2c.shape[1] != rig.views:
            raise UserError(
                f"'da3_geometry' has {w2c.shape[1]} views, but the rig has {rig.views} cameras; give it one picture per "
                "view, all of one moment.",
                field="da3_geometry",
            )
        rows = w2c[0, :, :3].double().cpu()
        if (rows - torch.eye(4, dtype=torch.float64)[:3]).abs().max() < 1e-6:
            return (), "it gave no cameras but identity matrices: this model has no camera head; load Small or Base"
        to_first = rows[0, :, :3].mT
        for view in range(1, rig.views):
            rotation = rows[view, :, :3] @ to_first
            translation = rows[view, :, 3] - rotation @ rows[0, :, 3]
            pose = RelativePose(rotation, translation / translation.norm().clamp_min(1e-12), torch.ones(0))
            pairs.append(_compared(_asked(rig, view, frame), view, frame, 0, 0, pose))
    return tuple(pairs), ""


def with_opinion(accuracy: CameraAccuracy, pairs: tuple[PairAccuracy, ...], missing: str) -> CameraAccuracy:
    """The same report with what Depth Anything 3 says beside it, or why it says nothing."""
    return replace(accuracy, opinion=pairs, opinion_missing=missing)


def found_c2w(
    rig: Rig,
    pairs: Sequence[PairAccuracy],  # of one frame
    frame: int,
) -> Tensor:  # (views, 4, 4) float64, NaN where not measured
    """Where the found cameras stand in the rig's world, with the asked camera 0 and the asked distances from it."""
    asked = rig.c2w[:, rig.index_of(frame)]
    found = torch.full_like(asked, math.nan)
    found[0] = asked[0]
    for pair in pairs:
        if pair.rotation is not None and pair.translation is not None:
            to_view = torch.eye(4, dtype=torch.float64)
            apart = (asked[pair.view, :3, 3] - asked[0, :3, 3]).norm()
            to_view[:3, :3], to_view[:3, 3] = pair.rotation, pair.translation * apart
            found[pair.view] = asked[0] @ inverse(to_view)
    return found


def _checked(views: Sequence[Clip], rig: Rig, lens: str) -> int:
    if lens not in LENSES:
        raise UserError(f"'lens' is {lens!r}; possible are {', '.join(LENSES)}.", field="lens")
    if len(views) != rig.views:
        raise UserError(
            f"there are {len(views)} views but the rig has {rig.views} cameras; give the rig that the views were made "
            "with.",
            field="rig",
        )
    if len(views) < 2:
        raise UserError("there is one view only, but cameras are measured against the first; give at least 2.")
    frames = len(views[0])
    if any(len(view) != frames for view in views):
        raise UserError(f"the views have {', '.join(str(len(view)) for view in views)} frames; cut the longer ones.")
    if 1 < rig.frames < frames:
        raise UserError(f"the views have {frames} frames, but the cameras of the rig move over {rig.frames} only.")
    return frames


def _picture(view: Clip, frame: int) -> Tensor:  # (height, width, 3) float32 in 0..1
    return torch.from_numpy(in_depth(view[frame], FLOAT))


@dataclass(frozen=True)
class _Planes:
    """Pixels of two pictures on their cameras' planes at depth 1."""

    middles: tuple[Tensor, Tensor]  # pixels
    focal: tuple[float, float]

    @staticmethod
    def of(views: Sequence[Clip], lenses: Sequence[Lens]) -> _Planes:
        first, second = (torch.tensor([view.width / 2, view.height / 2], dtype=torch.float64) for view in views)
        one, two = (focal_px(lens, view.width) for lens, view in zip(lenses, views, strict=True))
        return _Planes((first, second), (one, two))

    @property
    def pixel(self) -> float:
        return 2 / sum(self.focal)

    def points(self, which: int, px: Tensor) -> Tensor:
        return (px.detach().cpu().double() - self.middles[which]) / self.focal[which]

    def pose(self, found: Matches) -> RelativePose | None:
        return relative_pose(
            self.points(0, found.first_px), self.points(1, found.second_px), found.confidence, self.pixel
        )


def _sharpened(
    pose: RelativePose,
    planes: _Planes,
    matcher: Matcher[Features],
    features: tuple[Features, Features],
    pictures: tuple[Tensor, Tensor],
    found: Matches,
) -> RelativePose:
    """The pose from exact places of more matches, near the epipolar lines of the pose from few; as it was if it fails.

    The inliers stay those of the matches that were found without knowing it: what is looked for along lines is found
    along them, and proves nothing.
    """
    better = planes.pose(aligned(*pictures, found)) or pose
    places = [planes.points(which, matcher.places(seen)) for which, seen in enumerate(features)]
    is_near = distances_to_lines(better, places[0], places[1]) < NEAR_PX * planes.pixel
    best = planes.pose(aligned(*pictures, matcher.match_among(*features, is_near)))
    if best is None or best.is_inlier.sum() <= pose.is_inlier.sum():
        return pose
    return replace(best, is_inlier=pose.is_inlier)  # two poses may explain few matches alike, and one of them these


def _held(rig: Rig, view: int, frame: int, matches: int, pose: RelativePose | None) -> PairAccuracy:
    """The pose against the rig's, if enough matches agree with it and with no other."""
    inliers = 0 if pose is None else int(pose.is_inlier.sum())
    if pose is None or inliers < max(LEAST_INLIERS, LEAST_SHARE * matches):
        return PairAccuracy(view, frame, matches, inliers, math.nan, math.nan, None, None)
    asked = _asked(rig, view, frame)
    # Of cameras at one place a direction is not asked for, and matches do not have one.
    if pose.is_turn_ambiguous or (pose.is_ambiguous and asked[:3, 3].norm() >= AT_ONE_PLACE_M):
        return PairAccuracy(view, frame, matches, inliers, math.nan, math.nan, None, None, is_ambiguous=True)
    return _compared(asked, view, frame, matches, inliers, pose)


def _asked(rig: Rig, view: int, frame: int) -> Tensor:  # (4, 4) from view 0's camera to the view's
    return inverse(rig.c2w[view, rig.index_of(frame)]) @ rig.c2w[0, rig.index_of(frame)]


def _compared(asked: Tensor, view: int, frame: int, matches: int, inliers: int, pose: RelativePose) -> PairAccuracy:
    turn = pose.rotation @ asked[:3, :3].mT
    # arccos loses half of the digits near 0; the chord |R - I| = 2 sqrt(2) sin(angle / 2) does not
    half = (turn - torch.eye(3, dtype=turn.dtype)).norm() / (2 * math.sqrt(2))
    angle = 2 * math.asin(min(1.0, float(half)))
    apart = asked[:3, 3].norm()
    trans = math.nan if apart < AT_ONE_PLACE_M else float((pose.translation - asked[:3, 3] / apart).norm())
    return PairAccuracy(view, frame, matches, inliers, math.degrees(angle), trans, pose.rotation, pose.translation)


def _means(rot_err_deg: float, trans_err: float) -> list[str]:
    trans = "not measured: the cameras stand at one place" if math.isnan(trans_err) else f"{trans_err:.4f}"
    return [
        f"RotErr    {rot_err_deg:.3f} degrees ({math.radians(rot_err_deg):.5f} radians)",
        f"TransErr  {trans}",
    ]


def _mean(numbers: Iterable[float]) -> float:
    there = [number for number in numbers if not math.isnan(number)]
    return sum(there) / len(there) if there else math.nan


def _pair_json(pair: PairAccuracy) -> dict[str, float | None]:
    return {
        "view": pair.view,
        "frame": pair.frame,
        "matches": pair.matches,
        "inliers": pair.inliers,
        "rot_err_deg": _json(pair.rot_err_deg),
        "trans_err": _json(pair.trans_err),
    }


def _json(number: float) -> float | None:
    return number if math.isfinite(number) else None
