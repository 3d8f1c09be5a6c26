"""The metrics of the paper's Tables 1 to 4 by name: what each needs, and the function that measures it.

Definitions are those of docs/metrics.md. The authors published neither code nor the reference sets, thresholds and
networks' files behind their numbers, so what had to be fixed here stands in every report.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError, check_choice
from ..video.clip import BITS_8, in_depth
from .bench import CLIP_FRAMES, LENSES, Bench, NotMeasured
from .frechet import frechet_of_features
from .matched_pixels import MATCHERS, matched_pixels
from .networks import clip, lpips
from .pictures import psnr, ssim
from .takes import Take

if TYPE_CHECKING:
    from .camera_accuracy import CameraAccuracy

UNPUBLISHED = (
    "The authors published no code for their tables: neither the matcher's threshold and grid (Mat. Pix.), nor the "
    "reference sets of FID, FVD and FVD-V, nor CLIP's size, nor the unit of RotErr. Compare order and ratios with the "
    "paper's rows, not values."
)
PROMPT, RIG, TRUTH, TWO_VIEWS, REFERENCE = "prompt", "rig", "truth", "two views", "reference set"
WHY_NOT = {
    PROMPT: "no prompt is known; give the words that the videos were made from",
    RIG: "no rig is known; give the one that the views were made with",
    TRUTH: "no truth is given; connect the same views as they should be",
    TWO_VIEWS: "there is one view only",
    REFERENCE: "it compares a set of videos with a reference set, which one take is not; use python -m "
    "syncam_core.metrics run TAKES... --reference FOLDER",
}


@dataclass(frozen=True)
class Measured:
    """A number, what it is the mean of, and what else must be said."""

    value: float
    items: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """One column: `measure` gives the number of a take, `features` those of a set metric's take.

    `good` is the value from which on it is called good, and `good_is` where that comes from.
    """

    title: str
    higher_is_better: bool
    unit: str
    decimals: int
    needs: tuple[str, ...]
    measure: Callable[[Take, Bench], Measured] | None = None
    features: Callable[[Bench, Take], np.ndarray] | None = None
    good: float | None = None
    good_is: str = ""

    @property
    def arrow(self) -> str:
        return "\u2191" if self.higher_is_better else "\u2193"

    def is_good(self, value: float) -> bool | None:
        if self.good is None or math.isnan(value):
            return None
        return value >= self.good if self.higher_is_better else value <= self.good

    def to_text(self, value: float) -> str:
        return "\N{INFINITY}" if math.isinf(value) else f"{value:.{self.decimals}f}"


def why_not(metric: Metric, take: Take, bench: Bench, reference: bool = False) -> str | None:
    """What is missing for a metric, as half a sentence, or None."""
    there = {
        PROMPT: bool(take.prompt),
        RIG: take.rig is not None,
        TRUTH: bench.truth is not None,
        TWO_VIEWS: take.views > 1,
        REFERENCE: reference,
    }
    return next((WHY_NOT[need] for need in metric.needs if not there[need]), None)


# ---- CLIP


def clip_t(take: Take, bench: Bench) -> Measured:
    """100 times the mean cosine between CLIP's vectors of a frame and of the prompt, over views and moments. CLIP reads
    75 tokens of a prompt. (CLIPScore without its factor: Hessel et al., arXiv 2104.08718.)"""
    vectors = bench.clip_vectors(take)
    network, tokenizer = clip.load_clip(bench.networks), clip.load_tokenizer(bench.networks)
    wanted = clip.prompt_vector(network, tokenizer, take.prompt).numpy()
    cosine = 100 * vectors[:, _at_moments(take, bench)] @ wanted
    read, words = clip.words_counted(tokenizer, take.prompt)
    return Measured(
        float(cosine.mean()), {"views": cosine.mean(1).tolist()}, (f"{read} of {words} words of the prompt",)
    )


def clip_f(take: Take, bench: Bench) -> Measured:
    """100 times the mean cosine between CLIP's vectors of a frame and the next, over views and moments. It depends on
    the time between frames: compare takes of one frame rate."""
    frames, vectors = bench.pairs(take), bench.clip_vectors(take)
    pairs = [at for at in range(len(frames) - 1) if frames[at + 1] == frames[at] + 1]
    if not pairs:
        raise NotMeasured("the videos have a single frame")
    cosine = 100 * (vectors[:, pairs] * vectors[:, [at + 1 for at in pairs]]).sum(-1)
    rate = f"{1 / take.fps:.3f} s between frames" if take.fps else "the time between frames is not known"
    return Measured(float(cosine.mean()), {"views": cosine.mean(1).tolist()}, (rate,))


def clip_v(take: Take, bench: Bench) -> Measured:
    """100 times the mean cosine between CLIP's vectors of two views of a moment, over all pairs and moments
    (Collaborative Video Diffusion, arXiv 2405.17414)."""
    vectors = bench.clip_vectors(take)[:, _at_moments(take, bench)]
    cosine = [100 * (vectors[i] * vectors[j]).sum(-1) for i, j in itertools.combinations(range(take.views), 2)]
    return Measured(float(np.mean(cosine)), {"pairs": [float(pair.mean()) for pair in cosine]})


def _at_moments(take: Take, bench: Bench) -> list[int]:
    wanted = set(take.moments(bench.every))
    return [index for index, frame in enumerate(bench.pairs(take)) if frame in wanted]


# ---- between views


def mat_pix(take: Take, bench: Bench) -> Measured:
    """Thousands of points that a matcher finds in two views of a moment with a confidence above tau, mean over pairs of
    views and moments (`matched_pixels`). Numbers of different matchers cannot be compared."""
    value, pairs, said = matched_pixels(take, bench)
    return Measured(value, {"pairs": pairs}, (said, "letterboxed to 672 x 896, mutual matches count once"))


def rot_err(take: Take, bench: Bench) -> Measured:
    """The mean angle between a view's rotation relative to view 1, as found in the pictures, and the rig's, in radians
    (`camera_accuracy`). The paper does not say its unit; 0.12 radians are 6.9 degrees."""
    found = bench.camera_accuracy(take)
    angles = {"degrees": [pair.rot_err_deg for pair in found.pairs if pair.is_measured]}
    return Measured(math.radians(found.rot_err_deg), angles, (f"{found.rot_err_deg:.2f} degrees", _how(found)))


def trans_err(take: Take, bench: Bench) -> Measured:
    """The mean distance between the unit vectors from view 1 to a view, as found in the pictures and as in the rig: 0 for
    the same direction, 2 for the opposite one (`camera_accuracy`)."""
    found = bench.camera_accuracy(take)
    if math.isnan(found.trans_err):
        raise NotMeasured("the cameras stand at one place")
    pairs = {"pairs": [pair.trans_err for pair in found.pairs if not math.isnan(pair.trans_err)]}
    return Measured(found.trans_err, pairs, (_how(found),))


def _how(found: CameraAccuracy) -> str:
    return f"{found.measured} of {len(found.pairs)} pairs, {found.matcher}, lens: {found.lens}"


# ---- against the truth


def against_truth(
    of: Callable[[Bench], Callable[[np.ndarray, np.ndarray], float]],
) -> Callable[[Take, Bench], Measured]:
    """A metric of two pictures as one of a take: the mean over views and moments, per view beside it."""

    def measure(take: Take, bench: Bench) -> Measured:
        truth = bench.truth
        assert truth is not None  # it is needed
        check_alike(take, truth)
        compare, frames = of(bench), min(take.frames, truth.frames)
        moments = [moment for moment in take.moments(bench.every) if moment < frames]
        values = np.empty((take.views, len(moments)))
        for view in range(take.views):
            for index, moment in enumerate(moments):
                bench.progress((view + index / len(moments)) / take.views)
                values[view, index] = compare(
                    in_depth(take.clips[view][moment], BITS_8), in_depth(truth.clips[view][moment], BITS_8)
                )
        notes = [f"{len(moments)} moments"]
        if take.frames != truth.frames:
            notes.append(f"of the first {frames} frames: the take has {take.frames}, the truth {truth.frames}")
        is_counted = np.isfinite(values)  # equal pictures have an infinite PSNR, beside which no other would count
        if is_counted.any() and not is_counted.all():
            notes.append(f"{(~is_counted).sum()} of {values.size} pictures are their truth and left out of the mean")
        value = values[is_counted].mean() if is_counted.any() else values.mean()
        return Measured(float(value), {"views": values.mean(1).tolist()}, tuple(notes))

    return measure


def check_alike(take: Take, truth: Take) -> None:
    """Raise UserError for a truth that has not the views, the size and the times of the take."""
    if take.fps and truth.fps and not math.isclose(take.fps, truth.fps, rel_tol=1e-3):
        raise UserError(
            f"the truth has {truth.fps:g} frames per second, but the take {take.fps:g}; look at both with --fps "
            f"{min(take.fps, truth.fps):g}.",
            field="truth",
        )
    if truth.views != take.views:
        raise UserError(f"the truth has {truth.views} views, but the take has {take.views}.", field="truth")
    for number, (view, other) in enumerate(zip(take.clips, truth.clips, strict=True), 1):
        if (view.height, view.width) != (other.height, other.width):
            raise UserError(
                f"the truth of view {number} is {other.width} x {other.height} pixels, but the view is {view.width} x "
                f"{view.height}; scale one of them.",
                field="truth",
            )


# ---- the toy world


def sync_share(take: Take, bench: Bench) -> Measured:
    """Median distance between where a view shows the demo world's subject and where the other views and the cameras say
    it is, in percent of the picture's width (SynCam Sync Score). Of the demo world only."""
    return Measured(
        100 * bench.sync_score(take).reprojection_share, {}, ("median over views and moments, demo world only",)
    )


