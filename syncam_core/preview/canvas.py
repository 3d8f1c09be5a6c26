"""A picture to draw on: smooth shapes by drawing them larger, and crisp text on top of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..video.labels import ellipsized, luminance, printable, with_font

RGB = tuple[int, int, int]
Point = tuple[float, float] | np.ndarray  # x to the right, y down, pixels

LARGEST_OVERSAMPLED = 6_000_000  # pixels; larger pictures have lines wide enough without it


@dataclass(frozen=True)
class _Text:
    at: tuple[float, float]
    text: str
    font: ImageFont.FreeTypeFont
    color: RGB
    anchor: str
    halo: RGB | None


class Canvas:
    """Shapes and texts in pixels of the finished picture; text lies above all shapes, whatever came first."""

    def __init__(self, width: int, height: int, background: RGB) -> None:
        self.width, self.height, self.background = width, height, background
        self._scale = 2 if width * height <= LARGEST_OVERSAMPLED else 1
        self._image = Image.new("RGB", (width * self._scale, height * self._scale), background)
        self._draw = ImageDraw.Draw(self._image, "RGBA")  # blends translucent colours
        self._texts: list[_Text] = []

    def line(self, points: Sequence[Point] | np.ndarray, color: RGB, width: float = 1, alpha: float = 1) -> None:
        if len(points) > 1:
            self._draw.line(
                self._scaled(points), (*color, round(255 * alpha)), max(1, round(width * self._scale)), joint="curve"
            )

    def dashes(self, start: Point, end: Point, color: RGB, width: float = 1, alpha: float = 1, dash: float = 5) -> None:
        """A line of equal dashes and gaps."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.hypot(*(end - start)))
        # however long: a point far outside of the picture must not cost a million dashes
        count = min(int(length / (2 * dash)) + 1, 400)
        for index in range(count):
            share = (index / count, (index + 0.5) / count)
            self.line([start + (end - start) * s for s in share], color, width, alpha)

    def polygon(self, points: Sequence[Point] | np.ndarray, color: RGB, alpha: float = 1) -> None:
        if len(points) > 2:
            self._draw.polygon(self._scaled(points), (*color, round(255 * alpha)))

    def disc(self, centre: Point, radius: float, color: RGB, alpha: float = 1) -> None:
        self.ellipse(centre, radius, radius, color, alpha)

    def ellipse(self, centre: Point, x_radius: float, y_radius: float, color: RGB, alpha: float = 1) -> None:
        (x, y), s = centre, self._scale
        box = [(x - x_radius) * s, (y - y_radius) * s, (x + x_radius) * s, (y + y_radius) * s]
        self._draw.ellipse(box, (*color, round(255 * alpha)))

    def rectangle(self, left: float, top: float, right: float, bottom: float, color: RGB, radius: float = 0) -> None:
        box = [edge * self._scale for edge in (left, top, right - 1 / self._scale, bottom - 1 / self._scale)]
        if box[2] > box[0] and box[3] > box[1]:
            self._draw.rounded_rectangle(box, radius * self._scale, fill=color)

    def text(
        self,
        at: Point,
        text: str,
        size: float,
        color: RGB,
        anchor: str = "lm",  # Pillow's: left/middle/right, then ascender/middle/baseline/descender
        halo: bool = True,  # a rim in the background's colour
        widest: float = math.inf,  # pixels; longer texts end in an ellipsis
    ) -> None:
        shown, font = text_font(text, round(size))
        if widest < math.inf:
            shown = ellipsized(shown, font, int(widest))
        place = (float(at[0]), float(at[1]))
        if shown and self._holds(place, shown, font, anchor):
            self._texts.append(_Text(place, shown, font, color, anchor, self.background if halo else None))

    def _holds(self, at: tuple[float, float], text: str, font: ImageFont.FreeTypeFont, anchor: str) -> bool:
        """Whether the whole text lies in the picture: on a panel that is put beside others it must not leave it."""
        left, top, right, bottom = font.getbbox(text, anchor=anchor)
        x, y = at
        return x + left >= 0 and y + top >= 0 and x + right <= self.width and y + bottom <= self.height

    def picture(self, pixels: np.ndarray, left: float, top: float, width: float, height: float) -> None:
        """A picture (height, width, 3) uint8, scaled to a box."""
        size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        scaled = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
        self._image.paste(scaled, (round(left * self._scale), round(top * self._scale)))

    def place(self, other: Canvas, left: int, top: int) -> None:
        """Put another canvas onto this one."""
        self._image.paste(
            other._image.resize((other.width * self._scale, other.height * self._scale), Image.Resampling.NEAREST)
            if other._scale != self._scale
            else other._image,
            (left * self._scale, top * self._scale),
        )
        for text in other._texts:
            at = (text.at[0] + left, text.at[1] + top)
            self._texts.append(_Text(at, text.text, text.font, text.color, text.anchor, text.halo))

    def finish(self) -> np.ndarray:  # (height, width, 3) uint8
        image = self._image
        if self._scale > 1:
            image = image.reduce(self._scale)
        draw = ImageDraw.Draw(image)
        for text in self._texts:
            rim: _Rim = {"stroke_width": 2, "stroke_fill": text.halo} if text.halo else {}
            draw.text(text.at, text.text, fill=text.color, font=text.font, anchor=text.anchor, **rim)
        return np.asarray(image).copy()

    def _scaled(self, points: Sequence[Point] | np.ndarray) -> list[tuple[float, float]]:
        # Pillow draws in 32 bit: what lies far outside is pulled in
        scaled = np.clip(np.asarray(points, float) * self._scale, -30_000, 30_000)
        return [(x, y) for x, y in scaled.tolist()]


