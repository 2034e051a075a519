# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth layers by a conditional random field (section 3.3 of the paper).

    E(l|z) = sum_i u(l_i|z_i) + lambda sum_(i,j), i<j e(l_i, l_j|z_i, z_j)  Eq. 7, 4-neighbours, lambda = 10
    u(l_i|z_i) = ||z_i - C_l|| / sigma_l^2                                  Eq. 8, K = 6 clusters from K-means
    e(l_i, l_j|z_i, z_j) = [l_i != l_j] exp(-||f_S(z)_(i->j)||)             Eq. 9, f_S a Sobel operator

Eq. 8 has the unit 1/z and Eq. 9 the exponential of z, so the unit of depth decides what lambda = 10 means, and the
paper does not state it. Here depth is measured in units of the pooled standard deviation of the clusters, which makes
the result independent of any scaling of z; ``scale`` replaces that unit, for the experiment in notebook 04. The default
unary term is the Gaussian negative log-likelihood that the sentence before Eq. 8 describes; Eq. 8 as it is printed is
``form="printed"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from dofkit.graphcut import Weights, alpha_expansion, energy, ordered_cuts

Unary = Literal["gaussian", "printed"]
Solver = Literal["expansion", "ordered", "threshold"]

_BINS = 1024


@dataclass(frozen=True)
class Clusters:
    """K-means of the depths: ``centres`` (K,) near to far, ``variances`` (K,), ``sigma`` their pooled deviation."""

    centres: np.ndarray
    variances: np.ndarray
    sigma: float


@dataclass(frozen=True)
class Layers:
    """Labels (H, W) uint8, 0 = nearest .. K-1 = farthest, with the model they minimise."""

    labels: np.ndarray
    clusters: Clusters
    u: np.ndarray
    weights: Weights
    energy: float

    @property
    def count(self) -> int:
        """K, the number of layers."""
        return len(self.clusters.centres)


def kmeans(z: np.ndarray, K: int, *, iterations: int = 100) -> Clusters:
    """K-means on scalars: Lloyd's iteration on a histogram, without chance.

    It is started twice, at quantiles of the pixels and at quantiles of the distinct depths, and the better result is
    kept: the second start serves pictures of which a wall or the sky at one depth fills most. Depths beyond the 0.1st
    and the 99.9th percentile count as those, so that a few wrong pixels get no layer of their own.

    Parameters
    ----------
    z : (H, W) finite depths.
    K : clusters wanted; fewer come back only if ``z`` has fewer distinct depths (of 1024 steps).

    Raises
    ------
    ValueError
        If K < 1 or z is not finite.

    Examples
    --------
    >>> kmeans(np.array([[0.0, 0.1, 0.9, 1.0]]), 2).centres.round(2)
    array([0.05, 0.95])
    """
    z = np.asarray(z, np.float64).ravel()
    if K < 1 or not np.isfinite(z).all():
        raise ValueError(f"kmeans: needs K >= 1 and finite depths, got K = {K}")
    low, high = np.percentile(z, (0.1, 99.9))
    z = z.clip(low, high) if high > low else z
    fine = ((z - z.min()) * ((_BINS - 1) / _positive(np.ptp(z)))).astype(np.intp)
    moments = np.stack([np.bincount(fine, a, _BINS) for a in (None, z, z * z)])
    moments = moments[:, moments[0] > 0]
    mass, value = moments[0], moments[1] / moments[0]
    share = (np.arange(K) + 0.5) / K
    by_pixel = np.searchsorted(mass.cumsum(), share * mass.sum()).clip(max=mass.size - 1)
    by_value = np.linspace(0, mass.size - 1, K).round().astype(np.intp)
    found = [_lloyd(np.unique(value[start]), moments, iterations) for start in (by_pixel, by_value)]
    return min(found, key=lambda clusters: (-len(clusters.centres), clusters.sigma))


def _lloyd(centres: np.ndarray, moments: np.ndarray, iterations: int) -> Clusters:
    """Lloyd's iteration on a histogram given by the count, sum and sum of squares in each bin: (3, bins)."""
    value = moments[1] / moments[0]
    for _ in range(iterations):
        n, first, second = _per_cluster(centres, value, moments)
        moved = first / n
        settled = len(moved) == len(centres) and np.allclose(moved, centres, rtol=0, atol=1e-9 * np.ptp(value))
        centres = moved
        if settled:
            break
    n, first, second = _per_cluster(centres, value, moments)
    variances = np.maximum(second / n - (first / n) ** 2, 0.0)
    return Clusters(first / n, variances, float(np.sqrt((n * variances).sum() / n.sum())))


