"""Train the classifier that names shape, colour and motion (`syncam_core.metrics.recognition`) on rendered truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from ..cameras import Rig
from ..errors import UserError
from ..metrics.intervals import Interval, mean
from ..metrics.recognition import ATTRIBUTES, MOMENTS, SIDE, AttributeClassifier, moments, prepare, share_named_right
from ..synthetic import Scene, frame_times, render
from .held_out import PLACE_RADII_M, SIZE, held_out_scene

TRAINING_SEED = 50_000_000  # of its scenes, far from those that a gate is given
HELD_OUT_SEED = 60_000_000  # of those that it is tested on


@dataclass(frozen=True)
class ClassifierConfig:
    file: str  # that is written
    world: int = 1
    scenes: int = 1500
    views: int = 4  # of each, from the gate's cameras
    test_scenes: int = 128  # others, on which it is tested in the end
    length: int = 17  # frames of the clips that it will see
    fps: float = 8.0
    epochs: int = 14
    batch: int = 64
    lr: float = 1.5e-3
    blur_px: float = 1.0  # pictures are blurred at random by a sigma up to this, as pixels of the classifier's input
    noise: float = 0.03  # and noise of a standard deviation up to this is added
    seed: int = 0

    def __post_init__(self) -> None:
        if self.world not in PLACE_RADII_M:
            raise UserError(f"'world' is {self.world}; possible are {', '.join(map(str, PLACE_RADII_M))}.")
        for name in ("scenes", "views", "test_scenes", "length", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"'{name}' is {getattr(self, name)}, but 1 or more is needed.")


def train_classifier(
    config: ClassifierConfig, progress: Callable[[str, int, int], None] = lambda what, done, total: None
) -> tuple[AttributeClassifier, dict[str, Interval]]:
    """The classifier, and how often it is right about rendered truth that it has not seen: the mean share of views per
    attribute. Deterministic for a configuration on one machine."""
    clips, labels = rendered_clips(config, lambda done, total: progress("scenes", done, total))
    torch.manual_seed(config.seed)
    classifier = AttributeClassifier().train()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=config.lr, weight_decay=0.02)
    steps = config.epochs * math.ceil(len(clips) / config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.lr, total_steps=max(steps, 3), pct_start=0.1)
    done = 0
    for _ in range(config.epochs):
        for some in torch.randperm(len(clips)).split(config.batch):
            scores = classifier(spoiled(clips[some].float() / 127.5 - 1, config))
            loss = reduce(
                torch.add, (nn.functional.cross_entropy(scores[name], labels[name][some]) for name in ATTRIBUTES)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            done += 1
            progress("steps", done, steps)
    return classifier.eval(), named_right_in_truth(classifier, config)


def rendered_clips(
    config: ClassifierConfig, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Tensor, dict[str, Tensor]]:  # (clips, 3 MOMENTS, SIDE, SIDE) uint8, attribute -> (clips,) places of words
    """Truth to learn from: scenes that the gate never shows, through its kind of cameras."""
    times = frame_times(config.length, config.fps)[moments(config.length)]
    clips = torch.empty(config.scenes * config.views, 3 * MOMENTS, SIDE, SIDE, dtype=torch.uint8)
    scenes: list[Scene] = []
    for number in range(config.scenes):
        scene, rig = _scene(config, number, TRAINING_SEED + config.seed)
        pictures = prepare(render(scene, rig, SIDE, SIDE, times))
        clips[number * config.views : (number + 1) * config.views] = ((pictures + 1) * 127.5).round().byte()
        scenes.append(scene)
        progress(number + 1, config.scenes)
    labels = {
        name: torch.tensor([words.index(getattr(scene, name)) for scene in scenes]).repeat_interleave(config.views)
        for name, words in ATTRIBUTES.items()
    }
    return clips, labels


def named_right_in_truth(classifier: AttributeClassifier, config: ClassifierConfig) -> dict[str, Interval]:
    """In whole clips at the size of the demo model, of scenes of their own."""
    times = frame_times(config.length, config.fps)
    shares = []
    for number in range(config.test_scenes):
        scene, rig = _scene(config, number, HELD_OUT_SEED)
        shares.append(share_named_right(classifier, render(scene, rig, SIZE, SIZE, times), scene))
    return {name: mean([share[name] for share in shares]) for name in shares[0]}


def _scene(config: ClassifierConfig, number: int, seed: int) -> tuple[Scene, Rig]:
    return held_out_scene(number, config.views, seed, PLACE_RADII_M[config.world], config.world)


def spoiled(
    clips: Tensor,  # (clips, channels, height, width)
    config: ClassifierConfig,
) -> Tensor:
    """Moved by a pixel or two, softened, and with noise: what is named must not hang on pixels."""
    down, right = (int(n) for n in torch.randint(-2, 3, (2,)))
    clips = nn.functional.pad(clips, (2, 2, 2, 2), mode="replicate")
    clips = clips[..., 2 + down : 2 + down + SIDE, 2 + right : 2 + right + SIDE]
    sigma = config.blur_px * float(torch.rand(())) + 1e-3
    reach = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-reach.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(clips.shape[1], 1, 1, -1)
    clips = nn.functional.pad(clips, (3, 3, 3, 3), mode="replicate")
    clips = nn.functional.conv2d(clips, kernel, groups=clips.shape[1])
    clips = nn.functional.conv2d(clips, kernel.mT, groups=clips.shape[1])
    return clips + config.noise * torch.rand(len(clips), 1, 1, 1) * torch.randn_like(clips)
