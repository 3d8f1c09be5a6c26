"""Does the demo model show one scene from several sides? The synchronization score over held-out scenes, with controls.

Every row is the same scenes and cameras. The first rows are the ceiling (truth, and truth through the autoencoder), the
last ones say what the score is worth when views have nothing in common.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from einops import rearrange
from torch import Tensor

from ..cameras import Rig
from ..cameras.encoding import encode_poses
from ..metrics import demo_reference_c2w, mixed_seeds, ratio, score_scenes, shuffled_cameras, summarize, to_text
from ..metrics.controls import unrelated_scenes
from ..metrics.edges import edge_energy
from ..metrics.intervals import Interval, Summary, aligned, mean, ratio_of_means
from ..metrics.recognition import ATTRIBUTES, AttributeClassifier, share_named_right
from ..metrics.score import SyncScore
from ..synthetic import Scene, frame_times, render
from ..synthetic.text import encode_prompt
from ..wan.geometry import WAN21
from ..wan.vae import WanVAE, denormalize_latents, normalize_latents
from .held_out import PLACE_RADII_M, SIZE, held_out_scene
from .sample import sample
from .trainee import Trainee

FPS = 8.0


@dataclass(frozen=True)
class GateConfig:
    scenes: int = 64
    views: int = 4
    length: int = 17
    steps: int = 20
    guidance: float = 3.0
    shift: float = 5.0
    scenes_at_once: int = 8
    seed: int = 0
    world: int = 1  # version
    modes: tuple[str, ...] = ("full", "masked", "off")

    @property
    def place_radius_m(self) -> float:
        return PLACE_RADII_M[self.world]


@torch.no_grad()
def encode_video(vae: WanVAE, video: Tensor) -> Tensor:
    """(frames, height, width, 3) in 0..1 -> (16, frames, height, width) normalised latents (the mean, no noise)."""
    mean, _ = vae.encode(rearrange(video, "t h w c -> 1 c t h w") * 2 - 1)
    return normalize_latents(mean)[0]


@torch.no_grad()
def decode_latents(vae: WanVAE, latents: Tensor) -> Tensor:
    """(views, 16, frames, height, width) normalised -> (views, frames, height, width, 3) in 0..1."""
    video = vae.decode(denormalize_latents(latents))
    return rearrange((video.clamp(-1, 1) + 1) / 2, "v c t h w -> v t h w c")


class GateResult(TypedDict):
    """By row name."""

    scores: dict[str, list[SyncScore]]  # of each scene
    summaries: dict[str, Summary]
    pictures: dict[str, dict[str, Interval]]  # edge energies, and with a classifier what it names right
    takes: dict[str, list[Tensor]]


def run_gate(
    trainee: Trainee,
    vae: WanVAE,
    config: GateConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
    classifier: AttributeClassifier | None = None,  # of the same world
) -> GateResult:
    times = frame_times(config.length, FPS)
    pairs = [
        held_out_scene(number, config.views, config.seed, config.place_radius_m, config.world)
        for number in range(config.scenes)
    ]
    rigs = [rig for _, rig in pairs]
    truth = [render(scene, rig, SIZE, SIZE, times) for scene, rig in pairs]
    takes: dict[str, list[Tensor]] = {
        "rendered truth": truth,
        "truth through the autoencoder": [
            decode_latents(vae, torch.stack([encode_video(vae, view) for view in video])) for video in truth
        ],
    }
    runs = [("full", 0), *((mode, 0) for mode in config.modes if mode != "full"), ("full", 1)]
    names = {"full": "full", "masked": "view attention masked", "off": "module off"}
    done, total = 0, len(runs) * config.scenes
    for mode, take in runs:
        videos: list[Tensor] = []
        for first in range(0, config.scenes, config.scenes_at_once):
            some = pairs[first : first + config.scenes_at_once]
            latents = generate(trainee, some, config, [2 * (first + i) + take for i in range(len(some))], mode)
            videos += [decode_latents(vae, video) for video in latents]
            done += len(some)
            progress(done, total)
        takes["full, another seed" if take else names[mode]] = videos
    takes["full, views of different seeds"] = [
        mixed_seeds(both) for both in zip(takes["full"], takes["full, another seed"], strict=True)
    ]
    takes["unrelated scenes"] = [
        unrelated_scenes(scene, rig, SIZE, SIZE, times, config.seed * config.scenes + number, config.place_radius_m)
        for number, (scene, rig) in enumerate(pairs)
    ]
    reference = demo_reference_c2w()
    scores = {
        name: score_scenes(zip(videos, rigs, strict=True), reference_c2w=reference, world=config.world)
        for name, videos in takes.items()
    }
    shuffled = [shuffled_cameras(rig) for rig in rigs]
    scores["full, shuffled cameras"] = score_scenes(
        zip(takes["full"], shuffled, strict=True), reference_c2w=reference, world=config.world
    )
    return {
        "scores": scores,
        "summaries": {name: summarize(s) for name, s in scores.items()},
        "pictures": picture_measures(takes, [scene for scene, _ in pairs], classifier),
        "takes": takes,
    }


def picture_measures(
    takes: Mapping[str, Sequence[Tensor]],  # of each row the videos of all scenes, "rendered truth" among them
    scenes: Sequence[Scene],
    classifier: AttributeClassifier | None = None,
) -> dict[str, dict[str, Interval]]:
    """By row name: the mean share of views in which each attribute is named right, and the edge energy as a share of the
    truth's, with 95 % bootstrap intervals over scenes."""
    truth = [edge_energy(video) for video in takes["rendered truth"]]
    measures: dict[str, dict[str, Interval]] = {}
    for name, videos in takes.items():
        row = {}
        if classifier is not None:
            shares = [share_named_right(classifier, video, scene) for video, scene in zip(videos, scenes, strict=True)]
            row = {attribute: mean([share[attribute] for share in shares]) for attribute in shares[0]}
        row["edge_energy"] = ratio_of_means([edge_energy(video) for video in videos], truth)
        measures[name] = row
    return measures


