# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph cuts for the layer energy (section 3.3 of the paper, its reference [15]).

    E(l) = sum_i u_i(l_i) + sum_(i,j) w_ij d(l_i, l_j)                                   Eq. 7, lambda inside w

``alpha_expansion``  Potts distance d = [l_i != l_j], the paper's model: expansion moves (Boykov, Veksler and Zabih,
                     PAMI 2001) on the graph of Kolmogorov and Zabih (PAMI 2004), where the next test leaves a choice.
``optimal_labels``   Kovtun's test (DAGM 2003): the labels that some global minimum of the Potts energy has for certain.
``ordered_cuts``     d = |C_l - C_l'|, the depth between two layers: exact, by K - 1 nested binary cuts.

Grids are (H, W); ``u`` is (K, H, W); ``w`` is a pair (right (H, W-1), down (H-1, W)) of edge weights >= 0.
"""

from __future__ import annotations

import maxflow
import numpy as np

Weights = tuple[np.ndarray, np.ndarray]

_RIGHT = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
_OPEN = -1


def energy(labels: np.ndarray, u: np.ndarray, w: Weights, distance: np.ndarray | None = None) -> float:
    """Eq. 7 of a labelling.

    Parameters
    ----------
    labels : (H, W) integer, 0..K-1.
    u : (K, H, W) unary costs.
    w : edge weights to the right and down, lambda included.
    distance : (K, K), default the Potts model, 0 for equal labels and 1 otherwise.

    Examples
    --------
    >>> u = np.zeros((2, 1, 2)); w = (np.full((1, 1), 3.0), np.zeros((0, 2)))
    >>> energy(np.array([[0, 1]]), u, w)
    3.0
    """
    d = 1.0 - np.eye(len(u)) if distance is None else distance
    unary = np.take_along_axis(u, labels[None].astype(np.intp), axis=0).sum(dtype=np.float64)
    right, down = w
    across = (right * d[labels[:, :-1], labels[:, 1:]]).sum(dtype=np.float64)
    return float(unary + across + (down * d[labels[:-1], labels[1:]]).sum(dtype=np.float64))


class BinaryCuts:
    """argmin over x in {0, 1} of sum_i cost_i x_i + sum_(i,j) w_ij |x_i - x_j|, for many costs on one grid.

    Building the edges is much of the work, so there is one graph for all. What a cut leaves behind, its residual graph,
    is the same energy written in another way; the next cut adds the difference of the costs to it (Kohli and Torr,
    PAMI 2007) and finds part of its flow already there.
    """

    def __init__(self, w: Weights) -> None:
        right, down = w
        shape = (right.shape[0], down.shape[1])
        self._graph = maxflow.GraphFloat(shape[0] * shape[1], 2 * shape[0] * shape[1])
        self._nodes = self._graph.add_grid_nodes(shape)
        self._cost = np.zeros(shape)
        self._graph.add_grid_edges(self._nodes, np.pad(right, ((0, 0), (0, 1))), _RIGHT, symmetric=True)
        self._graph.add_grid_edges(self._nodes, np.pad(down, ((0, 1), (0, 0))), _RIGHT.T, symmetric=True)

    def __call__(self, cost: np.ndarray) -> np.ndarray:
        """The minimum for ``cost`` (H, W): (H, W) bool."""
        change = cost - self._cost
        self._graph.add_grid_tedges(self._nodes, np.maximum(change, 0.0), np.maximum(-change, 0.0))
        self._graph.maxflow()
        self._cost = np.array(cost)
        return self._graph.get_grid_segments(self._nodes)


def optimal_labels(u: np.ndarray, w: Weights) -> np.ndarray:
    """Kovtun's certificate: the label a pixel has in some global minimum of the Potts energy, -1 where that is open.

    For each label, one binary cut of "this label" against "the cheapest other one". A pixel that this label wins keeps
    it: to give every such pixel the label lowers the energy of any labelling, or leaves it.

    Returns
    -------
    (H, W) int16, -1 or 0..K-1.

    Examples
    --------
    >>> u = np.array([[[0.0, 1.0, 0.0]], [[3.0, 0.0, 3.0]]])
    >>> optimal_labels(u, (np.full((1, 2), 2.0), np.zeros((0, 3))))
    array([[0, 0, 0]], dtype=int16)
    """
    if len(u) == 1:
        return np.zeros(u.shape[1:], np.int16)
    cut, certain = BinaryCuts(w), np.full(u.shape[1:], _OPEN, np.int16)
    best = np.partition(u, 1, axis=0)[:2]
    for k, own in enumerate(u):
        cheapest_other = np.where(own == best[0], best[1], best[0])
        certain[cut(own - cheapest_other)] = k
    return certain


def alpha_expansion(u: np.ndarray, w: Weights, *, sweeps: int = 20) -> np.ndarray:
    """Minimise the Potts energy: certain labels first, then expansion moves until none lowers it.

    The certificate usually settles more than 95 % of a depth map, so the moves have small graphs. On everything tried
    its energy was that of plain whole-grid expansion or lower (``tests/test_graphcut.py``).

    Parameters
    ----------
    u : (K, H, W) unary costs, finite.
    w : edge weights >= 0 to the right (H, W-1) and down (H-1, W).
    sweeps : rounds over all labels at the most.

    Returns
    -------
    (H, W) uint8 labels.

    Examples
    --------
    >>> u = np.array([[[0.0, 1.0, 0.0]], [[3.0, 0.0, 3.0]]])
    >>> alpha_expansion(u, (np.full((1, 2), 2.0), np.zeros((0, 3))))
    array([[0, 0, 0]], dtype=uint8)
    """
    certain = optimal_labels(u, w)
    labels = np.where(certain == _OPEN, u.argmin(0), certain).astype(np.uint8)
    pixels = np.flatnonzero(certain.ravel() == _OPEN)
    if not pixels.size:
        return labels
    neighbours, weights = _around(pixels, w)
    l, costs = np.append(labels.ravel(), 0), u.reshape(len(u), -1)[:, pixels]
    for _ in range(sweeps):
        before = l[pixels]
        for alpha in range(len(u)):
            l[_best_expansion(alpha, l, costs, pixels, neighbours, weights)] = alpha
        if (l[pixels] == before).all():
            break
    return l[:-1].reshape(labels.shape)


def _around(pixels: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Left, right, upper and lower neighbour of each pixel by flat index and the edge weights; outside weighs 0."""
    height, width = w[0].shape[0], w[1].shape[1]
    index = np.pad(np.arange(height * width).reshape(height, width), 1, constant_values=height * width)
    right, down = np.pad(w[0], ((0, 0), (1, 1))), np.pad(w[1], ((1, 1), (0, 0)))
    neighbours = (index[1:-1, :-2], index[1:-1, 2:], index[:-2, 1:-1], index[2:, 1:-1])
    weights = (right[:, :-1], right[:, 1:], down[:-1], down[1:])
    return (
        np.stack([a.ravel()[pixels] for a in neighbours], -1),
        np.stack([a.ravel()[pixels] for a in weights], -1).astype(np.float64),
    )


