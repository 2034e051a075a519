# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimated depth against truth, photograph by photograph: what section 4.3's tables and `dofkit evaluate` print.

WHDR      of random pairs that differ by more than 3 % (scenes: of the depth; maps of no unit: of their range)
apart     the same of pairs that do not both lie on the body, of which Eq. 3 says nothing
spread    of the depth over the body, what Eq. 3 is there to reduce
step      how sharply the depth steps at the body's edge
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dofkit.datasets import Dataset, Item, orders_from_depth
from dofkit.depth import Estimate
from dofkit.evaluation import each, rounded
from dofkit.metrics import body_spread, boundary_step, whdr
from dofkit.workers import Share, in_turn

PAIRS = 1000
"""Random pairs of a photograph whose depth is known."""


@dataclass(frozen=True)
class DepthScore:
    """One photograph: the measures of a depth; NaN for what cannot be known of it."""

    whdr: float
    apart: float
    spread: float
    step: float


MEASURES = tuple(measure.name for measure in fields(DepthScore))
METHODS = "lower is nearer", "coarse", "refined"


@dataclass(frozen=True)
class DepthScores:
    """Scores of a data set.

    Attributes
    ----------
    scores : for each method ("lower is nearer", "coarse", "refined") one of each photograph that could be evaluated.
    failures : (name, reason) of the others.
    """

    scores: dict[str, list[DepthScore]]
    failures: Sequence[tuple[str, str]] = field(default=())

    def mean(self, method: str, measure: str) -> float:
        """The plain mean over the photographs that have the measure; NaN if none has."""
        values = np.array([getattr(score, measure) for score in self.scores[method]])
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")

    def report(self) -> dict[str, Any]:
        """The means (None where no photograph has one), the counts and the failures, for JSON."""
        return {
            "photographs": len(self.scores["refined"]),
            **{method: {measure: rounded(self.mean(method, measure)) for measure in MEASURES}
               for method in self.scores},
            "failures": [{"name": name, "reason": reason} for name, reason in self.failures],
        }


def evaluate_depths(
    estimate: Estimate, photographs: Dataset, *, metric: bool, run: Share[Any, Any] = in_turn,
    progress: Callable[[int, int], object] | None = None,
) -> DepthScores:
    """Compare depths with the truth, at each photograph's own size.

    Parameters
    ----------
    photographs
        With depth or pairs; spread and step want a mask too.
    metric
        Whether depths are metres, of which ratios count; else differences, as parts of the map's range.
    run, progress
        As for `dofkit.evaluation.evaluate_masks`.

    Raises
    ------
    DataError
        If not one photograph could be evaluated; the message gives the first reason.
    """
    score = partial(_score, estimate, metric)
    scores, failures = each(score, photographs, "depth", "pairs", run=run, progress=progress)
    return DepthScores({method: [found[method] for found in scores] for method in METHODS}, failures)


def _score(estimate: Estimate, metric: bool, item: Item, number: int) -> dict[str, DepthScore]:
    pairs = known_pairs(item, metric=metric, seed=number + 1)
    return {method: score_depth(z, pairs, item.mask) for method, z in estimates(estimate, item).items()}


def estimates(estimate: Estimate, item: Item) -> dict[str, NDArray[np.float32]]:
    """The three depths of a photograph that are compared, each (H, W), larger = farther."""
    mask = np.zeros(item.shape, np.float32) if item.mask is None else item.mask.astype(np.float32)
    found = estimate(item.image, mask)
    lower = np.broadcast_to(-np.arange(item.shape[0], dtype=np.float32)[:, None], item.shape)
    return {"lower is nearer": lower, "coarse": found.coarse, "refined": found.z}


def known_pairs(item: Item, *, metric: bool, seed: int) -> NDArray[np.int64]:
    """The pairs of a photograph that has no depth map; else `PAIRS` random ones of its map."""
    if item.depth is None:
        assert item.pairs is not None  # `readable` has looked
        return item.pairs
    depth = item.depth
    if not metric:  # 3 % of the range is then 3 % of exp(...)
        depth = np.exp((depth - depth.min()) / max(np.ptp(depth), 1e-12))
    return orders_from_depth(depth, PAIRS, np.random.default_rng(seed), close=False)


def score_depth(z: NDArray[np.float32], pairs: NDArray[np.int64], mask: NDArray[np.bool_] | None) -> DepthScore:
    """Score one depth of one photograph."""
    if mask is None:
        return DepthScore(whdr(z, pairs), *[float("nan")] * 3)
    y_i, x_i, y_j, x_j, _ = pairs.T
    apart = pairs[~(mask[y_i, x_i] & mask[y_j, x_j])]
    return DepthScore(whdr(z, pairs), whdr(z, apart), body_spread(z, mask), boundary_step(z, mask))
