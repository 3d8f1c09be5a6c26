"""Single pictures, and how every picture comes to the wanted size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..errors import UserError
from .footage import BrokenFootage

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
LARGEST_PIXELS = 64 * 2**20  # 8192 x 8192; a small file can claim any size


def cover_and_crop(
    picture: np.ndarray,  # (height, width, 3) uint8
    size: tuple[int, int],  # height, width
) -> Tensor:  # (height, width, 3) uint8
    """Scale until the picture covers `size`, keeping its proportions, and cut out the centre.

    Antialiased bilinear interpolation. It is what the paper's data preparation does with 1280 x 1280 to 480 x 832.
    """
    height, width = size
    given = torch.from_numpy(np.array(picture))  # a copy: what decoders hand out may be read-only
    rows, columns = given.shape[:2]
    if (rows, columns) == (height, width):
        return given
    scale = max(height / rows, width / columns)
    rows, columns = max(height, round(rows * scale)), max(width, round(columns * scale))
    scaled = torch.nn.functional.interpolate(
        given.permute(2, 0, 1)[None].float(), (rows, columns), mode="bilinear", antialias=True
    )
    top, left = (rows - height) // 2, (columns - width) // 2
    cut = scaled[0, :, top : top + height, left : left + width]
    return cut.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).contiguous()


def check_size(size: tuple[int, int]) -> None:
    """Raise UserError for a size that no picture can have."""
    if len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= 8192 for side in size):
        raise UserError(f"the size is {size}, but height and width in pixels are needed, like (480, 832).")


@dataclass(frozen=True)
class PictureFile:
    """The `read` of footage that is one picture, a PNG or JPEG of 8 bits."""

    path: Path
    shown: str  # what messages call the file: its path within the data set
    size: tuple[int, int]  # height, width

    def probe(self) -> int:
        """The number of frames, from the file's head alone. Raises BrokenFootage."""
        with self._opened():
            return 1

    def __call__(self) -> Tensor:  # (1, height, width, 3) uint8
        return cover_and_crop(self.picture(), self.size)[None]

    def picture(self) -> np.ndarray:  # (height, width, 3) uint8, in its own size
        with self._opened() as picture:
            return np.asarray(picture.convert("RGB"))

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        if not self.path.is_file():
            raise BrokenFootage(f"'{self.shown}' is missing.")
        if not self.path.stat().st_size:
            raise BrokenFootage(f"'{self.shown}' is empty (0 bytes).")
        try:
            with Image.open(self.path, formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > LARGEST_PIXELS:
                    raise BrokenFootage(f"'{self.shown}' has {picture.width} x {picture.height} pixels, too many.")
                if picture.mode not in ("RGB", "RGBA", "L", "LA", "P"):
                    raise BrokenFootage(f"'{self.shown}' has pixels of mode {picture.mode}; 8-bit RGB is needed.")
                yield picture
        except BrokenFootage:
            raise
        except UnidentifiedImageError as problem:  # its own words name the path on this machine
            raise BrokenFootage(f"'{self.shown}' cannot be read as a picture (its format is not known).") from problem
        # Pillow's decoders raise SyntaxError for a broken PNG and struct.error or ValueError for odd headers, too
        except (
            OSError,
            SyntaxError,
            ValueError,
            ArithmeticError,
            LookupError,
            Image.DecompressionBombError,
        ) as problem:
            raise BrokenFootage(f"'{self.shown}' cannot be read as a picture ({problem}).") from problem
