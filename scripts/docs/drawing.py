"""What the pictures of the help pages are drawn with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.cameras.meter import measure
from syncam_core.preview.canvas import RGB, Canvas, text_width
from syncam_core.preview.frusta import draw_arrow_head
from syncam_core.preview.look import BACKGROUND, MUTED, PANEL, TEXT, Look
from syncam_core.preview.projector import Projector
from syncam_core.preview.rig_picture import draw_from_above, draw_perspective
from syncam_core.preview.stage import Stage
from syncam_core.synthetic import Scene, frame_times, render

ROOT = Path(__file__).resolve().parents[2]
AZIMUTH: RGB = (255, 176, 60)
ELEVATION: RGB = (205, 150, 255)
WIDE = 564  # of a help page's picture: the host's help panel shows it at half of this, so texts are large
SMALL, NORMAL, LARGE = 18, 21, 26  # heights of text in such a picture, pixels
GAP = 8
FPS = 8.0


def template(name: str) -> Path:
    """The shipped UI workflow whose API file is called `name`; templates have titles that people read."""
    for path in (ROOT / "example_workflows").glob("[0-9]*.json"):
        if json.loads(path.read_text(encoding="utf-8"))["extra"]["api"] == name:
            return path
    raise FileNotFoundError(f"no template of {name}.json")


# ---- shapes


def beside(point: np.ndarray, right: float, down: float) -> tuple[float, float]:
    return float(point[0]) + right, float(point[1]) + down


def arrow(canvas: Canvas, view: Projector, start: np.ndarray, tip: np.ndarray, color: RGB) -> None:
    pixels = view.pixels(np.linspace(start, tip, 12))
    canvas.line(pixels, color, 3, 0.95)
    draw_arrow_head(canvas, pixels, color, 9)


def wedge(canvas: Canvas, view: Projector, arc: np.ndarray, color: RGB) -> None:
    pixels = view.pixels(arc)
    canvas.polygon([view.pixels(np.zeros(3)), *pixels], color, 0.14)
    canvas.line(pixels, color, 3, 0.95)
    draw_arrow_head(canvas, pixels, color, 8)


# ---- panels


def rig_picture(rig: Rig, heights: tuple[int, int] = (372, 372), text_px: float = NORMAL) -> np.ndarray:
    """The two views of SynCam Rig Preview one above the other, with texts and numbers for a narrow panel."""
    meter = measure(rig)
    stage = Stage.of(rig, meter)
    look = Look.of(rig, meter, 1280, 720)
    look = replace(look, text_px=text_px, disc=look.disc * 1.3, stroke=2.0, gap=GAP)
    panels = [
        draw(stage, look, WIDE, height)
        for draw, height in zip((draw_perspective, draw_from_above), heights, strict=True)
        if height
    ]
    return stacked(panel.finish() for panel in panels)


def stacked(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """One below the other, with a gap between them."""
    pictures = list(pictures)
    gap = np.full((GAP, pictures[0].shape[1], 3), BACKGROUND, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1])


def words_picture(lines: Sequence[str], height: int = 0) -> np.ndarray:
    """Lines of text, the ones that are indented in grey; long ones go on in the next line, tabs make columns."""
    rows = []
    for line in lines:
        indent, color = (18, MUTED) if line.startswith(" ") else (0, TEXT)
        parts = [line.strip()] if "\t" in line else wrapped(line, WIDE - 32 - indent)
        rows += [(16 + indent, color, part) for part in parts] or [(0, TEXT, "")]
    step = 27
    canvas = Canvas(WIDE, height or 20 + step * len(rows), PANEL)
    for number, (left, color, part) in enumerate(rows):
        y, (first, *others) = 24 + step * number, part.split("\t")
        if not others:
            canvas.text((left, y), first, SMALL, color, "lm", halo=False)
        for column, cell in enumerate((first, *others) if others else ()):
            canvas.text((left + 70 + 84 * column, y), cell, SMALL, color, "rm", halo=False)
    return canvas.finish()


def wrapped(line: str, widest: float) -> list[str]:
    parts: list[str] = []
    for word in line.split():
        if parts and text_width(f"{parts[-1]} {word}", SMALL) <= widest:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


def shortened(numbers: Iterable, digits: int = 2) -> str:
    """Numbers in columns."""
    return "\t".join(f"{round(float(number), digits) + 0.0:.{digits}f}" for number in numbers)


# ---- the toy world


def film(prompt: str, rig: Rig, height: int, width: int, frames: Sequence[int]) -> torch.Tensor:
    """(views, frames, height, width, 3) in 0..1: the truth, as the demo model's training saw it."""
    return render(Scene.from_prompt(prompt), rig, height, width, frame_times(17, FPS)[list(frames)])


def around(*names: str) -> Rig:
    """Up to four cameras where the demo model knows them."""
    rig = orbit_rig([0, 90, 180, -90][: len(names)], [20], [5])
    return Rig(names, rig.c2w)


RED_BALL = "a red ball walking on sand under a clear sky"


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    return (picture.clamp(0, 1) * 255).round().byte().numpy()
