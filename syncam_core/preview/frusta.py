"""Cameras as frusta with their numbers and names."""

from __future__ import annotations

import numpy as np

from .canvas import RGB, Canvas, ink_on, spread_out, text_width
from .look import PANEL, Look
from .projector import Projector
from .stage import Stage

NAMED_CAMERAS = 8  # up to so many have their names beside them, the legend has all


def draw_camera(canvas: Canvas, view: Projector, stage: Stage, index: int, depth: float, look: Look) -> None:
    color = look.colors[index]
    path = stage.path(index)
    if len(path) > 1:
        pixels = view.pixels(path)
        canvas.line(pixels, color, look.stroke * 1.6, 0.95)
        draw_arrow_head(canvas, pixels, color, 4.2 * look.stroke)
    if stage.turns(index):
        draw_frustum(canvas, view, stage, index, depth, look, frame=-1, strength=0.45)
    draw_frustum(canvas, view, stage, index, depth, look, frame=0, strength=1.0)


def draw_frustum(
    canvas: Canvas, view: Projector, stage: Stage, index: int, depth: float, look: Look, frame: int, strength: float
) -> None:
    color = look.colors[index]
    centre = stage.c2w[index, frame, :3, 3]
    corners = stage.picture_corners(index, depth, frame)
    apex, picture = view.pixels(centre), view.pixels(corners)
    for side in range(4):
        canvas.polygon([apex, picture[side], picture[(side + 1) % 4]], color, look.shade(index) * 0.5 * strength)
    canvas.polygon(picture, color, look.shade(index) * 1.4 * strength)
    for corner in picture:
        canvas.line([apex, corner], color, look.stroke * 0.8, 0.9 * strength)
    canvas.line([*picture, picture[0]], color, look.stroke * 1.1, strength)
    # a triangle on the picture's upper edge tells what is up
    left, right = corners[0], corners[1]
    tip = (left + right) / 2 + (corners[0] - corners[3]) * 0.3
    inset = (right - left) * 0.36
    canvas.polygon(view.pixels(np.stack([left + inset, right - inset, tip])), color, 0.9 * strength)


def draw_arrow_head(canvas: Canvas, pixels: np.ndarray, color: RGB, size: float) -> None:
    """At the end of a path, along the way that it took last."""
    away = np.hypot(*(pixels[-1] - pixels).T)
    before = np.flatnonzero(away > size * 0.8)
    if not len(before):
        return
    ahead = (pixels[-1] - pixels[before[-1]]) / away[before[-1]]
    aside = np.array([-ahead[1], ahead[0]])
    tip, tail = pixels[-1] + ahead * size, pixels[-1] - ahead * size * 0.4
    canvas.polygon([tip, tail + aside * size * 0.8, tail - aside * size * 0.8], color)


def draw_drop(canvas: Canvas, view: Projector, stage: Stage, index: int, look: Look) -> None:
    """A line down to the floor, which tells how high a camera hangs."""
    centre = stage.centres[index]
    foot = np.array([centre[0], stage.floor_y, centre[2]])
    faint = 0.55 if stage.views <= 12 else 0.28
    canvas.line(view.pixels(np.stack([centre, foot])), look.colors[index], look.stroke * 0.7, faint)
    x, y = view.pixels(foot)
    canvas.ellipse((x, y), 2.6 * look.stroke, 1.4 * look.stroke, look.colors[index], faint)
    if stage.views <= 12:
        canvas.dashes(
            view.pixels(centre),
            view.pixels(np.zeros(3)),
            look.colors[index],
            look.stroke * 0.6,
            0.35,
            4 * look.stroke,
        )


def draw_numbers(
    canvas: Canvas, view: Projector, stage: Stage, look: Look, width: int, height: int, distances: bool = False
) -> None:
    """Numbered discs on the cameras, moved apart where they would cover each other, and names where there is room."""
    anchors = view.pixels(stage.centres)
    radius = look.disc
    places = spread_out(anchors, radius, width, height)
    for index, (anchor, place) in enumerate(zip(anchors, places, strict=True)):
        if np.hypot(*(place - anchor)) > radius * 0.6:
            canvas.line([anchor, place], look.colors[index], look.stroke, 0.9)
            canvas.disc(anchor, 1.8 * look.stroke, look.colors[index])
    for index, place in enumerate(places):
        color = look.colors[index]
        canvas.disc(place, radius + look.stroke * 0.9, PANEL)
        canvas.disc(place, radius, color)
        number = str(index + 1)
        size = radius * (1.25 if len(number) == 1 else 1.08)
        if size >= 6:
            canvas.text(place, number, size, ink_on(color), "mm", halo=False)
    if look.has_text and stage.views <= NAMED_CAMERAS:
        _draw_names(canvas, stage, look, places, width, height, distances)


def _draw_names(
    canvas: Canvas, stage: Stage, look: Look, places: np.ndarray, width: int, height: int, distances: bool
) -> None:
    size = look.text_px * 0.85
    taken = [(*(place - look.disc), *(place + look.disc)) for place in places]
    taken.append((0, 0, width * 0.45, 1.9 * look.text_px))  # the caption
    for index, (x, y) in enumerate(places):
        text = look.names[index]
        if distances and look.meter.views[index].distance_m is not None and look.meter.target_kind == "common":
            text = f"{look.meter.views[index].distance_m:.2f} m"
        length, away, half = min(text_width(text, size), width * 0.3), look.disc + 5, size * 0.62
        for anchor, box in (
            ("lm", (x + away, y - half, x + away + length, y + half)),
            ("rm", (x - away - length, y - half, x - away, y + half)),
            ("mt", (x - length / 2, y + away - 2, x + length / 2, y + away + 2 * half)),
            ("mb", (x - length / 2, y - away - 2 * half, x + length / 2, y - away + 2)),
        ):
            inside = box[0] >= 2 and box[1] >= 2 and box[2] <= width - 2 and box[3] <= height - 2
            if inside and not any(_overlap(box, other) for other in taken):
                at = {
                    "lm": (box[0], y),
                    "rm": (box[2], y),
                    "mt": (x, box[1]),
                    "mb": (x, box[3]),
                }[anchor]
                canvas.text(at, text, size, look.inks[index], anchor, widest=length + 1)
                taken.append(box)
                break


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