def _best_expansion(
    alpha: int, l: np.ndarray, costs: np.ndarray, pixels: np.ndarray, neighbours: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The pixels that the best expansion of ``alpha`` among the open ``pixels`` switches.

    With x_i = 1 for "switches", an edge costs w [x_i != x_j] if both ends have one label, and w (1 - x_i x_j), that is
    half of w [x_i != x_j] less w/2 for each end that switches, if they differ. A pixel whose unary cost rises by
    more than all its edges could repay cannot switch and is left out.
    """
    now = l[pixels]
    rise = costs[alpha] - np.take_along_axis(costs, now[None].astype(np.intp), axis=0)[0]
    movable = np.flatnonzero((now != alpha) & (rise < weights.sum(1)))
    node = np.full(l.size, -1, np.int64)
    node[pixels[movable]] = np.arange(movable.size)
    near, weight = neighbours[movable], weights[movable]
    inside, same = node[near] >= 0, l[near] == now[movable][:, None]
    cost = rise[movable] + (weight * (~inside & same)).sum(1) - (weight * (~inside & (l[near] == alpha))).sum(1)
    cost -= 0.5 * (weight * (inside & ~same)).sum(1)
    if not (cost < 0).any():
        return pixels[:0]
    graph = maxflow.GraphFloat(movable.size, 2 * movable.size)
    ids = graph.add_grid_nodes(movable.size)
    for side in (1, 3):  # right and down: every edge once
        i = np.flatnonzero(inside[:, side])
        capacity = weight[i, side] * np.where(same[i, side], 1.0, 0.5)
        graph.add_edges(i, node[near[i, side]], capacity, capacity)
    graph.add_grid_tedges(ids, np.maximum(cost, 0.0), np.maximum(-cost, 0.0))
    graph.maxflow()
    return pixels[movable[graph.get_grid_segments(ids)]]


def ordered_cuts(u: np.ndarray, w: Weights, centres: np.ndarray) -> np.ndarray:
    """Exact minimum for layers that have an order: d(l, l') = |C_l - C_l'|, in units of the mean step between centres.

    Threshold k asks "is the pixel beyond layer k?". The thresholds may be cut one by one if their answers nest, which
    holds when the unary cost is convex along the centres, as the Gaussian's is (Hochbaum, J. ACM 2001).

    Parameters
    ----------
    u : (K, H, W), convex along ``centres`` at every pixel.
    w : edge weights as in ``alpha_expansion``.
    centres : (K,) increasing.

    Raises
    ------
    ValueError
        If ``centres`` do not increase or ``u`` is not convex along them.

    Examples
    --------
    >>> z, centres = np.array([[0.0, 2.0, 0.0, 2.0]]), np.array([0.0, 1.0, 2.0])
    >>> ordered_cuts((z - centres[:, None, None]) ** 2, (np.full((1, 3), 0.4), np.zeros((0, 4))), centres)
    array([[0, 2, 0, 2]], dtype=uint8)
    >>> ordered_cuts((z - centres[:, None, None]) ** 2, (np.full((1, 3), 9.0), np.zeros((0, 4))), centres)
    array([[1, 1, 1, 1]], dtype=uint8)
    """
    step = np.diff(np.asarray(centres, np.float64))
    if (step <= 0).any():
        raise ValueError("ordered_cuts: the centres must increase")
    step /= step.mean() if step.size else 1.0
    slopes = np.diff(u, axis=0) / step[:, None, None]
    if (np.diff(slopes, axis=0) < -1e-6 * (1 + np.abs(slopes[:-1]))).any():
        raise ValueError("ordered_cuts: the unary cost is not convex along the centres; use alpha_expansion")
    cut, labels = BinaryCuts(w), np.zeros(u.shape[1:], np.uint8)
    for slope in slopes:
        labels += cut(slope)
    return labels
