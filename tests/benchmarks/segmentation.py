# SPDX-License-Identifier: GPL-3.0-or-later
"""The person in a photograph, with the weights that come with the kit: seconds of each stage, and memory."""

from __future__ import annotations

import statistics
import time
from typing import Any

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from dofkit.coarse import grabcut_mask
from dofkit.segmentation import Segmenter
from tests.benchmarks.timing import alternate, in_a_process

SIZES = {"500x300": (300, 500), "1024x768": (768, 1024), "12 MP": (3000, 4000)}


def run() -> list[dict[str, Any]]:
    """Rows: coarse alone, coarse and SPN, graph cut at 500x300; then time and memory of a process by size."""
    torch.set_num_threads(1)
    image = photograph("500x300")
    both = Segmenter.shipped()
    contenders = {
        "coarse": lambda: Segmenter(both.refiner.guess, None)(image),
        "coarse + SPN": lambda: both(image),
        "graph cut": lambda: grabcut_mask(image),
    }
    times = alternate(contenders, 5)
    rows: list[dict[str, Any]] = [{"what": "segmentation 500x300", "stage": name, **times[name]} for name in times]
    for size in SIZES:
        rows.append({"what": f"segmentation {size}", "stage": "process", **in_a_process(__name__, size)})
    return rows


def measure(size: str) -> dict[str, float]:
    """In a process of its own, with two threads: the first photograph with the reading of the weights, then more."""
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    image = photograph(size)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        Segmenter.shipped()(image)
        seconds.append(time.perf_counter() - started)
    return {"first_wall_s": seconds[0], "wall_s": statistics.median(seconds[1:])}


def photograph(size: str) -> np.ndarray:
    """A portrait at a size: (H, W, 3) float32."""
    height, width = SIZES[size]
    image = astronaut().astype(np.float32) / 255
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
