"""All views of a light-field screen in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..cameras.rig import Rig
from ..errors import UserError
from .bullet_time import BY_AZIMUTH
from .clip import Clip, MadeClip
from .frames import even, pad_to_even
from .stereo import stands_right_of
from .write import LARGEST_SIDE


def quilt(
    clips: Sequence[Clip],  # from the leftmost camera to the rightmost; all of one length, size and dtype
    columns: int,
    rows: int,
) -> Clip:
    """All views of a light-field screen in one picture: the first at the bottom left, on to the right, then upwards.

    Views of odd size grow by a repeated column or row, so that all tiles are equal. Raises UserError with a sentence
    where the places are not as many as the views.
    """
    if columns * rows != len(clips):
        raise UserError(
            f"'columns' x 'rows' is {columns} x {rows} = {columns * rows}, but there are {len(clips)} views; a quilt has "
            f"exactly one place for each: {_divisions(len(clips))}.",
            field="columns",
        )
    height, width = even(clips[0].height), even(clips[0].width)
    if max(height * rows, width * columns) > LARGEST_SIDE:
        raise UserError(
            f"the quilt would have {width * columns} x {height * rows} pixels; at most {LARGEST_SIDE} are possible either "
            "way: use smaller views."
        )

    def frame(index: int) -> np.ndarray:
        picture = np.empty((rows * height, columns * width, 3), clips[0].dtype)
        for place, clip in enumerate(clips):
            row, column = divmod(place, columns)
            top, left = (rows - 1 - row) * height, column * width
            picture[top : top + height, left : left + width] = pad_to_even(clip[index])
        return picture

    return MadeClip(len(clips[0]), rows * height, columns * width, clips[0].dtype, frame)


def quilt_shape(views: int) -> tuple[int, int]:
    """Columns and rows for a number of views: as nearly square as its divisors allow, with more columns than rows."""
    rows = max(rows for rows in range(1, int(views**0.5) + 1) if views % rows == 0)
    return views // rows, rows


def quilt_suffix(columns: int, rows: int, height: int, width: int) -> str:
    """What light-field players read from the end of a file's name: places and the aspect ratio of one view."""
    return f"_qs{columns}x{rows}a{width / height:.4g}"


def _divisions(views: int) -> str:
    shapes = [f"{views // rows} x {rows}" for rows in range(1, views + 1) if views % rows == 0]
    return ", ".join(shapes)


def check_left_to_right(
    rig: Rig,
) -> None:
    """Raise UserError with a sentence where a rig's first camera stands on the right of its last."""
    last = len(rig.names) - 1
    if stands_right_of(rig, 0, last):
        raise UserError(
            f"a quilt goes from the leftmost camera to the rightmost, but the first one, {rig.names[0]!r}, stands on the "
            f"right of the last, {rig.names[last]!r}; set 'order' to {BY_AZIMUTH!r}."
        )
