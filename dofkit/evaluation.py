# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks against truth, photograph by photograph: what the tables and `dofkit evaluate` print.

A photograph that cannot be read or has a mask of another size does not stop an evaluation: it is counted, with its
reason, among the failures. One photograph is one task of `dofkit.workers`, and the scores come in the photographs'
order whoever made them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from dofkit.datasets import DataError, Dataset, Item
from dofkit.metrics import iou, iou_near_boundary
from dofkit.photo import PhotoError
from dofkit.segmentation import Segment
from dofkit.workers import Share, in_turn

Score = TypeVar("Score")

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


@dataclass(frozen=True, eq=False)
class Task(Generic[Score]):
    """One photograph to be scored.

    Attributes
    ----------
    photograph : a data set of this one alone, which is read by whoever scores it.
    number : its place in the whole data set.
    wanted : of which something has to be known: "mask", "depth", "pairs".
    score : called as (item, number).
    """

    photograph: Dataset
    number: int
    wanted: tuple[str, ...]
    score: Callable[[Item, int], Score]


@dataclass(frozen=True)
class Failure:
    """A photograph that could not be evaluated, and why."""

    name: str
    reason: str


def evaluate_masks(
    segment: Segment, photographs: Dataset, *, run: Share[Any, Any] = in_turn,
    progress: Callable[[int, int], object] | None = None,
) -> MaskScores:
    """Compare masks with the truth, at each photograph's own size.

    Parameters
    ----------
    segment
        For processes or Dask something small that can be pickled, such as `workers.Once(segmenter, ("network",))`.
    photographs
        With masks.
    run
        Shares the photographs out: `dofkit.workers.in_turn`, `in_processes(N)` or `by_dask(ADDRESS)`.
    progress
        Called as (done, of).

    Raises
    ------
    DataError
        If not one photograph could be evaluated; the message gives the first reason.
    """
    return MaskScores(*each(partial(_score, segment), photographs, "mask", run=run, progress=progress))


def _score(segment: Segment, item: Item, number: int) -> MaskScore:
    return score_masks(segment, item)


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


def each(
    score: Callable[[Item, int], Score], photographs: Dataset, *wanted: str, run: Share[Any, Any],
    progress: Callable[[int, int], object] | None,
) -> tuple[list[Score], list[tuple[str, str]]]:
    """Score each photograph of which one of `wanted` is known: the scores, and (name, reason) of the others.

    Raises
    ------
    DataError
        If not one photograph could be evaluated; the message gives the first reason.
    """
    tasks = [Task(photographs.pick([i]), i, wanted, score) for i in range(len(photographs))]
    found: dict[int, Score | Failure] = {}
    for number, result in run(evaluate, tasks):
        found[number] = result
        if progress is not None:
            progress(len(found), len(tasks))
    in_order = [found[i] for i in range(len(tasks))]
    failures = [(result.name, result.reason) for result in in_order if isinstance(result, Failure)]
    scores = [result for result in in_order if not isinstance(result, Failure)]
    if not scores:
        reason = f"; {failures[0][0]}: {failures[0][1]}" if failures else ""
        raise DataError(f"{photographs.name}: not one photograph could be evaluated{reason}")
    return scores, failures


def evaluate(task: Task[Score]) -> Score | Failure:
    """Read one photograph and score it, or tell why it cannot be used."""
    try:
        item = task.photograph[0]
        if all(getattr(item, what) is None for what in task.wanted):
            raise DataError(f"{item.name} has no {' or '.join(task.wanted)} to compare with")
    except (DataError, PhotoError, OSError) as error:
        return Failure(str(task.photograph.keys[0]), str(error))
    return task.score(item, task.number)
