"""What all parts of the drawing of a rig share: sizes in pixels, colours, names."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..cameras.meter import Meter
from ..cameras.rig import Rig
from .canvas import RGB, Canvas, standing_out

BACKGROUND: RGB = (15, 18, 22)
PANEL: RGB = (24, 28, 34)
GRID: RGB = (88, 97, 110)
TEXT: RGB = (231, 235, 240)
MUTED: RGB = (146, 155, 167)
TRAINED: RGB = (70, 200, 150)
FIGURE: RGB = (196, 203, 212)
VERDICT_COLORS: dict[str, RGB] = {"inside": TRAINED, "edge": (245, 190, 70), "outside": (255, 105, 97)}


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
    def of(rig: Rig, meter: Meter, width: int, height: int) -> Look:
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


def draw_mark(canvas: Canvas, at: tuple[float, float], verdict: str, radius: float) -> None:
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
