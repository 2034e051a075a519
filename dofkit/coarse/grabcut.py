# SPDX-License-Identifier: GPL-3.0-or-later
"""The first mask without networks: graph cut from a face.

    m = argmin_m  sum_i -log p(I_i | colours of m_i)  +  gamma sum_ij [m_i != m_j] exp(-beta |I_i - I_j|^2)

GrabCut (Rother, Kolmogorov and Blake 2004), the baseline named "graph cut" in the paper's Table 1, needs someone to
say roughly where the person is. Here a face finder does, with the outline that bodies have below a face; where no
face is found a body in the middle of the picture is assumed, and the message says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from dofkit.faces import Box, find_face, shrunk
from dofkit.guided_filter import guided_upsample

Mode = Literal["auto", "selfie", "whole-body"]

CUT_SIDE = 400  # px, the longer side of the picture that is cut
_SURE_PERSON, _SURE_BACKGROUND = 0.95, {"whole-body": 0.01, "selfie": 0.06}  # there the outline alone decides
# Face widths from the middle of the face to the lower border: up to here only shoulders, from there a whole body
_SHOULDERS, _WHOLE_BODY = 2.7, 5.0

# The outline of a body below its face, in face widths from the middle of the face: at height dy (down) the half-width
# at which every second person ends, and how soft that is (scale of a logistic). Measured on the training halves of
# street photographs (550x830) and front-camera portraits (600x800).
_OUTLINES = {
    "whole-body": np.array([
        (-1.4, 0.05, 0.12), (-1.0, 0.12, 0.15), (-0.8, 0.28, 0.17), (-0.4, 0.53, 0.12), (0.0, 0.56, 0.13),
        (0.4, 0.56, 0.20), (0.8, 0.81, 0.20), (1.2, 1.16, 0.17), (1.6, 1.25, 0.18), (2.4, 1.31, 0.22),
        (3.6, 1.34, 0.26), (4.4, 1.28, 0.26), (5.2, 1.16, 0.30), (6.0, 1.00, 0.35), (7.0, 0.80, 0.45),
        (8.0, 0.50, 0.60), (9.0, 0.30, 0.70), (10.0, 0.10, 0.70), (11.0, -0.30, 0.70), (12.5, -1.50, 0.70)]),
    "selfie": np.array([
        (-1.4, 0.05, 0.12), (-1.0, 0.12, 0.15), (-0.8, 0.34, 0.17), (-0.4, 0.56, 0.12), (0.0, 0.57, 0.15),
        (0.4, 0.60, 0.25), (0.8, 0.97, 0.32), (1.2, 1.28, 0.22), (1.6, 1.65, 0.30), (2.4, 1.75, 0.35),
        (4.0, 1.80, 0.40)]),
}
# Where a face mostly is: middle as parts of width and height, width as a part of the height (medians, same data).
_USUAL_FACE = {"whole-body": (0.5, 0.125, 0.09), "selfie": (0.5, 0.43, 0.37)}


@dataclass(frozen=True)
class CoarseMask:
    """A first guess of where the person is.

    Attributes
    ----------
    mask : ndarray, (H, W) float32
        1 on the person, 0 elsewhere, in between only along the outline.
    message : str
        How it was found, in one sentence.
    face : tuple or None
        (x, y, w, h) in pixels of the photograph.
    """

    mask: np.ndarray
    message: str
    face: Box | None


def grabcut_mask(image: np.ndarray, mode: Mode = "auto") -> CoarseMask:
    """Cut the person out with GrabCut, seeded by a face and the outline of a body below it.

    Parameters
    ----------
    image : ndarray, (H, W, 3) float32
        sRGB in [0, 1].
    mode : str
        "selfie" (head and shoulders), "whole-body", or "auto": a whole body if there is room for one below the face.

    Returns
    -------
    CoarseMask
        The same for the same picture, always.

    Examples
    --------
    >>> from skimage import data
    >>> found = grabcut_mask(data.astronaut() / np.float32(255))
    >>> found.message
    'graph cut from the face found'
    """
    if mode not in ("auto", "selfie", "whole-body"):
        raise ValueError(f"mode must be 'auto', 'selfie' or 'whole-body', not {mode!r}")
    face = find_face(image)
    height, width = image.shape[:2]
    x, y, w = _middle_of_face(face, "whole-body" if mode == "auto" else mode, height, width)
    room = (height - y) / w
    chosen = mode if mode != "auto" else "whole-body" if room > _WHOLE_BODY else "selfie"
    small, scale = shrunk(image, CUT_SIDE)
    outline = body_outline(small.shape[:2], (x * scale, y * scale, w * scale),
                           "selfie" if room < _SHOULDERS else "whole-body", certain=face is not None)
    person = _cut(small, outline, _SURE_BACKGROUND[chosen])
    message = "graph cut from the face found" if face else (
        "no face found: graph cut from a body assumed in the middle of the picture; a mask of your own will be better")
    if person is None:
        person, message = outline > 0.5, f"{message}; the cut failed, so this is only the usual outline of a body"
    small_mask = _cleaned(person, outline, w * scale).astype(np.float32)
    mask = guided_upsample(small_mask, small.astype(np.float32) / 255, image, radius=4)
    mask = np.clip(2 * mask - 0.5, 0, 1)  # edges of the mask move onto edges of the photograph, and stay hard
    return CoarseMask(mask, message, face)


def body_outline(shape: tuple[int, int], face: tuple[float, float, float], body: str, *,
                 certain: bool = True) -> np.ndarray:
    """Probability that a pixel belongs to the body below a face.

    Parameters
    ----------
    shape : tuple
        (H, W).
    face : tuple
        Middle (x, y) and width of the face, px.
    body : str
        "selfie" (head and shoulders of a front camera) or "whole-body".
    certain : bool
        False widens the outline, for a face that was only assumed.

    Returns
    -------
    ndarray, (H, W) float32
    """
    outline = _OUTLINES[body]
    x, y, w = face
    dy = (np.arange(shape[0]) - y) / w
    dx = np.abs(np.arange(shape[1]) - x) / w
    half = np.interp(dy, outline[:, 0], outline[:, 1])
    soft = np.interp(dy, outline[:, 0], outline[:, 2]) * (1.0 if certain else 1.5)
    half[dy < outline[0, 0]] = -1  # above the hair
    odds = (half[:, None] - dx[None]) / soft[:, None]
    return (0.5 + 0.5 * np.tanh(odds / 2)).astype(np.float32)


def _middle_of_face(face: Box | None, mode: str, height: int, width: int) -> tuple[float, float, float]:
    """Middle and width of the face, or of the usual one."""
    if face is not None:
        x, y, w, h = face
        return x + w / 2, y + h / 2, w
    left, top, part = _USUAL_FACE[mode]
    return left * width, top * height, part * min(height, 1.5 * width)


def _cut(image: np.ndarray, outline: np.ndarray, background: float) -> np.ndarray | None:
    """GrabCut from the outline's seeds; None if the picture is too small for it."""
    seeds = np.where(outline > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[outline > _SURE_PERSON] = cv2.GC_FGD
    seeds[outline < background] = cv2.GC_BGD
    is_person = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if min(is_person.sum(), (~is_person).sum()) < 20:
        return None
    cv2.setRNGSeed(0)  # GrabCut starts its colour models with k-means
    bgr = np.ascontiguousarray(image[..., ::-1])
    cv2.grabCut(bgr, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    person = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return person if person.any() and not person.all() else None


def _cleaned(person: np.ndarray, outline: np.ndarray, face: float) -> np.ndarray:
    """Drop what is thin or apart and not where a body is; fill notches and holes that are no gap under an arm."""
    def within(radius: float, operation: int) -> np.ndarray:
        side = 2 * round(radius * face) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        padded = cv2.copyMakeBorder(person.astype(np.uint8), *[side] * 4, cv2.BORDER_REPLICATE)
        return cv2.morphologyEx(padded, operation, disc)[side:-side, side:-side] > 0

    person = within(0.07, cv2.MORPH_OPEN) | (person & (outline > 0.3))
    person = person | (within(0.12, cv2.MORPH_CLOSE) & (outline > 0.7))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8), connectivity=8)
    if count > 1:
        weight, area = np.bincount(parts.ravel(), outline.ravel(), count), stats[:, cv2.CC_STAT_AREA]
        main = 1 + int(weight[1:].argmax())
        keep = (weight > 0.3 * area) & (area > 0.01 * area[main])
        keep[[0, main]] = False, True
        person = keep[parts]
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~person).astype(np.uint8), connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] < 0.01 * person.sum()
    hole |= np.bincount(parts.ravel(), outline.ravel(), count) > 0.8 * stats[:, cv2.CC_STAT_AREA]
    hole[np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = False  # open to the border
    return person | (hole[parts] & ~person)
