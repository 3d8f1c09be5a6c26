"""The sound of a scene."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SoundFormat:
    """How a file's sound is stored."""

    rate: int  # samples per second
    channels: int
