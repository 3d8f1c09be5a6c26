"""What a score must be compared with to mean something: sets that are known to agree, or known not to.

Each needs no model beyond the videos that it is given. Controls that do (truth through the VAE, the module off, view
attention masked) are videos like any other, for `score_scenes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..cameras.rig import Rig
from ..errors import UserError
from ..synthetic import PLACE_RADIUS_M, Scene, render


def mixed_seeds(
    samples: Sequence[Tensor],  # of one prompt and rig, from different seeds, each (views, frames, height, width, 3)
) -> Tensor:  # (views, frames, height, width, 3)
    """View i from sample i, beginning again after the last: each view is as good as before, but no two belong together.

    With fewer samples than views some views do share one. Raises UserError for fewer than two samples, or samples of
    different shapes.
    """
    if len(samples) < 2:
        raise UserError(f"views of different seeds need at least 2 samples, but there are {len(samples)}.")
    if len({tuple(sample.shape) for sample in samples}) > 1:
        raise UserError("views of different seeds need samples of one shape; sample all with the same rig and size.")
    return torch.stack([samples[view % len(samples)][view] for view in range(len(samples[0]))])


def shuffled_cameras(rig: Rig) -> Rig:
    """The rig with every view's camera exchanged for the next view's: the same videos are scored with wrong cameras."""
    return rig.select([*range(1, rig.views), 0])


def unrelated_scenes(
    scene: Scene,
    rig: Rig,
    height: int,  # pixels
    width: int,
    times: Tensor | Sequence[float],  # (frames,) seconds
    seed: int = 0,
    place_radius_m: float = PLACE_RADIUS_M,  # as the scenes' own
) -> Tensor:  # (views, frames, height, width, 3)
    """Rendered truth in which every view films another scene of the same prompt.

    Heading, phase and place of each are drawn from the seed, so give every scene its own: sharp pictures with the right
    colours, floor and cameras that agree in nothing else.
    """
    views = []
    for view in range(rig.views):
        drawn = Scene.random(1_000_003 * (seed + 1) + view, place_radius_m)
        free = {name: getattr(drawn, name) for name in ("heading_deg", "phase", "place_x_m", "place_z_m")}
        views.append(render(replace(scene, **free), rig.select([view]), height, width, times)[0])
    return torch.stack(views)


def control_takes(
    scene: Scene,
    rig: Rig,
    samples: Sequence[Tensor],  # of the scene's prompt with this rig, from different seeds
    times: Tensor | Sequence[float],  # (frames,) seconds
    seed: int = 0,
) -> dict[str, tuple[Tensor, Rig]]:
    """Every control of one scene that needs no model, and the first sample itself, as videos and the rigs to score with.

    `score_scenes` takes the values of one key over all scenes.
    """
    height, width = samples[0].shape[2:4]
    return {
        "rendered truth": (render(scene, rig, height, width, times), rig),
        "generated": (samples[0], rig),
        "views of different seeds": (mixed_seeds(samples), rig),
        "shuffled cameras": (samples[0], shuffled_cameras(rig)),
        "unrelated scenes": (unrelated_scenes(scene, rig, height, width, times, seed), rig),
    }
