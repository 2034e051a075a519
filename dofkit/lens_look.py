# SPDX-License-Identifier: GPL-3.0-or-later
"""Beyond the paper: the same photograph, mask and depth, rendered as a thin lens would see them.

    s_i = c (q_f - q_i),  q = 1 / distance          signed radius of the blur, positive behind the focus (lens equation)
    C_k = sum_j w_k,ij M_k,j L_j / sum_j w_k,ij M_k,j         colour of layer k: its own pixels, else farther ones
    A_k = sum_j w_k,ij N_k,j                                  how much of the aperture sees layer k or something nearer
    B   = A_k C_k + (1 - A_k) B,    k from far to near        what is behind shows beside and through what is before

L is linear light, M_k the share of a pixel that lies in layer k, N_k the share in layer k or nearer, w_k the aperture
at the radius |s_k|. The person is a layer of its own, with the matte as its share. Because N_k holds everything that
is nearer too, neighbouring layers of one surface leave no gap between them.

Each difference from Eq. 10 is an option of `LensLook`, so that its worth can be measured (notebook 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.blur import disc_kernel
from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.files import PhotoError

Array = NDArray[np.float32]

STEP, MOST = 1.0, 14
"""Layers are so many pixels of radius apart, and at most so many."""

CLIPPED, SURROUND, DARK = 0.95, 0.12, 0.25
"""A lamp is brighter than this share of white, and what is within this share of the long side around it is on average
darker than this much light."""

_FAR = 1e-3
"""Weight of what is farther than a layer, where the layer itself is out of reach."""

_LEAST = 1e-6


Focus = float | tuple[float, float] | None
"""Depth in focus; or a point (x, y) of the picture, in pixels, whose depth it is; or the person, None."""


@dataclass(frozen=True)
class LensLook:
    """What is rendered differently from Eq. 10, beside the layers over each other.

    Attributes
    ----------
    linear : blur light instead of sRGB numbers.
    highlights : how many times brighter than white a clipped lamp is taken to be; 1 leaves it clipped.
    near : blur what lies before the focus, over what lies behind it.
    blades : sides of the aperture; 0 is a disc.

    Raises
    ------
    PhotoError
        If a lens has no such highlights or blades.
    """

    linear: bool = True
    highlights: float = 4.0
    near: bool = True
    blades: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.highlights) and self.highlights >= 1):
            raise PhotoError(f"the strength of highlights is {self.highlights}: choose 1 or more")
        if self.blades not in (0, *range(3, 33)):
            raise PhotoError(f"the aperture has {self.blades} blades: choose 0 for a disc, or 3 to 32")


def inverse_distance(z: NDArray[np.floating]) -> Array:
    """q, from depth as `PortraitMode` has it: 1 / z where z is positive (metres), -z where it is not (the networks').

    >>> inverse_distance(np.float32([[2, 4]])).tolist(), inverse_distance(np.float32([[-0.5, -0.25]])).tolist()
    ([[0.5, 0.25]], [[0.5, 0.25]])
    """
    q = 1 / z if z.min() > 0 else -z
    return q.astype(np.float32)


def focus_at(q: Array, focus: Focus, m: NDArray[np.floating]) -> float:
    """Give q in focus: of the person's median, of a point (x, y) and its neighbours, or of a depth.

    Parameters
    ----------
    q : (H, W), `inverse_distance`.
    focus : a depth is meant as `PortraitMode` has it, metres or negative inverse distance.
    m : (H, W) in [0, 1], the person.

    Raises
    ------
    PhotoError
        If the point lies outside the picture, or there is no such depth.

    Examples
    --------
    >>> q, m = np.float32([[0.5, 0.25]]), np.float32([[1, 0]])
    >>> focus_at(q, None, m), focus_at(q, 4.0, m), focus_at(q, -0.25, m)
    (0.5, 0.25, 0.25)
    """
    if focus is None:
        inside = q[m > 0.5]
        return float(np.median(inside if inside.size else q))
    if not isinstance(focus, tuple):
        if not (np.isfinite(focus) and focus):
            raise PhotoError(f"the depth in focus is {focus}: choose a depth in the unit of the depth map")
        return 1 / focus if focus > 0 else -focus
    x, y = focus
    if not (0 <= x < q.shape[1] and 0 <= y < q.shape[0]):
        size = f"{q.shape[1]} x {q.shape[0]} pixels"
        raise PhotoError(f"the point in focus, {x:g},{y:g}, lies outside the picture of {size}")
    row, column = int(y), int(x)
    return float(np.median(q[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]))


def signed_radius(q: Array, focus: float, max_radius: float) -> Array:
    """Signed radius of each pixel: 0 in focus, negative before it; `max_radius` at the far end of q.

    The end is the 1st percentile, the 99th (near) one where hardly anything lies behind the focus.

    >>> signed_radius(np.float32([[0.5, 0.25, 0.0]]), 0.25, 4.0).tolist()
    [[-4.0, 0.0, 4.0]]
    """
    far, near = np.percentile(q, 1, method="lower"), np.percentile(q, 99, method="higher")
    gap = focus - far if focus - far > 0.05 * (near - far) else near - focus
    c = max_radius / max(float(gap), 1e-6)
    return np.clip(c * (focus - q), -2 * max_radius, 2 * max_radius).astype(np.float32)


def render_lens(
    image: Array, alpha: Array, s: Array, *, person: float = 0.0, foreground: Array | None = None,
    look: LensLook | None = None,
) -> Array:
    """Compose the layers from far to near.

    Parameters
    ----------
    image : (H, W, 3) sRGB in [0, 1].
    alpha : (H, W) in [0, 1], the person's matte.
    s : (H, W) signed radius in pixels, `signed_radius`; what it says inside the person is not used.
    person : signed radius of the person.
    foreground : (H, W, 3) sRGB, the person's colours where alpha is soft; default the photograph's.
    look : the options; default all.

    Returns
    -------
    (H, W, 3) float32 sRGB in [0, 1]; the photograph itself, bit for bit, inside a person in focus.
    """
    look = look or LensLook()
    light = body = _light(image, look)
    if foreground is not None:
        body = _light(np.where(alpha[..., None] == 1, image, foreground), look)
    behind = 1 - alpha
    around = _filled(s, behind) if look.near else _filled(np.maximum(s, 0), behind)
    centres = _centres(around)
    shares = _shares(around, centres)
    reach = float(np.abs(centres).max())
    result, farther, drawn = np.zeros_like(light), np.zeros_like(alpha), False
    nearer = np.ones_like(alpha)  # N of the farthest layer: everything is there or nearer
    before = np.zeros_like(alpha)  # what of the person is hidden by nearer layers
    for centre, share in zip(centres[::-1], shares[::-1], strict=True):
        if not drawn and centre < person:
            result, drawn = _before(result, body, alpha, person, look), True
        own = share * behind
        colour = _colour(light, own + _FAR * farther, centre, reach, look)
        there = _spread(nearer * behind if drawn else nearer, centre, look)[..., None]
        result = there * colour + (1 - there) * result
        before = np.maximum(before, there[..., 0]) if drawn else before
        nearer, farther = nearer - share, farther + own
    if not drawn:
        result = _before(result, body, alpha, person, look)
    kept = (alpha == 1) & (before == 0) & (abs(person) < 0.5)
    return np.where(kept[..., None], image, _encoded(result, look))


def aperture(r: float, blades: int = 0) -> Array:
    """The kernel of an aperture at a radius: `disc_kernel`, or a polygon of the same area, sum 1.

    >>> aperture(3.0, 6).shape, round(float(aperture(3.0, 6).sum()), 5)
    ((9, 9), 1.0)
    """
    if blades < 3 or r < 0.75:
        return disc_kernel(r)
    fine, side = 8, int(np.ceil(1.2 * r))
    n = 2 * side + 1
    angles = 2 * np.pi * np.arange(blades) / blades - np.pi / 2
    outer = r * np.sqrt(2 * np.pi / (blades * np.sin(2 * np.pi / blades)))
    corners = np.stack([np.cos(angles), np.sin(angles)], 1) * outer * fine + (n * fine - 1) / 2
    drawn = cv2.fillPoly(np.zeros((n * fine, n * fine), np.float32), [np.rint(corners).astype(np.int32)], 1.0)
    kernel = cv2.resize(drawn, (n, n), interpolation=cv2.INTER_AREA)
    return (kernel / kernel.sum()).astype(np.float32)


def _light(image: Array, look: LensLook) -> Array:
    """What is blurred: linear light with clipped highlights raised, or the numbers as they are."""
    if not look.linear:
        return image
    light = srgb_to_linear(image)
    if look.highlights <= 1:
        return light
    clipped = ((image.max(2) - CLIPPED) / (1 - CLIPPED)).clip(0, 1) ** 2
    side = 2 * int(SURROUND * max(image.shape)) + 1
    around = cv2.blur(light.mean(2), (side, side), borderType=cv2.BORDER_REPLICATE)
    lamp = clipped * (1 - around / DARK).clip(0, 1)
    return (light * (1 + (look.highlights - 1) * lamp[..., None])).astype(np.float32)


def _encoded(result: Array, look: LensLook) -> Array:
    clipped = result.clip(0, 1)
    return (linear_to_srgb(clipped) if look.linear else clipped).astype(np.float32)


def _filled(s: Array, behind: Array) -> Array:
    """The signed radius with what is behind the person continued from beside: by ever wider means."""
    result, known = s * behind, behind.copy()
    side = 3
    while known.min() < 0.5 and side < 2 * max(s.shape):
        wide, weight = (cv2.blur(x, (side, side)) for x in (s * behind, behind))
        unknown = 1 - known
        result += unknown * wide / np.maximum(weight, _LEAST)
        known += unknown * (weight > 0.05)
        result = np.where(known > 0, result, 0)
        side = 2 * side + 1
    return (result / np.maximum(known, _LEAST)).astype(np.float32)


def _centres(s: Array) -> Array:
    """Signed radii of the layers, from near to far: equal steps over what there is, one of them 0."""
    low, high = min(float(s.min()), 0.0), max(float(s.max()), 0.0)
    step = max(STEP, (high - low) / (MOST - 2))
    return (step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)).astype(np.float32)


def _shares(s: Array, centres: Array) -> list[Array]:
    """M of each layer: linear between the two nearest centres, sum 1."""
    place = np.interp(s, centres, np.arange(len(centres))).astype(np.float32)
    return [np.maximum(0, 1 - np.abs(place - k)) for k in range(len(centres))]


def _colour(light: Array, weight: Array, centre: float, reach: float, look: LensLook) -> Array:
    """C of a layer: its blurred colours, continued where the aperture finds none of it."""
    premultiplied = np.concatenate([light * weight[..., None], weight[..., None]], 2)
    side = 2 * int(np.ceil(2 * reach)) + 1
    sums = _spread(premultiplied, centre, look) + _FAR * cv2.blur(premultiplied, (side, side))
    known = sums[..., 3:] > _LEAST
    return np.where(known, sums[..., :3] / np.maximum(sums[..., 3:], _LEAST), light)


def _before(result: Array, body: Array, alpha: Array, person: float, look: LensLook) -> Array:
    """The person over what is behind; bit for bit where the person is sharp and nothing shows through."""
    there = _spread(alpha, person, look)[..., None]
    spread = _spread(body * alpha[..., None], person, look)
    return spread + (1 - there) * result


def _spread(x: Array, s: float, look: LensLook) -> Array:
    """X blurred by the aperture at a signed radius; before the focus the aperture is upside down."""
    kernel = aperture(abs(float(s)), look.blades)
    if kernel.size == 1:
        return x
    return cv2.filter2D(x, -1, kernel if s < 0 else kernel[::-1, ::-1], borderType=cv2.BORDER_REPLICATE)
