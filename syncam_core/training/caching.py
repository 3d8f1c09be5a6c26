"""From a data set on disk to a cache of latents and text: what a cache configuration says, and its execution."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from einops import rearrange
from safetensors import SafetensorError
from torch import Tensor

from ..datasets.collections.plain_videos import read_plain_videos
from ..datasets.collections.pose_files import read_dl3dv, read_realestate10k
from ..datasets.collections.procedural import CameraRanges, procedural_scenes
from ..datasets.collections.syncamvideo import read_syncamvideo
from ..datasets.footage import BrokenFootage, Scene
from ..errors import UserError
from ..synthetic import MOTIONS, PLACE_RADIUS_M
from ..wan.geometry import WAN21
from ..wan.vae import WanVAE, normalize_latents
from .latent_cache import CacheReport, LatentCache, TextCache
from .text import text_encoder
from .train_vae import load_vae

DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True)
class SynCamVideo:
    """sceneN/videos/camXX.mp4 with cameras/camera_extrinsics.json."""

    folder: str
    length: int | None = 81
    fps: float | None = 15.0


@dataclass(frozen=True)
class PoseFiles:
    """RealEstate10K: a text file of poses per clip, and a folder of its frames."""

    poses: str
    frames: str | None = None  # beside the pose files
    pictures: int = 8
    gap: int = 100
    metres_per_unit: float = 1.0
    caption: str = ""


@dataclass(frozen=True)
class Dl3dv:
    """scene/transforms.json beside its frames."""

    folder: str
    pictures: int = 8
    gap: int = 100
    metres_per_unit: float = 1.0
    images: str = ""
    caption: str = ""


@dataclass(frozen=True)
class PlainVideos:
    folder: str
    length: int | None = 81
    fps: float | None = None


@dataclass(frozen=True)
class Procedural:
    """The synthetic world, rendered while it is encoded."""

    count: int
    views: int = 6
    length: int = 17
    seed: int = 0
    fps: float = 8.0
    cameras: CameraRanges = field(default_factory=CameraRanges)
    supersample: int = 2
    place_radius_m: float = PLACE_RADIUS_M  # how far from the origin the subject may be
    world: int = 1  # version of the world
    motions: tuple[str, ...] = MOTIONS  # scenes of others are passed over


@dataclass(frozen=True)
class TextConfig:
    folder: str  # may serve several data sets
    encoder: str = "umt5"  # or "demo"
    file: str | None = None  # of umT5
    dtype: str = "bfloat16"  # of what is stored


@dataclass(frozen=True)
class CacheConfig:
    """One data set: exactly one of the groups from `syncamvideo` to `procedural` is given."""

    folder: str  # of the latents, one for each data set
    vae: str  # Wan2.1's file, or a smaller one in its format
    text: TextConfig
    syncamvideo: SynCamVideo | None = None
    pose_files: PoseFiles | None = None
    dl3dv: Dl3dv | None = None
    plain_videos: PlainVideos | None = None
    procedural: Procedural | None = None
    size: tuple[int, int] = (480, 832)  # height, width in pixels
    dtype: str = "bfloat16"  # of what is stored
    vae_dtype: str = "float32"  # of the computation
    piecewise: bool = True  # four frames at a time: slower than all at once, in memory that does not grow
    on_broken: str = "skip"  # or "refuse"

    def __post_init__(self) -> None:
        if len(self._given()) != 1:
            raise UserError(
                f"the data set is given {len(self._given())} times; give exactly one of {', '.join(READERS)}."
            )
        if any(side % WAN21.token_pixels or side < WAN21.token_pixels for side in self.size):
            raise UserError(
                f"'size' is {list(self.size)}, but height and width must be multiples of {WAN21.token_pixels}.",
                field="size",
            )
        for name, possible in (
            ("dtype", DTYPES),
            ("text.dtype", DTYPES),
            ("vae_dtype", ("float32", "bfloat16")),
            ("on_broken", ("skip", "refuse")),
        ):
            value = operator.attrgetter(name)(self)
            if value not in possible:
                raise UserError(f"'{name}' is {value!r}; possible are {', '.join(possible)}.", field=name)
        length = getattr(getattr(self, self._given()[0]), "length", None)
        if length is not None:
            WAN21.check_length(length)

    def _given(self) -> list[str]:
        return [name for name in READERS if getattr(self, name) is not None]

    def scenes(self) -> list[Scene]:
        """What the data set holds, broken footage included. Raises UserError."""
        (name,) = self._given()
        options = {f.name: getattr(getattr(self, name), f.name) for f in dataclasses.fields(getattr(self, name))}
        return READERS[name](**options, size=self.size)


READERS: dict[str, Callable[..., list[Scene]]] = {
    "syncamvideo": read_syncamvideo,
    "pose_files": read_realestate10k,
    "dl3dv": read_dl3dv,
    "plain_videos": read_plain_videos,
    "procedural": procedural_scenes,
}


def build_cache(
    config: CacheConfig,
    device: torch.device | str = "cpu",
    share: int = 0,  # every n-th scene from this one on is for this process
    shares: int = 1,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> tuple[CacheReport, int]:
    """Encode what is not there yet. Returns what was done, and how many captions were encoded.

    Raises UserError for files and folders that cannot be used, BrokenData where broken footage is refused.
    """
    words = text_encoder(config.text.encoder, config.text.file, device)  # files that are missing show at once
    vae = read_vae(config.vae)
    scenes = config.scenes()[share::shares]
    encode = latent_encoder(vae, device, getattr(torch, config.vae_dtype), config.piecewise)
    report = LatentCache(config.folder).build(
        scenes,
        encode,
        vae.encoder_id() if config.vae_dtype == "float32" else f"{vae.encoder_id()}-{config.vae_dtype}",
        config.on_broken,
        lambda done, total: progress("scenes", done, total),
        getattr(torch, config.dtype),
    )
    del encode, vae
    usable = {*report.encoded, *report.kept}
    captions = ["", *(scene.caption for scene in scenes if scene.name in usable)]
    encoded = TextCache(config.text.folder).build(
        captions,
        words,
        words.id,
        lambda done, total: progress("captions", done, total),
        getattr(torch, config.text.dtype),
    )
    return report, encoded


def latent_encoder(
    vae: WanVAE, device: torch.device | str, dtype: torch.dtype, piecewise: bool
) -> Callable[[Tensor], Tensor]:
    """A function from pictures (frames, height, width, 3) uint8 to normalised latents (16, frames, h, w) float32.

    The mean is taken, nothing is drawn: a cache is the same every time.
    """
    vae = vae.to(device, dtype)

    @torch.no_grad()
    def encode(pictures: Tensor) -> Tensor:
        if len(pictures) != WAN21.length_below(len(pictures)):
            raise BrokenFootage(
                f"it has {len(pictures)} frames, but Wan takes {WAN21.frames}n+1; cut it, or give a 'length'."
            )
        video = rearrange(pictures.to(device), "t h w c -> 1 c t h w").float() / 127.5 - 1
        mean, _ = vae.encode(video.to(dtype), piecewise)
        return normalize_latents(mean.float())[0]

    return encode


def read_vae(path: str) -> WanVAE:
    """An autoencoder in Wan2.1's format, its width read from the file. Raises UserError for another kind of file."""
    try:
        return load_vae(path)
    except OSError as problem:
        raise UserError(f"'{path}' cannot be read: {problem.strerror or problem}.") from None
    except (SafetensorError, KeyError, RuntimeError) as problem:
        what = " ".join(str(problem).split())[:120]
        raise UserError(f"'{path}' is no Wan2.1 autoencoder ({what}).") from problem
