"""Parts of the meter's sentences."""

from __future__ import annotations

import math


def is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"


def side(azimuth_deg: float) -> str:
    return "right" if azimuth_deg >= 0 else "left"


def quoted(name: str) -> str:
    return f"'{name}'"


def listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def tenths(number: float) -> float:
    # halves upwards, as JavaScript does it
    return math.floor(number * 10 + 0.5) / 10


def degrees(number: float) -> str:
    rounded = tenths(number)
    return f"{int(rounded)}°" if rounded == int(rounded) else f"{rounded:.1f}°"


def metres(number: float) -> str:
    return f"{hundredths(number):.2f} m"


def hundredths(number: float) -> float:
    return math.floor(number * 100 + 0.5) / 100
