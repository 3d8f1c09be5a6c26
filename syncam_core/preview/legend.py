"""The legend of the drawing: every camera with its verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .canvas import Canvas, ink_on, text_width
from .look import MUTED, TEXT, VERDICT_COLORS, Look, draw_mark

ONE_LINE_CELLS = 40  # more cameras than that have one line each in the legend


@dataclass(frozen=True)
class _LegendPlan:
    height: int
    columns: int
    rows: int
    cell: tuple[float, float]  # width, height
    lines: int


def legend_plan(look: Look, width: int, height: int) -> _LegendPlan:
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


def draw_legend(canvas: Canvas, look: Look, plan: _LegendPlan, top: int) -> None:
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
            draw_mark(canvas, (mark, y), view.verdict, size * 0.26)
            continue
        for_name = room - text_width(view.verdict, size * 0.8) - size * 1.7
        canvas.text((left, y), name, size * 0.95, TEXT, "lm", widest=for_name)
        mark = left + min(text_width(name, size * 0.95), for_name) + size * 0.9
        draw_mark(canvas, (mark, y), view.verdict, size * 0.28)
        canvas.text((mark + size * 0.55, y), view.verdict, size * 0.8, verdict, "lm")
        place = [f"az {_degrees(view.azimuth_deg)}", f"el {_degrees(view.elevation_deg)}"]
        if view.distance_m is not None:
            place.append(f"{view.distance_m:.2f} m")
        if view.moves:
            place.append("moves")
        canvas.text((left, y + size * 1.2), ", ".join(place), size * 0.8, MUTED, "lm", widest=room)


def _degrees(number: float) -> str:
    return f"{round(number, 1) + 0:g}°"
