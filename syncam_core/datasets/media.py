"""The pictures of a scene in their own size, read one at a time: a video, or a picture file per frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from .footage import BrokenFootage
from .pictures import PictureFile
from .video_file import VideoFile

ANY_SIZE = (1, 1)  # the training's readers scale to a size; what is here leaves pictures as they are


class Film(Protocol):
    """What one camera of a scene filmed. Its methods raise BrokenFootage for files that do not hold what they promise."""

    def shape(self) -> tuple[int, int]:  # height, width
        ...

    def pictures(self) -> Iterator[np.ndarray]:  # (height, width, 3) uint8, all in order
        ...


@dataclass(frozen=True)
class Video(VideoFile):
    """A video file, judged as the training judges it."""

    size: tuple[int, int] = ANY_SIZE

    def shape(self) -> tuple[int, int]:
        first = next(self.pictures(), None)
        if first is None:
            raise BrokenFootage(f"'{self.shown}' holds no frames.")
        return first.shape[0], first.shape[1]

    def rate(self) -> Fraction | None:
        with self._opened() as (_, stream):
            return stream.average_rate or stream.guessed_rate


@dataclass(frozen=True)
class Still(PictureFile):
    """A picture file, judged as the training judges it."""

    size: tuple[int, int] = ANY_SIZE

    def shape(self) -> tuple[int, int]:
        with self._opened() as picture:
            return picture.height, picture.width


@dataclass(frozen=True)
class Strip:
    """Picture files, one per frame."""

    stills: tuple[Still, ...]

    def shape(self) -> tuple[int, int]:
        """The size of all pictures, from the files' heads."""
        shapes = [still.shape() for still in self.stills]
        for still, (height, width) in zip(self.stills, shapes, strict=True):
            if (height, width) != shapes[0]:
                raise BrokenFootage(
                    f"'{still.shown}' has {width} x {height} pixels, but the camera's first picture has {shapes[0][1]} x "
                    f"{shapes[0][0]}."
                )
        return shapes[0]

    def pictures(self) -> Iterator[np.ndarray]:
        return (still.picture() for still in self.stills)
