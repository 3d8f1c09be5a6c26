"""Where N views stand in one picture, as a person asks for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..cameras.spoken import view_of
from ..errors import UserError
from .frames import even
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
INSET_MARGIN = 1 / 40  # of the picture's height

SCREEN_ASPECT = 16 / 9
# An arrangement that shows the views at 75 % of the largest possible size counts as equally good. Without this slack
# two views a hair wider than 16:9 would be stacked, although everybody expects them side by side.
NEARLY_AS_LARGE = 0.75
MAX_COLUMNS = 64


@dataclass(frozen=True)
class Tile:
    """The part of the picture that one view fills, in pixels; every number is even."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class GridLayout:
    """A picture of `height` x `width` pixels (both even) with one tile per view, row by row from the top left."""

    height: int
    width: int
    rows: int
    columns: int
    tiles: tuple[Tile, ...]


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
        _check_number("share", self.share, SMALLEST_SHARE, LARGEST_SHARE, float)
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


def _check_number(name: str, given: object, least: float, most: float, kind: type[float]) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, kind)) or not least <= given <= most:
        whole = "a whole number from " if kind is int else ""
        raise UserError(f"'{name}' is {given!r}; use {whole}{least:g} to {most:g}.", field=name)


# ---- grids


def grid_shape(
    views: int,
    columns: int = 0,
    aspect: float = SCREEN_ASPECT,
    rows: int = 0,
) -> tuple[int, int]:
    """Rows and columns for a number of views of the given aspect ratio (width / height).

    Where both are given they are kept, empty places and all. With `rows` and `columns` 0 the arrangement is the one in
    which each view appears largest on a 16:9 screen; among nearly equal ones the one with the fewest empty places, then
    the squarest, then the widest. Views of about 16:9 give 2 -> 1 x 2 (side by side), 3 and 4 -> 2 x 2, 5 and 6 -> 2 x 3,
    8 -> 2 x 4, 9 -> 3 x 3; up to five upright views stand in one row. More columns than views make one row without
    empty places, more rows than views one column.
    """
    if views < 1:
        raise UserError(f"a grid of {views} views is not possible; at least one view is needed.")
    if not 0 <= columns <= MAX_COLUMNS:
        raise UserError(
            f"'columns' is {columns}; use 1 to {MAX_COLUMNS}, or 0 to let the grid choose.", field="columns"
        )
    if not 0 <= rows <= MAX_COLUMNS:
        raise UserError(f"'rows' is {rows}; use 1 to {MAX_COLUMNS}, or 0 to let the grid choose.", field="rows")
    if rows and columns:
        if rows * columns < views:
            raise UserError(
                f"'rows' and 'columns' make {rows} x {columns} places, but there are {views} views; use more rows or "
                "columns, or 0 for one of them to let the grid choose it."
            )
        return rows, columns
    if rows:
        rows = min(rows, views)
        return rows, -(-views // rows)
    if columns:
        columns = min(columns, views)
        return -(-views // columns), columns

    candidates = [(-(-views // c), c) for c in range(1, views + 1)]

    def view_height_on_screen(rows: int, columns: int) -> float:
        return min(1 / rows, SCREEN_ASPECT / (aspect * columns))

    largest = max(view_height_on_screen(*shape) for shape in candidates)
    good = [shape for shape in candidates if view_height_on_screen(*shape) >= NEARLY_AS_LARGE * largest]
    return min(good, key=lambda shape: (shape[0] * shape[1] - views, abs(shape[0] - shape[1]), -shape[1]))


def plan_grid(
    sizes: Sequence[tuple[int, int]],  # (height, width) of every view
    columns: int = 0,
    rows: int = 0,
    gap: int = 0,  # pixels between cells, even
) -> GridLayout:
    """Lay the views out in equal cells of the size of the largest view.

    No view is scaled: a smaller one is centred in its cell with the background around it, so that a tile's pixels are
    the view's own pixels. A tile of odd size is one pixel larger (see `pad_to_even`), and tiles start at even
    coordinates, where 4:2:0 chroma samples start too.
    """
    cell_height = even(max(height for height, _ in sizes))
    cell_width = even(max(width for _, width in sizes))
    rows, columns = grid_shape(len(sizes), columns, cell_width / cell_height, rows)
    tiles = []
    for index, (height, width) in enumerate(sizes):
        row, column = divmod(index, columns)
        height, width = even(height), even(width)
        top = row * (cell_height + gap) + (cell_height - height) // 4 * 2
        left = column * (cell_width + gap) + (cell_width - width) // 4 * 2
        tiles.append(Tile(top, left, height, width))
    picture_height, picture_width = rows * (cell_height + gap) - gap, columns * (cell_width + gap) - gap
    return GridLayout(picture_height, picture_width, rows, columns, tuple(tiles))


# ---- all kinds


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
