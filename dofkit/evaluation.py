# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks against truth, photograph by photograph: what the tables and `dofkit evaluate` print.

A photograph that cannot be read or has a mask of another size does not stop an evaluation: it is counted, with its
reason, among the failures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dofkit.datasets import DataError, Dataset, Item
from dofkit.metrics import iou, iou_near_boundary
from dofkit.photo import PhotoError
from dofkit.segmentation import Segment

BAND = 5.0
"""Distance from the true boundary in pixels of the photograph within which masks are compared once more."""


@dataclass(frozen=True)
class MaskScore:
    """IoU of one photograph's masks with the truth, and IoU within `BAND` of the true boundary."""

    name: str
    coarse: float
    refined: float
    coarse_near_boundary: float
    refined_near_boundary: float


@dataclass(frozen=True)
class MaskScores:
    """Scores of a data set.

    Attributes
    ----------
    scores : one for each photograph that could be evaluated.
    failures : (name, reason) of the others.
    """

    scores: Sequence[MaskScore]
    failures: Sequence[tuple[str, str]] = field(default=())

    def mean(self, name: str) -> float:
        """The plain mean of one of the four numbers, photographs without it (no boundary) left out; NaN if all are."""
        values = np.array([getattr(score, name) for score in self.scores])
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")

    def report(self) -> dict[str, Any]:
        """The means (None where no photograph has one), the counts and the failures, for JSON."""
        masks = {
            mask: {"iou": rounded(self.mean(mask)), "iou_near_boundary": rounded(self.mean(f"{mask}_near_boundary"))}
            for mask in ("coarse", "refined")
        }
        return {
            "photographs": len(self.scores),
            **masks,
            "failures": [{"name": name, "reason": reason} for name, reason in self.failures],
        }


def evaluate_masks(
    segment: Segment, photographs: Dataset, *, progress: Callable[[int, int], object] | None = None
) -> MaskScores:
    """Compare masks with the truth, at each photograph's own size.

    Parameters
    ----------
    photographs
        With masks.
    progress
        Called as (done, of).

    Raises
    ------
    DataError
        If not one photograph could be evaluated; the message gives the first reason.
    """
    scores, failures = [], []
    for done, (name, item) in enumerate(readable(photographs, "mask"), 1):
        if isinstance(item, Item):
            scores.append(score_masks(segment, item))
        else:
            failures.append((name, str(item)))
        if progress is not None:
            progress(done, len(photographs))
    if not scores:
        reason = f"; {failures[0][0]}: {failures[0][1]}" if failures else ""
        raise DataError(f"{photographs.name}: not one photograph could be evaluated{reason}")
    return MaskScores(scores, failures)


def score_masks(segment: Segment, item: Item) -> MaskScore:
    """Score one photograph with a mask."""
    if item.mask is None:
        raise DataError(f"{item.name} has no mask to compare with")
    found = segment(item.image)
    return MaskScore(
        item.name,
        iou(found.coarse, item.mask),
        iou(found.mask, item.mask),
        iou_near_boundary(found.coarse, item.mask, distance=BAND),
        iou_near_boundary(found.mask, item.mask, distance=BAND),
    )


def rounded(mean: float) -> float | None:
    """For JSON: five digits, None for NaN."""
    return None if np.isnan(mean) else round(mean, 5)


def readable(photographs: Dataset, *wanted: str) -> Iterator[tuple[str, Item | Exception]]:
    """The name of each photograph with what was read, or why it cannot be used: one of `wanted` has to be known."""
    for index, key in enumerate(photographs.keys):
        try:
            item = photographs[index]
            if all(getattr(item, what) is None for what in wanted):
                raise DataError(f"{item.name} has no {' or '.join(wanted)} to compare with")
            yield item.name, item
        except (DataError, PhotoError, OSError) as error:
            yield str(key), error
