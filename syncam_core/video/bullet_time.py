"""Time across views: freeze it and walk from camera to camera, or change the view while it runs.

Which picture is seen when is worked out in whole numbers and fractions (`Look`), apart from the pictures themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np

from ..cameras.keyframes import eased
from ..cameras.rig import Rig
from ..cameras.spoken import ONE_BATCH, view_of
from ..errors import UserError
from .clip import Clip, MadeClip, blended
from .cut_list import frames_in_words

EASES = ("none", "in", "out", "in_out")  # of the rig's keyframes, without the one that does not move
IN_RIG_ORDER, BY_AZIMUTH = ORDERS = ("rig", "azimuth")
CUTS, CROSS_FADE, MODEL = BETWEEN = ("cuts", "cross-fade", "interpolation model")
CONTINUE, END = AFTERWARDS = ("continue", "end")
FINEST_STEPS = 16  # between two views: the largest multiplier of the host's frame interpolation

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
