"""The Fréchet distance against its closed form, and against the way in which torch-fidelity computes it."""

from __future__ import annotations

import numpy as np
import pytest

from syncam_core.errors import UserError
from syncam_core.metrics.frechet import frechet_of_features, frechet_of_gaussians


def eigenvalue_formula(x, y):
    """torch-fidelity 0.4.0, metric_fid.py: the roots of the eigenvalues of the product of the covariances."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shared = np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s) + np.trace(t) - 2 * shared


def test_gaussians_with_axes_of_their_own_have_the_closed_form():
    # Commuting covariances: |m|^2 + sum (s_i - t_i)^2 over standard deviations, whatever the common axes.
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    s, t, m = rng.uniform(0.01, 3, 40), rng.uniform(0.01, 3, 40), rng.normal(size=40)
    got = frechet_of_gaussians(np.zeros(40), axes * s**2 @ axes.T, m, axes * t**2 @ axes.T)
    assert got == pytest.approx(np.square(m).sum() + np.square(s - t).sum(), rel=1e-6)


def test_two_gaussians_of_two_dimensions_have_the_closed_form_of_the_trace():
    # tr (S T)^(1/2) of 2 x 2 matrices is sqrt(tr(S T) + 2 sqrt(det(S T))).
    s, t = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.5, -0.4], [-0.4, 0.5]])
    shared = np.sqrt(np.trace(s @ t) + 2 * np.sqrt(np.linalg.det(s @ t)))
    expected = 0.25 + np.trace(s) + np.trace(t) - 2 * shared
    assert frechet_of_gaussians(np.zeros(2), s, np.array([0.5, 0.0]), t) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("items", "others", "features"), [(300, 500, 64), (90, 70, 100), (40, 400, 60)])
def test_features_have_the_distance_that_torch_fidelity_gives_them(items, others, features):
    rng = np.random.default_rng(items)
    x = rng.normal(size=(items, features)) @ rng.normal(size=(features, features)) / features**0.5
    y = rng.normal(size=(others, features)) + 0.1
    assert frechet_of_features(x, y) == pytest.approx(eigenvalue_formula(x, y), rel=1e-4)


@pytest.mark.parametrize("items", [2, 50, 3000])
def test_a_set_has_no_distance_from_itself(items):
    x = np.random.default_rng(1).normal(2, 3, size=(items, 128)).astype(np.float32)
    assert frechet_of_features(x, x) <= 1e-9 * np.square(x).sum(1).mean()


def test_one_item_has_no_covariance():
    with pytest.raises(UserError, match="at least 2"):
        frechet_of_features(np.zeros((1, 4)), np.zeros((5, 4)))
