# SPDX-License-Identifier: GPL-3.0-or-later
"""From pairs to the four filters with their cards: train each alike, score all once on test pairs, write all of it.

OUT/pairs/                        the pairs, where none were given (`dofkit pairs`)
OUT/rnn, liu, cnn, gradient       checkpoints, curves; those of further seeds below OUT/seed-N/
OUT/filter-NAME.*                 weights and card
OUT/filter.json                   recipe, counts, training, test scores: what the cards and Table 2 are made from
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dofkit.baselines import binned_blur, one_blur
from dofkit.datasets import DataError
from dofkit.engines import Engine
from dofkit.files import write_bytes
from dofkit.filtering import filter_photo, filtered, keep_person
from dofkit.metrics import psnr, ssim
from dofkit.provenance import source_hash
from dofkit.recipes.cards import filter_card
from dofkit.recipes.making import Stage, claim, told
from dofkit.recipes.pairs import RECIPE, Pair, PairRecipe, asked, files
from dofkit.recipes.rnn_filter import RECIPES, FilterRecipe, read_pairs, train_filter
from dofkit.rnn_filter import FILTERS, parameters
from dofkit.training import Run
from dofkit.weights import load_weights, save_weights

REPORT = "filter.json"

TESTS = {"photographs": ("selfie", "ccp"), "scenes": ("scenes",)}
"""The test pairs of each test set, by the beginning of their names."""

RADII = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Edges of the bins of the blur radius in which errors are pooled, in pixels."""

Method = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""From a photograph (H, W, 3), a mask (H, W) and a radius (H, W) to a portrait."""


def make_filter(
    profile: str, folder: Path, pairs: Path, *, engine: Engine, stage: Stage, seed: int = 0
) -> dict[str, Any]:
    """Train, evaluate and write the filters of a profile; goes on where it was interrupted.

    Parameters
    ----------
    profile, folder, engine, stage, seed
        As for `make_segmentation`.
    pairs
        Folder of `dofkit pairs`.

    Returns
    -------
    dict
        What stands in `filter.json`.

    Raises
    ------
    DataError, TrainingError, WeightsError
        See there; what is already made stays.
    """
    recipe = RECIPES[profile]
    claim(folder, {"profile": profile, "seed": seed}, engine, report=REPORT)
    with stage("reading pairs"):
        counted, read = _counted(pairs), {split: read_pairs(pairs, split) for split in ("train", "validation")}
    runs: dict[str, list[Run]] = {}
    models: dict[str, nn.Module] = {}
    for name in FILTERS:
        for each in range(seed, seed + recipe.seeds[name]):
            with stage(f"filter {name}, seed {each}") as progress:
                place = folder / name if each == seed else folder / f"seed-{each}" / name
                model, run = train_filter(name, recipe, read["train"], read["validation"], seed=each, folder=place,
                                          engine=engine, progress=progress)
            models.setdefault(name, model)
            runs.setdefault(name, []).append(run)
    report = {
        "profile": profile,
        "seed": seed,
        "source": source_hash(),
        "recipe": asdict(recipe),
        "radii": RADII,
        "pairs": counted,
        "parameters": {name: parameters(model) for name, model in models.items()},
        "training": {name: told(run[0], engine) for name, run in runs.items()},
        "validation by seed": {name: [run.best for run in each] for name, each in runs.items()},
    }
    if engine.main:
        _write(folder, models, recipe, report)
        with stage("evaluation"):
            report["test"] = evaluate_filters(folder, pairs)
        _write(folder, models, recipe, report)
    return report


def evaluate_filters(folder: Path, pairs: Path) -> dict[str, Any]:
    """Scores against the CRF renderer of the weights in a folder, rounded as they were written, and of opponents.

    Returns
    -------
    dict
        For each test set the number of pictures and, for each method, mean and deviation over the pictures of PSNR
        in dB and SSIM, how far the RNN filter leads in them, PSNR on the person and beside, PSNR by `RADII`, and
        median seconds a picture.
    """
    methods = learned(folder) | OPPONENTS
    found = {}
    for test, beginnings in TESTS.items():
        chosen = read_pairs(pairs, "test", beginnings)
        if chosen:
            each = {name: _each(method, chosen) for name, method in methods.items()}
            found[test] = {"pictures": len(chosen)} | {
                name: _summarised(scores, each["rnn"]) for name, scores in each.items()}
    return found


def learned(folder: Path) -> dict[str, Method]:
    """The filters of a folder as methods, at the pairs' own size; and two as `dofkit render --method rnn` uses ours."""
    models = {name: load_weights(folder / f"filter-{name}.safetensors", FILTERS) for name in FILTERS}
    methods: dict[str, Method] = {name: partial(filtered, model) for name, model in models.items()}

    return methods | {f"{name}, as rendered": partial(_as_rendered, models[name]) for name in ("cnn", "rnn")}


