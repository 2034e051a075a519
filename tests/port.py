# SPDX-License-Identifier: GPL-3.0-or-later
"""A straightforward port of sections 3.3 and 4.1, kept as the oracle: slow, short, every pixel treated alike.

Whole-grid alpha expansion, KNN matting of the whole picture by pymatting, one filter2D over the whole picture per
layer. The kit must agree with it (tests) and be faster (tests/benchmarks).
"""

from __future__ import annotations

import cv2
import maxflow
import numpy as np

from dofkit.blur import disc_kernel
from dofkit.graphcut import Weights, energy


def whole_grid_expansion(u: np.ndarray, w: Weights) -> np.ndarray:
    """Alpha expansion with a graph of all pixels for every move."""
    labels = u.argmin(0)
    best = energy(labels, u, w)
    while True:
        before = best
        for alpha in range(len(u)):
            moved = np.where(_whole_grid_move(alpha, labels, u, w), alpha, labels)
            value = energy(moved, u, w)
            if value < best - 1e-9:
                labels, best = moved, value
        if best >= before - 1e-9:
            return labels.astype(np.uint8)


def _whole_grid_move(alpha: int, labels: np.ndarray, u: np.ndarray, w: Weights) -> np.ndarray:
    """Kolmogorov and Zabih: E(0,0) + (E(1,0) - E(0,0)) x_i - E(1,0) x_j + (E(0,1) + E(1,0) - E(0,0)) (1 - x_i) x_j."""
    graph = maxflow.GraphFloat()
    ids = graph.add_grid_nodes(labels.shape)
    keep = np.take_along_axis(u, labels[None], axis=0)[0]
    cost = u[alpha] - np.where(labels == alpha, 1e9, keep)
    for i, j, weight in (((slice(None), slice(-1)), (slice(None), slice(1, None)), w[0]),
                         ((slice(-1), slice(None)), (slice(1, None), slice(None)), w[1])):
        neither = weight * (labels[i] != labels[j])
        only_j, only_i = weight * (labels[i] != alpha), weight * (labels[j] != alpha)
        cost[i] += only_i - neither
        cost[j] -= only_i
        capacity = (only_j + only_i - neither).ravel()
        graph.add_edges(ids[i].ravel(), ids[j].ravel(), capacity, np.zeros_like(capacity))
    graph.add_grid_tedges(ids, np.maximum(cost, 0), np.maximum(-cost, 0))
    graph.maxflow()
    return graph.get_grid_segments(ids)


def whole_picture_matte(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """KNN matting by pymatting, all pixels unknown and known in one system."""
    from pymatting import estimate_alpha_knn

    return estimate_alpha_knn(image.astype(np.float64), known.astype(np.float64)).astype(np.float32)


def blur_everything(
    image: np.ndarray, m: np.ndarray, labels: np.ndarray, radii: np.ndarray, feather: float
) -> np.ndarray:
    """Eq. 10 to the letter, in double precision, every layer over the whole picture."""
    background = np.zeros(image.shape, np.float64)
    share = (1.0 - m.astype(np.float64))[..., None]
    for layer, radius in enumerate(radii):
        w = disc_kernel(radius).astype(np.float64)
        g = cv2.GaussianBlur((labels == layer).astype(np.float64), (0, 0), feather, borderType=cv2.BORDER_REPLICATE)
        blurred = cv2.filter2D(image * share, -1, w, borderType=cv2.BORDER_CONSTANT)
        weight = cv2.filter2D(share[..., 0], -1, w, borderType=cv2.BORDER_CONSTANT)[..., None]
        fallback = np.where(weight > 1e-5, blurred / np.maximum(weight, 1e-5), image)
        background += g[..., None] * fallback
    return (1.0 - share) * image + share * background
