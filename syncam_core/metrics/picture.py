"""The score as a picture: what was located, where it should have been, and the epipolar lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..cameras.rig import Rig
from ..video.frames import clean_rgb
from ..video.labels import draw_plate, label_plate
from .geometry import epipolar_line, reproject, triangulate
from .locate import locate_subject
from .score import checked_video

TILE_WIDTH, SMALLEST_TILE_WIDTH = 320, 96  # pixels
TALLEST_PICTURE = 3200
GAP = 4
OVERSAMPLING = 2
BACKGROUND = (24, 24, 27)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def score_picture(
    video: Tensor | Sequence[Tensor],  # (views, frames, height, width, 3) in 0..1
    rig: Rig,  # with names and colors
    moments: int = 3,
) -> Tensor:  # (height, width, 3) float32 in 0..1
    """One row per view, one column per moment, spread over the clip.

    In each: a dot in the view's own colour where its subject was located, a white cross where the point triangulated
    from all views appears, and for every other view its epipolar line in that view's colour. In views that agree all
    of them meet. Raises UserError as `score_scene` for views that do not fit the rig.
    """
    video = checked_video(video, rig)
    views, frames, height, width = video.shape[:4]
    some = torch.linspace(0, frames - 1, min(moments, frames)).round().long()
    c2w = rig.c2w[:, some] if rig.c2w.shape[1] > 1 else rig.c2w
    points = locate_subject(video[:, some])
    cameras = (c2w, rig.lenses, height, width)
    expected = reproject(triangulate(points, *cameras), *cameras)

    tile_width = round(min(TILE_WIDTH, max(SMALLEST_TILE_WIDTH, TALLEST_PICTURE / views * width / height)))
    tile_height = max(1, round(tile_width * height / width))
    sheet = np.empty(
        (views * (tile_height + GAP) - GAP, len(some) * (tile_width + GAP) - GAP, 3),
        np.uint8,
    )
    sheet[:] = BACKGROUND
    for view in range(views):
        label = label_plate(rig.names[view], rig.colors[view], tile_height, tile_width)
        lines = [
            (
                epipolar_line(points[other], c2w[other], rig.lenses[other], c2w[view], rig.lenses[view], height, width),
                rig.colors[other],
            )
            for other in range(views)
            if other != view
        ]
        for column, frame in enumerate(some.tolist()):
            picture = Image.fromarray((clean_rgb(video[view, frame]) * 255 + 0.5).astype(np.uint8))
            tile = _tile(
                picture.resize((tile_width * OVERSAMPLING, tile_height * OVERSAMPLING), Image.Resampling.BICUBIC),
                tile_width * OVERSAMPLING / width,
                [(line[column].tolist(), color) for line, color in lines],
                points[view, column].tolist(),
                expected[view, column].tolist(),
                rig.colors[view],
            ).resize((tile_width, tile_height), Image.Resampling.BOX)
            top, left = view * (tile_height + GAP), column * (tile_width + GAP)
            sheet[top : top + tile_height, left : left + tile_width] = np.asarray(tile)
            if label is not None:
                draw_plate(sheet, label, top, left)
    return torch.from_numpy(sheet.astype(np.float32) / 255)


def _tile(
    picture: Image.Image,  # drawn upon
    scale: float,  # pixels of it per pixel of the video
    lines: list[tuple[list[float], str]],  # a, b, c and colour
    point: list[float],
    expected: list[float],
    color: str,
) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    unit = picture.width / 160
    for (a, b, c), line_color in lines:
        if np.isnan(a):
            continue
        if abs(b) >= abs(a):  # flat: from the left edge to the right
            ends = [(float(u), -(a * u + c * scale) / b) for u in (0, picture.width)]
        else:
            ends = [(-(b * v + c * scale) / a, float(v)) for v in (0, picture.height)]
        draw.line(ends, fill=line_color, width=max(1, round(unit)))
    if not np.isnan(point[0]):
        _disc(draw, [p * scale for p in point], 4.2 * unit, WHITE)
        _disc(draw, [p * scale for p in point], 3.2 * unit, color)
    if not np.isnan(expected[0]):
        u, v = (p * scale for p in expected)
        for ink, thickness, reach in ((BLACK, 2.6 * unit, 7 * unit), (WHITE, 1.2 * unit, 6.3 * unit)):
            draw.line([(u - reach, v), (u + reach, v)], fill=ink, width=max(1, round(thickness)))
            draw.line([(u, v - reach), (u, v + reach)], fill=ink, width=max(1, round(thickness)))
    return picture


def _disc(draw: ImageDraw.ImageDraw, centre: Sequence[float], radius: float, color: str | tuple[int, int, int]) -> None:
    u, v = centre
    draw.ellipse([u - radius, v - radius, u + radius, v + radius], fill=color)
