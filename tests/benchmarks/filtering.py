# SPDX-License-Identifier: GPL-3.0-or-later
"""Running time (section 4.5): the straightforward port, the kit's CRF path and the RNN filter, after mask and depth."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from dofkit import matting, render
from dofkit.filtering import blur_radius, filter_photo, keep_person, shipped_filter
from dofkit.layers import split_layers
from dofkit.pipeline import PortraitMode
from tests.benchmarks.renderer import SIZES, TWELVE_MEGAPIXELS, subject
from tests.benchmarks.timing import alternate, in_a_process
from tests.port import blur_everything, whole_grid_expansion, whole_picture_matte

METHODS = ("crf", "rnn")


def run() -> list[dict[str, Any]]:
    """Rows: all three in turn at two sizes, the filter's stages, both of the kit at 12 megapixels, memory of each."""
    torch.set_num_threads(1)
    rows = [row for name, shape in SIZES.items() for row in (_compare(name, shape), *_stages(name, shape))]
    return [*rows, _large(), *_memory(), *_cuda()]


def enlarged(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, mask and depth of a test scene; large ones are enlarged from 1024 x 768."""
    image, m, z = subject(min(shape, SIZES["1024x768"]))
    if image.shape[:2] != shape:
        image, m, z = (cv2.resize(a, shape[::-1], interpolation=cv2.INTER_LINEAR) for a in (image, m, z))
    return image, m, z


def by_port(image: np.ndarray, m: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The renderer as one would write it first."""
    model = split_layers(z, solver="threshold")
    labels = whole_grid_expansion(model.u, model.weights)
    alpha = whole_picture_matte(image, matting.trimap(m))
    radii = render.layer_radii(labels, m, model.count, render.WHOLE_BODY_RADIUS * max(m.shape))
    return blur_everything(image, alpha, labels, radii, render.FEATHER * max(m.shape))


def by(method: str, image: np.ndarray, m: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The kit's portrait by a method."""
    return PortraitMode(mode="whole-body", method=method)(image, m, z).result


def _compare(name: str, shape: tuple[int, int]) -> dict[str, Any]:
    given = subject(shape)
    contenders: dict[str, Callable[[], Any]] = {"port": lambda: by_port(*given)}
    contenders |= {method: lambda method=method: by(method, *given) for method in METHODS}
    return _row(f"filter {name}", "all", alternate(contenders, 5 if max(shape) < 600 else 3))


def _large() -> dict[str, Any]:
    given = enlarged(TWELVE_MEGAPIXELS)
    return _row("filter 4000x3000", "all", alternate({m: lambda m=m: by(m, *given) for m in METHODS}, 2))


def _row(what: str, stage: str, times: dict[str, dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": what, "stage": stage}
    row |= {f"{name}_{unit}": value for name, units in times.items() for unit, value in units.items()}
    others = [name for name in times if name != "rnn"]
    return row | {f"{name}_to_rnn": times[name]["cpu_s"] / times["rnn"]["cpu_s"] for name in others}


def _stages(name: str, shape: tuple[int, int]) -> list[dict[str, Any]]:
    image, m, z = subject(shape)
    model = shipped_filter()
    radius = blur_radius(z, m, 6, render.WHOLE_BODY_RADIUS * max(shape))
    result = filter_photo(model, image, m, radius)
    stages = {
        "radius": lambda: blur_radius(z, m, 6, render.WHOLE_BODY_RADIUS * max(shape)),
        "filter": lambda: filter_photo(model, image, m, radius),
        "person": lambda: keep_person(image, m, result),
    }
    times = alternate(stages, 5)
    return [{"what": f"filter {name}", "stage": stage, **times[stage]} for stage in stages]


def _memory() -> list[dict[str, Any]]:
    shapes = {**SIZES, "4000x3000": TWELVE_MEGAPIXELS}
    return [{"what": f"filter {name}", "stage": f"{method}, alone",
             **in_a_process("tests.benchmarks.filtering", method, str(shape[0]), str(shape[1]))}
            for name, shape in shapes.items() for method in METHODS]


def measure(method: str, height: str, width: str) -> dict[str, Any]:
    """One picture in a process of its own."""
    torch.set_num_threads(1)
    given = enlarged((int(height), int(width)))
    started = time.process_time()
    by(method, *given)
    return {"cpu_s": time.process_time() - started}


def _cuda() -> list[dict[str, Any]]:
    """The filter on a GPU, where there is one: seconds by the wall, the picture's way there and back included."""
    return [_on_gpu(name, shape) for name, shape in SIZES.items()] if torch.cuda.is_available() else []


def _on_gpu(name: str, shape: tuple[int, int]) -> dict[str, Any]:
    image, m, z = subject(shape)
    radius = blur_radius(z, m, 6, render.WHOLE_BODY_RADIUS * max(shape))
    models = {"cpu": shipped_filter(), "cuda": copy.deepcopy(shipped_filter()).cuda()}
    times = alternate({k: lambda k=k: filter_photo(models[k], image, m, radius) for k in models}, 5)
    return {"what": f"filter {name}", "stage": "cuda", **{f"{k}_wall_s": t["wall_s"] for k, t in times.items()}}
