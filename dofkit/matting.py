# SPDX-License-Identifier: GPL-3.0-or-later
"""From a mask to a matte: trimap and KNN matting (section 4.1 of the paper, its reference [6]).

    I = alpha F + (1 - alpha) B
    alpha = argmin sum_ij k(i, j) (alpha_i - alpha_j)^2,   j among the K nearest neighbours of i in colour and position

Chen, Li and Tang (CVPR 2012) solve this over the whole picture. Only the trimap's unknown band is in doubt, so the
known pixels are eliminated, and what is left is a small, symmetric, positive definite system. Large pictures are solved
at a moderate size and brought back along the picture's own edges (guided filter, He, Sun and Tang, PAMI 2013).
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, sparray
from scipy.spatial import cKDTree

from dofkit.guided_filter import guided_upsample

#: The paper's band is 10 pixels, of which size of picture it does not say; here of a long side of 500, and scaled.
BAND, BAND_SIDE = 10.0, 500.0

#: Long side above which the matte is solved at a reduced size.
SOLVE_SIDE = 640

#: K of KNN matting, and the weight of the position (in units of the long side) against colour in [0, 1].
_K, _PLACE = 5, 0.5

#: A neighbour may be this much farther than the nearest one (as a share): a faster search, the same errors.
_SLACK = 1.0

#: How fast trust in the mask grows across the band: (distance / band)^4, from nothing at its boundary to as much as all
#: neighbours together. Chosen on masks displaced by 0, 3 and 6 pixels; the paper's plain trimap is ``trust=0``.
_TRUST, _GROWTH = 1.0, 4


def band_width(shape: tuple[int, ...]) -> float:
    """The paper's 10 pixels, scaled with the long side of the picture from 500 pixels.

    >>> band_width((1000, 600))
    20.0
    """
    return BAND * max(shape[:2]) / BAND_SIDE


def trimap(m: np.ndarray, band: float | None = None) -> np.ndarray:
    """1 inside, 0 outside, 0.5 within ``band`` pixels of the mask's boundary (section 4.1).

    Parameters
    ----------
    m : (H, W) mask, inside where > 0.5.
    band : pixels, default ``band_width``.

    Examples
    --------
    >>> trimap(np.array([[0, 0, 0, 1, 1, 1]], np.float32), band=1.5)
    array([[0. , 0. , 0.5, 0.5, 1. , 1. ]], dtype=float32)
    """
    band = band_width(m.shape) if band is None else band
    return np.where(boundary_distance(m) > band, m > 0.5, np.float32(0.5)).astype(np.float32)


def boundary_distance(m: np.ndarray) -> np.ndarray:
    """Distance in pixels of each pixel to the other side of the mask's boundary (m = 0.5); inf without a boundary."""
    inside = (m > 0.5).astype(np.uint8)
    if inside.all() or not inside.any():
        return np.full(m.shape, np.inf, np.float32)
    within, outside = (cv2.distanceTransform(a, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for a in (inside, 1 - inside))
    return np.maximum(within, outside)


def matte(image: np.ndarray, m: np.ndarray, *, band: float | None = None, solve_side: int = SOLVE_SIDE) -> np.ndarray:
    """Alpha of the person from a picture and a mask: trimap, KNN matting, and for large pictures a guided upsampling.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1].
    m : (H, W) mask in [0, 1].
    band : half-width of the unknown band in pixels of this picture, default ``band_width``.
    solve_side : the system is solved at this long side at the most.

    Returns
    -------
    (H, W) float32 in [0, 1], exactly 1 inside and 0 outside the band.
    """
    band = band_width(m.shape) if band is None else band
    reduction = min(1.0, solve_side / max(m.shape))
    if reduction < 1:
        size = tuple(max(1, round(side * reduction)) for side in m.shape[::-1])
        small, small_m = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in (image, m))
        coarse = _trusting_matte(small, small_m, band * reduction)
        if coarse is not None:
            known = trimap(m, band)
            return np.where(known == 0.5, guided_upsample(coarse, small, image), known)
    alpha = _trusting_matte(image, m, band)
    return m.astype(np.float32) if alpha is None else alpha


def _trusting_matte(image: np.ndarray, m: np.ndarray, band: float) -> np.ndarray | None:
    """KNN matte that trusts the mask away from its boundary; None if the band leaves no known person or background."""
    distance = boundary_distance(m)
    known = np.where(distance > band, m > 0.5, np.float32(0.5)).astype(np.float32)
    if not ((known == 1).any() and (known == 0).any()):
        return None
    return knn_matte(image, known, m, trust=_TRUST * np.minimum(distance / band, 1.0) ** _GROWTH)


