"""A video as what composes videos sees it: pictures that are made when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
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


def joined(clips: Sequence[Clip]) -> Clip:
    """Clips of one size and dtype, one after another."""
    if len(clips) == 1:
        return clips[0]
    ends = list(accumulate(map(len, clips)))

    def frame(index: int) -> np.ndarray:
        place = bisect_right(ends, index)
        return clips[place][index - (ends[place] - len(clips[place]))]

    return MadeClip(ends[-1], clips[0].height, clips[0].width, clips[0].dtype, frame)


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


def resized(
    picture: np.ndarray,  # (any height, any width, 3) uint8, uint16, or float32 in 0..1
    height: int,
    width: int,
) -> np.ndarray:  # (height, width, 3), the same dtype
    """The picture in another size, smoothed where it shrinks; as it is where it has this size."""
    if picture.shape[:2] == (height, width):
        return picture
    planes = torch.from_numpy(np.moveaxis(picture, 2, 0)[None].astype(np.float32))
    scaled = torch.nn.functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    white = WHITE[picture.dtype]
    pixels = np.ascontiguousarray(np.moveaxis(scaled[0].clamp(0, white).numpy(), 0, 2))
    return pixels if picture.dtype == FLOAT else (pixels + 0.5).astype(picture.dtype)


def check_same_size(clips: Sequence[Clip], names: Sequence[str]) -> None:
    """Raise UserError with a sentence where views of different sizes cannot stand for one another."""
    first = clips[0]
    for clip, name in zip(clips, names, strict=True):
        if (clip.height, clip.width) != (first.height, first.width):
            raise UserError(
                f"'views' must all have the same size, but {names[0]!r} is {first.width} x {first.height} pixels and "
                f"{name!r} {clip.width} x {clip.height}; scale them to one size first.",
                field="views",
            )
