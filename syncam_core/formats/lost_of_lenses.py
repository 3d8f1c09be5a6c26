"""What files say of lenses and a rig does not hold, in words for the log: a shifted centre, stretched pixels, a zoom.

A lens of a rig is one focal length, with its centre in the middle of the picture. Calibrated cameras differ from that by
little, and nothing is said of them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

LEAST = 0.01  # of the picture's width or height, or of a focal length, below which nothing is said
LEAST_STRETCH = 0.03  # the same of pixels' shape, which calibration finds less surely
_MOST_NAMED = 3


def told(value: object) -> float | None:
    """A finite number; None for all else that a file may say where nothing was asked of it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def pinhole_losses(
    size: tuple[float | None, float | None],  # width, height of the picture in pixels
    centre: tuple[float | None, float | None],  # in pixels right and down
    focals: tuple[float | None, float | None] = (None, None),  # in pixels of the width and of the height
) -> list[str]:
    """What is lost of one camera's lens; nothing is where the file does not say it.

    Half a pixel is no shift: programs count from a pixel's corner or from its middle.
    """
    shifts = [
        max(abs(place - side / 2) - 0.5, 0) / side
        for place, side in zip(centre, size, strict=True)
        if place is not None and side
    ]
    lost = shift_losses(shifts)
    across, down = focals
    if across and down and abs(down / across - 1) > LEAST_STRETCH:
        lost.append(f"its pixels are {across / down:.3g} times as high as wide")
    return lost


def shift_losses(shifts: Sequence[float]) -> list[str]:
    """The same of a centre that is so many widths or heights beside the picture's."""
    most = max(map(abs, shifts), default=0.0)
    return [f"its centre is {100 * most:.0f} % of the picture beside the middle"] if most > LEAST else []


def zoom_losses(focals: Sequence[float]) -> list[str]:
    """The same of a lens that changes over the frames."""
    lengths = [focal for focal in focals if focal > 0]
    if lengths and max(lengths) / min(lengths) > 1 + LEAST:
        return [f"it zooms ({max(lengths) / min(lengths):.3g} times), and the first frame's counts"]
    return []


def say_lost(losses: Mapping[str, Sequence[str]]) -> None:
    """Log it, of the cameras by their names."""
    of_some = {name: words for name, words in losses.items() if words}
    if not of_some:
        return
    names = list(of_some)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    logging.getLogger(__name__).warning(
        "SynCam: a rig's lens is one focal length with its centre in the middle. That is not all of %s%s: of the first, %s. "
        "Pictures rendered from this rig differ from the file's by that.",
        ", ".join(repr(name[:40]) for name in names[:_MOST_NAMED]),
        more,
        "; ".join(of_some[names[0]]),
    )