def _per_cluster(centres: np.ndarray, value: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Sums of the moments over the bins nearest to each centre; centres without a bin are dropped."""
    owner = np.searchsorted((centres[1:] + centres[:-1]) / 2, value)
    sums = np.stack([np.bincount(owner, a, len(centres)) for a in moments])
    return sums[:, sums[0] > 0]


def unary(z: np.ndarray, clusters: Clusters, *, form: Unary = "gaussian") -> np.ndarray:
    """u(l_i|z_i) of Eq. 8 for every label: (K, H, W) float64.

    ``"gaussian"``: (z - C_l)^2 / 2 sigma^2, the negative log-likelihood with the pooled variance (a constant left out);
    unlike each cluster's own variance it leaves the layers in order. ``"printed"``: |z - C_l| / sigma_l^2, Eq. 8 as it
    stands, each variance floored at a hundredth of the pooled one.
    """
    difference = np.abs(np.asarray(z, np.float64)[None] - clusters.centres[:, None, None])
    pooled = _positive(clusters.sigma**2)
    if form == "gaussian":
        return difference**2 / (2.0 * pooled)
    return difference / np.maximum(clusters.variances, 0.01 * pooled)[:, None, None]


def pairwise(z: np.ndarray, *, lambda_: float = 10.0) -> Weights:
    """The weights lambda exp(-||f_S(z)||) of Eq. 9 between right-hand and lower neighbours: ((H, W-1), (H-1, W)).

    f_S is the 3x3 Sobel derivative along the edge, per pixel (kernel / 8), averaged over the edge's two ends.
    """
    z = np.asarray(z, np.float64)
    across = cv2.Sobel(z, cv2.CV_64F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    along = cv2.Sobel(z, cv2.CV_64F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    right, down = (across[:, 1:] + across[:, :-1]) / 2, (along[1:] + along[:-1]) / 2
    return lambda_ * np.exp(-np.abs(right)), lambda_ * np.exp(-np.abs(down))


def split_layers(
    z: np.ndarray,
    K: int = 6,
    *,
    lambda_: float = 10.0,
    form: Unary = "gaussian",
    solver: Solver = "expansion",
    scale: float | None = None,
) -> Layers:
    """Split a depth map into K layers (Eq. 7-9).

    Parameters
    ----------
    z : (H, W) depth, larger = farther, finite.
    K, lambda_ : the paper's 6 and 10.
    form : the unary term, see ``unary``.
    solver : ``"expansion"``, the paper's Potts model; ``"ordered"``, the exact model of ordered layers;
        ``"threshold"``, lambda = 0: the "naive thresholding" of Fig. 11(d).
    scale : factor from the robust range of z (2nd to 98th percentile = 1) to the unit of Eq. 8 and 9; default: the unit
        in which the clusters' pooled standard deviation is 1.

    Raises
    ------
    ValueError
        If z is not finite, K < 1, or lambda < 0.
    """
    if lambda_ < 0:
        raise ValueError(f"split_layers: lambda is {lambda_}, it must be at least 0")
    z = np.asarray(z, np.float64)
    clusters = kmeans(z, K)
    if scale is None:
        factor = 1.0 / np.sqrt(_positive(clusters.sigma**2))
    else:
        low, high = np.percentile(z, (2, 98))
        factor = scale / (_positive(high - low))
    clusters = Clusters(clusters.centres * factor, clusters.variances * factor**2, clusters.sigma * factor)
    u, weights = unary(z * factor, clusters, form=form), pairwise(z * factor, lambda_=lambda_)
    if solver == "threshold":
        labels = u.argmin(0).astype(np.uint8)
    elif solver == "ordered":
        labels = ordered_cuts(u, weights, clusters.centres)
    else:
        labels = alpha_expansion(u, weights)
    return Layers(labels, clusters, u, weights, energy(labels, u, weights))


def _positive(x: float) -> float:
    """Depth of a few flat planes has variance 0; any small unit will do then."""
    return max(float(x), 1e-12)
