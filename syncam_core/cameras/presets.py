"""Rigs with a name: the set-ups of the authors' talk and the cameras of their example file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import UserError
from .orbit import orbit_c2w
from .rig import Rig

Camera = tuple[str, float, float, float]  # name, azimuth and elevation in degrees, distance in metres

# The example file of the release, around its look-at point. cam06 to cam08 rise straight up, 3 m from the subject
# along the floor, so that their distance grows with the elevation.
EXAMPLE_CAMERAS: tuple[Camera, ...] = (
    ("cam01", 30.0, 0.0, 3.0),
    ("cam02", 15.0, 0.0, 3.0),
    ("cam03", 0.0, 0.0, 3.0),
    ("cam04", -15.0, 0.0, 3.0),
    ("cam05", -30.0, 0.0, 3.0),
    *((name, 0.0, el, 3.0 / math.cos(math.radians(el))) for name, el in (("cam06", 10.0), ("cam07", 20.0), ("cam08", 30.0))),
    ("cam09", 0.0, 0.0, 4.0),
    ("cam10", 0.0, 0.0, 5.0),
)  # fmt: skip


def _examples(*numbers: int) -> tuple[Camera, ...]:
    return tuple(EXAMPLE_CAMERAS[number - 1] for number in numbers)


PRESETS: dict[str, tuple[Camera, ...]] = {
    # The talk gives angles; 3 m is the distance of the example cameras.
    "azimuth 90": (("front", 0.0, 0.0, 3.0), ("side", 90.0, 0.0, 3.0)),
    "elevation 45": (("level", 0.0, 0.0, 3.0), ("high", 0.0, 45.0, 3.0)),
    "close-up and wide": (("close", 0.0, 0.0, 1.5), ("wide", 0.0, 0.0, 4.0)),
    "azimuth 60 and elevation 30": (("front", 0.0, 0.0, 3.0), ("high side", 60.0, 30.0, 3.0)),
    # The released inference script: which camera is view 0, and which view 1.
    "authors az": _examples(1, 3),
    "authors el": _examples(3, 7),
    "authors dis": _examples(9, 10),
    "authors ten cameras": EXAMPLE_CAMERAS,
}


def preset_rig(preset: str, target: Sequence[float] = (0.0, 0.0, 0.0)) -> Rig:
    """The rig of a preset; its first camera is the reference. Raises UserError for a name that is not in PRESETS."""
    if preset not in PRESETS:
        raise UserError(f"'preset' is {preset!r}, but only {', '.join(PRESETS)} are possible.", field="preset")
    cameras = PRESETS[preset]
    poses = [orbit_c2w(azimuth, elevation, distance, 0.0, target) for _, azimuth, elevation, distance in cameras]
    return Rig(names=tuple(name for name, *_ in cameras), c2w=torch.stack(poses)[:, None])
