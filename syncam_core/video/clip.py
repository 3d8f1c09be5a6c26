"""A video as what composes videos sees it: pictures that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from .frames import clean_rgb, rgb_to_uint8

BITS_8, BITS_16, FLOAT = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)
WHITE = {BITS_8: 255, BITS_16: 65535, FLOAT: 1.0}


class Clip(Protocol):
    """RGB frames of one size, each made when it is asked for, in any order and as often as wanted.

    What is composed of clips (a grid, an edit, a sweep through the views) is a clip again, so nothing holds more than the
    frames at hand. ``dtype`` is uint8 or uint16 (0 to 255 or 65535), or float32 (0 to 1); composers keep it.
    """

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:  # (height, width, 3), the caller's to change
        ...


@dataclass(frozen=True, eq=False)
class ImageClip:
    """The frames of one view as the host's IMAGE, read in the depth that is asked for."""

    images: Tensor  # (frames, height, width, 3 or 4) in 0..1
    dtype: np.dtype = BITS_8

    @property
    def height(self) -> int:
        return self.images.shape[1]

    @property
    def width(self) -> int:
        return self.images.shape[2]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return in_depth(clean_rgb(self.images[index]).copy(), self.dtype)


@dataclass(frozen=True, eq=False)
class MadeClip:
    """Frames that a function makes: what composers return."""

    frames: int
    height: int
    width: int
    dtype: np.dtype
    make: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < self.frames:
            raise IndexError(f"frame {index} of {self.frames}")
        return self.make(index)


def in_order(clip: Clip) -> Iterator[np.ndarray]:
    """The frames of a clip from the first to the last."""
    return (clip[index] for index in range(len(clip)))


def in_depth(
    picture: np.ndarray,  # uint8, uint16, or float32 in 0..1
    dtype: np.dtype,
) -> np.ndarray:
    """The picture in another depth, to the nearest value."""
    if picture.dtype == dtype:
        return picture
    share = picture.astype(np.float32) / WHITE[picture.dtype]
    if dtype == FLOAT:
        return share
    return rgb_to_uint8(share) if dtype == BITS_8 else (share * 65535.0 + 0.5).astype(np.uint16)


def blended(
    below: np.ndarray,
    above: np.ndarray,  # the same shape and dtype
    share: float,  # of `above`, 0 to 1
) -> np.ndarray:
    """A mix of two pictures in their own depth; 0 and 1 give one of them bit for bit."""
    if share <= 0 or share >= 1:
        return above if share >= 1 else below
    mixed = below.astype(np.float32) * (1 - share) + above.astype(np.float32) * share
    return mixed if below.dtype == FLOAT else (mixed + 0.5).astype(below.dtype)