def sync_azimuth(take: Take, bench: Bench) -> Measured:
    """Median over pairs of views of how far the angle between them is off, in degrees, by the demo world's background
    (SynCam Sync Score). Of the demo world only."""
    score = bench.sync_score(take)
    if not score.is_demo_world:
        raise NotMeasured("the background is not that of the demo world")
    return Measured(score.azimuth_pair_deg, {"views": score.azimuth_errors_deg}, ("demo world only",))


METRICS: Mapping[str, Metric] = {
    "fid": Metric("FID", False, "", 1, (REFERENCE,), features=Bench.inception_features),
    "fvd": Metric("FVD", False, "", 0, (REFERENCE,), features=Bench.clip_logits),
    "clip_t": Metric(
        "CLIP-T", True, "x 100", 2, (PROMPT,), clip_t, good=30.97, good_is="the lowest of the paper's Table 2"
    ),
    "clip_f": Metric("CLIP-F", True, "x 100", 2, (), clip_f, good=99.27, good_is="the image-to-video row of Table 1"),
    "mat_pix": Metric("Mat. Pix.(K)", True, "K", 3, (TWO_VIEWS,), mat_pix),
    "fvd_v": Metric("FVD-V", False, "", 0, (TWO_VIEWS, REFERENCE), features=Bench.moment_logits),
    "clip_v": Metric(
        "CLIP-V", True, "x 100", 2, (TWO_VIEWS,), clip_v, good=91.86, good_is="midway between 90.01 and 93.71 of Table 1"
    ),
    "rot_err": Metric("RotErr", False, "rad", 3, (RIG, TWO_VIEWS), rot_err, good=0.12, good_is="Table 4"),
    "trans_err": Metric("TransErr", False, "", 3, (RIG, TWO_VIEWS), trans_err, good=0.58, good_is="Table 4"),
    "lpips": Metric(
        "LPIPS",
        False,
        "",
        4,
        (TRUTH,),
        against_truth(lambda bench: lambda a, b: lpips.lpips_of(lpips.load_lpips(bench.networks), a, b)),
        good=0.4761,
        good_is="the best of Table 3",
    ),
    "psnr": Metric(
        "PSNR", True, "dB", 2, (TRUTH,), against_truth(lambda _: psnr), good=16.60, good_is="the best of Table 3"
    ),
    "ssim": Metric(
        "SSIM", True, "", 4, (TRUTH,), against_truth(lambda _: ssim), good=0.4935, good_is="the best of Table 3"
    ),
    "sync": Metric(
        "Sync", False, "% of width", 2, (RIG, TWO_VIEWS), sync_share, good=4.0, good_is="halfway from the demo model's 2.0 to 4.8 without view sync"
    ),
    "azimuth": Metric(
        "Azimuth", False, "deg", 1, (RIG, TWO_VIEWS), sync_azimuth, good=5.0, good_is="the demo model has 1, shuffled cameras 26"
    ),
}  # fmt: skip
SET_METRICS = tuple(name for name, metric in METRICS.items() if metric.features is not None)


