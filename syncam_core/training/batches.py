"""The joint training strategy as a dataset: item k is the batch of step k, whoever asks and how often.

Every choice is drawn from a generator seeded by (seed, step, scene of the batch), never from a state that advances. So
a resumed run continues exactly, and any number of processes see together what one would.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cameras.encoding import encode_poses
from ..cameras.trajectories import relative_to_source
from ..datasets.footage import Kind
from ..errors import UserError
from ..wan.geometry import WAN21
from .config import Angles, Mix, TrainConfig
from .latent_cache import CachedScene
from .objective import sigma_of

IDENTITY_POSE = (1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one process computes in one step; views of a scene stand together."""

    latents: Tensor  # (scenes * views, 16, frames, height, width) float32, normalised
    noise: Tensor  # the same shape
    sigma: Tensor  # (scenes,) noise level 0..1, shared by the views of a scene
    poses: Tensor  # (scenes, views, frames, 12) float32
    text: Tensor  # (scenes, words, text_dim) float32
    names: tuple[str, ...]  # of the scenes
    view_sync: bool
    masked: bool  # every view attends to itself alone
    # (scenes, frames) of re-capture, whose view 0 is the source: its noise level 0..1 in each latent frame
    source_sigma: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        return replace(
            self,
            latents=self.latents.to(device),
            noise=self.noise.to(device),
            sigma=self.sigma.to(device),
            poses=self.poses.to(device),
            text=self.text.to(device),
            source_sigma=None if self.source_sigma is None else self.source_sigma.to(device),
        )

    def part(self, index: int, parts: int) -> Batch:
        """One of `parts` equal parts of the scenes."""
        scenes = len(self.names) // parts
        views = len(self.latents) // len(self.names)
        some, videos = (slice(index * n, (index + 1) * n) for n in (scenes, scenes * views))
        return Batch(
            self.latents[videos],
            self.noise[videos],
            self.sigma[some],
            self.poses[some],
            self.text[some],
            self.names[some],
            self.view_sync,
            self.masked,
            None if self.source_sigma is None else self.source_sigma[some],
        )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One scene of a batch."""

    latents: Tensor  # (views, 16, frames, height, width)
    noise: Tensor
    sigma: float
    poses: Tensor  # (views, frames, 12)
    text: Tensor  # (words, text_dim)
    name: str
    source_sigma: Tensor  # (frames,)


class Batches(torch.utils.data.Dataset[Batch]):
    """`scenes` are those of all datasets; `text_of` gives a caption's embedding (words, text_dim).

    Raises UserError when the mix asks for what the data does not hold.
    """

    def __init__(
        self,
        config: TrainConfig,
        scenes: Sequence[CachedScene],
        text_of: Callable[[str], Tensor],
        rank: int = 0,
        processes: int = 1,
    ):
        self.config, self.text_of, self.rank, self.processes = config, text_of, rank, processes
        self.pools = [[scene for scene in scenes if can_teach(scene, mix)] for mix in config.mix]
        for mix, pool in zip(config.mix, self.pools, strict=True):
            if mix.share and not pool:
                kinds = sorted({str(scene.kind) for scene in scenes})
                raise UserError(
                    f"'mix' asks for {mix.views} views of {mix.kind}, but no scene of the data can give that "
                    f"({len(scenes)} scenes of {', '.join(kinds) or 'no kind'}).",
                    field="mix",
                )
            if mix.scenes % (processes * config.accumulate):
                raise UserError(
                    f"'mix' has batches of {mix.scenes} scenes, which do not divide into {processes} processes x "
                    f"{config.accumulate} parts ('accumulate'); make 'scenes' a multiple of that.",
                    field="mix",
                )

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, step: int) -> Batch:
        c = self.config
        draw = generator(c.seed, step)
        (index,) = draw.choices(range(len(c.mix)), c.shares(step))
        mix, pool = c.mix[index], self.pools[index]
        masked = mix.view_sync and draw.random() < c.dropout.view_attention
        strata = draw.sample(range(mix.scenes), mix.scenes)
        mine = range(self.rank, mix.scenes, self.processes)
        drawn = [self._scene(mix, pool, step, number, strata[number]) for number in mine]
        return Batch(
            torch.cat([one.latents for one in drawn]),
            torch.cat([one.noise for one in drawn]),
            torch.tensor([one.sigma for one in drawn]),
            torch.stack([one.poses for one in drawn]),
            _padded([one.text for one in drawn]),
            tuple(one.name for one in drawn),
            mix.view_sync,
            masked,
            torch.stack([one.source_sigma for one in drawn]) if c.model.train == "recapture" else None,
        )

    def _scene(self, mix: Mix, pool: list[CachedScene], step: int, number: int, stratum: int) -> _Drawn:
        c = self.config
        draw = generator(c.seed, step, number)
        scene = pool[draw.randrange(len(pool))]
        # a single view has no reference: any camera of a scene will do
        reference = "random" if mix.kind is Kind.VIDEO else c.reference
        views = choose_views(draw, scene, mix.views, reference, angles_at(c.angles, step))
        latents = scene.latents(views, 1 if mix.kind is Kind.MULTI_VIEW_IMAGES else mix.latent_frames).float()
        frames = latents.shape[2]
        u = (stratum + draw.random()) / mix.scenes if c.objective.stratified else draw.random()
        sigma = sigma_of(u, c.objective.timesteps, c.objective.shift)
        seed = draw.getrandbits(63)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
        drops_camera = draw.random() < c.dropout.camera
        if scene.c2w is None or drops_camera:
            poses = torch.tensor(IDENTITY_POSE).expand(len(views), frames, 12)
        else:
            sampled = sampled_poses(scene.c2w[views], frames)
            encode = encode_poses if c.model.train != "recapture" else relative_to_source
            poses = encode(sampled).float().expand(-1, frames, -1)
        caption = "" if draw.random() < c.dropout.caption else scene.caption
        source_sigma = self._source_sigma(draw, frames)
        text = self.text_of(caption).float()
        return _Drawn(latents, noise, sigma, poses, text, scene.name, source_sigma)

    def _source_sigma(self, draw: random.Random, frames: int) -> Tensor:  # (frames,)
        """How noisy the source is: a little, all of it, or all but its first frame."""
        c = self.config
        levels = torch.full((frames,), draw.uniform(*c.objective.source_noise))
        chance = draw.random()
        if chance < c.dropout.source:
            levels[:] = 1
        elif chance < c.dropout.source + c.dropout.source_but_first:
            levels[1:] = 1
        return levels


def can_teach(scene: CachedScene, mix: Mix) -> bool:
    if mix.own_kind_only and scene.kind is not mix.kind:
        return False
    if mix.kind is Kind.VIDEO:  # one of several synchronized cameras is a single-view video, too
        return scene.kind in (Kind.VIDEO, Kind.MULTI_VIEW_VIDEO)
    if mix.kind is Kind.MULTI_VIEW_IMAGES:  # and its first frame a picture
        return scene.kind in (Kind.MULTI_VIEW_IMAGES, Kind.MULTI_VIEW_VIDEO) and len(scene.names) >= mix.views
    return scene.kind is Kind.MULTI_VIEW_VIDEO and len(scene.names) >= mix.views


def choose_views(
    draw: random.Random, scene: CachedScene, views: int, reference: str, angles: tuple[float, float] | None
) -> list[int]:
    """Which cameras of a scene, view 0 first. With `angles` (degrees from view 0) those in range come first, then those
    nearest to it: a scene that has too few in range still teaches what it can."""
    everyone = draw.sample(range(len(scene.names)), len(scene.names))
    first = 0 if reference == "first" else everyone[0]
    others = [i for i in everyone if i != first]
    if angles is not None and scene.c2w is not None:
        least, most = angles
        away = viewing_angles_deg(scene.c2w, first)
        others.sort(key=lambda i: max(least - away[i], away[i] - most, 0.0))  # stable: the draw decides among equals
    return [first, *others[: views - 1]]


def viewing_angles_deg(c2w: Tensor, reference: int) -> list[float]:
    """Between the viewing directions of each camera and the reference at frame 0."""
    forward = c2w[:, 0, :3, 2]
    cosine = (forward @ forward[reference]) / (forward.norm(dim=1) * forward[reference].norm())
    return [math.degrees(math.acos(c)) for c in cosine.clamp(-1, 1).tolist()]


def angles_at(angles: Sequence[Angles], step: int) -> tuple[float, float] | None:
    """The range that holds at a step: the last entry that has begun."""
    begun = [a for a in angles if a.step <= step]
    return (begun[-1].least_deg, begun[-1].most_deg) if begun else None


def sampled_poses(c2w: Tensor, latent_frames: int) -> Tensor:
    """(views, frames, 4, 4) at the last video frame of each latent frame; one pose stays one."""
    return c2w if c2w.shape[1] == 1 else c2w[:, :: WAN21.frames][:, :latent_frames]


def generator(*key: int) -> random.Random:
    digest = hashlib.sha256(" ".join(map(str, key)).encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))


def _padded(texts: Sequence[Tensor]) -> Tensor:
    """Zeros after the shorter ones, as the text encoder pads."""
    return torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True)
