"""What cameras stand around: the floor with its rings, the range of the training, the figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..cameras.meter import AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG
from .canvas import Canvas
from .figure import draw_limbs
from .look import FIGURE, GRID, MUTED, TRAINED, Look
from .projector import Projector
from .stage import Stage, nice_step, orbit_point


@dataclass(frozen=True)
class Rings:
    """Circles of distance about the target."""

    step: float
    radius: float  # of the outermost

    @staticmethod
    def of(stage: Stage) -> Rings:
        farthest = max(float(np.linalg.norm(stage.path(view)[:, ::2], axis=1).max()) for view in range(stage.views))
        farthest = max(farthest, 1.5 * stage.floor_y, 1e-6)
        step = nice_step(farthest, 5)
        return Rings(step, step * math.ceil(farthest / step - 1e-6))


def draw_floor(canvas: Canvas, view: Projector, stage: Stage, rings: Rings, look: Look, labelled: bool = True) -> None:
    """A disc of grid lines that fades outwards."""
    radius = rings.radius * 1.12
    step = rings.step
    while radius / step > 14:
        step *= 2
    reach = math.floor(radius / step)
    for number in range(-reach, reach + 1):
        half = math.sqrt(max(0.0, radius**2 - (number * step) ** 2))
        along = np.linspace(-half, half, 25)
        for swap in (False, True):
            line = np.stack([np.full(25, number * step), np.full(25, stage.floor_y), along], -1)
            pixels = view.pixels(line[:, ::-1] if swap else line)
            for part in range(24):
                middle = math.hypot(number * step, (along[part] + along[part + 1]) / 2) / radius
                fade = 1 - middle**2
                canvas.line(pixels[part : part + 2], GRID, look.stroke * 0.65, 0.75 * fade)
    # the direction of azimuth 0
    start, end = (np.array([0, stage.floor_y, -r]) for r in (0.0, radius))
    canvas.line(view.pixels(np.stack([start, end])), GRID, look.stroke, 0.75)
    if look.has_text and labelled:
        size = look.text_px * 0.75
        for share in np.linspace(1, 0.3, 15):  # as far out as the picture shows the line
            x, y = view.pixels(end * [0, 1, share])
            if size * 4 < x < canvas.width - size * 7 and size * 3 < y < canvas.height - size * 2:
                canvas.text((x + size * 0.5, y), "azimuth 0°", size, MUTED, "lm")
                break


def draw_rings(canvas: Canvas, view: Projector, stage: Stage, rings: Rings, look: Look) -> None:
    turn = np.linspace(0, 360, 121)
    count = round(rings.radius / rings.step)
    labelled = _free_azimuth(stage)
    for number in range(1, count + 1):
        radius = number * rings.step
        canvas.line(view.pixels(orbit_point(turn, 0, radius)), GRID, look.stroke * 0.7, 0.55)
        if look.has_text:
            at = view.pixels(orbit_point(labelled, 0, radius))
            canvas.text(at, f"{radius:g} m", look.text_px * 0.75, MUTED, "mm")
    for azimuth in range(0, 360, 30):
        ends = view.pixels(orbit_point(azimuth, 0, np.array([rings.step * 0.5, rings.radius])))
        canvas.line(ends, GRID, look.stroke * 0.6, 0.35 if azimuth % 90 else 0.7)
    if look.has_text:
        for azimuth, text, anchor in ((0, "0°", "mt"), (90, "90°", "lm"), (180, "180°", "mb"), (-90, "-90°", "rm")):
            edge = view.pixels(orbit_point(azimuth, 0, rings.radius))
            away = look.disc + 3
            nudge = {"mt": (0, away), "lm": (away, 0), "mb": (0, -away), "rm": (-away, 0)}[anchor]
            canvas.text(edge + nudge, text, look.text_px * 0.75, MUTED, anchor)


def _free_azimuth(stage: Stage) -> float:
    """Where labels of the rings are farthest from all cameras, and not on a line of the grid."""
    azimuths = np.degrees(np.arctan2(stage.centres[:, 0], -stage.centres[:, 2]))
    candidates = [azimuth + 15 for azimuth in range(0, 360, 30)]

    def room(candidate: float) -> float:
        return float(np.abs((azimuths - candidate + 180) % 360 - 180).min())

    # to the right where it makes no difference
    return max(candidates, key=lambda candidate: (round(min(room(candidate), 60)), -abs(candidate - 75)))


# ---- the training range


def _trained_grid(stage: Stage, look: Look) -> np.ndarray:  # (25 azimuths, 9 elevations, 3), or empty
    """30 degrees to both sides of the reference and 15 up and down, at its distance from the target."""
    if stage.kind == "none":
        return np.empty((0, 0, 3))
    reference = look.meter.views[0]
    azimuth = reference.azimuth_deg + np.linspace(-AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG, 25)
    elevation = reference.elevation_deg + np.linspace(-ELEVATION_LIMIT_DEG, ELEVATION_LIMIT_DEG, 9)
    distance = float(np.linalg.norm(stage.centres[0]))
    return orbit_point(azimuth[:, None], np.clip(elevation, -90, 90), distance)


def trained_corners(stage: Stage, look: Look) -> np.ndarray:  # (points, 3)
    return _trained_grid(stage, look)[::6].reshape(-1, 3)


def draw_trained_patch(canvas: Canvas, view: Projector, stage: Stage, look: Look) -> None:
    grid = _trained_grid(stage, look)
    if not len(grid):
        return
    outline = view.pixels(np.concatenate([grid[:, -1], grid[-1, ::-1], grid[::-1, 0], grid[0]]))
    canvas.polygon(outline, TRAINED, 0.16)
    canvas.line(np.concatenate([outline, outline[:1]]), TRAINED, look.stroke, 0.75)
    for line in (grid[6], grid[12], grid[18], grid[:, 4]):
        canvas.line(view.pixels(line), TRAINED, look.stroke * 0.6, 0.35)
    for corner in grid[[0, 0, -1, -1], [0, -1, 0, -1]]:
        canvas.line(view.pixels(np.stack([corner, np.zeros(3)])), TRAINED, look.stroke * 0.6, 0.25)


def draw_trained_sector(canvas: Canvas, view: Projector, look: Look, rings: Rings) -> None:
    if look.meter.target_kind == "none":
        return
    middle = look.meter.views[0].azimuth_deg
    azimuth = middle + np.linspace(-AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG, 31)
    arc = orbit_point(azimuth, 0, rings.radius)
    outline = view.pixels(np.concatenate([np.zeros((1, 3)), arc, np.zeros((1, 3))]))
    canvas.polygon(outline, TRAINED, 0.15)
    canvas.line(outline, TRAINED, look.stroke * 0.8, 0.6)


# ---- figure and axes


def draw_figure(canvas: Canvas, view: Projector, stage: Stage) -> None:
    """The figure on the floor, which looks towards azimuth 0, its middle at the target."""
    shadow = orbit_point(np.linspace(0, 360, 37), 0, 0.45 * stage.floor_y)
    shadow[:, 1] = stage.floor_y
    canvas.polygon(view.pixels(shadow), (0, 0, 0), 0.35)
    draw_limbs(canvas, view, stage.floor_y)


def draw_figure_from_above(canvas: Canvas, view: Projector, stage: Stage) -> None:
    """The same, on a disc and with a cross at the target, so that it is found and the way that it looks is seen."""
    half = stage.floor_y
    canvas.polygon(view.pixels(orbit_point(np.linspace(0, 360, 37), 0, 0.5 * half)), FIGURE, 0.55)
    canvas.polygon(view.pixels(np.array([[-0.2, 0, -0.4], [0.2, 0, -0.4], [0, 0, -0.8]]) * half), FIGURE, 0.9)
    draw_limbs(canvas, view, half)


def draw_axes(canvas: Canvas, view: Projector, look: Look, width: int, height: int) -> None:
    """The world's directions in the corner: x right, y down, z away from a camera at azimuth 0."""
    if not look.has_text or min(width, height) < 220:
        return
    size = 2.0 * look.text_px
    origin = np.array([size * 0.95, height - size * 1.25])
    turned = view.w2c[:3, :3]
    for axis, (name, color) in enumerate((("x", (240, 110, 110)), ("y", (120, 205, 120)), ("z", (110, 165, 250)))):
        tip = origin + turned[:2, axis] * size * 0.8
        canvas.line([origin, tip], color, look.stroke * 1.1, 0.95)
        out = (tip - origin) / max(float(np.hypot(*(tip - origin))), 1e-6)
        canvas.text(tip + out * look.text_px * 0.5, name, look.text_px * 0.75, color, "mm")
