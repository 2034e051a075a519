# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes: their cost in units of a fixed NumPy workload, and how many lens points a photograph needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from dofkit.colour import linear_to_srgb
from dofkit.metrics import psnr
from dofkit.scenes import portrait_scene
from tests.benchmarks.timing import alternate

SEEDS = range(8)


def yardstick() -> None:
    """A fixed workload: sort a million numbers and transform a picture, ten times."""
    numbers = np.random.default_rng(0).random(1 << 20)
    for _ in range(10):
        np.sort(numbers)
        np.fft.rfft2(numbers.reshape(1024, 1024))


def run() -> list[dict[str, Any]]:
    """Rows: scenes of both kinds at 128 px, the photograph at 500x300, and its noise against 1024 points."""
    return [_scene(kind) for kind in ("whole-body", "selfie")] + [_photograph(), _noise()]


def _scene(kind: str) -> dict[str, Any]:
    times = alternate({"yardstick": yardstick, "scenes": lambda: [portrait_scene(i, 128, kind) for i in SEEDS]}, 3)
    one = times["scenes"]["cpu_s"] / len(SEEDS)
    return {"what": "scene 128x128", "stage": kind, "cpu_s": one, "in_yardsticks": one / times["yardstick"]["cpu_s"]}


def _photograph() -> dict[str, Any]:
    scene = portrait_scene(4, (500, 300), "whole-body")
    times = alternate({"yardstick": yardstick, "photograph": lambda: scene.photograph(lens_points=128)}, 3)
    seconds = times["photograph"]["cpu_s"]
    return {
        "what": "photograph 500x300",
        "stage": "128 lens points",
        "cpu_s": seconds,
        "ms_per_point": 1e3 * seconds / 128,
        "in_yardsticks": seconds / times["yardstick"]["cpu_s"],
    }


def _noise() -> dict[str, Any]:
    """PSNR of sRGB pictures, lowest and highest of a few scenes."""
    scores = []
    for seed in range(4):
        for kind in ("whole-body", "selfie"):
            scene = portrait_scene(seed, (200, 120), kind)
            few, many = (linear_to_srgb(scene.photograph(lens_points=n).clip(0, 1)) for n in (128, 1024))
            scores.append(psnr(few, many))
    stage = "128 against 1024 points"
    return {"what": "photograph 200x120", "stage": stage, "psnr_min": min(scores), "psnr_max": max(scores)}
