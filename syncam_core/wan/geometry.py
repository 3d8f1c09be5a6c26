"""How a Wan model lays a video out: pixels to latents, latents to tokens. All that knows these numbers asks here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UserError


@dataclass(frozen=True)
class Geometry:
    """The autoencoder's shape of a latent, and the transformer's of a token; as it stands, Wan2.1's.

    Time is causal: latent frame 0 is video frame 0, and latent frame k ends with video frame ``frames * k``, so a video
    has ``frames * n + 1`` frames.
    """

    channels: int = 16  # of a latent
    pixels: int = 8  # in height and in width that become one of a latent
    frames: int = 4  # that become one latent frame
    patch: tuple[int, int, int] = (1, 2, 2)  # latent frames, rows and columns that become one token
    name: str = "Wan2.1"
    vae_file: str = "wan_2.1_vae.safetensors"

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch", tuple(self.patch))

    @property
    def token_pixels(self) -> int:
        """Height and width of a video are best multiples of this."""
        return self.pixels * self.patch[1]

    @property
    def patch_numbers(self) -> int:
        """Numbers of a latent in one token."""
        return self.channels * math.prod(self.patch)

    def latent_frames(self, length: int) -> int:
        """Latent frames of a video of ``length`` frames. Raises UserError for lengths that are not 4n+1 (Wan2.1)."""
        self.check_length(length)
        return (length - 1) // self.frames + 1

    def check_length(self, length: int) -> None:
        if length < 1 or length % self.frames != 1 % self.frames:
            below = self.length_below(length)
            nearest = f"{below} or {below + self.frames}" if below >= 1 else "1 or more"
            raise UserError(
                f"'length' is {length}, but Wan makes {self.frames}n+1 frames; use {nearest}.", field="length"
            )

    def length(self, latent_frames: int) -> int:
        """Frames of the video that so many latent frames decode to."""
        return self.frames * (latent_frames - 1) + 1

    def length_below(self, frames: int) -> int:
        """The longest video of at most so many frames; below 1 where there is none."""
        return (frames - 1) // self.frames * self.frames + 1

    def latent_shape(self, views: int, length: int, height: int, width: int) -> tuple[int, int, int, int, int]:
        """(views, channels, frames, height, width) of the latents of videos of so many frames and pixels.

        Raises UserError for a length that Wan does not make."""
        return views, self.channels, self.latent_frames(length), height // self.pixels, width // self.pixels

    def video_size(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(frames, width, height) in pixels of a latent (..., frames, height, width)."""
        return self.length(shape[-3]), self.pixels * shape[-1], self.pixels * shape[-2]

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Frames, height and width in tokens of a latent (..., frames, height, width), padded where it does not divide."""
        frames, height, width = (math.ceil(size / patch) for size, patch in zip(shape[-3:], self.patch, strict=True))
        return frames, height, width


WAN21 = Geometry()
KNOWN = (WAN21,)  # told apart by their channels where there is only a latent
KNOWN_SIZES = {(1536, 30): "Wan2.1 1.3B", (5120, 40): "Wan2.1 14B"}  # width and blocks of a transformer


def geometry_of_channels(channels: int) -> Geometry | None:
    """The known geometry of a latent of so many channels."""
    return next((geometry for geometry in KNOWN if geometry.channels == channels), None)
