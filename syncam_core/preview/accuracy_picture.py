"""How well cameras stand where they were asked to, in one picture: frusta, matches and errors over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..cameras.meter import measure
from ..cameras.rig import Rig
from ..metrics.camera_accuracy import CameraAccuracy, found_c2w
from ..metrics.matching import Matches
from ..metrics.relative_pose import RelativePose
from ..video.clip import BITS_8, Clip, in_depth
from .canvas import RGB, Canvas
from .frusta import draw_camera, draw_drop, draw_frustum, draw_numbers
from .ground import Rings, draw_figure, draw_floor
from .look import BACKGROUND, GRID, MUTED, PANEL, TEXT, TRAINED, VERDICT_COLORS, Look
from .projector import Projector
from .rig_picture import EYE_ELEVATION_DEG, eye_azimuth, must_see
from .stage import Stage, nice_step

WIDTH, HEIGHT = 1280, 860  # pixels
HEAD, GAP = 44, 10
DRAWN_MATCHES = 90
FOUND: RGB = TEXT


class ShownMatches:
    """Keeps the matches of one pair for the picture: of the first moment, those of the view with the most that agree."""

    def __init__(self) -> None:
        self.view, self.frame = 1, 0
        self.first_px = self.second_px = np.zeros((0, 2))
        self.is_inlier = np.zeros(0, bool)
        self._most = -1

    def keep(self, view: int, frame: int, matches: Matches, pose: RelativePose | None) -> None:
        """What `camera_accuracy` calls with the matches of a pair."""
        agree = 0 if pose is None else int(pose.is_inlier.sum())
        if frame == self.frame and agree > self._most:
            self.view, self._most = view, agree
            self.first_px, self.second_px = matches.first_px.numpy(), matches.second_px.numpy()
            self.is_inlier = np.zeros(len(matches), bool) if pose is None else pose.is_inlier.numpy()


def draw_accuracy(
    accuracy: CameraAccuracy,
    views: Sequence[Clip],
    rig: Rig,
    shown: ShownMatches,
) -> np.ndarray:  # (HEIGHT, WIDTH, 3) uint8
    """Asked cameras in their colours and found ones in white, the matches of two views, and both errors over time."""
    frame, moments = shown.frame, sorted({pair.frame for pair in accuracy.pairs})
    errors = np.full((2, len(views) - 1, len(moments)), np.nan)
    for pair in accuracy.pairs:
        errors[:, pair.view - 1, moments.index(pair.frame)] = pair.rot_err_deg, pair.trans_err
    found = found_c2w(rig, [pair for pair in accuracy.pairs if pair.frame == frame], frame).numpy()

    still = rig.cut(frame, 1) if rig.frames > 1 else rig
    look = Look.of(still, measure(still), WIDTH, HEIGHT)
    canvas = Canvas(WIDTH, HEIGHT, BACKGROUND)
    canvas.text((GAP + 6, HEAD / 2), _headline(accuracy), 20, TEXT, "lm", widest=WIDTH - 4 * GAP)
    middle, upper = WIDTH // 2, 560
    left, right = middle - GAP - GAP // 2, WIDTH - middle - GAP - GAP // 2
    canvas.place(_asked_and_found(still, found, look, frame, left, upper - HEAD), GAP, HEAD)
    pictures = [in_depth(views[view][frame], BITS_8) for view in (0, shown.view)]
    canvas.place(_matches(pictures, shown, look, right, upper - HEAD), middle + GAP // 2, HEAD)
    for title, values, at, width in (
        ("RotErr, degrees", errors[0], GAP, left),
        ("TransErr", errors[1], middle + GAP // 2, right),
    ):
        canvas.place(_curves(title, moments, values, look, width, HEIGHT - upper - 2 * GAP), at, upper + GAP)
    return canvas.finish()


def _headline(accuracy: CameraAccuracy) -> str:
    if not accuracy.measured:
        return accuracy.to_text().splitlines()[1]
    trans = "not measured" if np.isnan(accuracy.trans_err) else f"{accuracy.trans_err:.4f}"
    measured = f"{accuracy.measured} of {len(accuracy.pairs)} pairs measured"
    return f"RotErr {accuracy.rot_err_deg:.2f}°  ·  TransErr {trans}  ·  {measured}  ·  {accuracy.matcher}"


def _asked_and_found(rig: Rig, found_c2w: np.ndarray, look: Look, frame: int, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, PANEL)
    stage = Stage.of(rig, look.meter)
    moved = np.array(found_c2w[:, None], dtype=np.float64)
    moved[..., :3, 3] += stage.c2w[0, 0, :3, 3] - rig.c2w[0, 0, :3, 3].numpy()  # about the stage's target
    found, white = replace(stage, c2w=moved), replace(look, colors=(FOUND,) * stage.views)
    seen = [view for view in range(1, stage.views) if np.isfinite(moved[view]).all()]
    depths = stage.picture_depths()

    of_found = [found.picture_corners(view, depths[view]) for view in seen]
    in_sight = np.concatenate([must_see(stage, depths), *of_found, found.centres[seen]])
    radius = max(float(np.linalg.norm(in_sight, axis=1).max()), 1e-6)
    margin = 2.2 * look.disc
    eye = Projector.raised(eye_azimuth(stage), EYE_ELEVATION_DEG, radius)
    eye = eye.fitted(in_sight, margin, margin + 2 * look.text_px, width - margin, height - margin)

    draw_floor(canvas, eye, stage, Rings.of(stage), look)
    draw_figure(canvas, eye, stage)
    for view in sorted(range(stage.views), key=lambda view: -float(eye.depths(stage.centres[view]))):
        draw_drop(canvas, eye, stage, view, look)
        draw_camera(canvas, eye, stage, view, depths[view], look)
    for view in seen:
        apart = [eye.pixels(stage.centres[view]), eye.pixels(found.centres[view])]
        canvas.line(apart, VERDICT_COLORS["outside"], look.stroke * 1.5)
        draw_frustum(canvas, eye, found, view, depths[view], white, frame=0, strength=0.75)
    draw_numbers(canvas, eye, stage, look, width, height)
    _caption(canvas, look, f"frame {frame}: asked in colour, found in white")
    return canvas


def _matches(
    pictures: Sequence[np.ndarray], shown: ShownMatches, look: Look, width: int, height: int
) -> Canvas:  # pictures (height, width, 3) uint8 of view 0 and the shown one
    """The two views above each other, or beside each other if they are upright, with lines between what is the same."""
    canvas = Canvas(width, height, PANEL)
    first, second = pictures
    top = 2.3 * look.text_px
    is_upright = first.shape[0] > first.shape[1]
    cells = (2, 1) if is_upright else (1, 2)
    box = ((width - GAP) / cells[0] - GAP, (height - top - GAP) / cells[1] - GAP / 2)
    corners, scales = [], []
    for index, picture in enumerate((first, second)):
        scale = min(box[0] / picture.shape[1], box[1] / picture.shape[0])
        size = (picture.shape[1] * scale, picture.shape[0] * scale)
        column, row = (index, 0) if is_upright else (0, index)
        x = GAP + column * (box[0] + GAP) + (box[0] - size[0]) / 2
        y = top + row * (box[1] + GAP / 2) + (box[1] - size[1]) / 2
        canvas.picture(picture, x, y, *size)
        corners.append(np.array([x, y]))
        scales.append(scale)
    good, bad = np.flatnonzero(shown.is_inlier), np.flatnonzero(~shown.is_inlier)
    for chosen, color, alpha in ((bad, VERDICT_COLORS["outside"], 0.5), (good, TRAINED, 0.75)):
        share = max(1, round(DRAWN_MATCHES * len(chosen) / max(1, len(shown.is_inlier))))
        for index in chosen[np.unique(np.linspace(0, len(chosen) - 1, min(share, len(chosen))).round().astype(int))]:
            ends = [
                corner + scale * px[index]
                for corner, scale, px in zip(corners, scales, (shown.first_px, shown.second_px), strict=True)
            ]
            canvas.line(ends, color, look.stroke * 0.6, alpha)
            for end in ends:
                canvas.disc(end, 1.6 * look.stroke, color)
    said = f"{len(good)} of {len(shown.is_inlier)} matches of {look.names[0]} and {look.names[shown.view]} agree"
    _caption(canvas, look, said)
    return canvas


def _curves(
    title: str, moments: Sequence[int], values: np.ndarray, look: Look, width: int, height: int
) -> Canvas:  # values (views - 1, moments)
    canvas = Canvas(width, height, PANEL)
    left, right, top, bottom = 58.0, width - 20.0, 2.6 * look.text_px, height - 2.2 * look.text_px
    there = values[np.isfinite(values)]
    highest = float(there.max()) if len(there) else 1.0
    step = nice_step(max(highest, 1e-4), 4)
    ceiling = step * max(1, int(np.ceil(highest / step - 1e-9)))
    last = max(moments[-1], 1)

    def at(frame: float, value: float) -> tuple[float, float]:
        return left + (right - left) * frame / last, bottom - (bottom - top) * value / ceiling

    for tick in np.arange(0, ceiling + step / 2, step):
        canvas.line([at(0, tick), at(last, tick)], GRID, 0.7, 0.5)
        canvas.text((left - 7, at(0, tick)[1]), f"{tick:g}", look.text_px * 0.8, MUTED, "rm")
    for frame in (moments[0], moments[len(moments) // 2], moments[-1]):
        canvas.text((at(frame, 0)[0], height - look.text_px), f"{frame}", look.text_px * 0.8, MUTED, "mm")
    for view, line in enumerate(values, start=1):
        color = look.colors[view]
        for begin in range(len(moments) - 1):
            if np.isfinite(line[begin : begin + 2]).all():
                canvas.line([at(moments[i], line[i]) for i in (begin, begin + 1)], color, 1.6 * look.stroke)
        for frame, value in zip(moments, line, strict=True):
            if np.isfinite(value):
                canvas.disc(at(frame, value), 2.2 * look.stroke, color)
    _caption(canvas, look, f"{title}, over frames" if len(there) else f"{title}: not measured")
    return canvas


def _caption(canvas: Canvas, look: Look, text: str) -> None:
    canvas.text(
        (look.text_px * 0.8, look.text_px * 1.15), text, look.text_px * 0.9, MUTED, "lm", widest=canvas.width - 20
    )
