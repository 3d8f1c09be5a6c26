"""A rig as a drawing: in perspective, from above with distances, and a legend with every camera's verdict."""

from __future__ import annotations

import math

import numpy as np

from ..cameras.meter import Meter, measure
from ..cameras.rig import Rig
from ..errors import UserError
from .canvas import Canvas, text_width
from .frusta import draw_camera, draw_drop, draw_numbers
from .ground import (
    Rings,
    draw_axes,
    draw_figure,
    draw_figure_from_above,
    draw_floor,
    draw_rings,
    draw_trained_patch,
    draw_trained_sector,
    trained_corners,
)
from .legend import draw_legend, legend_plan
from .look import BACKGROUND, MUTED, PANEL, TRAINED, VERDICT_COLORS, Look, draw_mark
from .projector import Projector
from .stage import Stage, orbit_point

SMALLEST_SIDE, LARGEST_SIDE = 64, 8192
EYE_ASIDE_DEG, EYE_ELEVATION_DEG = 32.0, 27.0  # the eye looks over the cameras' shoulders, from their left


def draw_rig(
    rig: Rig,
    width: int = 1280,
    height: int = 720,
    *,
    figure_scale: float = 1.0,
    meter: Meter | None = None,
) -> np.ndarray:  # (height, width, 3) uint8
    """The drawing of a rig, at any size of 64 to 8192 pixels a side.

    Frusta show each camera's lens, number and colour; moving cameras leave a path, and a fainter frustum where they
    end. The shaded range is the one that the released weights were trained on, about the reference (view 0): 30
    degrees to both sides and 15 up and down. The figure is 1.4 m tall, times `figure_scale`. `meter` saves measuring
    again what has been measured.

    Raises UserError for a size or scale outside of what is possible.
    """
    for name, side in (("width", width), ("height", height)):
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise UserError(
                f"'{name}' is {side}, but {SMALLEST_SIDE} to {LARGEST_SIDE} pixels are possible.", field=name
            )
    check_figure_scale(figure_scale)
    meter = meter or measure(rig)
    stage = Stage.of(rig, meter, figure_scale)
    look = Look.of(rig, meter, width, height)

    canvas = Canvas(width, height, BACKGROUND)
    legend = legend_plan(look, width, height)
    above = height - legend.height
    gap = look.gap
    if width >= 1.15 * above:
        split = round(width * 0.58)
        boxes = ((gap, gap, split - gap // 2, above), (split + gap // 2, gap, width - gap, above))
    else:
        split = round(above * 0.52)
        boxes = ((gap, gap, width - gap, split - gap // 2), (gap, split + gap // 2, width - gap, above))
    for draw, (left, top, right, bottom) in zip((draw_perspective, draw_from_above), boxes, strict=True):
        if right - left >= 16 and bottom - top >= 16:
            canvas.place(draw(stage, look, right - left, bottom - top), left, top)
    draw_legend(canvas, look, legend, above)
    return canvas.finish()


def check_figure_scale(scale: float) -> None:
    if not 0.01 <= scale <= 1000:
        raise UserError(f"the figure's scale is {scale:g}, but 0.01 to 1000 are possible; 1 is 1.4 m tall.")


# ---- the two views


def draw_perspective(stage: Stage, look: Look, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, PANEL)
    depths = stage.picture_depths()
    in_sight = np.concatenate([must_see(stage, depths), trained_corners(stage, look)])
    rings = Rings.of(stage)
    radius = max(float(np.linalg.norm(in_sight, axis=1).max()), rings.radius, 1e-6)
    margin = 1.9 * look.disc + 2
    view = Projector.raised(eye_azimuth(stage), EYE_ELEVATION_DEG, radius)
    head = 2.0 * look.text_px if look.has_text else 2
    view = view.fitted(in_sight, margin, head + margin * 0.6, width - margin, height - margin)

    draw_floor(canvas, view, stage, rings, look)
    draw_trained_patch(canvas, view, stage, look)
    for index in range(stage.views):
        draw_drop(canvas, view, stage, index, look)
    order = sorted(range(stage.views), key=lambda index: -float(view.depths(stage.centres[index])))
    figure_depth = float(view.depths(np.zeros(3)))
    behind = [index for index in order if float(view.depths(stage.centres[index])) >= figure_depth]
    for index in behind:
        draw_camera(canvas, view, stage, index, depths[index], look)
    draw_figure(canvas, view, stage)
    for index in order[len(behind) :]:
        draw_camera(canvas, view, stage, index, depths[index], look)
    draw_axes(canvas, view, look, width, height)
    draw_numbers(canvas, view, stage, look, width, height)
    if look.has_text:
        _caption(canvas, look, "perspective")
        _draw_key(canvas, stage, look, width)
    return canvas


def eye_azimuth(stage: Stage) -> float:
    """Over the shoulders of most cameras; of the reference where they stand all around."""
    level = stage.centres[:, [0, 2]] / np.maximum(np.linalg.norm(stage.centres, axis=1), 1e-9)[:, None]
    x, z = level.mean(0)
    if math.hypot(x, z) < 0.25:
        x, z = level[0]
    azimuth = math.degrees(math.atan2(x, -z)) if math.hypot(x, z) > 1e-6 else 0.0
    return azimuth - EYE_ASIDE_DEG


def draw_from_above(stage: Stage, look: Look, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, PANEL)
    depths = stage.picture_depths()
    rings = Rings.of(stage)
    margin = max(1.9 * look.disc, look.disc + 1.5 * look.text_px if look.has_text else 0)
    head = 1.6 * look.text_px if look.has_text else 0
    around = orbit_point(np.arange(0, 360, 10), 0, rings.radius * 0.3)
    in_sight = np.concatenate([around, must_see(stage, depths)])
    view = Projector.from_above().fitted(in_sight, margin, margin + head, width - margin, height - margin)

    draw_trained_sector(canvas, view, look, rings)
    draw_rings(canvas, view, stage, rings, look)
    if stage.views <= 12:
        for index in range(stage.views):
            canvas.dashes(
                view.pixels(stage.centres[index]),
                view.pixels(np.zeros(3)),
                look.colors[index],
                look.stroke * 0.7,
                0.45,
                4 * look.stroke,
            )
    draw_figure_from_above(canvas, view, stage)
    for index in sorted(range(stage.views), key=lambda index: -float(view.depths(stage.centres[index]))):
        draw_camera(canvas, view, stage, index, depths[index], look)
    draw_numbers(canvas, view, stage, look, width, height, distances=True)
    if look.has_text:
        _caption(canvas, look, f"from above, rings every {rings.step:g} m")
    return canvas


def _caption(canvas: Canvas, look: Look, text: str) -> None:
    canvas.text((look.text_px * 0.8, look.text_px * 1.15), text, look.text_px * 0.9, MUTED, "lm")


def _draw_key(canvas: Canvas, stage: Stage, look: Look, width: int) -> None:
    """What the shading and the marks of the verdicts mean, in the top right corner."""
    size, y = look.text_px * 0.8, look.text_px * 1.15
    if width < 40 * look.text_px:
        return
    x = width - look.text_px * 0.8
    for verdict in ("outside", "edge", "inside"):
        x -= text_width(verdict, size)
        canvas.text((x, y), verdict, size, VERDICT_COLORS[verdict], "lm")
        x -= size * 0.75
        draw_mark(canvas, (x, y), verdict, size * 0.36)
        x -= size * 1.1
    if stage.kind == "none":
        canvas.text((x - size * 0.4, y), "no common look-at point", size, MUTED, "rm")
        return
    text = "training range"
    canvas.text((x - size * 0.4, y), text, size, MUTED, "rm")
    x -= text_width(text, size) + size * 1.1
    canvas.polygon(
        [(x - size, y - size / 2), (x, y - size / 2), (x, y + size / 2), (x - size, y + size / 2)], TRAINED, 0.3
    )


def must_see(stage: Stage, depths: np.ndarray) -> np.ndarray:  # (points, 3)
    """What a drawing of the stage has to hold: the figure, the cameras' paths and their pictures."""
    half = stage.floor_y
    points = [np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-1, 1) for z in (-0.5, 0.5)]) * half]  # the figure
    for view in range(stage.views):
        points += [stage.path(view), stage.picture_corners(view, depths[view])]
        if stage.turns(view):
            points.append(stage.picture_corners(view, depths[view], frame=-1))
    return np.concatenate(points)
