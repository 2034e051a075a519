# SPDX-License-Identifier: GPL-3.0-or-later
"""Beyond the paper: the same photograph, mask and depth, rendered as a thin lens would see them.

    s_i = c (q_f - q_i),  q = 1 / distance          signed radius of the blur, positive behind the focus (lens equation)
    L_k = sum_j w_k,ij S_k,j L_j / sum_j w_k,ij S_k,j         colour of layer k: its own pixels, else farther ones
    A_k = sum_j w_k,ij T_k,j                                  how much of the aperture sees layer k or something nearer
    B   = A_k L_k + (1 - A_k) B,    k from far to near        what is behind shows beside and through what is before

L is linear light, S_k the share of a pixel that lies in layer k, T_k the share in layer k or nearer, w_k the aperture
at the radius |s_k|. The person is a layer of its own, with the matte as its share. Because T_k holds everything that
is nearer too, neighbouring layers of one surface leave no gap between them.

Each difference from Eq. 10 is an option of `LensLook`, so that its worth can be measured (notebook 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.blur import aperture
from dofkit.colour import linear_to_srgb, srgb_to_linear
from dofkit.files import PhotoError

Array = NDArray[np.float32]
Box = tuple[slice, slice]

STEP, MOST = 1.0, 14
"""Layers are so many pixels of radius apart, and at most so many."""

CLIPPED, SURROUND, DARK, SOFT = 0.95, 0.12, 0.25, 1.0
"""A lamp is brighter than this share of white, what is within this share of the long side around it is on average
darker than this much light, and it is raised in full from this radius on."""

_FAR, _WIDE = 3e-2, 1e-3
"""Weights of what is farther than a layer, and of what is out of the aperture's reach, in the layer's colour."""

_SEEN, _LITTLE = 1e-3, 0.05
"""A layer that fills less of a pixel than this is not drawn there; one that is found less is continued from afar."""

_LEAST, _SHARP = 1e-6, 0.5
"""Sums below the first are nothing; a person whose blur has a smaller radius than the second is in focus."""

OUTLINE = 0.006
"""By this share of the long side an estimated mask may miss the person's outline; with 0 a seam of it stays behind."""

_HIDDEN, _HIDDEN_SIDE = 1e-3, 256
"""Weight of what is continued behind a soft person beside what is seen, and the long side at which it is found."""


@dataclass(frozen=True)
class LensLook:
    """What is rendered differently from Eq. 10, beside the layers over each other.

    Attributes
    ----------
    linear : blur light instead of sRGB numbers.
    highlights : how many times brighter than white a clipped lamp is taken to be; 1 leaves it clipped.
    near : blur what lies before the focus, over what lies behind it.
    blades : sides of the aperture; 0 is a disc.
    outline : by which share of the long side the mask may miss the person's outline. Behind a person out of focus
        nothing so near to the mask is looked at, lest a sharp seam of them stays.

    Raises
    ------
    PhotoError
        If a lens has no such highlights or blades.
    """

    linear: bool = True
    highlights: float = 4.0
    near: bool = True
    blades: int = 0
    outline: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.highlights) and self.highlights >= 1):
            raise PhotoError(f"the strength of highlights is {self.highlights}: choose 1 or more")
        if self.blades not in (0, *range(3, 33)):
            raise PhotoError(f"the aperture has {self.blades} blades: choose 0 for a disc, or 3 to 32")
        if not 0 <= self.outline <= 0.1:
            raise PhotoError(f"the mask may miss the outline by {self.outline} of the long side: choose 0 to 0.1")


def suited(*, mask_given: bool, depth_given: bool, **options: Any) -> LensLook:
    """A `LensLook` that relies on what was given and is careful with what was estimated.

    The blur before the focus is off where depth is estimated, since what the networks think is nearer than a person
    mostly is the ground at the feet.

    >>> suited(mask_given=False, depth_given=True, blades=6)
    LensLook(linear=True, highlights=4.0, near=True, blades=6, outline=0.006)
    """
    return LensLook(near=depth_given, outline=0.0 if mask_given else OUTLINE, **options)


