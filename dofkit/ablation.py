# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of the renderer is worth: Fig. 11's variants, and their distance from a lens (section 4.4).

    gain = mean over scenes of (score of everything - score without the part),    with a 95 % bootstrap interval

The paper shows one photograph. A scene has what the paper could not have: the photograph through a thin lens. Its
aperture is chosen so that the farthest thing is blurred by the renderer's largest radius; everything is then scored
by the same picture, and a difference between two variants of the same scene is a paired one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from dofkit import render
from dofkit.colour import linear_to_srgb
from dofkit.metrics import boundary_leak, psnr, ssim
from dofkit.pipeline import PortraitMode
from dofkit.scenes.lens import blur_diameter
from dofkit.scenes.scene import Scene

Measure = Literal["psnr", "ssim", "outside", "inside"]
MEASURES: tuple[Measure, ...] = ("psnr", "ssim", "outside", "inside")
"""PSNR in dB and SSIM of the picture; colour error in the rings outside and inside the person's edge."""

BETTER: Mapping[Measure, int] = {"psnr": 1, "ssim": 1, "outside": -1, "inside": -1}
"""+1 where larger is better."""


@dataclass(frozen=True)
class Variant:
    """The renderer without one part.

    Attributes
    ----------
    name : as in Fig. 11.
    panel : its letter there.
    argument : what the paper says goes wrong without it, in our words.
    measure : in which that should show.
    options : of `PortraitMode`.
    coarse : whether mask and depth are those before the SPN.
    """

    name: str
    panel: str
    argument: str
    measure: Measure
    options: Mapping[str, Any] = field(default_factory=dict)
    coarse: bool = False


EVERYTHING = Variant("everything", "f", "", "psnr")
VARIANTS = (
    Variant("no depth", "b", "the near ground is blurred too much", "psnr", {"depth": False}),
    Variant("no SPN", "c", "parts of the person are blurred", "inside", coarse=True),
    Variant("thresholding", "d", "borders between sharp and blurred look unreal", "psnr", {"crf": False}),
    Variant("no guided kernel", "e", "the person leaks over the outline", "outside", {"guided": False}),
    EVERYTHING,
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """A photograph and what is known of it.

    Attributes
    ----------
    image : (H, W, 3) float32 sRGB in [0, 1].
    mask, depth : (H, W), as `PortraitMode` takes them; depth larger = farther.
    coarse_mask, coarse_depth : the same before the SPN; None where mask and depth are exact, without any SPN.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    depth: NDArray[np.float32]
    coarse_mask: NDArray[np.float32] | None = None
    coarse_depth: NDArray[np.float32] | None = None


class Interval(NamedTuple):
    """A mean of paired differences, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def estimated(image: NDArray[np.float32]) -> Inputs:
    """What the kit's networks say of a photograph.

    Raises
    ------
    PhotoError
        If nobody is found in it.
    """
    found = PortraitMode(mode="whole-body")(image)
    assert found.depth is not None
    assert found.coarse_depth is not None
    return Inputs(image, found.mask, found.depth, found.coarse, found.coarse_depth)


def exact(scene: Scene) -> Inputs:
    """A scene's own mask, and its depth as negative inverse distance, in which a lens's blur is linear."""
    return Inputs(scene.image.astype(np.float32), scene.mask.astype(np.float32), (-1 / scene.depth).astype(np.float32))


def render_variants(given: Inputs, *, max_radius: float | None = None) -> dict[str, NDArray[np.float32]]:
    """The portrait without each part, and with all: by name; without "no SPN" where there was none.

    Parameters
    ----------
    max_radius
        Of the farthest blur in pixels; as `PortraitMode` takes it.
    """
    results = {}
    for variant in VARIANTS:
        mask, depth = (given.coarse_mask, given.coarse_depth) if variant.coarse else (given.mask, given.depth)
        if mask is None or depth is None:
            continue
        mode = PortraitMode(mode="whole-body", max_radius=max_radius, **variant.options)
        results[variant.name] = mode(given.image, mask, depth).result
    return results


def through_lens(scene: Scene, max_radius: float | None = None, *, lens_points: int = 64) -> NDArray[np.float32]:
    """The photograph through the aperture at which the farthest thing is blurred by the renderer's largest radius.

    Parameters
    ----------
    max_radius
        In pixels; default that of `PortraitMode` for a whole body.

    Returns
    -------
    (H, W, 3) float32 sRGB in [0, 1].
    """
    largest = render.WHOLE_BODY_RADIUS * max(scene.depth.shape) if max_radius is None else max_radius
    far = float(np.quantile(scene.depth, 0.99))
    wide_open = blur_diameter(far, focus=scene.focus_distance, focal_length=scene.focal_length, f_number=1.0,
                              focal_pixels=scene.camera.focal_pixels)
    photograph = scene.photograph(f_number=float(wide_open) / (2 * largest), lens_points=lens_points)
    return linear_to_srgb(photograph.clip(0, 1)).astype(np.float32)


def score(
    result: NDArray[np.float32], truth: NDArray[np.float32], alpha: NDArray[np.float32]
) -> dict[Measure, float]:
    """All `MEASURES` of a portrait against the lens; alpha is the true matte."""
    leak = boundary_leak(result, truth, alpha)
    return {"psnr": psnr(result, truth), "ssim": ssim(result, truth), "outside": leak.outside, "inside": leak.inside}


def gain(everything: Sequence[float], without: Sequence[float], measure: Measure, *, seed: int = 0) -> Interval:
    """How much better everything is than the variant, scene by scene; positive where the part is worth something.

    Parameters
    ----------
    everything, without : scores of the same scenes in the same order, at least 2.
    measure : tells which way is better.
    seed : of the bootstrap over scenes (percentile, 9999 resamples).

    Examples
    --------
    >>> gain([31.0, 32.0, 33.0], [30.0, 31.0, 32.0], "psnr")
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    differences = BETTER[measure] * (np.asarray(everything) - np.asarray(without))
    mean = float(differences.mean())
    if np.ptp(differences) < 1e-12:
        return Interval(mean, mean, mean)
    found = bootstrap((differences,), np.mean, method="percentile", rng=np.random.default_rng(seed))
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def verdict(interval: Interval) -> str:
    """Whether an argument for a part holds: by the interval alone.

    >>> verdict(Interval(0.2, 0.1, 0.3)), verdict(Interval(0.1, -0.1, 0.3)), verdict(Interval(-0.2, -0.3, -0.1))
    ('holds', 'undecided', 'fails')
    """
    if interval.low > 0:
        return "holds"
    return "fails" if interval.high < 0 else "undecided"
