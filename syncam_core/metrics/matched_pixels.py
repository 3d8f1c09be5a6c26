"""Mat. Pix.(K): how many pixels of two views of a moment a matcher finds to show the same, in thousands."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..video.clip import FLOAT, in_depth
from .bench import Bench
from .takes import Take

if TYPE_CHECKING:
    from .matching import Sparse

GRID_HEIGHT, GRID_WIDTH = 672, 896  # of GIM's own demo with DKM
AUTO = "auto"
BEST_FIRST = ("aliked", "disk", "xfeat")  # by the accuracy that they reach at wide angles (docs/metrics.md)
MATCHERS = (AUTO, "sift", "xfeat", "aliked", "disk", "gim-dkm")
TAU = {"sift": 0.2}  # its confidence is 1 - the ratio of distances: Lowe's 0.8
NETWORK_TAU = 0.5


def chosen_matcher(bench: Bench) -> tuple[Sparse, str]:
    """The matcher that was asked for, or with "auto" the best one whose files are there, and its name.

    Raises UserError where a file is missing, and for GIM-DKM.
    """
    from .matching import MATCHER_FILES, matcher_of
    from .weights_files import find_weights

    name = bench.matcher
    if name == "gim-dkm":
        raise UserError(
            "GIM-DKM, with which the authors matched, has no library that runs beside ComfyUI's kornia (vismatch 1.4.0 "
            "wants one below 0.8.3); choose another matcher and compare numbers of one matcher only.",
            field="matcher",
        )
    if name == AUTO:
        with_files = (
            one
            for one in BEST_FIRST
            if all(find_weights(file, bench.networks.folders) for file in MATCHER_FILES[one][: 1 + (one != "xfeat")])
        )
        name = next(with_files, "sift")
    return matcher_of(name, bench.networks.folders, bench.networks.device), name


def matched_pixels(take: Take, bench: Bench) -> tuple[float, list[float], str]:
    """The mean over moments and pairs of views of the matches above the confidence tau, in thousands; the same of each
    pair; and with what it was found.

    Both pictures are letterboxed to 672 x 896. The matchers here are sparse and mutual: a pair of points counts once,
    and there are at most 2048 of them, where the authors' dense DKM counts every pixel, in both directions.
    """
    matcher, name = chosen_matcher(bench)
    tau = TAU.get(name, NETWORK_TAU)
    moments, pairs = take.moments(bench.every), list(itertools.combinations(range(take.views), 2))
    counts = np.empty((len(moments), len(pairs)))
    for index, moment in enumerate(moments):
        found = []
        for view, clip in enumerate(take.clips):
            bench.progress((index + view / take.views) / len(moments))
            found.append(matcher.features(letterboxed(in_depth(clip[moment], FLOAT))))
        for at, (i, j) in enumerate(pairs):
            counts[index, at] = float((matcher.match(found[i], found[j]).confidence > tau).sum()) / 1000
    said = f"{matcher.name}, confidence > {tau:g}"
    return float(counts.mean()), counts.mean(0).tolist(), said


def letterboxed(picture: np.ndarray) -> Tensor:  # (height, width, 3) in 0..1 -> (672, 896, 3)
    """As large as it fits, in the middle of black."""
    height, width = picture.shape[:2]
    scale = min(GRID_HEIGHT / height, GRID_WIDTH / width)
    sides = max(1, round(height * scale)), max(1, round(width * scale))
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    scaled = torch.nn.functional.interpolate(planes, sides, mode="bilinear", antialias=True, align_corners=False)
    framed = torch.zeros(GRID_HEIGHT, GRID_WIDTH, 3)
    top, left = (GRID_HEIGHT - sides[0]) // 2, (GRID_WIDTH - sides[1]) // 2
    framed[top : top + sides[0], left : left + sides[1]] = scaled[0].clamp(0, 1).permute(1, 2, 0)
    return framed