class _Rim(TypedDict, total=False):
    stroke_width: int
    stroke_fill: RGB


@lru_cache(maxsize=512)
def text_font(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """The text on one line as it can be drawn, and a font that has its letters."""
    return with_font(printable(text), max(6, size))


def text_width(text: str, size: float) -> float:
    shown, font = text_font(text, round(size))
    return font.getlength(shown)


def rgb(color: str) -> RGB:
    """The channels of "#rrggbb"."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def standing_out(color: str, background: RGB, contrast: float = 3.5) -> RGB:
    """The colour mixed with as little white as it needs to be seen on a dark background (WCAG contrast)."""
    channels = np.array(rgb(color)) / 255
    needed = contrast * (luminance(tuple(c / 255 for c in background)) + 0.05) - 0.05
    for step in range(101):
        mixed = channels + (1 - channels) * step / 100
        if luminance(tuple(mixed)) >= needed:
            break
    return tuple(round(255 * channel) for channel in mixed)


def ink_on(color: RGB) -> RGB:
    """Black or white, whichever is easier to read on the colour."""
    brightness = luminance(tuple(channel / 255 for channel in color))
    return (12, 14, 17) if (brightness + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


def spread_out(
    anchors: np.ndarray,  # (count, 2)
    radius: float,
    width: float,
    height: float,
) -> np.ndarray:  # (count, 2)
    """Places for discs as near to their anchors as they can be without covering each other, inside of the picture."""
    count = len(anchors)
    inset = min(radius + 2, width / 2, height / 2)
    low, high = np.array([inset, inset]), np.array([width - inset, height - inset])
    # Discs in one place part in directions of their own: cameras above each other have one anchor.
    turn = np.arange(count) * 2.399963
    own = np.stack([np.cos(turn), np.sin(turn)], -1)
    own = own[:, None] - own[None]
    places = np.clip(anchors, low, high)
    least = 2 * radius + 1.5
    for step in range(400):
        offset = places[:, None] - places[None]
        distance = np.hypot(offset[..., 0], offset[..., 1])
        same = distance < 1e-3
        offset = np.where(same[..., None], own, offset)
        distance = np.where(same, np.hypot(own[..., 0], own[..., 1]), distance) + np.eye(count)
        push = np.where(same, least, np.maximum(least - distance, 0)) * (1 - np.eye(count))
        if not push.any():
            break
        places = places + (offset / distance[..., None] * push[..., None] / 2).sum(1) * 0.9
        pull = 0.02 if step < 60 else 0  # at last only parting counts
        places = np.clip(places + pull * (anchors - places), low, high)
    return places
