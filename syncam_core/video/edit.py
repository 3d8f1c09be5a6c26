"""The multi-camera edit: one film out of N views, switching between them at given frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from ..errors import UserError
from .clip import Clip, MadeClip, blended, resized
from .cut_list import Cut, check_cuts, cuts_of, text_of
from .labels import LabelPlate, draw_plate, label_plate
from .layout import fitted
from .timecode import timecode

TIMECODE_COLOR = "#ffffff"
NAMED_HEIGHT = 80  # pixels: a view of this height has room for a label in the smallest letters


@dataclass(frozen=True)
class Edit:
    """Which view is on screen when. Frame t of the film is frame t of a view: all views keep running, only one is seen.

    Raises UserError with a sentence for cuts that make no film of `frames` frames out of the views (see `check_cuts`).
    """

    fps: Fraction
    frames: int
    names: tuple[str, ...]  # of the cameras
    cuts: tuple[Cut, ...]

    def __post_init__(self) -> None:
        check_cuts(self.cuts, self.frames, len(self.names))

    @property
    def text(self) -> str:
        """The edit as a cut list."""
        return text_of(self.cuts, self.names)

    @property
    def shots(self) -> list[tuple[Cut, int]]:
        """Every cut with the frame at which its shot ends (exclusive)."""
        ends = [cut.start for cut in self.cuts[1:]] + [self.frames]
        return list(zip(self.cuts, ends, strict=True))

    def views_at(self, frame: int) -> tuple[int, int, Fraction]:
        """The view that is left, the view that is come to, and the share of the latter in the picture.

        Between cross-fades the two are one view. In a cross-fade of n frames the k-th one (from 0) has the share
        (k + 1/2) / n: the value in the middle of the time that the frame is shown.
        """
        index = bisect_right(self._starts, frame) - 1
        for place in (index, index + 1):  # the fade of this shot, or the one to the next
            if 0 < place < len(self.cuts):
                cut = self.cuts[place]
                if cut.start - cut.before <= frame < cut.start + cut.after:
                    step = frame - (cut.start - cut.before)
                    return self.cuts[place - 1].view, cut.view, Fraction(2 * step + 1, 2 * cut.fade)
        view = self.cuts[index].view
        return view, view, Fraction(1)

    @cached_property
    def _starts(self) -> list[int]:
        return [cut.start for cut in self.cuts]


def edit_of(text: str, frames: int, fps: Fraction, names: Sequence[str]) -> Edit:
    """The edit that a cut list (see `cut_list`) describes. Raises UserError with a sentence that names the entry."""
    return Edit(fps, frames, tuple(names), cuts_of(text, frames, fps, names))


def edited(
    clips: Sequence[Clip],  # one per view, of one dtype and of the edit's length, of any sizes
    edit: Edit,
    burn_in_timecode: bool = False,
) -> Clip:
    """The film: each frame is made of one view's frame, of two in a cross-fade.

    It is as high as the highest and as wide as the widest view; a view of another size is scaled to fit, never
    distorted, on black. The timecode stands at the bottom, in the middle. Raises UserError with a sentence where the
    clips are not those of the edit, or too small to write into.
    """
    if len(clips) != len(edit.names):
        raise UserError(f"the edit is for {len(edit.names)} views, but there are {len(clips)}.")
    for name, clip in zip(edit.names, clips, strict=True):
        if len(clip) != edit.frames:
            raise UserError(f"the edit is for {edit.frames} frames, but {name!r} has {len(clip)}.")
    height, width = max(clip.height for clip in clips), max(clip.width for clip in clips)
    plate = lru_cache(maxsize=1)(_timecode_plate)
    if burn_in_timecode:
        plate(timecode(0, edit.fps), height, width)

    def frame(index: int) -> np.ndarray:
        below, above, share = edit.views_at(index)
        picture = _on_canvas(clips[above][index], height, width)
        if below != above:
            picture = blended(_on_canvas(clips[below][index], height, width), picture, float(share))
        if burn_in_timecode:
            time = plate(timecode(index, edit.fps), height, width)
            tall, wide = time.keep.shape[:2]
            draw_plate(picture, time, height - tall - 2 * time.margin, (width - wide) // 2 - time.margin)
        return picture

    return MadeClip(edit.frames, height, width, clips[0].dtype, frame)


def _on_canvas(picture: np.ndarray, height: int, width: int) -> np.ndarray:  # (height, width, 3)
    if picture.shape[:2] == (height, width):
        return picture
    tall, wide = fitted(picture.shape[:2], (height, width))
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas = np.zeros((height, width, 3), picture.dtype)
    canvas[top : top + tall, left : left + wide] = resized(picture, tall, wide)
    return canvas


def _timecode_plate(text: str, height: int, width: int) -> LabelPlate:
    # A name may fill half of a view's width and a fifth of its height; a time that was asked for may fill more.
    plate = label_plate(text, TIMECODE_COLOR, max(height, NAMED_HEIGHT), 1_000_000)
    if plate is None or plate.keep.shape[1] > width or plate.keep.shape[0] + 2 * plate.margin > height / 2:
        raise UserError(
            f"pictures of {width} x {height} pixels are too small to write a timecode into; switch it off, or use "
            "larger views."
        )
    return plate
