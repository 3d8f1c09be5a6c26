"""A rig as a drawing: in perspective, from above with distances, and a legend with every camera's verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cameras.meter import AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG, Meter, measure
from ..errors import UserError
from .canvas import RGB, Canvas, ink_on, spread_out, standing_out, text_width
from .projector import Projector
from .stage import Stage, nice_step, orbit_point

SMALLEST_SIDE, LARGEST_SIDE = 64, 8192

BACKGROUND: RGB = (15, 18, 22)
PANEL: RGB = (24, 28, 34)
GRID: RGB = (88, 97, 110)
TEXT: RGB = (231, 235, 240)
MUTED: RGB = (146, 155, 167)
TRAINED: RGB = (70, 200, 150)
FIGURE: RGB = (196, 203, 212)
VERDICT_COLORS: dict[str, RGB] = {"inside": TRAINED, "edge": (245, 190, 70), "outside": (255, 105, 97)}

EYE_ASIDE_DEG, EYE_ELEVATION_DEG = 32.0, 27.0  # the eye looks over the cameras' shoulders, from their left
NAMED_CAMERAS = 8  # up to so many have their names beside them, the legend has all
ONE_LINE_CELLS = 40  # more cameras than that have one line each in the legend


def draw_rig(
    rig: Any,  # has names, c2w, colors, lenses
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
    legend = _legend_plan(look, width, height)
    above = height - legend.height
    gap = look.gap
    if width >= 1.15 * above:
        split = round(width * 0.58)
        boxes = ((gap, gap, split - gap // 2, above), (split + gap // 2, gap, width - gap, above))
    else:
        split = round(above * 0.52)
        boxes = ((gap, gap, width - gap, split - gap // 2), (gap, split + gap // 2, width - gap, above))
    for draw, (left, top, right, bottom) in zip((_perspective, _from_above), boxes, strict=True):
        if right - left >= 16 and bottom - top >= 16:
            canvas.place(draw(stage, look, right - left, bottom - top), left, top)
    _draw_legend(canvas, look, legend, above)
    return canvas.finish()


def check_figure_scale(scale: float) -> None:
    if not 0.01 <= scale <= 1000:
        raise UserError(f"the figure's scale is {scale:g}, but 0.01 to 1000 are possible; 1 is 1.4 m tall.")


@dataclass(frozen=True, eq=False)
class Look:
    """What all parts of the drawing share: sizes in pixels, colours, names."""

    meter: Meter
    names: tuple[str, ...]
    colors: tuple[RGB, ...]  # for lines and faces
    inks: tuple[RGB, ...]  # for text
    text_px: float
    stroke: float
    disc: float  # radius of the numbered discs
    gap: int

    @staticmethod
    def of(rig: Any, meter: Meter, width: int, height: int) -> Look:
        unit = math.sqrt(width * height / (1280 * 720))
        unit = min(unit, 1.6 * min(width / 1280, height / 720) + 0.2)
        text_px = max(8.0, 15 * unit)
        crowd = min(1.0, math.sqrt(14 / len(rig.names)))
        return Look(
            meter=meter,
            names=tuple(rig.names),
            colors=tuple(standing_out(color, PANEL) for color in rig.colors),
            inks=tuple(standing_out(color, PANEL, 6.5) for color in rig.colors),
            text_px=text_px,
            stroke=max(0.75, 1.6 * unit),
            disc=max(6.0 if min(width, height) >= 150 else 4.0, 12 * unit * max(0.66, crowd)),
            gap=max(2, round(10 * unit)),
        )

    @property
    def has_text(self) -> bool:
        """Whether the picture is large enough for more than numbers."""
        return self.text_px >= 8.5

    def shade(self, view: int) -> float:
        """How strongly the faces of a frustum are filled: less among many."""
        return 0.20 if len(self.names) <= 12 else 0.10


# ---- the two views


def _perspective(stage: Stage, look: Look, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, PANEL)
    depths = stage.picture_depths()
    must_see = np.concatenate([_must_see(stage, depths), _trained_corners(stage, look)])
    rings = Rings.of(stage)
    radius = max(float(np.linalg.norm(must_see, axis=1).max()), rings.radius, 1e-6)
    margin = 1.9 * look.disc + 2
    view = Projector.raised(_eye_azimuth(stage), EYE_ELEVATION_DEG, radius)
    head = 2.0 * look.text_px if look.has_text else 2
    view = view.fitted(must_see, margin, head + margin * 0.6, width - margin, height - margin)

    draw_floor(canvas, view, stage, rings, look)
    _draw_trained_patch(canvas, view, stage, look)
    for index in range(stage.views):
        _draw_drop(canvas, view, stage, index, look)
    order = sorted(range(stage.views), key=lambda index: -float(view.depths(stage.centres[index])))
    figure_depth = float(view.depths(np.zeros(3)))
    behind = [index for index in order if float(view.depths(stage.centres[index])) >= figure_depth]
    for index in behind:
        _draw_camera(canvas, view, stage, index, depths[index], look)
    draw_figure(canvas, view, stage)
    for index in order[len(behind) :]:
        _draw_camera(canvas, view, stage, index, depths[index], look)
    _draw_axes(canvas, view, look, width, height)
    _draw_numbers(canvas, view, stage, look, width, height)
    if look.has_text:
        _caption(canvas, look, "perspective")
        _draw_key(canvas, stage, look, width)
    return canvas


def _eye_azimuth(stage: Stage) -> float:
    """Over the shoulders of most cameras; of the reference where they stand all around."""
    level = stage.centres[:, [0, 2]] / np.maximum(np.linalg.norm(stage.centres, axis=1), 1e-9)[:, None]
    x, z = level.mean(0)
    if math.hypot(x, z) < 0.25:
        x, z = level[0]
    azimuth = math.degrees(math.atan2(x, -z)) if math.hypot(x, z) > 1e-6 else 0.0
    return azimuth - EYE_ASIDE_DEG


def _from_above(stage: Stage, look: Look, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height, PANEL)
    depths = stage.picture_depths()
    rings = Rings.of(stage)
    margin = max(1.9 * look.disc, look.disc + 1.5 * look.text_px if look.has_text else 0)
    head = 1.6 * look.text_px if look.has_text else 0
    around = orbit_point(np.arange(0, 360, 10), 0, rings.radius * 0.3)
    must_see = np.concatenate([around, _must_see(stage, depths)])
    view = Projector.from_above().fitted(must_see, margin, margin + head, width - margin, height - margin)

    _draw_trained_sector(canvas, view, look, rings)
    _draw_rings(canvas, view, stage, rings, look)
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
    _draw_figure_from_above(canvas, view, stage)
    for index in sorted(range(stage.views), key=lambda index: -float(view.depths(stage.centres[index]))):
        _draw_camera(canvas, view, stage, index, depths[index], look)
    _draw_numbers(canvas, view, stage, look, width, height, distances=True)
    if look.has_text:
        _caption(canvas, look, f"from above, rings every {_metres(rings.step)}")
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
        _draw_mark(canvas, (x, y), verdict, size * 0.36)
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


def _draw_mark(canvas: Canvas, at: tuple[float, float], verdict: str, radius: float) -> None:
    """A disc, a triangle or a cross: verdicts differ in more than their colour."""
    (x, y), color = at, VERDICT_COLORS[verdict]
    if verdict == "inside":
        canvas.disc(at, radius, color)
    elif verdict == "edge":
        r = radius * 1.25
        canvas.polygon([(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)], color)
    else:
        for sign in (-1, 1):
            canvas.line([(x - radius, y - sign * radius), (x + radius, y + sign * radius)], color, radius * 0.6)


def _must_see(stage: Stage, depths: np.ndarray) -> np.ndarray:  # (points, 3)
    half = stage.floor_y
    points = [np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-1, 1) for z in (-0.5, 0.5)]) * half]  # the figure
    for view in range(stage.views):
        points += [stage.path(view), stage.picture_corners(view, depths[view])]
        if stage.turns(view):
            points.append(stage.picture_corners(view, depths[view], frame=-1))
    return np.concatenate(points)


# ---- the ground


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


def _draw_rings(canvas: Canvas, view: Projector, stage: Stage, rings: Rings, look: Look) -> None:
    turn = np.linspace(0, 360, 121)
    count = round(rings.radius / rings.step)
    labelled = _free_azimuth(stage)
    for number in range(1, count + 1):
        radius = number * rings.step
        canvas.line(view.pixels(orbit_point(turn, 0, radius)), GRID, look.stroke * 0.7, 0.55)
        if look.has_text:
            at = view.pixels(orbit_point(labelled, 0, radius))
            canvas.text(at, _metres(radius), look.text_px * 0.75, MUTED, "mm")
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


def _trained_corners(stage: Stage, look: Look) -> np.ndarray:  # (points, 3)
    return _trained_grid(stage, look)[::6].reshape(-1, 3)


def _draw_trained_patch(canvas: Canvas, view: Projector, stage: Stage, look: Look) -> None:
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


def _draw_trained_sector(canvas: Canvas, view: Projector, look: Look, rings: Rings) -> None:
    if look.meter.target_kind == "none":
        return
    middle = look.meter.views[0].azimuth_deg
    azimuth = middle + np.linspace(-AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG, 31)
    arc = orbit_point(azimuth, 0, rings.radius)
    outline = view.pixels(np.concatenate([np.zeros((1, 3)), arc, np.zeros((1, 3))]))
    canvas.polygon(outline, TRAINED, 0.15)
    canvas.line(outline, TRAINED, look.stroke * 0.8, 0.6)


# ---- cameras


def _draw_camera(canvas: Canvas, view: Projector, stage: Stage, index: int, depth: float, look: Look) -> None:
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


def _draw_drop(canvas: Canvas, view: Projector, stage: Stage, index: int, look: Look) -> None:
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


def _draw_numbers(
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


# ---- figure and axes


def draw_figure(canvas: Canvas, view: Projector, stage: Stage) -> None:
    """A plain figure on the floor that looks towards azimuth 0, its middle at the target."""
    half = stage.floor_y

    def circle(radius: float, y: float) -> np.ndarray:
        level = orbit_point(np.linspace(0, 360, 37), 0, radius * half)
        level[:, 1] = y * half
        return view.pixels(level)

    canvas.polygon(circle(0.55, 1), (0, 0, 0), 0.35)  # a shadow
    feet, shoulders = circle(0.30, 1), circle(0.40, -0.38)
    sides = [points[at] for points in (feet, shoulders) for at in (points[:, 0].argmin(), points[:, 0].argmax())]
    canvas.polygon(feet, FIGURE)
    canvas.polygon([sides[0], sides[1], sides[3], sides[2]], FIGURE)
    canvas.polygon(shoulders, (224, 229, 235))
    head, chin = view.pixels(np.array([[0, -0.68, 0], [0, -0.38, 0]]) * half)
    canvas.disc(head, abs(float(chin[1] - head[1])), FIGURE)
    nose = view.pixels(np.array([[-0.1, -0.66, -0.24], [0.1, -0.66, -0.24], [0, -0.62, -0.62]]) * half)
    canvas.polygon(nose, (245, 165, 60))
    canvas.line([nose[0], nose[2], nose[1]], (245, 165, 60), 1.2)


def _draw_figure_from_above(canvas: Canvas, view: Projector, stage: Stage) -> None:
    half = stage.floor_y
    turn = np.linspace(0, 360, 37)
    canvas.polygon(view.pixels(orbit_point(turn, 0, 0.42 * half)), FIGURE, 0.9)
    canvas.polygon(view.pixels(np.array([[-0.16, 0, -0.26], [0.16, 0, -0.26], [0, 0, -0.72]]) * half), (245, 165, 60))
    canvas.polygon(view.pixels(orbit_point(turn, 0, 0.28 * half)), (232, 236, 241))
    centre = view.pixels(np.zeros(3))
    for offset in ((1, 0), (0, 1)):
        arm = np.array(offset) * 4
        canvas.line([centre - arm, centre + arm], (90, 98, 110), 1)


def _draw_axes(canvas: Canvas, view: Projector, look: Look, width: int, height: int) -> None:
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


# ---- the legend


@dataclass(frozen=True)
class _LegendPlan:
    height: int
    columns: int
    rows: int
    cell: tuple[float, float]  # width, height
    lines: int


def _legend_plan(look: Look, width: int, height: int) -> _LegendPlan:
    """As many columns as names stay readable in, and no more than a third of the picture."""
    count = len(look.names)
    if not look.has_text or width < 200 or height < 200:
        return _LegendPlan(look.gap, 0, 0, (0, 0), 0)
    inner = width - 2 * look.gap
    widest = 2 if count <= ONE_LINE_CELLS else 1
    for lines, least in ((widest, 13.5), (1, 9.0), (1, 6.5)):
        columns = max(1, min(count, int(inner / (least * look.text_px))))
        rows = math.ceil(count / columns)
        columns = math.ceil(count / rows)  # even rows
        row = look.text_px * (2.9 if lines == 2 else 1.75)
        if rows * row <= height / 3:
            break
    else:
        return _LegendPlan(look.gap, 0, 0, (0, 0), 0)
    cell = min(inner / columns, 24 * look.text_px)
    return _LegendPlan(round(rows * row + 1.6 * look.gap), columns, rows, (cell, row), lines)


def _draw_legend(canvas: Canvas, look: Look, plan: _LegendPlan, top: int) -> None:
    if not plan.columns:
        return
    (width, height), size = plan.cell, look.text_px
    radius = size * 0.72
    for index, name in enumerate(look.names):
        row, column = divmod(index, plan.columns)
        view = look.meter.views[index]
        x = look.gap + column * width + radius
        y = top + look.gap * 0.9 + row * height + (size * 0.85 if plan.lines == 2 else height / 2)
        color = look.colors[index]
        canvas.disc((x, y), radius, color)
        number = str(index + 1)
        canvas.text((x, y), number, radius * (1.3 if len(number) == 1 else 1.12), ink_on(color), "mm", halo=False)
        left, room = x + radius + size * 0.45, width - 2 * radius - size * 1.2
        verdict = VERDICT_COLORS[view.verdict]
        if plan.lines == 1:
            room -= size
            canvas.text((left, y), name, size * 0.85, TEXT, "lm", widest=room)
            mark = left + min(text_width(name, size * 0.85), room) + size * 0.75
            _draw_mark(canvas, (mark, y), view.verdict, size * 0.26)
            continue
        for_name = room - text_width(view.verdict, size * 0.8) - size * 1.7
        canvas.text((left, y), name, size * 0.95, TEXT, "lm", widest=for_name)
        mark = left + min(text_width(name, size * 0.95), for_name) + size * 0.9
        _draw_mark(canvas, (mark, y), view.verdict, size * 0.28)
        canvas.text((mark + size * 0.55, y), view.verdict, size * 0.8, verdict, "lm")
        place = [f"az {_degrees(view.azimuth_deg)}", f"el {_degrees(view.elevation_deg)}"]
        if view.distance_m is not None:
            place.append(f"{view.distance_m:.2f} m")
        if view.moves:
            place.append("moves")
        canvas.text((left, y + size * 1.2), ", ".join(place), size * 0.8, MUTED, "lm", widest=room)


def _degrees(number: float) -> str:
    return f"{round(number, 1) + 0:g}°"


def _metres(number: float) -> str:
    return f"{number:g} m"
