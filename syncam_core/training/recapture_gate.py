"""Does the demo model film a source again from where its trajectory goes? The subject's place in every frame, with controls.

Every row is the same held-out scenes and trajectories. The first rows are the ceiling (truth, and truth through the
autoencoder); the last ones say what the figure is worth when the camera does not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

from ..cameras.rig import Rig
from ..cameras.trajectories import relative_to_source
from ..datasets.collections.procedural import CameraRanges, procedural_world
from ..metrics import locate_subject, ratio
from ..metrics.intervals import Interval, aligned, mean, median
from ..synthetic import Scene, frame_times, project, render
from ..synthetic.text import encode_prompt
from ..wan.vae import WanVAE
from .batches import sampled_poses
from .gate import FPS, decode_latents, encode_video
from .held_out import HELD_OUT
from .sample import sample_recapture
from .trainee import ReCaptureTrainee

MODEL, COPIED = "the model", "the source copied"
SCENES = 32


@dataclass(frozen=True)
class ReCaptureGateConfig:
    scenes: int = SCENES  # one trajectory each
    length: int = 17
    size: int = 64  # pixels
    steps: int = 20
    guidance: float = 3.0
    shift: float = 5.0
    scenes_at_once: int = 8
    seed: int = 0
    place_radius_m: float = 0.8
    least_of_a_move: float = 0.5  # where a camera hardly moves, the copied source is hardly wrong and tells nothing


@dataclass(frozen=True)
class ReCaptureScore:
    """Of one re-capture. `reprojection_px`: median over frames of the distance between where the subject is seen and where
    the target camera sees its centre in the world, NaN where truth never shows it whole. `located`: share of those frames
    in which it is seen whole; where it is not, the distance is the picture's width."""

    reprojection_px: float
    located: float


class ReCaptureResult(TypedDict):
    """Of all scenes, by row name."""

    scores: dict[str, list[ReCaptureScore]]
    takes: dict[str, list[Tensor]]  # (frames, height, width, 3) each


def held_out_trajectory(number: int, config: ReCaptureGateConfig) -> tuple[Scene, Rig]:
    """A scene that is never trained on, the camera of its source, which stands, and one that moves away from it."""
    ranges = CameraRanges(trajectories=True, least_of_a_move=config.least_of_a_move)
    seed = HELD_OUT + config.seed
    return procedural_world(seed, number, 2, ranges, config.place_radius_m, length=config.length)


def score_recapture(
    video: Tensor,  # (frames, height, width, 3) in 0..1
    truth: Tensor,  # the same, rendered
    scene: Scene,
    camera: Rig,  # one, that moves
) -> ReCaptureScore:
    """The figures of :class:`ReCaptureScore`; in frames whose truth has no whole subject nothing is asked."""
    frames, height, width = video.shape[:3]
    centre = scene.subject_centre(frame_times(frames, FPS))
    expected, _ = project(centre, camera.c2w[0, :frames], camera.lenses[0], height, width)
    asked = torch.isfinite(locate_subject(truth[None])[0]).all(-1)
    found = locate_subject(video[None])[0]
    seen = torch.isfinite(found).all(-1)
    errors = torch.where(seen, (found - expected).norm(dim=-1).clamp_max(width), float(width))[asked]
    return ReCaptureScore(
        float(errors.quantile(0.5)) if len(errors) else float("nan"), float(seen[asked].double().mean())
    )


@torch.no_grad()
def run_recapture_gate(
    trainee: ReCaptureTrainee,
    vae: WanVAE,
    config: ReCaptureGateConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReCaptureResult:
    times = frame_times(config.length, FPS)
    pairs = [held_out_trajectory(number, config) for number in range(config.scenes)]
    films = [render(scene, rig, config.size, config.size, times) for scene, rig in pairs]
    latents = [torch.stack([encode_video(vae, view) for view in film]) for film in films]
    sources, frames = torch.stack([both[0] for both in latents]), latents[0].shape[2]
    poses = torch.stack([relative_to_source(sampled_poses(rig.c2w, frames))[1].float() for _, rig in pairs])
    text = torch.stack([encode_prompt(scene.prompt()) for scene, _ in pairs])
    takes: dict[str, list[Tensor]] = {
        "rendered truth": [film[1] for film in films],
        "truth through the autoencoder": [decode_latents(vae, both[1:])[0] for both in latents],
    }
    noise = torch.randn(sources.shape, generator=torch.Generator().manual_seed(config.seed))
    runs = {
        MODEL: (poses, sources, 0),
        "the same, another seed": (poses, sources, 1),
        "another scene's trajectory": (poses.roll(1, 0), sources, 0),
        "no camera": (torch.eye(4)[:3].flatten().expand_as(poses), sources, 0),
        "noise instead of the source": (poses, noise, 0),
    }
    done = 0
    for name, (told, shown, take) in runs.items():
        takes[name] = []
        for first in range(0, config.scenes, config.scenes_at_once):
            some = slice(first, first + config.scenes_at_once)
            seeds = [2 * number + take for number in range(config.scenes)[some]]
            settings = (config.steps, config.guidance, config.shift)
            made = sample_recapture(trainee, text[some], encode_prompt(""), told[some], shown[some], seeds, *settings)
            takes[name] += list(decode_latents(vae, made))
            done += len(seeds)
            progress(done, len(runs) * config.scenes)
    takes[COPIED] = [film[0] for film in films]
    scores = {
        name: [
            score_recapture(video, film[1], scene, rig.select([1]))
            for video, film, (scene, rig) in zip(videos, films, pairs, strict=True)
        ]
        for name, videos in takes.items()
    }
    return {"scores": scores, "takes": takes}


def recapture_rows(scores: Mapping[str, Sequence[ReCaptureScore]]) -> dict[str, dict[str, Interval]]:
    """By row name: the median error over scenes, its share of the copied source's, and how often the subject is seen."""
    return {
        name: {
            "reprojection_px": median([score.reprojection_px for score in row]),
            "of_copied": ratio(row, scores[COPIED]),
            "located": mean([score.located for score in row if score.located == score.located]),
        }
        for name, row in scores.items()
    }


def recapture_report(rows: Mapping[str, Mapping[str, Interval]]) -> str:
    """The table; every cell with its 95 % bootstrap interval over scenes."""
    heading = ["", "reprojection px", "of the source copied", "located"]
    return aligned([heading, *([name, *(cell.to_text() for cell in row.values())] for name, row in rows.items())])


__all__ = [
    "ReCaptureGateConfig",
    "ReCaptureScore",
    "held_out_trajectory",
    "recapture_report",
    "recapture_rows",
    "run_recapture_gate",
    "score_recapture",
]
