"""Medians and bootstrap intervals against numbers made by hand and by a plain loop."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from syncam_core.errors import UserError
from syncam_core.metrics import Interval, ratio, summarize, to_text
from syncam_core.metrics.intervals import MEASURES, aligned, mean, ratio_of_means


def scores(values, **others):
    return [SimpleNamespace(**{**dict.fromkeys(MEASURES, 1.0), "reprojection_px": value, **others}) for value in values]


def test_the_median_and_its_interval_are_those_of_a_plain_bootstrap():
    values = np.random.default_rng(5).gamma(2.0, 1.0, 64)
    got = summarize(scores(values)).measures["reprojection_px"]
    draw = np.random.default_rng(99)
    plain = [np.median(draw.choice(values, len(values))) for _ in range(4000)]
    assert got.value == pytest.approx(np.median(values))
    assert got.low == pytest.approx(np.quantile(plain, 0.025), abs=0.08)
    assert got.high == pytest.approx(np.quantile(plain, 0.975), abs=0.08)


def test_the_interval_covers_the_true_median_about_19_times_in_20():
    draw = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        interval = summarize(scores(draw.normal(3.0, 1.0, 64))).measures["reprojection_px"]
        covered += interval.low <= 3.0 <= interval.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_same_scores_give_the_same_interval_and_another_seed_another():
    given = scores(np.random.default_rng(1).normal(size=20))
    assert summarize(given) == summarize(given)
    assert summarize(given, seed=1) != summarize(given)


def test_scenes_without_a_number_do_not_count_for_it():
    summary = summarize(scores([1.0, math.nan, 2.0, 3.0]))
    assert summary.scenes == 4
    assert summary.measures["reprojection_px"].value == 2.0
    nothing = summarize(scores([math.nan] * 3)).measures["reprojection_px"]
    assert math.isnan(nothing.value)
    assert nothing.to_text() == "-"


def test_a_single_scene_has_an_interval_without_width():
    assert summarize(scores([0.7])).measures["reprojection_px"] == Interval(0.7, 0.7, 0.7)


def test_a_ratio_resamples_scenes_together():
    values = np.random.default_rng(2).gamma(2.0, 1.0, 40)
    same = ratio(scores(values / 3), scores(values))
    assert (same.value, same.low, same.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3)), "what scenes share cancels out"
    assert ratio(scores([2.0, 4.0]), scores([1.0, 1.0])).value == 3.0


def test_sets_that_cannot_be_compared_are_refused():
    with pytest.raises(UserError, match="there are 1 and 2 scores"):
        ratio(scores([1.0]), scores([1.0, 2.0]))
    with pytest.raises(UserError, match="no scores to summarize"):
        summarize([])


def test_the_table_has_a_row_per_set_and_a_column_per_measure():
    rows = {"full": summarize(scores([0.5])), "off": summarize(scores([4.0], azimuth_deg=math.nan))}
    lines = to_text(rows).splitlines()
    assert len(lines) == 3
    for heading, _ in MEASURES.values():
        assert heading in lines[0]
    assert lines[1].split()[:2] == ["full", "1"]
    assert "0.50 [0.50, 0.50]" in lines[1]
    assert lines[2][lines[0].index("azimuth") :].startswith("- ")
    assert lines[0].index("azimuth") == lines[1].index("1.0 [1.0, 1.0]")


def test_a_mean_and_its_interval_are_those_of_a_plain_bootstrap():
    values = np.random.default_rng(3).beta(8, 1, 64)
    got = mean(values)
    draw = np.random.default_rng(98)
    plain = [draw.choice(values, len(values)).mean() for _ in range(4000)]
    assert got.value == pytest.approx(values.mean())
    assert got.low == pytest.approx(np.quantile(plain, 0.025), abs=0.01)
    assert got.high == pytest.approx(np.quantile(plain, 0.975), abs=0.01)
    assert mean([1.0] * 8) == Interval(1.0, 1.0, 1.0)


def test_a_ratio_of_means_resamples_scenes_together():
    values = np.random.default_rng(2).gamma(2.0, 1.0, 40)
    same = ratio_of_means(values / 4, values)
    assert (same.value, same.low, same.high) == pytest.approx((0.25, 0.25, 0.25)), "what scenes share cancels out"
    apart = ratio_of_means(np.random.default_rng(7).permutation(values) / 4, values)
    assert apart.value == pytest.approx(0.25)
    assert apart.low < 0.24
    assert apart.high > 0.26


@pytest.mark.parametrize(("values", "others"), [([], []), ([1.0], [1.0, 2.0])])
def test_a_ratio_of_means_of_different_scenes_or_none_is_refused(values, others):
    with pytest.raises(ValueError, match="the same scenes"):
        ratio_of_means(values, others)


def test_columns_are_as_wide_as_their_widest_cell():
    assert aligned([["", "a"], ["row", "1.00"], ["x", "2"]]) == "     a\nrow  1.00\nx    2"