def render_lens(
    image: Array, alpha: Array, s: Array, *, person: float = 0.0, foreground: Array | None = None,
    look: LensLook | None = None,
) -> Array:
    """Compose the layers, here from near to far: what is nearer leaves less of the aperture to what is behind it.

    Parameters
    ----------
    image : (H, W, 3) sRGB in [0, 1].
    alpha : (H, W) in [0, 1], the person's matte.
    s : (H, W) signed radius in pixels (`dofkit.thin_lens`); what it says inside the person is not used.
    person : signed radius of the person.
    foreground : (H, W, 3) sRGB, the person's colours where alpha is soft; default the photograph's.
    look : the options; default all.

    Returns
    -------
    (H, W, 3) float32 sRGB in [0, 1]; the photograph itself, bit for bit, inside a person in focus.
    """
    look = look or LensLook()
    behind = 1 - alpha
    around = _filled(s if look.near else np.maximum(s, 0), behind)
    light = _light(image, around, look)
    body = image if foreground is None else np.where(alpha[..., None] == 1, image, foreground)
    body = _light(body, np.full_like(alpha, person), look)
    centres, place = _places(around)
    reach = max(float(np.abs(centres).max()), abs(person))
    planes, trust = _planes(light), behind
    if abs(person) >= _SHARP:
        planes, trust = _without_person(planes, alpha, look.outline)
    pile = _Pile([np.zeros_like(alpha) for _ in planes], np.ones_like(alpha), look)
    kept = None
    for k, centre in enumerate(centres):
        if kept is None and centre >= person:
            kept = _add_person(pile, body, alpha, person)
        nearer = (k + 1 - place).clip(0, 1)  # T; S is what this layer adds to it
        own = np.minimum(nearer, (place - k + 1).clip(0, 1)) * trust
        weight = own + _FAR * (1 - nearer) * trust
        _add_layer(pile, planes, weight, nearer * behind if kept is None else nearer, float(centre), reach)
    if kept is None:
        kept = _add_person(pile, body, alpha, person)
    return np.where(kept[..., None], image, _encoded(cv2.merge(pile.result), look))


def _light(image: Array, s: Array, look: LensLook) -> Array:
    """What is blurred: linear light with clipped highlights raised, or the numbers as they are.

    A highlight in focus, |s| = 0, is left as it was photographed: raised it would only lose its colour.
    """
    if not look.linear:
        return image
    light = srgb_to_linear(image)
    if look.highlights <= 1:
        return light
    brightest = cv2.max(cv2.max(image[..., 0], image[..., 1]), image[..., 2])
    clipped = ((brightest - CLIPPED) / (1 - CLIPPED)).clip(0, 1) ** 2
    if not clipped.any():
        return light
    side = 2 * int(SURROUND * max(image.shape)) + 1
    around = cv2.blur(cv2.transform(light, np.full((1, 3), 1 / 3)), (side, side), borderType=cv2.BORDER_REPLICATE)
    lamp = clipped * (1 - around / DARK).clip(0, 1) * np.minimum(np.abs(s) / SOFT, 1)
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