def chosen(text: str) -> list[str]:
    """The names in a list like "clip_t, PSNR"; "all" and nothing mean all. Raises UserError for one that there is not."""
    words = [word.strip().casefold().replace("-", "_") for word in text.replace(";", ",").split(",") if word.strip()]
    known = {name: name for name in METRICS} | {m.title.casefold().replace("-", "_"): n for n, m in METRICS.items()}
    if not words or "all" in words:
        return list(METRICS)
    for word in words:
        if word not in known:
            raise UserError(
                f"'metrics' names {word!r}; possible are all, {', '.join(METRICS)}, with commas between them.",
                field="metrics",
            )
    return list(dict.fromkeys(known[word] for word in words))


def check_bench(bench: Bench) -> None:
    check_choice("lens", bench.lens, LENSES)
    check_choice("matcher", bench.matcher, MATCHERS)
    if bench.every < 1:
        raise UserError(f"'every' is {bench.every}, but it counts frames; give 1 or more.", field="every")


def measure(name: str, take: Take, bench: Bench) -> Measured | str:
    """The number of one take, or why there is none, in a sentence."""
    metric = METRICS[name]
    missing = why_not(metric, take, bench)
    if missing is not None or metric.measure is None:
        return missing or WHY_NOT[REFERENCE]
    try:
        return metric.measure(take, bench)
    except UserError as problem:
        return str(problem).rstrip(".")


def looked_at(name: str, take: Take) -> str:
    """What a set metric's items of a take are where not all takes have the same: sets of other items do not compare."""
    if name == "fvd":
        return f"clips of {min(CLIP_FRAMES, take.frames)} frames"
    return f"{take.views} views" if TWO_VIEWS in METRICS[name].needs else ""


def distance(name: str, features: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> Measured | str:
    """A set metric between the features of many takes and those of a reference set, or why there is none."""
    ours, theirs = np.concatenate(features), np.concatenate(reference)
    try:
        value = frechet_of_features(ours, theirs)
    except UserError as problem:
        return str(problem).rstrip(".")
    notes = [f"{len(ours)} items against {len(theirs)}"]
    if min(len(ours), len(theirs)) < ours.shape[1]:
        notes.append(f"fewer than its {ours.shape[1]} features, so it is too large and hangs on their number")
    return Measured(value, {}, tuple(notes))