def knn_matte(
    image: np.ndarray, known: np.ndarray, prior: np.ndarray | None = None, *, trust: np.ndarray | float = 0.0
) -> np.ndarray:
    """KNN matting of the unknown band of a trimap.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1].
    known : (H, W) trimap: 0, 1, anything between is unknown.
    prior : (H, W) in [0, 1], what alpha is pulled to; default the trimap.
    trust : (H, W) or number, the pull's weight, in units of the weight of all neighbours together. 0 is plain KNN
        matting (a thousandth remains, for pixels that no chain of neighbours ties to a known one).

    Returns
    -------
    (H, W) float32 alpha in [0, 1]; known pixels keep their value exactly.

    Raises
    ------
    ValueError
        If the shapes differ, or the trimap has no known foreground or no known background.
    """
    if known.shape != image.shape[:2]:
        raise ValueError(f"knn_matte: the trimap is {known.shape}, the picture {image.shape[:2]}")
    unknown = (known > 0) & (known < 1)
    if not ((known >= 1).any() and (known <= 0).any()):
        raise ValueError("knn_matte: the trimap needs known foreground and known background")
    alpha = known.astype(np.float32)
    if not unknown.any():
        return alpha
    side = 2 * max(2, round(0.5 * band_width(known.shape))) + 1  # known pixels half a band's width beyond the band
    pixels = np.flatnonzero(cv2.dilate(unknown.astype(np.uint8), np.ones((side, side), np.uint8)))
    free = unknown.ravel()[pixels]
    pull = (known if prior is None else prior).ravel()[pixels[free]].astype(np.float64)
    weight = np.broadcast_to(trust, known.shape).ravel()[pixels[free]] + 1e-3
    alpha.ravel()[pixels[free]] = _solve(_affinity(image, pixels, free), alpha.ravel()[pixels], free, pull, weight)
    return alpha


def _affinity(image: np.ndarray, pixels: np.ndarray, free: np.ndarray) -> csr_array:
    """k(i, j): 1 where j is among the K nearest of an unknown i in colour and position, plus the same from j's side."""
    height, width = image.shape[:2]
    place = np.stack([pixels // width, pixels % width], 1) * np.float32(_PLACE / max(height, width))
    feature = np.concatenate([image.reshape(-1, 3)[pixels], place], 1).astype(np.float32)
    _, nearest = cKDTree(feature, balanced_tree=False).query(feature[free], k=min(_K + 1, len(pixels)), eps=_SLACK)
    nearest = nearest[:, 1:]  # the first is the pixel itself
    i, j = np.repeat(np.flatnonzero(free), nearest.shape[1]), nearest.ravel()
    one_way = coo_array((np.ones(i.size), (i, j)), shape=(len(pixels),) * 2).tocsr()
    return (one_way + one_way.T).tocsr()


def _solve(
    affinity: csr_array, alpha: np.ndarray, free: np.ndarray, pull: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """The free pixels' alpha: (D (1 + trust) - W) alpha = W_known alpha_known + trust D pull."""
    rows = affinity[free]
    degree = rows.sum(1)
    inner, outer = rows[:, free], rows[:, ~free]
    diagonal = degree * (1.0 + weight)
    right = outer @ alpha[~free].astype(np.float64) + weight * degree * pull
    solution = conjugate_gradients(diags_array(diagonal) - inner, right, pull, diagonal)
    return solution.clip(0.0, 1.0).astype(np.float32)


def conjugate_gradients(
    a: sparray, b: np.ndarray, x: np.ndarray, diagonal: np.ndarray, *, rtol: float = 1e-3, steps: int = 500
) -> np.ndarray:
    """Solve a x = b for a symmetric positive definite matrix, preconditioned by its diagonal, started at ``x``.

    SciPy's ``cg`` is the same iteration, but its dot products go to a threaded BLAS, which on two busy cores costs two
    to seven times the whole solution; ``einsum`` stays in this thread.
    """

    def dot(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.einsum("i,i->", p, q))

    residual = b - a @ x
    direction = residual / diagonal
    rho, enough = dot(residual, direction), rtol**2 * dot(b, b)
    for _ in range(steps):
        if dot(residual, residual) <= enough:
            break
        image = a @ direction
        step = rho / dot(direction, image)
        x = x + step * direction
        residual = residual - step * image
        scaled = residual / diagonal
        rho, before = dot(residual, scaled), rho
        direction = scaled + (rho / before) * direction
    return x


def foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """F of I = alpha F + (1 - alpha) B by pymatting's multi-level estimation (Germer et al., 2020): (H, W, 3) float32.

    Not in the paper, whose Eq. 10 keeps I itself in soft hair. The first import of pymatting compiles for a minute.
    """
    from pymatting import estimate_foreground_ml

    return np.asarray(estimate_foreground_ml(image.astype(np.float64), alpha.astype(np.float64)), np.float32)