def _without_person(light: list[Array], alpha: Array, outline: float) -> tuple[list[Array], Array]:
    """The light with the person and their outline painted over from beside, and how far to trust each pixel."""
    n = 2 * round(outline * max(alpha.shape)) + 1
    body = cv2.dilate((alpha > 0.5).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n)))
    beside = 1 - body.astype(np.float32)
    reduction = min(1.0, _HIDDEN_SIDE / max(alpha.shape))
    size = [max(1, round(side * reduction)) for side in alpha.shape[::-1]]
    known = cv2.resize(beside, size, interpolation=cv2.INTER_AREA)
    result = []
    for plane in light:
        small = cv2.resize(plane * beside, size, interpolation=cv2.INTER_AREA) / np.maximum(known, _LEAST)
        hidden = cv2.resize(_filled(small, known), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        result.append(np.where(body == 0, plane, hidden))
    return result, np.maximum(beside, _HIDDEN)


def _places(s: Array) -> tuple[Array, Array]:
    """Signed radii of the layers, near to far in equal steps, one of them 0; and where among them each pixel lies."""
    low, high = min(float(s.min()), 0.0), max(float(s.max()), 0.0)
    step = max(STEP, (high - low) / (MOST - 2))
    first = np.floor(low / step)
    centres = step * np.arange(first, np.ceil(high / step) + 1)
    return centres.astype(np.float32), (s / step - first).astype(np.float32)


@dataclass(frozen=True)
class _Pile:
    """The layers so far: their light, three times (H, W), and the share of the aperture that sees past them (H, W)."""

    result: list[Array]
    left: Array
    look: LensLook


def _add_layer(pile: _Pile, light: list[Array], weight: Array, cover: Array, centre: float, reach: float) -> None:
    """Add A L_k where it is seen; `weight` (H, W) is each pixel's in L_k, `cover` (H, W) is T."""
    kernel = _kernel(centre, pile.look)
    box = _common(_box(cover > 0, len(kernel) // 2), _box(pile.left > _SEEN))
    if box is None:
        return
    there = _spread(cover, box, kernel)
    seen = there * pile.left[box]
    pile.left[box] *= 1 - there
    inner = _box(seen > _SEEN)
    if inner is None:
        return
    seen = seen[inner]
    rows, columns = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inner, strict=True))
    for below, colour in zip(pile.result, _colour(light, weight, (rows, columns), kernel, seen, reach), strict=True):
        below[rows, columns] += seen * colour


def _add_person(pile: _Pile, body: Array, alpha: Array, person: float) -> NDArray[np.bool_]:
    """Add the person; returns where they stay bit for bit: where they are sharp and nothing shows through or before."""
    kept = (alpha == 1) & (pile.left > 1 - _SEEN) & (abs(person) < _SHARP)
    kernel = _kernel(person, pile.look)
    box = _box(alpha > 0, len(kernel) // 2)
    if box is not None:
        for below, plane in zip(pile.result, _planes(body), strict=True):
            below[box] += pile.left[box] * _spread(plane * alpha, box, kernel)
        pile.left[box] *= 1 - _spread(alpha, box, kernel)
    return kept


def _colour(light: list[Array], weight: Array, box: Box, kernel: Array, seen: Array, reach: float) -> list[Array]:
    """L_k of a layer in a box: its blurred colours, continued where the aperture finds none of it."""
    margin = int(np.ceil(2 * reach))
    wide = _grown(box, margin, weight.shape)
    inner = _within(box, wide)
    cut = weight[wide]
    there = _spread(cut, inner, kernel)
    lacking = bool(((there < _LITTLE) & (seen > _SEEN)).any())

    def gathered(x: Array, near: Array) -> Array:
        return near + _WIDE * cv2.blur(x, (2 * margin + 1,) * 2)[inner] if lacking else near

    sums = gathered(cut, there)
    own = (plane[wide] * cut for plane in light)
    colours = [gathered(x, _spread(x, inner, kernel)) / np.maximum(sums, _LEAST) for x in own]
    return [np.where(sums > _LEAST, c, plane[box]) for c, plane in zip(colours, light, strict=True)]


def _kernel(s: float, look: LensLook) -> Array:
    """The aperture at a signed radius; before the focus it is upside down."""
    kernel = aperture(abs(s), look.blades)
    return kernel if s < 0 else kernel[::-1, ::-1]


def _spread(x: Array, box: Box, kernel: Array) -> Array:
    """X (H, W) blurred by a kernel, in a box."""
    if kernel.size == 1:
        return x[box]
    wide = _grown(box, len(kernel) // 2, x.shape)
    blurred = cv2.filter2D(np.ascontiguousarray(x[wide]), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return blurred[_within(box, wide)]


def _planes(x: Array) -> list[Array]:
    return [np.ascontiguousarray(x[..., c]) for c in range(x.shape[2])]


def _box(where: NDArray[np.bool_], margin: int = 0) -> Box | None:
    """The smallest box around what is True, and a margin."""
    x, y, width, height = cv2.boundingRect(where.view(np.uint8))
    return _grown((slice(y, y + height), slice(x, x + width)), margin, where.shape) if width else None


def _grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    rows, columns = (slice(max(a.start - margin, 0), min(a.stop + margin, n)) for a, n in zip(box, shape, strict=True))
    return rows, columns


def _common(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return None
    rows, columns = (slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a, b, strict=True))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _within(box: Box, wide: Box) -> Box:
    """A box as seen from a wider one."""
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, wide, strict=True))
    return rows, columns
