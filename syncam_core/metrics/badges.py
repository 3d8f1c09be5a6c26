"""The metrics of a report as a picture: a badge each, green where the value is good, amber where it is not, grey where
there is none, and blue where nothing says what is good."""

from __future__ import annotations

import textwrap

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..video.labels import with_font
from .report import ReadReport, Told, value_of
from .suite import METRICS
from .tables import Table

WIDTH, HEIGHT, GAP, COLUMNS = 300, 126, 12, 3  # pixels
STRIP = 8
BACKGROUND, CARD = (24, 24, 27), (39, 39, 42)
WHITE, GREY = (244, 244, 245), (161, 161, 170)
GREEN, AMBER, BLUE, NONE = (74, 222, 128), (251, 191, 36), (96, 165, 250), (82, 82, 91)
TITLE_PX, VALUE_PX, SMALL_PX, CELL_PX, ROW_PX = 17, 30, 12, 14, 30
WHY_COLUMNS, WHY_LINES = 44, 5  # characters and lines of a reason


def badge_picture(report: ReadReport) -> Tensor:  # (height, width, 3) float32 in 0..1
    names = list(report["metrics"])
    columns = max(1, min(COLUMNS, len(names)))
    rows = -(-len(names) // columns)
    size = (columns * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for place, name in enumerate(names):
        left = GAP + place % columns * (WIDTH + GAP)
        top = GAP + place // columns * (HEIGHT + GAP)
        _badge(draw, left, top, name, report["metrics"][name])
    return torch.from_numpy(np.asarray(picture, np.float32) / 255)


def table_picture(table: Table) -> np.ndarray:  # (height, width, 3) float32 in 0..1
    """A table as the talk shows it, the best of each column in green, its notes below."""
    rows = [["Method", *table.headings()], *([name, *cells] for name, cells in table.rows)]
    widths = [max(_width(row[at], CELL_PX) for row in rows) + 24 for at in range(len(rows[0]))]
    width = max(int(sum(widths)) + 2 * GAP, 480)
    notes = [line for note in table.notes for line in textwrap.wrap(note, width // 7)]
    height = 48 + ROW_PX * (len(rows) + 1) + len(notes) * (SMALL_PX + 6) + GAP
    picture = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    _text(draw, (GAP, 12), table.layout.title, TITLE_PX, WHITE)
    lefts = [GAP + sum(widths[:at]) for at in range(len(widths))]
    at = 1
    for heading, names in table.layout.groups:
        _text(draw, (lefts[at], 44), heading, SMALL_PX, GREY)
        draw.line((lefts[at], 62, lefts[at] + sum(widths[at : at + len(names)]) - 18, 62), GREY)
        at += len(names)
    best = table.best()
    for line, row in enumerate(rows):
        top = 44 + ROW_PX * (line + 1)
        for at, cell in enumerate(row):
            color = GREY if line == 0 else GREEN if (line - 1, at - 1) in best else WHITE
            _text(draw, (lefts[at], top), cell, CELL_PX, color)
        draw.line((GAP, top + ROW_PX - 6, width - GAP, top + ROW_PX - 6), CARD)
    for line, words in enumerate(notes):
        _text(draw, (GAP, 52 + ROW_PX * (len(rows) + 1) + line * (SMALL_PX + 6)), words, SMALL_PX, GREY)
    return np.asarray(picture, np.float32) / 255


def _width(text: str, size: int) -> float:
    shown, font = with_font(text, size)
    return font.getlength(shown)


def color_of(name: str, told: Told) -> tuple[int, int, int]:
    if "value" not in told:
        return NONE
    good = METRICS[name].is_good(value_of(told))
    return BLUE if good is None else GREEN if good else AMBER


def _badge(draw: ImageDraw.ImageDraw, left: int, top: int, name: str, told: Told) -> None:
    metric, color = METRICS[name], color_of(name, told)
    draw.rounded_rectangle((left, top, left + WIDTH, top + HEIGHT), 10, CARD)
    draw.rounded_rectangle((left, top, left + STRIP, top + HEIGHT), 4, color)
    x = left + STRIP + 12
    _text(draw, (x, top + 10), metric.title, TITLE_PX, WHITE)
    direction = "higher is better" if metric.higher_is_better else "lower is better"
    _text(draw, (left + WIDTH - 12 - _width(direction, SMALL_PX), top + 14), direction, SMALL_PX, GREY)
    if "value" not in told:
        why = textwrap.wrap(f"not measured: {told['not_measured']}", WHY_COLUMNS)
        if len(why) > WHY_LINES:
            why[WHY_LINES - 1 :] = [why[WHY_LINES - 1][: WHY_COLUMNS - 3] + "..."]
        for line, words in enumerate(why):
            _text(draw, (x, top + 38 + line * (SMALL_PX + 5)), words, SMALL_PX, GREY)
        return
    value = metric.to_text(value_of(told))
    _text(draw, (x, top + 36), value, VALUE_PX, color if color != BLUE else WHITE)
    _text(draw, (x + _width(value, VALUE_PX) + 8, top + 52), metric.unit, SMALL_PX, GREY)
    for line, words in enumerate(_beside(name, told, color)):
        _text(draw, (x, top + 78 + line * (SMALL_PX + 4)), words, SMALL_PX, GREY)


def _beside(name: str, told: Told, color: tuple[int, int, int]) -> list[str]:
    """What the value is held against, and what it comes from."""
    metric, lines = METRICS[name], []
    if metric.good is not None:
        bound = f"{'at least' if metric.higher_is_better else 'at most'} {metric.to_text(metric.good)}"
        lines.append(f"good: {bound}" if color == GREEN else f"good would be {bound}")
    if "low" in told:
        lines.append(f"[{metric.to_text(told['low'])}, {metric.to_text(told['high'])}] over {told['takes']} takes")
    elif told.get("notes"):
        lines.append(textwrap.shorten(told["notes"][0], WHY_COLUMNS, placeholder="..."))
    return lines


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, color: tuple[int, int, int]
) -> None:
    shown, font = with_font(text, size)
    draw.text(at, shown, fill=color, font=font)
