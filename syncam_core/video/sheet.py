"""The contact sheet: all views at a few moments of the clip in one picture, to be judged at a glance."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from .clip import BITS_8, Clip, in_depth
from .labels import draw_plate, label_plate

MOMENTS = 6
SMALLEST_SIDE, LARGEST_SIDE = 128, 320  # of a tile's longer side, pixels
GAP = 4
BACKGROUND, TIME_RGB = (24, 24, 27), (161, 161, 170)
TIME_TEXT_PX, TIME_ROW_PX = 13, 24
PNG_COMPRESSION = 4  # as the host's Save Image


def sheet_of_clips(
    clips: Sequence[Clip],  # one per view, all as long
    names: Sequence[str],
    colors: Sequence[str],  # "#rrggbb"
    fps: float | Fraction,
    moments: int = MOMENTS,
) -> np.ndarray:  # (height, width, 3) uint8
    """One row per view with its name, one column per moment with its time.

    The moments are spread evenly from the first frame to the last; a clip of fewer frames shows each of them. Views
    whose longer side is below 128 pixels are enlarged by a whole factor without smoothing, so that their pixels can
    be seen as they are; those above 320 are reduced. Only the frames shown are made.
    """
    some = sheet_moments(len(clips[0]), moments)
    rows = [[_fitted(in_depth(clip[frame], BITS_8)) for frame in some] for clip in clips]
    tile_width = max(row[0].shape[1] for row in rows)
    width = len(some) * (tile_width + GAP) + GAP
    height = TIME_ROW_PX + sum(row[0].shape[0] + GAP for row in rows)
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = BACKGROUND

    lefts = [GAP + column * (tile_width + GAP) for column in range(len(some))]
    _write_times(sheet, [frame / fps for frame in some], [left + tile_width / 2 for left in lefts])
    top = TIME_ROW_PX
    for row, name, color in zip(rows, names, colors, strict=True):
        tile_height, width_here = row[0].shape[:2]
        inset = (tile_width - width_here) // 2
        for tile, left in zip(row, lefts, strict=True):
            sheet[top : top + tile_height, left + inset : left + inset + width_here] = tile
        plate = label_plate(name, color, tile_height, width_here)
        if plate is not None:
            draw_plate(sheet, plate, top, lefts[0] + inset)
        top += tile_height + GAP
    return sheet


def sheet_moments(frames: int, moments: int = MOMENTS) -> list[int]:
    """Evenly spaced frame numbers with the first and the last one, each at most once."""
    return np.linspace(0, frames - 1, min(moments, frames)).round().astype(int).tolist()


def write_sheet(
    path: str | os.PathLike[str],
    sheet: np.ndarray,  # (height, width, 3) uint8
    metadata: Mapping[str, str] | None = None,
) -> None:
    """The sheet as a PNG, with `metadata` as text chunks, where ComfyUI looks for "workflow" and "prompt"."""
    tags = PngInfo()
    for key, value in (metadata or {}).items():
        tags.add_text(key, value)
    Image.fromarray(sheet).save(path, format="PNG", pnginfo=tags, compress_level=PNG_COMPRESSION)


def _fitted(
    frame: np.ndarray,  # (height, width, 3) uint8
) -> np.ndarray:
    height, width = frame.shape[:2]
    longer = max(height, width)
    if longer < SMALLEST_SIDE:
        factor = -(-SMALLEST_SIDE // longer)
        return frame.repeat(factor, 0).repeat(factor, 1)
    if longer > LARGEST_SIDE:
        size = [max(1, round(side * LARGEST_SIDE / longer)) for side in (width, height)]
        return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))  # the mean of what a pixel covers
    return frame


def _write_times(sheet: np.ndarray, seconds: Iterable[float | Fraction], centres: Iterable[float]) -> None:
    strip = Image.fromarray(sheet[:TIME_ROW_PX])
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(TIME_TEXT_PX)
    for moment, centre in zip(seconds, centres, strict=True):
        draw.text((centre, TIME_ROW_PX / 2), f"{float(moment):.2f} s", fill=TIME_RGB, font=font, anchor="mm")
    sheet[:TIME_ROW_PX] = np.asarray(strip)
