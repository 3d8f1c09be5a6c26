"""Cuts that nobody has to type: in turn after so many frames, in equal shares, or to where most moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ..cameras.spoken import check_length, order_of_views
from ..errors import UserError
from .clip import BITS_8, Clip, in_depth
from .cut_list import Cut, pieces_of

EVERY, SHARES, MOTION = METHODS = ("every n frames", "round robin", "most motion")
SMALL_HEIGHT, SMALL_WIDTH = 36, 64  # of the pictures in which motion is measured


def cuts_every(frames: int, every: int, order: Sequence[int]) -> tuple[Cut, ...]:
    """The next view of `order`, again and again, after every `every` frames; the last shot has what is left."""
    if every < 1:
        raise UserError(f"a shot of {every} frames is not possible; use 1 or more.")
    return tuple(Cut(start, order[turn % len(order)]) for turn, start in enumerate(range(0, frames, every)))


def cuts_in_shares(frames: int, order: Sequence[int]) -> tuple[Cut, ...]:
    """Each view of `order` once, for equal shares of the film (to the frame); where there are too few frames, the first
    ones."""
    shots = min(len(order), frames)
    return tuple(Cut(turn * frames // shots, view) for turn, view in enumerate(order[:shots]))


def cuts_by_motion(
    motion: np.ndarray,  # (views, frames) of `motion_of`
    shortest: int,  # frames that a shot lasts at least; a film that is shorter is one shot
    order: Sequence[int],  # the views to choose from; of equal ones the first
) -> tuple[Cut, ...]:
    """The cuts by which the most motion is seen: no other list with shots of at least `shortest` frames shows more, and
    none that shows as much has fewer cuts.

    Found by dynamic programming over (frame, view), in integers, so that the same clips give the same cuts everywhere.
    """
    if shortest < 1:
        raise UserError(f"shots of {shortest} frames are not possible; use 1 or more.")
    views = list(dict.fromkeys(order))
    frames = motion.shape[1]
    seen = motion[views].astype(np.int64) * (frames + 1)  # so that all cuts together cost less than any motion
    shortest = min(shortest, frames)
    until = np.concatenate([np.zeros((len(views), 1), np.int64), seen.cumsum(1)], 1)  # motion before each frame

    # best[v, t]: the most motion of the first t frames if v is on screen at their end, for `shortest` frames or longer.
    # since[v, t]: the first frame of that last shot; from[v, t]: the view before it.
    impossible = np.iinfo(np.int64).min // 2
    best = np.full((len(views), frames + 1), impossible, np.int64)
    since = np.zeros((len(views), frames + 1), np.int64)
    before = np.zeros((len(views), frames + 1), np.int64)
    best[:, shortest] = until[:, shortest]
    for t in range(shortest + 1, frames + 1):
        best[:, t] = best[:, t - 1] + seen[:, t - 1]
        since[:, t], before[:, t] = since[:, t - 1], before[:, t - 1]
        start = t - shortest
        for v in range(len(views)):
            earlier = best[:, start].copy()
            earlier[v] = impossible
            other = int(earlier.argmax())
            cut = earlier[other] + until[v, t] - until[v, start] - 1
            if cut > best[v, t]:
                best[v, t], since[v, t], before[v, t] = cut, start, other

    view, end, cuts = int(best[:, frames].argmax()), frames, []
    while end:
        start = int(since[view, end])
        cuts.append(Cut(start, views[view]))
        view, end = int(before[view, end]), start
    return tuple(reversed(cuts))


def motion_of(clip: Clip) -> Iterator[int]:
    """How much moves in each frame: the sum of absolute differences to the frame before, of small 8-bit luma pictures.

    The first frame has none before it and counts as much as the second.
    """
    previous = None
    for index in range(len(clip)):
        luma = _small_luma(clip[index])
        if previous is not None:
            moved = int(np.abs(luma - previous).sum())
            if index == 1:
                yield moved
            yield moved
        previous = luma
    if len(clip) == 1:
        yield 0


def order_of(text: str, names: Sequence[str]) -> list[int]:
    """The views that a person lists, separated by commas: names, letters and numbers as in a cut list, also repeated.

    An empty text means all of them. Raises UserError with a sentence for one that does not exist.
    """
    check_length(text, "order", "name the cameras, like 'A, C, B'")
    without_comments = ", ".join(pieces_of(text, ",;\r\n"))
    return order_of_views(without_comments, names, "order") or list(range(len(names)))


def _small_luma(picture: np.ndarray) -> np.ndarray:  # (36, 64) int64 in 0..255
    luma = Image.fromarray(in_depth(picture, BITS_8)).convert("L")
    return np.asarray(luma.resize((SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX), np.int64)
