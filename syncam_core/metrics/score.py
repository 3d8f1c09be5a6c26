"""How well the views of one video agree with each other and with the cameras."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor

from ..cameras import orbit_c2w
from ..cameras.rig import Rig, inverse
from ..errors import UserError
from ..synthetic import DEMO_WORLD
from .azimuth import camera_azimuths_deg, fit_azimuths, wrapped_deg
from .geometry import epipolar_distances, reprojection_errors
from .locate import find_subject

# Camera 0 of every clip that the demo model was trained on: azimuth and elevation in degrees, metres from the origin.
# The model is told poses relative to camera 0 only, so that is where it sees camera 0 of any rig.
DEMO_REFERENCE = (0.0, 20.0, 5.0)
# Truth through a blur of a twentieth of the picture, and a haze, still differs by less from the world.
FOREIGN_DIFFERENCE = 0.12


class NoSubject(UserError):
    """No frame shows a subject in two views."""


@dataclass(frozen=True)
class SyncScore:
    """The agreement of the views of one clip. Pixels are those of its pictures, azimuths degrees.

    `located`: share of all pictures that show the subject whole. `reprojection_px`: median over views and frames of
    the distance between where a view shows the subject and where the point triangulated from all views of that
    moment would appear; `reprojection_share` is the same as a share of the picture's width, and `per_frame_px` its
    mean over the views of each frame (NaN where fewer than two views show the subject). `epipolar_px`: median over
    pairs of views and frames of the symmetric epipolar distance.

    `azimuth_deg`: median over views of how far the world is seen from another side than asked for.
    `azimuth_pair_deg`: the same for the angle between two views, median over pairs, which a world that is turned as a
    whole does not change. `azimuth_errors_deg` are the views' signed errors. `difference` says how far the
    backgrounds differ from the procedural world at the best fit (0..1); where it is large the azimuths mean nothing.
    """

    views: int
    frames: int
    width: int
    height: int
    located: float
    reprojection_px: float
    reprojection_share: float
    epipolar_px: float
    azimuth_deg: float
    azimuth_pair_deg: float
    difference: float
    requested_azimuths_deg: tuple[float, ...]
    azimuth_errors_deg: tuple[float, ...]
    per_frame_px: tuple[float, ...]

    @property
    def is_demo_world(self) -> bool:
        return self.difference <= FOREIGN_DIFFERENCE

    def to_text(self) -> str:
        """A few lines for a person."""
        lines = [
            f"{self.views} views, {self.frames} frames of {self.width} x {self.height}",
            f"reprojection error  {self.reprojection_px:.2f} px ({100 * self.reprojection_share:.2f} % of the width)",
            f"epipolar distance   {self.epipolar_px:.2f} px",
            f"subject located     in {100 * self.located:.0f} % of the pictures",
        ]
        if self.is_demo_world:
            lines.append(
                f"azimuth error       {self.azimuth_deg:.1f} degrees ({self.azimuth_pair_deg:.1f} between views)"
            )
        else:
            lines.append("azimuth error       not measured: the background is not that of the demo world")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """The numbers as JSON values; null where there is none."""
        return {
            name: [_json(number) for number in value] if isinstance(value, tuple) else _json(value)
            for name, value in vars(self).items()
        }


def score_scene(
    video: Tensor | Sequence[Tensor],  # (views, frames, height, width, 3) in 0..1
    rig: Rig,  # a camera per view: c2w (views, 1 or frames, 4, 4), lenses
    *,
    reference_c2w: Tensor | None = None,  # (4, 4)
    world: int = DEMO_WORLD,  # version of the procedural world
) -> SyncScore:
    """Score one clip whose world is pale and holds one strongly coloured subject.

    The azimuths are measured in the procedural world. By default the rig's cameras stand in it as they are; with
    `reference_c2w` the whole rig is moved first so that camera 0 has that pose at frame 0 (see `DEMO_REFERENCE`),
    which changes neither reprojection nor epipolar distance.

    Raises UserError for a single view, a rig with another number of cameras or too few frames, cameras that all
    stand at one place, pictures that are not (views, frames, height, width, 3) finite numbers, and `NoSubject`
    where no frame shows a subject in two views.
    """
    score = _score(video, rig, reference_c2w, world)
    if math.isnan(score.reprojection_px):
        found = round(score.located * score.views * score.frames)
        raise NoSubject(
            f"no frame shows a strongly coloured subject in two views ({found} of {score.views * score.frames} pictures "
            "show one whole); the score needs one such subject before a pale background, as in the demo world."
        )
    return score


def score_scenes(
    takes: Iterable[tuple[Tensor, Rig]],  # videos (views, frames, height, width, 3) and their rigs
    *,
    reference_c2w: Tensor | None = None,
    world: int = DEMO_WORLD,
) -> list[SyncScore]:
    """`score_scene` of many clips, for statistics.

    A clip without a subject is not left out, which would flatter a model that loses it: its errors count as the
    picture's width.
    """
    scores = []
    for video, rig in takes:
        score = _score(video, rig, reference_c2w, world)
        if math.isnan(score.reprojection_px):
            width = float(score.width)
            score = replace(score, reprojection_px=width, reprojection_share=1.0, epipolar_px=width)
        scores.append(score)
    return scores


def demo_reference_c2w() -> Tensor:  # (4, 4) float64
    """The pose of `DEMO_REFERENCE`."""
    return orbit_c2w(*DEMO_REFERENCE)


def checked_video(video: Tensor | Sequence[Tensor], rig: Rig) -> Tensor:  # (views, frames, height, width, 3)
    """The views as one tensor, if they can be scored with the rig; else a UserError as `score_scene` says."""
    if not isinstance(video, Tensor):
        video = _one_tensor(video)
    if video.ndim != 5 or video.shape[-1] != 3 or 0 in video.shape:
        shape = " x ".join(map(str, video.shape))
        raise UserError(f"the views are {shape}, but views x frames x height x width x 3 is needed.")
    views, frames = video.shape[:2]
    cameras, poses = rig.c2w.shape[:2]
    if views != cameras:
        raise UserError(
            f"there are {views} views but the rig has {cameras} cameras; give the rig that the views were made with."
        )
    if views < 2:
        raise UserError("there is one view only, but agreement is between views; give at least 2.")
    if 1 < poses < frames:
        raise UserError(f"the views have {frames} frames, but the cameras of the rig move over {poses} frames only.")
    for view, pictures in enumerate(video):
        if not torch.isfinite(pictures).all():
            raise UserError(f"view {view + 1} holds pixels that are not numbers (NaN or infinite).")
    return video


def _score(video: Tensor | Sequence[Tensor], rig: Rig, reference_c2w: Tensor | None, world: int) -> SyncScore:
    video = checked_video(video, rig)
    views, frames, height, width = video.shape[:4]
    shot = rig.cut(0, frames)
    c2w = shot.c2w
    place = c2w[..., :3, 3]
    if (place - place[:1]).norm(dim=-1).max() < 1e-6:
        raise UserError("all cameras of the rig stand at one place, from which no position can be triangulated.")
    sighting = find_subject(video)
    cameras = (c2w, rig.lenses, height, width)
    errors = reprojection_errors(sighting.centroid_px, *cameras)
    distances = epipolar_distances(sighting.centroid_px, *cameras)
    in_world = shot if reference_c2w is None else replace(shot, c2w=_moved(c2w, reference_c2w))
    fits = fit_azimuths(video, in_world, sighting, world)
    azimuth_errors = [fit.error_deg for fit in fits]
    reprojection_px = float(errors.nanquantile(0.5))
    return SyncScore(
        views=views,
        frames=frames,
        width=width,
        height=height,
        located=float(torch.isfinite(sighting.centroid_px).all(-1).double().mean()),
        reprojection_px=reprojection_px,
        reprojection_share=reprojection_px / width,
        epipolar_px=float(distances.nanquantile(0.5)),
        azimuth_deg=median(map(abs, azimuth_errors)),
        azimuth_pair_deg=median(abs(wrapped_deg(a - b)) for a, b in itertools.combinations(azimuth_errors, 2)),
        difference=median(fit.difference for fit in fits),
        requested_azimuths_deg=tuple(camera_azimuths_deg(in_world.c2w[:, 0]).tolist()),
        azimuth_errors_deg=tuple(azimuth_errors),
        per_frame_px=tuple(errors.nanmean(0).tolist()),
    )


def _moved(c2w: Tensor, reference_c2w: Tensor) -> Tensor:
    """All cameras moved together, so that the first one begins at the reference."""
    if torch.equal(reference_c2w.double(), c2w[0, 0]):
        return c2w  # without the rounding of a product with the inverse
    return reference_c2w.double() @ inverse(c2w[0, 0]) @ c2w


def _one_tensor(views: Sequence[Tensor]) -> Tensor:
    shapes = [tuple(view.shape) for view in views]
    if not shapes:
        raise UserError("there are no views; give at least 2.")
    for index, shape in enumerate(shapes):
        if shape != shapes[0]:
            first, other = (" x ".join(map(str, s)) for s in (shapes[0], shape))
            raise UserError(
                f"view 1 is {first} and view {index + 1} is {other}; all views need the same frames and size."
            )
    return torch.stack(list(views))


def _json(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
