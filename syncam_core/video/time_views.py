"""Time across views: freeze it and walk from camera to camera, change the view while it runs, and two views or all of
them at once for stereo glasses and light-field screens.

Which picture is seen when is worked out in whole numbers and fractions (`Look`), apart from the pictures themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..cameras.keyframes import eased
from ..cameras.rig import Rig
from ..cameras.spoken import ONE_BATCH, view_of
from ..errors import UserError
from .clip import BITS_8, BITS_16, FLOAT, WHITE, Clip, MadeClip, blended, in_depth
from .cut_list import frames_in_words
from .frames import even, pad_to_even
from .layouts import resized
from .write import LARGEST_SIDE

EASES = ("none", "in", "out", "in_out")  # of the rig's keyframes, without the one that does not move
IN_RIG_ORDER, BY_AZIMUTH = ORDERS = ("rig", "azimuth")
CUTS, CROSS_FADE, MODEL = BETWEEN = ("cuts", "cross-fade", "interpolation model")
CONTINUE, END = AFTERWARDS = ("continue", "end")
FINEST_STEPS = 16  # between two views: the largest multiplier of the host's frame interpolation
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

Between = Callable[[int, int, int, Fraction], np.ndarray]  # frame, view, next view, share of the next


@dataclass(frozen=True)
class Look:
    """What one frame of the film shows: a moment, and a view or the way from it to a second one."""

    frame: int
    view: int
    next: int
    share: Fraction = Fraction(0)  # of the way to `next`, 0 <= share < 1


# ---- which views, in which order


def way_through(
    names: Sequence[str],
    first: str,  # a camera's name, letter or number; empty: the first in the order
    last: str,  # empty: the last in the order
    azimuths_deg: Sequence[float] | None = None,  # the order is `from_left_to_right` instead of the views' own
) -> tuple[int, ...]:
    """The views from one to another in order, forwards or backwards, all that lie between included.

    The same view twice means once around: through all of them in order, past the end to the beginning, and back to it.
    Raises UserError with a sentence for a view that does not exist, and where there are not two.
    """
    if len(names) < 2:
        raise UserError(
            f"'views' has 1 view, but a way from view to view needs at least 2; {ONE_BATCH}.", field="views"
        )
    order = list(range(len(names))) if azimuths_deg is None else from_left_to_right(azimuths_deg)
    start, end = (
        order.index(view_of(text.strip(), names, f"'{what}'")) if text.strip() else at
        for text, what, at in ((first, "from_view", 0), (last, "to_view", len(order) - 1))
    )
    if start == end:
        return tuple(order[start:] + order[: start + 1])
    step = 1 if end > start else -1
    return tuple(order[at] for at in range(start, end + step, step))


def from_left_to_right(azimuths_deg: Sequence[float]) -> list[int]:
    """The views by their azimuths, which grow to the right.

    Cameras around a scene have no left end of their own, so the first one is the one behind the widest gap between
    neighbours: cameras behind the scene, from 150 over 180 to -150 degrees, stay together. Of equally wide gaps, as in a
    ring, it is the one nearest behind -180 degrees.
    """
    order = sorted(range(len(azimuths_deg)), key=azimuths_deg.__getitem__)
    gaps = [round((azimuths_deg[view] - azimuths_deg[order[at - 1]]) % 360, 6) for at, view in enumerate(order)]
    first = gaps.index(max(gaps))
    return order[first:] + order[:first]


def azimuths_of(
    rig: Rig,
    frame: int = 0,
) -> list[float]:  # degrees, -180 to 180
    """The direction that each camera looks from at a frame, as the meter measures it."""
    from ..cameras.meter import measure

    return [view.azimuth_deg for view in measure(rig.at_frame(min(frame, rig.frames - 1))).views]


# ---- bullet time and sweeps


def bullet_time(
    frames: int,  # of the views
    freeze: int,  # the frame at which time stands still; -1: the last
    way: Sequence[int],  # views, of `way_through`
    frames_per_view: int = 2,
    hold: int = 0,  # frames that the picture rests at either end of the way
    cuts: bool = False,  # else the views flow into each other
    ease: str = "none",
    ping_pong: bool = False,
    afterwards: str = CONTINUE,
) -> list[Look]:
    """Time runs up to a frame in the first view, stands still while the views go by, and goes on in the last one.

    The film is: frames 0 to `freeze`; `hold` frames of rest; for each further view `frames_per_view` frames that end
    with exactly this view; `hold` frames of rest; with `ping_pong` the same way back, and another rest; then the frames
    after `freeze`, unless time ends there. With cuts each further view is seen for these frames. An ease bends the
    whole way, not each step.
    """
    if not -1 <= freeze < frames:
        raise UserError(
            f"'freeze_frame' is {freeze}, but the views have {frames_in_words(frames)}; use 0 to {frames - 1}, or -1 for "
            "the last.",
            field="freeze_frame",
        )
    freeze = frames - 1 if freeze == -1 else freeze
    steps = frames_per_view * (len(way) - 1)
    there = [_on_the_way(way, eased(Fraction(k, steps), ease), cuts, freeze) for k in range(1, steps + 1)]
    looks = [Look(frame, way[0], way[0]) for frame in range(freeze + 1)]
    looks += [looks[-1]] * hold + there + [there[-1]] * hold
    if ping_pong:
        back = way[::-1]
        returning = [_on_the_way(back, eased(Fraction(k, steps), ease), cuts, freeze) for k in range(1, steps + 1)]
        looks += returning + [returning[-1]] * hold
    if afterwards == CONTINUE:
        looks += [Look(frame, looks[-1].view, looks[-1].view) for frame in range(freeze + 1, frames)]
    return looks


def view_sweep(
    frames: int,
    way: Sequence[int],
    fade: Fraction | float = 0,  # 0..1: the part of a view's time that it shares with its neighbours; 0 cuts
    ease: str = "none",
    ping_pong: bool = False,
) -> list[Look]:
    """The view changes from the first to the last of the way while time runs; each is seen equally long without ease.

    What a frame shows is decided in the middle of its time: frame k of F stands at (k + 1/2) / F of the way. With fewer
    frames than views some are passed over.
    """
    fade = Fraction(fade).limit_denominator(10_000)
    looks = []
    for frame in range(frames):
        at = Fraction(2 * frame + 1, 2 * frames)
        if not ping_pong:
            at = eased(at, ease)
        else:  # both ways begin and end alike
            at = eased(2 * at, ease) if 2 * at <= 1 else 1 - eased(2 * at - 1, ease)
        looks.append(_in_turn(way, at, fade, frame))
    return looks


def filmed(
    clips: Sequence[Clip],  # all of one length, size and dtype
    looks: Sequence[Look],
    between: Between | None = None,  # what is seen between two views; None: a cross-fade
) -> Clip:
    """The film of what is looked at."""
    between = between or partial(cross_faded, clips)

    def frame(index: int) -> np.ndarray:
        look = looks[index]
        if look.share == 0:
            return clips[look.view][look.frame]
        return between(look.frame, look.view, look.next, look.share)

    return MadeClip(len(looks), clips[0].height, clips[0].width, clips[0].dtype, frame)


def cross_faded(clips: Sequence[Clip], frame: int, view: int, following: int, share: Fraction) -> np.ndarray:
    return blended(clips[view][frame], clips[following][frame], float(share))


def interpolated(
    clips: Sequence[Clip],
    # two pictures of the clips' dtype and the number of steps from one to the other -> steps + 1 pictures, ends included
    interpolate: Callable[[np.ndarray, np.ndarray, int], Sequence[np.ndarray]],
    steps: int,  # 2 to FINEST_STEPS
) -> Between:
    """What a frame interpolation model sees between two views: its nearest two pictures, mixed.

    Two views are interpolated when the first picture between them is asked for, and kept until two others are.
    """

    @lru_cache(maxsize=1)
    def pictures(frame: int, view: int, following: int) -> Sequence[np.ndarray]:
        return interpolate(clips[view][frame], clips[following][frame], steps)

    def between(frame: int, view: int, following: int, share: Fraction) -> np.ndarray:
        if following < view:  # the way back shows the pictures of the way there
            view, following, share = following, view, 1 - share
        step, rest = divmod(share * steps, 1)
        made = pictures(frame, view, following)
        return blended(made[step], made[min(step + 1, steps)], float(rest)).copy()

    return between


def steps_between(frames_per_view: int, ease: str) -> int:
    """Into how many steps a model divides the way between two views: as many as are seen, where these are even."""
    return min(FINEST_STEPS, max(2, frames_per_view)) if ease == "none" else FINEST_STEPS


def _on_the_way(way: Sequence[int], progress: Fraction, cuts: bool, frame: int) -> Look:
    at = progress * (len(way) - 1)
    if cuts:  # the view that is come to
        view = way[-(-at.numerator // at.denominator)]
        return Look(frame, view, view)
    place, share = divmod(at, 1)
    return Look(frame, way[place], way[place + (share > 0)], share)


def _in_turn(way: Sequence[int], progress: Fraction, fade: Fraction, frame: int) -> Look:
    at = progress * len(way)  # the view at place i has the stretch from i to i + 1
    nearest = min(max(1, int(at + Fraction(1, 2))), len(way) - 1)  # the border between two views
    if fade and abs(at - nearest) < fade / 2:
        return Look(frame, way[nearest - 1], way[nearest], (at - nearest) / fade + Fraction(1, 2))
    view = way[min(int(at), len(way) - 1)]
    return Look(frame, view, view)


# ---- stereo


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
    axis = 1 if kind in (SIDE_BY_SIDE, SIDE_BY_SIDE_HALF) else 0
    size = [height, width]
    if kind in (SIDE_BY_SIDE_HALF, TOP_BOTTOM_HALF):
        size[axis] //= 2

    def frame(index: int) -> np.ndarray:
        return np.concatenate([resized(pad_to_even(eye[index]), *size) for eye in (first, second)], axis)

    size_of_both = [side * 2 if at == axis else side for at, side in enumerate(size)]
    return MadeClip(len(left), *size_of_both, left.dtype, frame)


def stands_right_of(
    rig: Any,  # has c2w (views, frames, 4, 4)
    view: int,
    other: int,
) -> bool:
    """Whether a camera stands on the right of another in the first frame, as the two see it."""
    c2w = np.asarray(rig.c2w, np.float64)[[view, other], 0]
    to_the_right = c2w[:, :3, 0].sum(0)  # of both cameras
    return bool((c2w[0, :3, 3] - c2w[1, :3, 3]) @ to_the_right > SAME_SIDE_M)


def check_sides(
    rig: Any,  # has names and c2w (views, frames, 4, 4)
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


def check_left_to_right(
    rig: Any,  # has names and c2w (views, frames, 4, 4)
) -> None:
    """Raise UserError with a sentence where a rig's first camera stands on the right of its last."""
    last = len(rig.names) - 1
    if stands_right_of(rig, 0, last):
        raise UserError(
            f"a quilt goes from the leftmost camera to the rightmost, but the first one, {rig.names[0]!r}, stands on the "
            f"right of the last, {rig.names[last]!r}; set 'order' to {BY_AZIMUTH!r}."
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


# ---- light fields


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


# ---- judging the views


def check_same_size(clips: Sequence[Clip], names: Sequence[str]) -> None:
    """Raise UserError with a sentence where views of different sizes cannot stand for one another."""
    first = clips[0]
    for clip, name in zip(clips, names, strict=True):
        if (clip.height, clip.width) != (first.height, first.width):
            raise UserError(
                f"'views' must all have the same size, but {names[0]!r} is {first.width} x {first.height} pixels and "
                f"{name!r} {clip.width} x {clip.height}; scale them to one size first.",
                field="views",
            )
