"""Where N views stand in one picture, and the picture itself: one time step at a time, so that a grid of any length
needs the memory of a single frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .clip import in_depth
from .frames import even, pad_to_even
from .labels import LabelPlate, draw_plate

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


def grid_frames(
    views: Sequence[Iterable[np.ndarray]],  # per view its frames, each (height, width, 3), all uint8 or all float32
    layout: GridLayout,
    plates: Sequence[LabelPlate | None] = (),
) -> Iterator[np.ndarray]:  # (layout.height, layout.width, 3)
    """The views' frames composed step by step; no more than one frame of each view is held.

    Raises UserError where one view ends before the others.
    """
    return (compose_frame(step, layout, plates) for step in zip(*views, strict=True))


def compose_frame(
    frames: Sequence[np.ndarray],  # one (height, width, 3) per view, all uint8, uint16 or float32 in 0..1
    layout: GridLayout,
    plates: Sequence[LabelPlate | None] = (),
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),  # RGB in 0..1
) -> np.ndarray:  # (layout.height, layout.width, 3), the frames' type
    """One time step of all views as one picture, with each view's label over it where `plates` are given."""
    if len(frames) != len(layout.tiles):
        raise UserError(f"the layout has {len(layout.tiles)} tiles, but {len(frames)} frames were given.")
    picture = np.zeros((layout.height, layout.width, 3), frames[0].dtype)
    if any(background):
        picture[:] = in_depth(np.asarray(background, np.float32), frames[0].dtype)
    for index, (frame, tile) in enumerate(zip(frames, layout.tiles, strict=True)):
        padded = pad_to_even(frame)
        if padded.shape != (tile.height, tile.width, 3):
            raise UserError(
                f"view {index + 1} has a frame of shape {tuple(frame.shape)}, "
                f"but its tile is {tile.height} x {tile.width} pixels."
            )
        picture[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = padded
    for plate, tile in zip(plates, layout.tiles, strict=False):
        if plate is not None:
            draw_plate(picture, plate, tile.top, tile.left)
    return picture
