"""Rigs made by rule."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from .rig import MAX_VIEWS, Rig, default_names

_SEPARATORS = ",;，；、"  # also as Chinese and Japanese input methods type them
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def orbit_c2w(
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float,
    roll_deg: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),  # metres, world axes
) -> Tensor:  # (4, 4) float64
    """A camera that looks at `target` from an angle and a distance.

    Its centre is `target + distance (sin az cos el, -sin el, -cos az cos el)`: azimuth 0 stands in front of the
    target, positive azimuth moves the camera to its right, positive elevation moves it up. The horizon is level
    before `roll`, which turns the camera clockwise about its viewing direction. Straight above or below the target
    the up direction of the picture is the one that the azimuth would approach.

    Raises ValueError for a number that is not finite, a distance that is not above 0, or |elevation| above 90.
    """
    for what, value in (("azimuth", azimuth_deg), ("roll", roll_deg)):
        if not math.isfinite(value):
            raise ValueError(f"{what} is {value}, but a finite number of degrees is needed.")
    if not -90 <= elevation_deg <= 90:
        raise ValueError(
            f"elevation is {elevation_deg:g}, but it must lie between -90 (straight below) and 90 (straight above)."
        )
    if not 0 < distance_m < math.inf:
        raise ValueError(f"distance is {distance_m:g}, but it must be a number of metres above 0.")
    azimuth, elevation, roll = map(math.radians, (azimuth_deg, elevation_deg, roll_deg))
    sin_az, cos_az = math.sin(azimuth), math.cos(azimuth)
    sin_el, cos_el = math.sin(elevation), math.cos(elevation)
    # The closed form of a look-at: unlike a cross product with the up vector it has no gap at the poles.
    right = torch.tensor([cos_az, 0.0, sin_az], dtype=torch.float64)
    down = torch.tensor([sin_az * sin_el, cos_el, -cos_az * sin_el], dtype=torch.float64)
    forward = torch.tensor([-sin_az * cos_el, sin_el, cos_az * cos_el], dtype=torch.float64)
    c2w = torch.eye(4, dtype=torch.float64)
    c2w[:3, 0] = math.cos(roll) * right + math.sin(roll) * down
    c2w[:3, 1] = math.cos(roll) * down - math.sin(roll) * right
    c2w[:3, 2] = forward
    c2w[:3, 3] = torch.tensor(target, dtype=torch.float64) - distance_m * forward
    return c2w


def orbit_rig(
    azimuths_deg: Sequence[float],
    elevations_deg: Sequence[float] = (0.0,),
    distances_m: Sequence[float] = (3.0,),
) -> Rig:
    """Static cameras around the origin, named cam01, cam02, ...; a list of one number counts for every camera.

    Raises ValueError for lists whose lengths neither agree nor are 1, and for numbers that `orbit_c2w` refuses.
    """
    lists = {"azimuths": azimuths_deg, "elevations": elevations_deg, "distances": distances_m}
    for name, numbers in lists.items():
        if not numbers:
            raise ValueError(f"'{name}' is empty; give one number, or one for each camera.")
        if len(numbers) > MAX_VIEWS:
            raise ValueError(f"'{name}' lists {len(numbers)} cameras, but at most {MAX_VIEWS} are possible.")
    views = max(map(len, lists.values()))
    longest = next(name for name, numbers in lists.items() if len(numbers) == views)
    for name, numbers in lists.items():
        if len(numbers) not in (1, views):
            raise ValueError(
                f"'{name}' lists {len(numbers)} numbers but '{longest}' {views}; give '{name}' 1 number for all "
                f"cameras, or {views}."
            )
    poses = []
    for view in range(views):
        azimuth, elevation, distance = (numbers[view if len(numbers) > 1 else 0] for numbers in lists.values())
        try:
            poses.append(orbit_c2w(azimuth, elevation, distance))
        except ValueError as problem:
            number, is_wrong = str(problem).split(" ", 1)  # "distance is 0, but ..."
            raise ValueError(f"'{number}s' of camera {view + 1} {is_wrong}") from problem
    return Rig(names=default_names(views), c2w=torch.stack(poses)[:, None])


def parse_numbers(text: str, name: str) -> list[float]:
    """Numbers separated by commas, semicolons or blanks, as a person types them: "0, 30", "0 30", "0;30".

    `name` is what the sentence of a ValueError calls the text. Raises ValueError for an empty text, an empty entry,
    a word, NaN, infinity, and more than MAX_VIEWS numbers.
    """
    if len(text) > 10_000:
        raise ValueError(f"'{name}' has {len(text)} characters; give at most {MAX_VIEWS} numbers, like \"0, 30\".")
    trimmed = text.replace("−", "-").strip().rstrip(_SEPARATORS).strip()
    if not trimmed:
        raise ValueError(f"'{name}' is empty; give one number, or one for each camera, like \"0, 30\".")
    numbers = []
    for entry in re.split(rf"\s*[{_SEPARATORS}]\s*|\s+", trimmed):
        value = float(entry) if _NUMBER.fullmatch(entry) else math.nan
        if not math.isfinite(value):
            shown = repr(entry[:40]) if entry else "an empty entry"
            raise ValueError(f"'{name}' holds {shown}, but only finite numbers can stand there, like \"0, 30\".")
        numbers.append(value)
    if len(numbers) > MAX_VIEWS:
        raise ValueError(f"'{name}' lists {len(numbers)} cameras, but at most {MAX_VIEWS} are possible.")
    return numbers
