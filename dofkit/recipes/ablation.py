# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation over test scenes: each variant against the lens, day and night apart, exact and estimated inputs.

ablation.json    provenance; scenes; for "exact" and "estimated" x "day" and "night" the mean of every measure for
every variant, the gain of every part with its interval, and the verdict on its argument
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dofkit.ablation import EVERYTHING, MEASURES, VARIANTS, estimated, exact, gain, render_variants, score, through_lens
from dofkit.ablation import verdict as verdict_of
from dofkit.files import PhotoError
from dofkit.provenance import plain, source_hash
from dofkit.scenes import portrait_scene
from dofkit.workers import Share, in_turn

SIZE = 360, 240
DAY, NIGHT = 30, 12
"""How many scenes of each."""

GLANCE = 48, 32
"""Size at which a scene is looked at for its light, which is the same at every size."""

Scores = dict[str, dict[str, list[float]]]
"""For each variant and measure one number for each scene."""


@dataclass(frozen=True)
class Task:
    """A scene to be scored, by its number in a split."""

    split: str
    seed: int
    size: tuple[int, int]
    night: bool


def evaluate_ablation(
    split: str, *, day: int = DAY, night: int = NIGHT, run: Share[Any, Any] = in_turn,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Score every variant on the first so many day and night scenes of a split.

    Parameters
    ----------
    split
        "validation" to try things out, "test" for the report.
    day, night
        How many scenes, at least 2 of each.
    run, progress
        As for `dofkit.evaluation.evaluate_masks`.

    Returns
    -------
    dict
        See above, in JSON's types.

    Raises
    ------
    PhotoError
        If fewer than 2 scenes of each are asked for.
    """
    if min(day, night) < 2:
        raise PhotoError(f"{day} day and {night} night scenes: at least 2 of each are needed for an interval")
    tasks = list(_chosen(split, day, night))
    found: dict[int, dict[str, Any]] = {}
    for number, result in run(score_scene, tasks):
        found[number] = result
        if progress is not None:
            progress(len(found), len(tasks))
    scores: dict[tuple[str, str], Scores] = {}
    failures = []
    for number, task in enumerate(tasks):
        for source, scored in found[number].items():
            if "reason" in scored:
                failures.append(scored)
                continue
            cell = scores.setdefault((source, "night" if task.night else "day"), {})
            for name, measures in scored.items():
                for measure, value in measures.items():
                    cell.setdefault(name, {}).setdefault(measure, []).append(value)
    return {
        "split": split,
        "size": list(SIZE),
        "source": source_hash(),
        "scenes": {"day": day, "night": night},
        "failures": failures,
        "cells": {source: {time: _cell(scores[source, time]) for time in ("day", "night") if (source, time) in scores}
                  for source in ("exact", "estimated")},
    }


def score_scene(task: Task) -> dict[str, Any]:
    """For "exact" and "estimated" inputs the measures of every variant, or name, inputs and reason of a failure."""
    scene = portrait_scene(task.seed, task.size, "whole-body", task.split)
    truth = through_lens(scene)
    found: dict[str, Any] = {}
    for source, known in (("exact", exact), ("estimated", lambda scene: estimated(scene.image))):
        try:
            results = render_variants(known(scene)) | {"photograph": scene.image}
        except PhotoError as error:
            found[source] = {"name": scene.name, "inputs": source, "reason": str(error)}
            continue
        found[source] = {name: score(result, truth, scene.alpha) for name, result in results.items()}
    return found


def _chosen(split: str, day: int, night: int) -> Iterator[Task]:
    """The first scenes of the split, until there are enough of each."""
    left = {False: day, True: night}
    seed = 0
    while any(left.values()):
        dark = portrait_scene(seed, GLANCE, "whole-body", split).night
        if left[dark]:
            left[dark] -= 1
            yield Task(split, seed, SIZE, dark)
        seed += 1


def _cell(scores: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Any]:
    means = {name: {measure: float(np.mean(each[measure])) for measure in MEASURES} for name, each in scores.items()}
    gains: dict[str, Any] = {}
    for variant in VARIANTS:
        if variant == EVERYTHING or variant.name not in scores:
            continue
        parts = {measure: gain(scores[EVERYTHING.name][measure], scores[variant.name][measure], measure)
                 for measure in MEASURES}
        gains[variant.name] = {measure: part._asdict() for measure, part in parts.items()} | {
            "argued by": variant.measure, "verdict": verdict_of(parts[variant.measure])}
    counted = len(scores[EVERYTHING.name]["psnr"])
    found: dict[str, Any] = plain({"scenes": counted, "means": means, "gains": gains}, "cell")
    return found
