"""The Fréchet distance between two Gaussians, which FID, FVD and FVD-V are on features of different networks.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))  (Dowson and Landau 1982; FID: Heusel et al., arXiv 1706.08500, eq. 6).
With S = A^T A, the eigenvalues of (S1 S2)^(1/2) are the singular values of A1 A2^T: no root of an ill-conditioned matrix
is taken, fewer pictures than features are no special case, and a set has the distance 0 from itself.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ..errors import UserError


def frechet_of_features(
    features: np.ndarray,  # (items, features)
    others: np.ndarray,  # (other items, features)
) -> float:
    """Of Gaussians with the mean and the unbiased covariance of each set. Raises UserError for a set of fewer than two."""
    if min(len(features), len(others)) < 2:
        raise UserError("a covariance needs at least 2 items in each set.")
    return _distance(*_mean_and_root(features), *_mean_and_root(others))


def frechet_of_gaussians(
    mean: np.ndarray,  # (features,)
    covariance: np.ndarray,  # (features, features)
    other_mean: np.ndarray,
    other_covariance: np.ndarray,
) -> float:
    return _distance(mean, _root(covariance), other_mean, _root(other_covariance))


def _distance(mean: np.ndarray, root: np.ndarray, other_mean: np.ndarray, other_root: np.ndarray) -> float:
    shared = linalg.svdvals(root @ other_root.T).sum()
    spread = np.square(root).sum() + np.square(other_root).sum()
    return float(max(0.0, np.square(mean - other_mean).sum() + spread - 2 * shared))


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean, and A (items or features, features) of S = A^T A."""
    features = np.asarray(features, np.float64)
    mean = features.mean(0)
    centred = (features - mean) / np.sqrt(len(features) - 1)
    if len(centred) > centred.shape[1]:
        centred = linalg.qr(centred, mode="r")[0][: centred.shape[1]]
    return mean, centred


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = linalg.eigh(covariance)
    return np.sqrt(values.clip(0))[:, None] * vectors.T
