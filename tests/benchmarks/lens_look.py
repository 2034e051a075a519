# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens look step by step: distance from the thin lens on test scenes, seconds and memory, beside two opponents.

Every step keeps those before it. The opponents have the same mask, depth and radii: a depth-binned guided blur of
light, and the oracle, which scatters every pixel. Neither raises lamps, and the first blurs nothing before the focus:
compare it with "+ layers over each other", the second with "+ blur before the focus". The bounds say what holds the
scores down: the photograph's noise and JPEG, which what is sharp keeps and the true lens's picture has not, and the
matte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dofkit import matting, portrait_scene, render
from dofkit.ablation import exact, through_lens
from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.layers import split_layers
from dofkit.lens_look import LensLook, render_lens
from dofkit.metrics import psnr, ssim
from dofkit.pipeline import PortraitMode
from dofkit.scenes.scene import Scene
from dofkit.thin_lens import focus_at, inverse_distance, signed_radius
from tests.benchmarks.renderer import TWELVE_MEGAPIXELS, subject
from tests.benchmarks.timing import alternate, in_a_process
from tests.scatter import scatter

DAY, NIGHT, SIZE, BINS = 20, 10, (360, 240), 8


def run() -> list[dict[str, Any]]:
    """A row for each step and opponent: PSNR and SSIM by day and at night; then the whole path's seconds."""
    scores: dict[str, dict[str, list[float]]] = {}
    left, number = {False: DAY, True: NIGHT}, 0
    while any(left.values()):
        scene = portrait_scene(number, SIZE, "whole-body", "test")
        number += 1
        if not left[scene.night]:
            continue
        left[scene.night] -= 1
        truth, time = through_lens(scene), "night" if scene.night else "day"
        for name, result in {**steps(exact(scene)), **bounds(scene, truth)}.items():
            for measure in (psnr, ssim):
                scores.setdefault(name, {}).setdefault(f"{time}_{measure.__name__}", []).append(measure(result, truth))
    what = f"lens look {SIZE[0]}x{SIZE[1]}"
    rows = [{"what": what, "stage": name, **{key: float(np.mean(values)) for key, values in each.items()}}
            for name, each in scores.items()]
    return [*rows, _seconds(), _memory()]


def steps(given: Any) -> dict[str, np.ndarray]:
    """The portrait by every step and opponent."""
    image, m, largest = given.image, given.mask, render.WHOLE_BODY_RADIUS * max(SIZE)
    alpha, split, q = matting.matte(image, m), split_layers(given.depth), inverse_distance(given.depth)
    s = signed_radius(q, focus_at(q, None, m), largest)
    paper = render.layer_radii(split.labels, m, split.count, largest)
    lens = np.array([max(float(np.median(s[split.labels == k])), 0) if (split.labels == k).any() else 0.0
                     for k in range(split.count)])
    light = srgb_to_linear(image)
    bins = np.rint(np.maximum(s, 0) * (BINS - 1) / largest).clip(0, BINS - 1).astype(np.uint8)
    binned = render.render_layers(light, alpha, bins, np.linspace(0, largest, BINS), feather=0)
    scattered = alpha[..., None] * light + (1 - alpha[..., None]) * srgb_to_linear(
        scatter(image, np.where(m > 0.5, 0, s)))
    own = matting.foreground(image, alpha)
    return {
        "photograph": image,
        "paper": render.render_layers(image, alpha, split.labels, paper),
        "+ radii by the lens": render.render_layers(image, alpha, split.labels, lens),
        "+ light": linear_to_srgb(render.render_layers(light, alpha, split.labels, lens).clip(0, 1)),
        "+ layers over each other": render_lens(image, alpha, s, look=LensLook(highlights=1, near=False)),
        "+ blur before the focus": render_lens(image, alpha, s, look=LensLook(highlights=1)),
        "+ highlights (look lens)": render_lens(image, alpha, s),
        "+ foreground colour": render_lens(image, alpha, s, foreground=own),
        "opponent: binned blur of light": linear_to_srgb(binned.clip(0, 1)),
        "opponent: scattering": linear_to_srgb(scattered.clip(0, 1)),
    }


def bounds(scene: Scene, truth: np.ndarray) -> dict[str, np.ndarray]:
    """What the renderers would reach without noise, by the true matte, or with noise alone."""
    given, clean = exact(scene), linear_to_srgb(scene.radiance.clip(0, 1))
    q = inverse_distance(given.depth)
    s = signed_radius(q, focus_at(q, None, given.mask), render.WHOLE_BODY_RADIUS * max(SIZE))
    alpha = matting.matte(given.image, given.mask)
    sharp = (alpha == 1) | (np.abs(s) < 0.5)
    noiseless = steps(replace(given, image=clean))
    return {
        "bound: paper without noise": noiseless["paper"],
        "bound: look lens without noise": noiseless["+ highlights (look lens)"],
        "bound: look lens by the true matte": render_lens(given.image, scene.alpha, s),
        "bound: photograph where sharp, else the lens": np.where(sharp[..., None], given.image, truth),
    }


def _memory() -> dict[str, Any]:
    height, width = TWELVE_MEGAPIXELS
    measured = in_a_process("tests.benchmarks.renderer", str(height), str(width), "lens")
    return {"what": f"lens look {height}x{width}", "stage": "alone", **measured}


def _seconds() -> dict[str, Any]:
    image, m, z = subject((500, 300))
    times = alternate({look: lambda look=look: PortraitMode(mode="whole-body", look=look)(image, m, z)
                       for look in ("paper", "lens")}, 5)
    flat = {f"{look}_{unit}": value for look, units in times.items() for unit, value in units.items()}
    ratio = times["lens"]["cpu_s"] / times["paper"]["cpu_s"]
    return {"what": "lens look 500x300", "stage": "all", **flat, "lens_to_paper": ratio}
