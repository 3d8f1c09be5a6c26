"""Whether what a picture shows can be told: a small classifier names shape, colour and motion of the demo world's subject.

It learns from rendered truth (`syncam_core.training.classifier`), so it names in generated clips what somebody would who
has seen the world and nothing else.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import UserError
from ..synthetic import COLORS, MOTIONS, SHAPES, Scene

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {"shape": SHAPES, "color": tuple(COLORS), "motion": MOTIONS}
MOMENTS = 5  # of a clip, evenly spread: a bounce of 2 s still shows its top and bottom in 17 frames at 8 a second
SIDE = 48  # pixels: every clip is brought to this size
WIDTH = 32  # channels of the first layer


class AttributeClassifier(nn.Module):
    """One clip of one view -> scores for the words of every attribute.

    The moments are stacked as channels, and the last layer sees all places, as motion is a matter of both.
    """

    def __init__(self, width: int = WIDTH):
        super().__init__()
        widths = [3 * MOMENTS, width, 2 * width, 2 * width, 2 * width]
        layers: list[nn.Module] = []
        for depth, (channels, out_channels) in enumerate(itertools.pairwise(widths)):
            stride = 2 if depth < 3 else 1
            layers += [
                nn.Conv2d(channels, out_channels, 3, stride, padding=1),
                nn.GroupNorm(8, out_channels),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * (SIDE // 8) ** 2, 128), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(128, len(words)) for name, words in ATTRIBUTES.items()})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:  # (clips, 3 MOMENTS, SIDE, SIDE) -> (clips, words) each
        features = self.features(clips)
        return {name: head(features) for name, head in self.heads.items()}


def moments(frames: int) -> Tensor:  # (MOMENTS,)
    """Which frames of a clip it looks at."""
    return torch.linspace(0, frames - 1, MOMENTS).round().long()


def prepare(
    video: Tensor,  # (clips, frames, height, width, 3) in 0..1
) -> Tensor:  # (clips, 3 MOMENTS, SIDE, SIDE) about -1..1
    """What the classifier looks at: evenly spread moments of any size of picture."""
    pictures = video[:, moments(video.shape[1])].float().permute(0, 1, 4, 2, 3).flatten(0, 1)
    if pictures.shape[-2:] != (SIDE, SIDE):
        pictures = nn.functional.interpolate(pictures, (SIDE, SIDE), mode="area")
    return pictures.unflatten(0, (len(video), MOMENTS)).flatten(1, 2) * 2 - 1


@torch.no_grad()
def name_attributes(
    classifier: AttributeClassifier,
    video: Tensor,  # (clips, frames, height, width, 3) in 0..1
) -> list[dict[str, str]]:  # per clip: attribute -> word
    """The most likely words for each clip."""
    scores = classifier.eval()(prepare(video))
    best = {name: score.argmax(1).tolist() for name, score in scores.items()}
    return [{name: ATTRIBUTES[name][best[name][clip]] for name in ATTRIBUTES} for clip in range(len(video))]


def share_named_right(
    classifier: AttributeClassifier,
    video: Tensor,  # (views, frames, height, width, 3) in 0..1
    scene: Scene,
) -> dict[str, float]:
    """Of the views of a scene, how many have each attribute named right, and "all" of them at once; 0..1."""
    named = name_attributes(classifier, video)
    right = {name: [words[name] == getattr(scene, name) for words in named] for name in ATTRIBUTES}
    right["all"] = [all(view) for view in zip(*right.values(), strict=True)]
    return {name: sum(views) / len(views) for name, views in right.items()}


def save_classifier(classifier: AttributeClassifier, path: Path, about: Mapping[str, object]) -> None:
    """Weights, and what they were trained on as JSON in the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
    save_file(tensors, path, {"classifier": json.dumps({**about, "attributes": ATTRIBUTES})})


def load_classifier(path: Path | str) -> tuple[AttributeClassifier, dict[str, object]]:
    """A file of `save_classifier`, and what it was trained on. Raises ValueError for any other file."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["classifier"])
        classifier = AttributeClassifier()
        classifier.load_state_dict(load_file(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as problem:
        what = getattr(problem, "strerror", None) or " ".join(str(problem).split())[:120]
        raise UserError(
            f"'{path}' is no attribute classifier ({what}); make one with the command classifier."
        ) from None
    if {name: tuple(words) for name, words in about["attributes"].items()} != dict(ATTRIBUTES):
        raise UserError(f"'{path}' knows other words than the world has now; train the classifier again.")
    return classifier.eval(), about
