"""Medians over many scenes with confidence intervals, and tables of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError

MEASURES = {  # of a SyncScore, with the heading and the decimals of their column
    "reprojection_px": ("reprojection px", 2),
    "epipolar_px": ("epipolar px", 2),
    "azimuth_deg": ("azimuth deg", 1),
    "azimuth_pair_deg": ("between views deg", 1),
    "located": ("located", 2),
}
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A statistic and the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    def to_text(self, decimals: int = 2) -> str:
        if math.isnan(self.value):
            return "-"
        return f"{self.value:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"


@dataclass(frozen=True)
class Summary:
    """The medians of one set of scenes: `scenes` how many, `measures` an interval for each name of `MEASURES`."""

    scenes: int
    measures: Mapping[str, Interval]


def summarize(scores: Sequence[object], seed: int = 0) -> Summary:
    """The median over scenes of every measure, with its 95 % bootstrap interval (percentiles, scenes resampled).

    Scores have the measures as attributes. The same scores and seed give the same interval. Scenes in which a measure
    is NaN do not count for it. Raises UserError without scores.
    """
    if not scores:
        raise UserError("there are no scores to summarize; score at least one scene.")
    measures = {}
    for name in MEASURES:
        measures[name] = median(_values(scores, name).tolist(), seed)
    return Summary(len(scores), measures)


def ratio(
    scores: Sequence[object], others: Sequence[object], measure: str = "reprojection_px", seed: int = 0
) -> Interval:
    """The median of one set over that of another, for the same scenes in the same order, which are resampled together.

    An interval below 1 says that the first set is better, whatever the scenes have in common. Raises UserError for
    sets of different lengths, and for empty ones.
    """
    if len(scores) != len(others) or not scores:
        raise UserError(
            f"a ratio needs two sets of the same scenes, but there are {len(scores)} and {len(others)} scores."
        )
    first, second = _values(scores, measure), _values(others, measure)
    drawn = _resampled(len(first), seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _interval(_median(first) / _median(second), _median(first[drawn]) / _median(second[drawn]))


def median(values: Sequence[float], seed: int = 0) -> Interval:
    """The median over scenes with its 95 % bootstrap interval (percentiles, scenes resampled); NaN does not count."""
    numbers = np.asarray(values, float)
    return _interval(_median(numbers), _median(numbers[_resampled(len(numbers), seed)]))


def mean(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean over scenes with its 95 % bootstrap interval (percentiles, scenes resampled). Raises ValueError for none."""
    return ratio_of_means(values, [1.0] * len(values), seed)


def ratio_of_means(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Interval:
    """The mean of one set over that of another, for the same scenes in the same order, which are resampled together.

    Raises ValueError for sets of different lengths, and for empty ones.
    """
    if len(values) != len(others) or not len(values):
        raise UserError(
            f"a ratio needs two sets of the same scenes, but there are {len(values)} and {len(others)} values."
        )
    first, second = np.asarray(values, float), np.asarray(others, float)
    drawn = _resampled(len(first), seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _interval(first.mean() / second.mean(), first[drawn].mean(-1) / second[drawn].mean(-1))


def to_text(rows: Mapping[str, Summary]) -> str:
    """A table: one row per named set, one column per measure, each "median [low, high]"."""
    table = [["", "scenes", *(heading for heading, _ in MEASURES.values())]]
    for name, summary in rows.items():
        cells = [summary.measures[measure].to_text(decimals) for measure, (_, decimals) in MEASURES.items()]
        table.append([name, str(summary.scenes), *cells])
    return aligned(table)


def aligned(table: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines, every column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)


def _values(scores: Sequence[object], measure: str) -> np.ndarray:
    return np.array([getattr(score, measure) for score in scores], float)


def _resampled(count: int, seed: int) -> np.ndarray:  # (RESAMPLES, count)
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def _median(values: np.ndarray) -> np.ndarray:
    """The median along the last axis without NaN; NaN where nothing else is."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = (~np.isnan(ordered)).sum(-1)
    if np.isnan(values).all():
        return np.full(values.shape[:-1], np.nan)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    last = values.shape[-1] - 1
    pair = [np.take_along_axis(ordered, np.minimum(i, last)[..., None], -1)[..., 0] for i in (low, high)]
    return np.where(count > 0, (pair[0] + pair[1]) / 2, np.nan)


def _interval(value: np.ndarray, resampled: np.ndarray) -> Interval:
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Interval(float(value), math.nan, math.nan)
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(value), float(low), float(high))
