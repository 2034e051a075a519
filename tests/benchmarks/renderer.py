# SPDX-License-Identifier: GPL-3.0-or-later
"""The CRF renderer after mask and depth: the straightforward port against the kit."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np

from dofkit import matting, pipeline, render
from dofkit.graphcut import alpha_expansion, energy
from dofkit.layers import Layers, split_layers
from dofkit.pipeline import Look, PortraitMode
from dofkit.scenes import portrait_scene
from tests.benchmarks.timing import alternate, in_a_process
from tests.port import blur_everything, whole_grid_expansion, whole_picture_matte

SIZES = {"500x300": (500, 300), "1024x768": (1024, 768)}
TWELVE_MEGAPIXELS = (4000, 3000)


def subject(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, mask and a depth as soft and noisy as a network's, of one test scene."""
    scene = portrait_scene(4, shape, "whole-body", "test")
    inverse = cv2.GaussianBlur(-1 / scene.depth, (0, 0), shape[0] / 200)
    grain = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(grain, (0, 0), shape[0] / 100)
    return scene.image, scene.mask.astype(np.float32), inverse + 0.01 * np.ptp(inverse) * noise / noise.std()


def run() -> list[dict[str, Any]]:
    """Rows of the table: whole renderers and their stages, the port's and the kit's, and the kit's memory."""
    return [row for name, shape in SIZES.items() for row in _compare(name, shape)] + _memory()


def _compare(name: str, shape: tuple[int, int]) -> list[dict[str, Any]]:
    image, m, z = subject(shape)
    model = split_layers(z)
    known, feather = matting.trimap(m), render.FEATHER * max(shape)
    alpha = matting.matte(image, m)
    radii = render.layer_radii(model.labels, m, model.count, render.WHOLE_BODY_RADIUS * max(shape))
    stages = {
        "layers": (lambda: _port_layers(z), lambda: pipeline._split(z, 6, 10.0, True, 640)),
        "matte": (lambda: whole_picture_matte(image, known), lambda: matting.matte(image, m)),
        "blur": (
            lambda: blur_everything(image, alpha, model.labels, radii, feather),
            lambda: render.render_layers(image, alpha, model.labels, radii),
        ),
    }
    stages["all"] = (lambda: [port() for port, _ in list(stages.values())[:3]], lambda: PortraitMode()(image, m, z))
    rounds = 5 if max(shape) < 600 else 3
    rows = []
    for stage, (port, kit) in stages.items():
        times = alternate({"port": port, "kit": kit}, rounds)
        ratio = times["port"]["cpu_s"] / times["kit"]["cpu_s"]
        rows.append({"what": f"renderer {name}", "stage": stage, **_flat(times), "ratio": ratio})
    for name, expansion in (("port_energy", whole_grid_expansion), ("kit_energy", alpha_expansion)):
        rows[-1][name] = energy(expansion(model.u, model.weights), model.u, model.weights)
    return rows


def _port_layers(z: np.ndarray) -> np.ndarray:
    model: Layers = split_layers(z, solver="threshold")  # the same clusters and costs, without the cut
    return whole_grid_expansion(model.u, model.weights)


def _flat(times: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{name}_{unit}": value for name, units in times.items() for unit, value in units.items()}


def _memory() -> list[dict[str, Any]]:
    rows = []
    for shape in [*SIZES.values(), TWELVE_MEGAPIXELS]:
        measured = in_a_process("tests.benchmarks.renderer", str(shape[0]), str(shape[1]))
        rows.append({"what": f"renderer {shape[0]}x{shape[1]}", "stage": "alone", **measured})
    base = rows[1]["kit_us_per_pixel"]
    return [row | {"per_pixel_to_1024x768": row["kit_us_per_pixel"] / base} for row in rows]


def measure(height: str, width: str, look: Look = "paper") -> dict[str, Any]:
    """One picture in a process of its own; large ones are enlarged from a scene of 1024 x 768."""
    shape = int(height), int(width)
    image, m, z = subject(min(shape, SIZES["1024x768"]))
    if image.shape[:2] != shape:
        image, m, z = (cv2.resize(a, shape[::-1], interpolation=cv2.INTER_LINEAR) for a in (image, m, z))
    started = time.process_time()
    PortraitMode(look=look)(image, m, z)
    spent = time.process_time() - started
    return {"kit_cpu_s": spent, "kit_us_per_pixel": 1e6 * spent / (shape[0] * shape[1])}
