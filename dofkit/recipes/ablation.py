# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation over test scenes: each variant against the lens, day and night apart, exact and estimated inputs.

ablation.json    provenance; scenes; for "exact" and "estimated" x "day" and "night" the mean of every measure for
every variant, the gain of every part with its interval, and the verdict on its argument
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dofkit.ablation import EVERYTHING, MEASURES, VARIANTS, estimated, exact, gain, render_variants, score, through_lens
from dofkit.ablation import verdict as verdict_of
from dofkit.files import PhotoError
from dofkit.provenance import plain, source_hash
from dofkit.scenes import portrait_scene
from dofkit.scenes.scene import Scene

SIZE = 360, 240
DAY, NIGHT = 30, 12
"""How many scenes of each."""

Scores = dict[str, dict[str, list[float]]]
"""For each variant and measure one number for each scene."""


def evaluate_ablation(
    split: str, *, day: int = DAY, night: int = NIGHT, progress: Callable[[int, int], object] | None = None
) -> dict[str, Any]:
    """Score every variant on the first so many day and night scenes of a split.

    Parameters
    ----------
    split
        "validation" to try things out, "test" for the report.
    day, night
        How many scenes, at least 2 of each.
    progress
        Called as (done, of).

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
    scores: dict[tuple[str, str], Scores] = {}
    failures = []
    for done, scene in enumerate(_chosen(split, day, night), 1):
        truth = through_lens(scene)
        for source, known in (("exact", exact), ("estimated", lambda scene: estimated(scene.image))):
            try:
                results = render_variants(known(scene))
            except PhotoError as error:
                failures.append({"name": scene.name, "inputs": source, "reason": str(error)})
                continue
            cell = scores.setdefault((source, "night" if scene.night else "day"), {})
            results["photograph"] = scene.image
            for name, result in results.items():
                for measure, value in score(result, truth, scene.alpha).items():
                    cell.setdefault(name, {}).setdefault(measure, []).append(value)
        if progress is not None:
            progress(done, day + night)
    return {
        "split": split,
        "size": list(SIZE),
        "source": source_hash(),
        "scenes": {"day": day, "night": night},
        "failures": failures,
        "cells": {source: {time: _cell(scores[source, time]) for time in ("day", "night") if (source, time) in scores}
                  for source in ("exact", "estimated")},
    }


def _chosen(split: str, day: int, night: int) -> Iterator[Scene]:
    """The first scenes of the split, until there are enough of each."""
    left = {False: day, True: night}
    seed = 0
    while any(left.values()):
        scene = portrait_scene(seed, SIZE, "whole-body", split)
        seed += 1
        if left[scene.night]:
            left[scene.night] -= 1
            yield scene


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
