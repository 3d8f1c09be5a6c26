"""Two views for two eyes: beside each other, or as an anaglyph for red and cyan glasses."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..cameras.rig import Rig
from ..errors import UserError
from .clip import BITS_8, BITS_16, FLOAT, WHITE, Clip, MadeClip, in_depth, resized
from .frames import even, pad_to_even

SAME_SIDE_M = 1e-6  # cameras nearer than this stand neither left nor right of each other

SIDE_BY_SIDE, SIDE_BY_SIDE_HALF, TOP_BOTTOM, TOP_BOTTOM_HALF, DUBOIS, PLAIN = STEREO = (
    "side by side",
    "side by side half",
    "top/bottom",
    "top/bottom half",
    "anaglyph (Dubois)",
    "anaglyph (plain colours)",
)
# For red and cyan glasses before a screen. Eric Dubois, "Conversion of a Stereo Pair to Anaglyph with the Least-Squares
# Projection Method", University of Ottawa, March 2009. For linear light; rows: red, green, blue.
DUBOIS_LEFT = ((0.437, 0.449, 0.164), (-0.062, -0.062, -0.024), (-0.048, -0.050, -0.017))
DUBOIS_RIGHT = ((-0.011, -0.032, -0.007), (0.377, 0.761, 0.009), (-0.026, -0.093, 1.234))


def stereo(
    left: Clip,
    right: Clip,  # as long and as large
    kind: str = SIDE_BY_SIDE,  # of STEREO
    cross_eyed: bool = False,  # exchange the two
) -> Clip:
    """Two views for two eyes. "Half" squeezes each to half, so that the picture keeps the size of one view.

    Odd sizes grow by a repeated column or row before anything else.
    """
    if kind not in STEREO:
        raise UserError(f"'format' is {kind!r}; use {', '.join(map(repr, STEREO))}.", field="format")
    first, second = (right, left) if cross_eyed else (left, right)
    height, width = even(left.height), even(left.width)
    if kind in (DUBOIS, PLAIN):
        mix = anaglyph_dubois if kind == DUBOIS else anaglyph_plain
        return MadeClip(
            len(left), height, width, left.dtype, lambda t: mix(pad_to_even(first[t]), pad_to_even(second[t]))
        )
    beside = kind in (SIDE_BY_SIDE, SIDE_BY_SIDE_HALF)
    if kind in (SIDE_BY_SIDE_HALF, TOP_BOTTOM_HALF):
        height, width = (height, width // 2) if beside else (height // 2, width)

    def frame(index: int) -> np.ndarray:
        return np.concatenate([resized(pad_to_even(eye[index]), height, width) for eye in (first, second)], int(beside))

    of_both = (height, 2 * width) if beside else (2 * height, width)
    return MadeClip(len(left), *of_both, left.dtype, frame)


def stands_right_of(
    rig: Rig,
    view: int,
    other: int,
) -> bool:
    """Whether a camera stands on the right of another in the first frame, as the two see it."""
    c2w = np.asarray(rig.c2w, np.float64)[[view, other], 0]
    to_the_right = c2w[:, :3, 0].sum(0)  # of both cameras
    return bool((c2w[0, :3, 3] - c2w[1, :3, 3]) @ to_the_right > SAME_SIDE_M)


def check_sides(
    rig: Rig,
    left: int,
    right: int,
) -> None:
    """Raise UserError with a sentence where the left camera is the right one."""
    if stands_right_of(rig, left, right):
        raise UserError(
            f"'left' is {rig.names[left]!r}, which stands on the right of {rig.names[right]!r}; exchange 'left' and "
            "'right'. For viewing with crossed eyes switch 'cross_eyed' on instead.",
            field="left",
        )


def anaglyph_plain(
    left: np.ndarray,  # (height, width, 3)
    right: np.ndarray,
) -> np.ndarray:
    """Red from the left view, green and blue from the right one."""
    return np.concatenate([left[..., :1], right[..., 1:]], axis=2)


def anaglyph_dubois(
    left: np.ndarray,  # (height, width, 3)
    right: np.ndarray,
) -> np.ndarray:
    """Dubois' least-squares anaglyph: what red and cyan glasses let through is as near as can be to the two views."""
    light = linear_light(left) @ np.asarray(DUBOIS_LEFT, np.float32).T
    light += linear_light(right) @ np.asarray(DUBOIS_RIGHT, np.float32).T
    return in_depth(as_srgb(light.clip(0, 1)), left.dtype)


def linear_light(
    picture: np.ndarray,  # sRGB
) -> np.ndarray:  # float32 in 0..1
    """IEC 61966-2-1."""
    if picture.dtype in (BITS_8, BITS_16):  # all values that there are: looked up
        return _linear_levels(int(WHITE[picture.dtype]))[picture]
    return _linear(picture)


def _linear(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(FLOAT)


@lru_cache
def _linear_levels(white: int) -> np.ndarray:
    return _linear(np.arange(white + 1) / white)


def as_srgb(
    light: np.ndarray,  # float32 in 0..1
) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(FLOAT)
