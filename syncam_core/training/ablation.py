"""The paper's Tables 2 and 3 in miniature: rows of weights that film the same held-out scenes of the toy world, over seeds.

Each row becomes a report of `syncam_core.metrics`, a take per scene and seed, with 95 % bootstrap intervals over takes. A row
can also be a folder of real takes, which are measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from ..cameras import Rig
from ..cameras.encoding import encode_poses
from ..errors import UserError
from ..metrics.bench import Bench
from ..metrics.report import Report, run
from ..metrics.takes import Take
from ..synthetic import Scene, frame_times, render
from ..synthetic.text import encode_prompt
from ..video.clip import ImageClip
from ..wan.vae import WanVAE
from .gate import FPS, GateConfig, decode_latents, encode_video, generate
from .held_out import SIZE, held_out_scene
from .sample import sigmas
from .trainee import Trainee, attention_for

ABLATION = ("fid", "fvd", "clip_t", "clip_f", "mat_pix", "fvd_v", "clip_v", "sync", "azimuth", "psnr", "ssim")
NOVEL_VIEW = ("lpips", "psnr", "ssim", "sync", "azimuth")
PAPER_SCALES = ((1.2, 5.0), (1.2, 7.5), (1.8, 7.5), (2.5, 7.5))  # s_V, s_T of Table 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Films:
    """What one row filmed, scene by scene, and the truth of the same scenes."""

    takes: Sequence[Take]
    truth: Sequence[Take]

    def report(self, names: Sequence[str], bench: Bench) -> Report:
        """The truth is the reference set of set metrics, too."""
        return run(self.takes, names, bench, lambda: self.truth, self.truth.__getitem__)


def pairs_of(config: GateConfig) -> list[tuple[Scene, Rig]]:
    return [
        held_out_scene(number, config.views, config.seed, config.place_radius_m, config.world)
        for number in range(config.scenes)
    ]


def truth_of(config: GateConfig) -> list[Tensor]:  # per scene (views, frames, height, width, 3)
    times = frame_times(config.length, FPS)
    return [render(scene, rig, SIZE, SIZE, times) for scene, rig in pairs_of(config)]


def filmed(
    trainee: Trainee,
    vae: WanVAE,
    config: GateConfig,
    seeds: Sequence[int],
    mode: str = "full",
    progress: Progress = lambda done, total: None,
) -> Films:
    """Every held-out scene with every seed."""
    pairs, true = pairs_of(config), truth_of(config)
    takes, truth = [], []
    for seed in seeds:
        for first in range(0, config.scenes, config.scenes_at_once):
            some = pairs[first : first + config.scenes_at_once]
            noises = [noise_seed(seed, first + at) for at in range(len(some))]
            for at, latents in enumerate(generate(trainee, some, config, noises, mode)):
                takes.append(
                    take_of(decode_latents(vae, latents), *pairs[first + at], f"scene {first + at}, seed {seed}")
                )
                truth.append(take_of(true[first + at], *pairs[first + at], "truth"))
                progress(len(takes), len(seeds) * config.scenes)
    return Films(takes, truth)


def noise_seed(seed: int, scene: int) -> int:
    return 1_000_003 * seed + scene


def take_of(video: Tensor, scene: Scene, rig: Rig, name: str) -> Take:
    return Take(name, tuple(ImageClip(view) for view in video), rig, scene.prompt(), FPS)


# ---- novel views


@torch.no_grad()
def novel_views(
    trainee: Trainee,
    vae: WanVAE,
    config: GateConfig,
    scales: tuple[float, float],  # s_V, s_T
    seeds: Sequence[int],
    is_clean: bool = True,
    progress: Progress = lambda done, total: None,
) -> Films:
    """View 0 of each scene is given, the others are filmed and held against the truth; view 0 counts in nothing.

    With `is_clean` as in the paper's section 3.5 (Eq. 7): v(0,0) + s_V [v(V,0) - v(0,0)] + s_T [v(V,T) - v(V,0)], where V
    shows the given view without noise and 0 with the noise of the step. For weights that were trained so. Without it the
    given view always carries the noise of the step, which any weights have seen; then s_V has no meaning.
    """
    pairs, true = pairs_of(config), truth_of(config)
    takes, truth = [], []
    for seed in seeds:
        for number, (scene, rig) in enumerate(pairs):
            given = encode_video(vae, true[number][0])
            latents = _sampled(trainee, config, (scene, rig), given, scales, noise_seed(seed, number), is_clean)
            others = range(1, config.views)
            made = take_of(decode_latents(vae, latents), scene, rig, f"scene {number}, seed {seed}")
            takes.append(made.select(list(others)))
            truth.append(take_of(true[number], scene, rig, "truth").select(list(others)))
            progress(len(takes), len(seeds) * len(pairs))
    return Films(takes, truth)


def _sampled(
    trainee: Trainee,
    config: GateConfig,
    of: tuple[Scene, Rig],
    given: Tensor,  # (channels, frames, height, width)
    scales: tuple[float, float],
    seed: int,
    is_clean: bool,
) -> Tensor:  # (views, channels, frames, height, width)
    scene, rig = of
    video_scale, text_scale = scales if is_clean else (1.0, scales[1])
    frames = given.shape[1]
    x = torch.randn((config.views, *given.shape), generator=torch.Generator().manual_seed(seed))
    noise = x[0].clone()
    words = torch.nn.utils.rnn.pad_sequence([encode_prompt(""), encode_prompt(scene.prompt())], batch_first=True)
    poses = encode_poses(rig.c2w).float().expand(-1, frames, -1)[None]

    def velocity(latents: Tensor, sigma: float, text: int) -> Tensor:
        context = words[text : text + 1].expand(config.views, -1, -1)
        time = torch.full((config.views,), 1000 * sigma)
        return trainee.base(latents, time, context, trainee.view_sync, poses, attention_for(x.device), None).float()

    trainee.eval()
    for sigma, following in pairwise(sigmas(config.steps, config.shift)):
        noised = torch.cat([torch.lerp(given, noise, sigma)[None], x[1:]])
        shown = torch.cat([given[None], x[1:]]) if is_clean else noised
        without, with_text = velocity(shown, sigma, 0), velocity(shown, sigma, 1)
        v = without + text_scale * (with_text - without)
        if video_scale != 1:
            nothing = velocity(noised, sigma, 0)
            v = nothing + video_scale * (without - nothing) + text_scale * (with_text - without)
        x = torch.cat([x[:1], x[1:] + (following - sigma) * v[1:]])
    return torch.cat([given[None], x[1:]])


# ---- rows


def rows_of(given: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Names and files of "NAME=FILE". Raises UserError for anything else."""
    for one in given:
        name, is_there, path = one.partition("=")
        if not is_there or not name.strip() or not (path == "off" or Path(path).exists()):
            raise UserError(
                f"'--row' is {one!r}; a name and what it stands for are needed, like 'with images=images.safetensors': a "
                "view-sync file, 'off' for the base alone, or a folder of takes."
            )
        yield name.strip(), Path(path)
