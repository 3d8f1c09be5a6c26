"""How N views stand in one picture, as a person asks for it, and the film that this makes of their clips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ..cameras.rig import Rig
from ..cameras.spoken import view_of
from ..errors import UserError
from .clip import FLOAT, WHITE, Clip, MadeClip
from .frames import even
from .labels import LabelPlate, draw_plate, label_plate
from .layout import MAX_COLUMNS, Tile, compose_frame, plan_grid
from .timecode import timecode
from .write import LARGEST_SIDE

Size = tuple[int, int]  # height, width

GRID, HERO, SIDE_BY_SIDE, STACKED, PICTURE_IN_PICTURE = KINDS = (
    "grid",
    "hero + strip",
    "side by side",
    "stacked",
    "picture in picture",
)
STRIPS = ("right", "bottom")
CORNERS = ("bottom right", "bottom left", "top right", "top left")
SMALLEST_SHARE, LARGEST_SHARE = 0.05, 0.9
WIDEST_GAP = 512
COLOR = re.compile("#[0-9a-fA-F]{6}")

# More views than this beside a hero would be stamps; they stand in several lines.
MOST_IN_A_LINE = 6
SMALLEST_TILE = 8  # pixels either way
NUMBERS = (False, True, True)  # of name, angles, time: what a part of would be wrong
INSET_MARGIN = 1 / 40  # of the picture's height


@dataclass(frozen=True)
class Layout:
    """What stands where. The default is the automatic grid with the cameras' names.

    Raises UserError with a sentence for a value that no layout has. Whether the views that it names exist is known
    only when the views are: `laid_out` says so.
    """

    kind: str = GRID
    rows: int = 0  # of a grid; 0 lets the grid choose
    columns: int = 0
    main: str = "1"  # the large view of a hero or a picture in picture: a camera's name, a letter or a number
    inset: str = "2"  # the small view of a picture in picture
    strip: str = "right"  # where the other views stand beside a hero
    corner: str = "bottom right"  # of a picture in picture
    share: float = 0.3  # of the large view's width and height that the inset may have
    gap: int = 0  # pixels between views; an odd number is one more, as the colours of video stand on even pixels
    background: str = "#000000"
    names: bool = True  # labels, each in its camera's colour
    angles: bool = False
    timecode: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("kind", KINDS), ("strip", STRIPS), ("corner", CORNERS)):
            if getattr(self, name) not in choices:
                raise UserError(
                    f"'{name}' is {getattr(self, name)!r}; use {', '.join(map(repr, choices))}.", field=name
                )
        for name in ("rows", "columns"):
            _check_number(name, getattr(self, name), 0, MAX_COLUMNS, int)
        _check_number("gap", self.gap, 0, WIDEST_GAP, int)
        _check_number("share", self.share, SMALLEST_SHARE, LARGEST_SHARE, (int, float))
        check_color(self.background)


@dataclass(frozen=True)
class Plan:
    """A layout for views of certain sizes: a picture of `height` x `width` pixels (both even) and who stands where."""

    height: int
    width: int
    views: tuple[int, ...]  # that are shown, from the lowest to the one on top
    tiles: tuple[Tile, ...]  # of each of them: even numbers
    sizes: tuple[Size, ...]  # of their pictures; a tile of odd size is one pixel larger


def check_color(color: str) -> None:
    if not COLOR.fullmatch(color):
        raise UserError(
            f"'background' is {color[:40]!r}; write a colour as '#rrggbb', like '#000000' for black.",
            field="background",
        )


def laid_out(
    clips: Sequence[Clip],  # one per view, all of the same length and dtype, of any sizes
    layout: Layout | None,  # None: the default
    names: Sequence[str],
    colors: Sequence[str],  # "#rrggbb"
    fps: Fraction,  # for timecode
    angles: Sequence[str] | None = None,  # one caption per view, of `angle_captions`
) -> Clip:
    """All views in one picture; a frame of it is made of one frame of each view when it is asked for.

    Raises UserError with a sentence where the layout does not suit the views, before any frame is made.
    """
    layout = layout or Layout()
    if layout.angles and angles is None:
        raise UserError(
            "'layout' shows the cameras' angles, but there is no rig that tells them; connect 'rig', or switch 'angles' "
            "of the layout off.",
            field="layout",
        )
    plan = plan_layout([(clip.height, clip.width) for clip in clips], layout, names)
    shown = [clips[view] for view in plan.views]
    captions = [Captions(layout, names[v], colors[v], angles[v] if layout.angles else "") for v in plan.views]
    taken = layout.corner if layout.kind == PICTURE_IN_PICTURE else ""
    corners = [label_corners(taken if place == 0 else "") for place in range(len(shown))]
    background = tuple(int(layout.background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    # The texts that stay are drawn once; of a timecode only the last frame's is used again.
    plate = lru_cache(maxsize=4 * len(shown))(label_plate)

    def frame(index: int) -> np.ndarray:
        pictures = [resized(clip[index], *size) for clip, size in zip(shown, plan.sizes, strict=True)]
        time = timecode(index, fps) if layout.timecode else ""
        labels = [
            [
                (corner, plate(text, one.color, *size, whole))
                for corner, text, whole in zip(places, one.texts(time), NUMBERS, strict=True)
            ]
            for one, places, size in zip(captions, corners, plan.sizes, strict=True)
        ]
        return composed(pictures, plan, labels, background)

    return MadeClip(len(clips[0]), plan.height, plan.width, clips[0].dtype, frame)


@dataclass(frozen=True)
class Captions:
    """What is written into one view."""

    layout: Layout
    name: str
    color: str
    angles: str

    def texts(self, time: str) -> tuple[str, str, str]:
        return self.name if self.layout.names else "", self.angles, time


def label_corners(taken: str) -> tuple[str, str, str]:
    """Where name, angles and time stand in a view, one corner of which may be hidden by another view."""
    usual = ("top left", "bottom left", "bottom right")
    return tuple("top right" if corner == taken else corner for corner in usual)


def composed(
    pictures: Sequence[np.ndarray],  # as large as the plan says, all of one dtype
    plan: Plan,
    labels: Sequence[Sequence[tuple[str, LabelPlate | None]]],  # per picture: corner and plate
    background: tuple[float, float, float],
) -> np.ndarray:  # (plan.height, plan.width, 3)
    labelled = []
    for picture, plates in zip(pictures, labels, strict=True):
        for corner, plate in plates:
            if plate is not None:
                draw_in_corner(picture, plate, corner)
        labelled.append(picture)
    return compose_frame(labelled, plan, background=background)


def draw_in_corner(picture: np.ndarray, plate: LabelPlate, corner: str) -> None:
    height, width = plate.keep.shape[:2]
    top = picture.shape[0] - height - 2 * plate.margin if corner.startswith("bottom") else 0
    left = picture.shape[1] - width - 2 * plate.margin if corner.endswith("right") else 0
    draw_plate(picture, plate, max(0, top), max(0, left))


# ---- where the views stand


def plan_layout(sizes: Sequence[Size], layout: Layout, names: Sequence[str]) -> Plan:
    """The places of views of the given sizes.

    In a grid all views keep their own pixels. Elsewhere a view is scaled where it must be, as large as its place
    allows and never distorted; the background fills the rest.
    """
    gap = even(layout.gap)
    if layout.kind == GRID:
        plan = _grid(sizes, layout, gap)
    elif layout.kind == HERO:
        plan = _hero(sizes, view_of(layout.main.strip(), names, "'main'"), layout.strip, gap)
    elif layout.kind == PICTURE_IN_PICTURE:
        main, inset = (view_of(getattr(layout, which).strip(), names, f"'{which}'") for which in ("main", "inset"))
        plan = _picture_in_picture(sizes, main, inset, layout, gap)
    else:
        plan = _row(sizes, gap) if layout.kind == SIDE_BY_SIDE else _turned(_row(_transposed(sizes), gap))
    # The plain grid of the first releases has no limit as images; who writes it to a file asks the codec.
    if layout != Layout(columns=layout.columns, names=layout.names) and max(plan.height, plan.width) > LARGEST_SIDE:
        raise UserError(
            f"'layout' makes a picture of {plan.width} x {plan.height} pixels; at most {LARGEST_SIDE} are possible "
            "either way: use fewer places, or smaller views.",
            field="layout",
        )
    return plan


def fitted(size: Size, place: Size) -> Size:
    """The largest size of the same proportions inside a place, to the nearest pixel."""
    height, width = size
    tall, wide = place
    if tall * width <= wide * height:
        return tall, max(1, min(wide, round(Fraction(width * tall, height))))
    return max(1, min(tall, round(Fraction(height * wide, width)))), wide


def _grid(sizes: Sequence[Size], layout: Layout, gap: int) -> Plan:
    grid = plan_grid(sizes, layout.columns, layout.rows, gap)
    return Plan(grid.height, grid.width, tuple(range(len(sizes))), grid.tiles, tuple(sizes))


def _row(sizes: Sequence[Size], gap: int) -> Plan:
    """All views as tall as the tallest one."""
    height = max(size[0] for size in sizes)
    scaled = [
        size if size[0] == height else (height, max(1, round(Fraction(size[1] * height, size[0])))) for size in sizes
    ]
    tiles, left = [], 0
    for _, width in scaled:
        tiles.append(Tile(0, left, even(height), even(width)))
        left += even(width) + gap
    return Plan(even(height), left - gap, tuple(range(len(sizes))), tuple(tiles), tuple(scaled))


def _hero(sizes: Sequence[Size], hero: int, strip: str, gap: int) -> Plan:
    if strip == "bottom":
        return _turned(_hero_and_column(_transposed(sizes), hero, gap, across=True))
    return _hero_and_column(sizes, hero, gap, across=False)


def _hero_and_column(sizes: Sequence[Size], hero: int, gap: int, across: bool) -> Plan:
    """The hero with its own pixels, on its right the others, in equal places in as few columns as keep them large.

    They are counted along the rows, or `across` them: what that is once the picture is turned into one with a strip
    at the bottom.
    """
    height, width = map(even, sizes[hero])
    others = [view for view in range(len(sizes)) if view != hero]
    tiles, shown = [Tile(0, 0, height, width)], [sizes[hero]]
    if not others:
        return Plan(height, width, (hero,), tuple(tiles), tuple(shown))
    columns = -(-len(others) // MOST_IN_A_LINE)
    rows = -(-len(others) // columns)
    place_height = (height - gap * (rows - 1)) // max(rows, 2) // 2 * 2
    if place_height < SMALLEST_TILE:
        raise UserError(_too_small(gap))
    widest = max(Fraction(sizes[view][1], sizes[view][0]) for view in others)
    place_width = max(SMALLEST_TILE, even(min(width, round(place_height * widest))))
    top = (height - rows * place_height - gap * (rows - 1)) // 4 * 2
    for number, view in enumerate(others):
        column, row = divmod(number, rows) if across else divmod(number, columns)[::-1]
        size = fitted(sizes[view], (place_height, place_width))
        at = top + row * (place_height + gap), width + gap + column * (place_width + gap)
        tiles.append(_centred(size, at, (place_height, place_width)))
        shown.append(size)
    picture_width = width + columns * (place_width + gap)
    return Plan(height, picture_width, (hero, *others), tuple(tiles), tuple(shown))


def _picture_in_picture(sizes: Sequence[Size], main: int, inset: int, layout: Layout, gap: int) -> Plan:
    if main == inset:
        raise UserError(
            f"'main' and 'inset' are both view {main + 1}; a picture in picture needs two views: change one of them."
        )
    height, width = map(even, sizes[main])
    margin = max(gap, round(height * INSET_MARGIN / 2) * 2)
    size = fitted(sizes[inset], (round(height * layout.share), round(width * layout.share)))
    if min(size) < SMALLEST_TILE or size[0] + 2 * margin > height or size[1] + 2 * margin > width:
        raise UserError(_too_small(gap))
    tall, wide = map(even, size)
    top = height - margin - tall if layout.corner.startswith("bottom") else margin
    left = width - margin - wide if layout.corner.endswith("right") else margin
    tiles = Tile(0, 0, height, width), Tile(top, left, tall, wide)
    return Plan(height, width, (main, inset), tiles, (sizes[main], size))


def _centred(size: Size, at: Size, place: Size) -> Tile:
    height, width = map(even, size)
    return Tile(at[0] + (place[0] - height) // 4 * 2, at[1] + (place[1] - width) // 4 * 2, height, width)


def _transposed(sizes: Sequence[Size]) -> list[Size]:
    return [(width, height) for height, width in sizes]


def _turned(plan: Plan) -> Plan:
    """The plan with rows and columns exchanged."""
    tiles = tuple(Tile(tile.left, tile.top, tile.width, tile.height) for tile in plan.tiles)
    return Plan(plan.width, plan.height, plan.views, tiles, tuple(_transposed(plan.sizes)))


def _too_small(gap: int) -> str:
    return (
        f"'layout' leaves less than {SMALLEST_TILE} pixels for one of the views (its 'gap' is {gap}); use a smaller gap, "
        "fewer or larger views, or a larger 'share'."
    )


# ---- pictures and captions


def resized(
    picture: np.ndarray,  # (any height, any width, 3) uint8, uint16, or float32 in 0..1
    height: int,
    width: int,
) -> np.ndarray:  # (height, width, 3), the same dtype
    """The picture in another size, smoothed where it shrinks; as it is where it has this size."""
    if picture.shape[:2] == (height, width):
        return picture
    planes = torch.from_numpy(np.moveaxis(picture, 2, 0)[None].astype(np.float32))
    scaled = torch.nn.functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    white = WHITE[picture.dtype]
    pixels = np.ascontiguousarray(np.moveaxis(scaled[0].clamp(0, white).numpy(), 0, 2))
    return pixels if picture.dtype == FLOAT else (pixels + 0.5).astype(picture.dtype)


def angle_captions(
    rig: Rig,
) -> list[str]:
    """Azimuth, elevation and distance of each camera in few words: "az 30° el 10° 3.0 m".

    They are those of the meter: of the direction that a camera looks from, and to the point that the cameras have in
    common, left out where they have none. A camera that moves has its first and its last numbers: "az 0 to 90°".
    """
    from ..cameras.meter import measure

    first, last = (measure(rig.at_frame(at)).views for at in (0, rig.frames - 1))
    return [_caption(start, end) for start, end in zip(first, last, strict=True)]


def _caption(start: Any, end: Any) -> str:
    parts = [
        f"az {_from_to(start.azimuth_deg, end.azimuth_deg)}°",
        f"el {_from_to(start.elevation_deg, end.elevation_deg)}°",
    ]
    if start.distance_m is not None and end.distance_m is not None:
        parts.append(f"{_from_to(start.distance_m, end.distance_m, 1)} m")
    return " ".join(parts)


def _from_to(start: float, end: float, decimals: int = 0) -> str:
    # + 0.0: no "-0"
    first, last = (f"{round(number, decimals) + 0.0:.{decimals}f}" for number in (start, end))
    return first if first == last else f"{first} to {last}"


def _check_number(name: str, given: Any, least: float, most: float, kind: type | tuple[type, ...]) -> None:
    if isinstance(given, bool) or not isinstance(given, kind) or not least <= given <= most:
        whole = "a whole number from " if kind is int else ""
        raise UserError(f"'{name}' is {given!r}; use {whole}{least:g} to {most:g}.", field=name)