def generate(
    trainee: Trainee, pairs: Sequence[tuple[Scene, Rig]], config: GateConfig, seeds: Sequence[int], mode: str
) -> Tensor:  # (scenes, views, 16, frames, height, width)
    *_, frames, height, width = WAN21.latent_shape(config.views, config.length, SIZE, SIZE)
    text = torch.stack([encode_prompt(scene.prompt()) for scene, _ in pairs])
    poses = torch.stack([encode_poses(rig.c2w).float().expand(-1, frames, -1) for _, rig in pairs])
    return sample(
        trainee,
        text,
        encode_prompt(""),
        poses,
        (height, width),
        seeds,
        config.steps,
        config.guidance,
        config.shift,
        mode,
    )


def report(result: GateResult) -> str:
    """The table, and the gate's ratios over the same scenes."""
    scores = result["scores"]
    lines = [to_text(result["summaries"]), ""]
    for other in ("module off", "view attention masked", "full, views of different seeds"):
        if other in scores:
            share = ratio(scores["full"], scores[other])
            lines.append(f"full / {other}: {share.value:.2f} [{share.low:.2f}, {share.high:.2f}]")
    return "\n".join([*lines, "", pictures_to_text(result["pictures"])])


def pictures_to_text(rows: Mapping[str, Mapping[str, Interval]]) -> str:
    """A table: of all views, the share in which the classifier is right; edge energy as a share of the truth's."""
    columns = {**{a: f"{a} named right" for a in (*ATTRIBUTES, "all")}, "edge_energy": "edge energy"}
    shown = [column for column in columns if column in next(iter(rows.values()))]
    return aligned(
        [
            ["", *(columns[c] for c in shown)],
            *([name, *(row[c].to_text() for c in shown)] for name, row in rows.items()),
        ]
    )


def to_json(result: GateResult) -> dict[str, dict[str, list[float]]]:
    def plain(measures: Mapping[str, Interval]) -> dict[str, list[float]]:
        return {measure: [i.value, i.low, i.high] for measure, i in measures.items()}

    pictures = {
        name: {f"{m}_named" if m != "edge_energy" else m: i for m, i in row.items()}
        for name, row in result["pictures"].items()
    }
    return {
        name: plain({**summary.measures, **pictures.get(name, {})}) for name, summary in result["summaries"].items()
    }


def contact_sheet(video: Tensor, columns: int = 6) -> Tensor:  # (views, frames, h, w, 3) -> (rows, columns, 3)
    """One row per view, evenly spaced moments from left to right."""
    frames = [round(i * (video.shape[1] - 1) / max(columns - 1, 1)) for i in range(columns)]
    return rearrange(video[:, frames], "v f h w c -> (v h) (f w) c")


def write_sheet(path: Path, videos: Sequence[Tensor], zoom: int = 2, columns: int = 6) -> None:
    """A PNG with the contact sheets of several clips below each other."""
    from PIL import Image

    picture = torch.cat([contact_sheet(video, min(columns, video.shape[1])) for video in videos])
    pixels = (picture.clamp(0, 1) * 255).round().byte().numpy()
    image = Image.fromarray(pixels)
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)


def save_json(path: Path, value: object) -> None:
    def plain(v: object) -> object:
        if isinstance(v, dict):
            return {k: plain(x) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [plain(x) for x in v]
        return None if isinstance(v, float) and not math.isfinite(v) else v

    path.write_text(json.dumps(plain(value), indent=1) + "\n", encoding="utf-8")
