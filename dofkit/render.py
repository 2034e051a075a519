# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture: a sharp person over a background blurred once or layer by layer (section 3.3 of the paper).

    B_i = m_i I_i + (1 - m_i) sum_j w_ij I_j                                             Eq. 4, selfies
    B_i = m_i I_i + (1 - m_i) sum_l sum_t g_it [l_t = l] sum_j w_hat_ij^l(m) I_j         Eq. 10, whole bodies

w_hat is Eq. 6 (``dofkit.blur``), l the layers of Eq. 7-9 (``dofkit.layers``), g a Gaussian that feathers the layers
into each other. The paper gives neither the width of g nor the radii r^l. Here g is 0.8 % of the long side wide. The
radii grow by equal steps from 0 at the person's own layer to ``max_radius`` at the farthest: that is what a
before-and-after pair published by the authors shows (1 to 5 pixels on a picture of 333 x 500).
"""

from __future__ import annotations

import cv2
import numpy as np

from dofkit.blur import Disc, guided_blur

#: Largest radius and feather as shares of the long side.
WHOLE_BODY_RADIUS = 0.010
SELFIE_RADIUS = 0.016
FEATHER = 0.008

#: A layer is blurred only where it makes up at least this share of a pixel.
_LEAST_SHARE = 1e-4


def render_selfie(
    image: np.ndarray,
    m: np.ndarray,
    r: float,
    *,
    guided: bool = True,
    foreground: np.ndarray | None = None,
    disc: Disc = "area",
) -> np.ndarray:
    """Eq. 4, with the guided kernel of Eq. 6: one blur for the whole background.

    Parameters
    ----------
    image : (H, W, 3) float32.
    m : (H, W) matte in [0, 1]; where it is 1 the picture is returned bit for bit.
    r : radius of the disc in pixels.
    guided : False is Fig. 3(c): the uniform kernel, which mixes the person into the background.
    foreground : (H, W, 3) F, to take the place of I in m_i I_i where m is below 1; not in the paper.

    Returns
    -------
    (H, W, 3) float32.
    """
    background = guided_blur(image, m if guided else np.zeros_like(m), r, disc=disc)
    return _over(image, m, background, foreground)


def render_layers(
    image: np.ndarray,
    m: np.ndarray,
    labels: np.ndarray,
    radii: np.ndarray,
    *,
    feather: float | None = None,
    guided: bool = True,
    foreground: np.ndarray | None = None,
    disc: Disc = "area",
) -> np.ndarray:
    """Eq. 10: each layer blurred with its own radius, then feathered together under the sharp person.

    Parameters
    ----------
    image : (H, W, 3) float32; m : (H, W) matte in [0, 1].
    labels : (h, w) layer of each pixel, 0 .. K-1; may be smaller than the picture.
    radii : (K,) radius of each layer in pixels of ``image``.
    feather : standard deviation of g in pixels of ``image``, default 0.8 % of the long side.
    guided : False drops the person's mask from the kernel (Fig. 11(e)).
    foreground : as in ``render_selfie``.

    Returns
    -------
    (H, W, 3) float32.
    """
    shares = layer_shares(labels, len(radii), feather, m.shape)
    background = np.zeros_like(image)
    for radius, share in zip(radii, shares, strict=True):
        full = cv2.resize(share, m.shape[::-1], interpolation=cv2.INTER_LINEAR) if share.shape != m.shape else share
        box = _box(full * (m < 1) > _LEAST_SHARE)
        if box is None:
            continue
        reach = int(np.ceil(radius)) + 1
        wide = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in box)
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))
        mask = m[wide] if guided else np.zeros_like(m[wide])
        background[box] += full[box][..., None] * guided_blur(image[wide], mask, float(radius), disc=disc)[inner]
    return _over(image, m, background, foreground)


def layer_shares(labels: np.ndarray, K: int, feather: float | None, shape: tuple[int, int]) -> np.ndarray:
    """sum_t g_it [l_t = l] of Eq. 10: to what degree a pixel belongs to each layer, (K, h, w) with sum 1 over K."""
    sigma = FEATHER * max(shape) if feather is None else feather
    sigma *= labels.shape[0] / shape[0]
    members = (labels[None] == np.arange(K)[:, None, None]).astype(np.float32)
    if sigma <= 0.1:
        return members
    return np.stack([cv2.GaussianBlur(member, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for member in members])


def layer_radii(labels: np.ndarray, m: np.ndarray, K: int, max_radius: float) -> np.ndarray:
    """r^l: 0 up to the layer the person stands in, then equal steps to ``max_radius`` at the farthest.

    The person's layer is the one that most of the mask lies in; if that is the farthest of all, the one before it, so
    that a wrong depth of the body does not leave the whole picture sharp.

    >>> layer_radii(np.array([[0, 1, 2, 3]]), np.array([[0, 1, 0, 0]]), 4, 5.0)
    array([0. , 0. , 2.5, 5. ])
    """
    inside = labels[m > 0.5]
    own = int(np.bincount(inside, minlength=K).argmax()) if inside.size else 0
    own = min(own, max(K - 2, 0))
    if K == 1:
        return np.array([max_radius])  # one layer is all background
    steps = np.arange(K) - own
    return max_radius * np.maximum(steps, 0) / max(K - 1 - own, 1)


def _over(image: np.ndarray, m: np.ndarray, background: np.ndarray, foreground: np.ndarray | None) -> np.ndarray:
    """Return m I + (1 - m) B, or m F + (1 - m) B; exactly I where m is 1."""
    alpha = m[..., None]
    person = image if foreground is None else np.where(alpha < 1, foreground, image)
    return alpha * person + (1.0 - alpha) * background


def _box(where: np.ndarray) -> tuple[slice, slice] | None:
    """Smallest box around the True pixels."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
