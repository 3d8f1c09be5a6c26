"""The film that a layout makes of N views: one time step at a time, so that any length needs the memory of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..cameras.rig import Rig
from ..errors import UserError
from .clip import Clip, MadeClip, in_depth, resized
from .frames import pad_to_even
from .labels import LabelPlate, draw_plate, label_plate
from .layout import PICTURE_IN_PICTURE, GridLayout, Layout, Plan, plan_layout
from .timecode import timecode

if TYPE_CHECKING:
    from ..cameras.meter import ViewMeter

NUMBERS = (False, True, True)  # of name, angles, time: what a part of would be wrong


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
    captions = [
        Captions(layout, names[v], colors[v], angles[v] if angles and layout.angles else "") for v in plan.views
    ]
    taken = layout.corner if layout.kind == PICTURE_IN_PICTURE else ""
    corners = [label_corners(taken if place == 0 else "") for place in range(len(shown))]
    red, green, blue = (int(layout.background[i : i + 2], 16) / 255 for i in (1, 3, 5))
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
        return composed(pictures, plan, labels, (red, green, blue))

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


def label_corners(taken: str) -> tuple[str, ...]:
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


def compose_frame(
    frames: Sequence[np.ndarray],  # one (height, width, 3) per view, all uint8, uint16 or float32 in 0..1
    layout: GridLayout | Plan,
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


# ---- captions


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


def _caption(start: ViewMeter, end: ViewMeter) -> str:
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