def _as_rendered(
    model: nn.Module, image: NDArray[np.float32], m: NDArray[np.float32], r: NDArray[np.float32]
) -> NDArray[np.float32]:
    return keep_person(image, m, filter_photo(model, image, m, r))


def _photograph(image: NDArray[np.float32], m: NDArray[np.float32], r: NDArray[np.float32]) -> NDArray[np.float32]:
    return image


OPPONENTS: dict[str, Method] = {"photograph": _photograph, "one blur": one_blur, "six bins": binned_blur}
"""Methods that learned nothing."""


@dataclass(eq=False)
class _Each:
    """One number for each picture; squared errors and pixels of all, by `RADII`."""

    values: dict[str, list[float]]
    squares: NDArray[np.float64]
    pixels: NDArray[np.int64]


def _each(method: Method, pairs: Sequence[Pair]) -> _Each:
    found = _Each({key: [] for key in ("psnr", "ssim", "person", "background", "seconds")},
                  np.zeros(len(RADII) - 1), np.zeros(len(RADII) - 1, np.int64))
    for pair in pairs:
        image, result, m, radius = pair.arrays()
        started = time.perf_counter()
        made = method(image, m, radius)
        spent = time.perf_counter() - started
        person, beside = m > 0.95, m < 0.05
        scores = {"psnr": psnr(made, result), "ssim": ssim(made, result), "seconds": spent,
                  "background": psnr(made[beside], result[beside])}
        scores["person"] = psnr(made[person], result[person]) if person.any() else np.inf
        for key, value in scores.items():
            found.values[key].append(value)
        found.squares += np.histogram(radius[beside], RADII, weights=((made - result) ** 2).mean(2)[beside])[0]
        found.pixels += np.histogram(radius[beside], RADII)[0]
    return found


def _summarised(each: _Each, ours: _Each) -> dict[str, Any]:
    """Means and deviations, and those of the paired lead of ours."""
    summary: dict[str, Any] = {key: _summary(values) for key, values in each.values.items() if key != "seconds"}
    lead = {key: _summary(np.subtract(ours.values[key], each.values[key]).tolist()) for key in ("psnr", "ssim")}
    pooled = zip(each.squares, each.pixels, strict=True)
    by_radius = [round(float(-10 * np.log10(square / n)), 3) if n and square else None for square, n in pooled]
    seconds = round(float(np.median(each.values["seconds"])), 4)
    return summary | {"lead of rnn": lead, "by radius": by_radius, "seconds": seconds}


def _summary(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and deviation over pictures; None where a picture is met exactly."""
    if not np.isfinite(values).all():
        return {"mean": None, "deviation": None}
    deviation = np.std(values, ddof=min(1, len(values) - 1))
    return {"mean": round(float(np.mean(values)), 4), "deviation": round(float(deviation), 4)}


def _counted(pairs: Path) -> dict[str, Any]:
    """What the pairs in a folder are of, and how many there are; refused if there are some that its recipe lacks."""
    try:
        made = json.loads((pairs / RECIPE).read_text(encoding="utf-8"))
        recipe = PairRecipe(**made["recipe"])
        most, real = asked(recipe), bool(recipe.selfies or recipe.bodies)
        identity = {"profile": made["profile"], "seed": made["seed"], "real": real}
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"no pairs in '{pairs}': make them with `dofkit pairs --out {pairs}`") from error
    there = {split: len(files(pairs, split)) for split in most}
    for split, n in there.items():
        if n > most[split]:
            raise DataError(f"'{pairs / split}' holds {n} pairs, but {RECIPE} is of {most[split]}: some do not belong "
                            "there; make them anew with `dofkit pairs --out FOLDER`")
    return identity | there


def _write(folder: Path, models: Mapping[str, nn.Module], recipe: FilterRecipe, report: Mapping[str, Any]) -> None:
    for name, model in models.items():
        save_weights(folder / f"filter-{name}.safetensors", model, network=name, arguments=recipe.arguments[name],
                     card=filter_card(name, report))
    write_bytes(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())
