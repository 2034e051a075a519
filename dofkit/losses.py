# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss functions of the paper.

    Eq. 1    L_1(m) = - sum_{i in F} log m_i - sum_{j in B} log(1 - m_j),   m = 1 / (1 + exp(-v))
    Eq. 2    L_2(z) = log(1 + exp(-gamma (z_i - z_j))),   gamma = +1 if i is farther than j, -1 if nearer
    Eq. 3    L_3(z) = sum_{i, j in F} max(0, (z_i - z_j)^2 - delta)

All take what the networks give: logits v, not the mask m, and depth z, larger = farther, without a unit.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Reduction = Literal["mean", "sum"]


def mask_cross_entropy(v: Tensor, truth: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Eq. 1, from the logits: log m and log(1 - m) stay finite however sure the network is.

    Parameters
    ----------
    v
        (N, 1, H, W) logits of the person.
    truth
        (N, 1, H, W), 1 on the person F, 0 on the background B.
    reduction
        "sum" is the equation as printed. "mean" divides by all N H W pixels, so that a learning rate does not
        depend on the picture's size: at 256x256 the paper's 1e-4 on the sum is 6.6 on the mean.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    ValueError
        If the shapes differ (they would be broadcast) or the reduction is unknown.

    Examples
    --------
    >>> import torch
    >>> v, truth = torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    >>> round(float(mask_cross_entropy(v, truth, reduction="sum")), 4)      # 2 log 2
    1.3863
    """
    _check(v, truth, "logits", "truth", reduction)
    return F.binary_cross_entropy_with_logits(v, truth.to(v.dtype), reduction=reduction)


def ranking_loss(z: Tensor, pairs: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Eq. 2 of Chen et al. [7], for P pairs of points in each picture; linear, not infinite, where it is far off.

    Parameters
    ----------
    z
        (N, 1, H, W) depth, larger = farther.
    pairs
        (N, P, 5) int64 rows (y_i, x_i, y_j, x_j, gamma); a row whose gamma is 0 does not count.
    reduction
        "sum" is the equation over all pairs; "mean" divides by the number of pairs that count.

    Returns
    -------
    Tensor
        A scalar; 0 without a pair that counts.

    Raises
    ------
    ValueError
        If the shapes do not fit or the reduction is unknown. A point outside the picture is an IndexError.

    Examples
    --------
    >>> z = torch.tensor([[[[0.0, 1.0]]]])                       # the right pixel is farther
    >>> right, wrong = (torch.tensor([[[0, 1, 0, 0, gamma]]]) for gamma in (+1, -1))
    >>> [round(float(ranking_loss(z, pairs)), 4) for pairs in (right, wrong)]
    [0.3133, 1.3133]
    """
    if z.ndim != 4 or z.shape[1] != 1 or pairs.ndim != 3 or pairs.shape[::2] != (len(z), 5):
        raise ValueError(f"depth {tuple(z.shape)} and pairs {tuple(pairs.shape)} are not (N, 1, H, W) and (N, P, 5)")
    _check_reduction(reduction)
    y_i, x_i, y_j, x_j, gamma = pairs.unbind(-1)
    picture = torch.arange(len(z), device=z.device)[:, None]
    difference = z[picture, 0, y_i, x_i] - z[picture, 0, y_j, x_j]
    counts = (gamma != 0).to(z.dtype)
    total = (F.softplus(-gamma * difference) * counts).sum()
    return total if reduction == "sum" else total / counts.sum().clamp(min=1)


def body_consistency_loss(z: Tensor, mask: Tensor, delta: float, *, reduction: Reduction = "mean") -> Tensor:
    """Eq. 3: the depth of one body may differ by sqrt(delta) for free, and costs the square beyond.

    All pairs are counted, none is sampled. With the n depths of a body sorted, those that are too far above z_i are
    the last ones, from some index k(i) on, and their part of the sum follows from sums of z and z^2 over the last
    ones, which a single pass gives for every k:

        sum_{j >= k(i)} ((z_j - z_i)^2 - delta) = S_2(k) - 2 z_i S_1(k) + (n - k) (z_i^2 - delta)

    so the cost is that of sorting, n log n instead of n^2. (Adding the two orders of a pair doubles it.)

    Parameters
    ----------
    z
        (N, 1, H, W) depth.
    mask
        (N, 1, H, W), the body F where it is above 1/2.
    delta
        The margin, in squared units of z; the paper does not give its value.
    reduction
        "sum" is the equation. "mean" divides each picture's sum by its n^2 pairs and takes the mean over the pictures
        with a body.

    Returns
    -------
    Tensor
        A scalar; 0 where there is no body.

    Raises
    ------
    ValueError
        If the shapes differ, the reduction is unknown or delta is negative.

    Examples
    --------
    >>> z, body = torch.tensor([[[[0.0, 1.0, 3.0]]]]), torch.ones(1, 1, 1, 3)
    >>> float(body_consistency_loss(z, body, 2.0, reduction="sum"))          # 2 (9 - 2) + 2 (4 - 2)
    18.0
    """
    _check(z, mask, "depth", "mask", reduction)
    if not delta >= 0:
        raise ValueError(f"delta is {delta}: the margin is a square, 0 or more")
    bodies = [picture[inside] for picture, inside in zip(z, mask > 0.5, strict=True)]
    sums = [_too_far_apart(body, delta) for body in bodies if len(body)]
    if not sums:
        return z.sum() * 0
    if reduction == "sum":
        return torch.stack(sums).sum()
    return torch.stack([total / len(body) ** 2 for total, body in zip(sums, filter(len, bodies), strict=True)]).mean()


def _too_far_apart(z: Tensor, delta: float) -> Tensor:
    """Eq. 3 for the (n,) depths of one body."""
    # differences alone count: around 0, and in double precision, the sums of squares lose nothing that matters
    ordered = (z.double() - z.detach().double().mean()).sort().values
    n = len(z)
    k = torch.searchsorted(ordered.detach(), ordered.detach() + delta**0.5, right=True)
    zero = ordered.new_zeros(1)
    last = [torch.cat([zero, values.flip(0).cumsum(0)]).flip(0)[k] for values in (ordered, ordered.square())]
    beyond = last[1] - 2 * ordered * last[0] + (n - k) * (ordered.square() - delta)
    return 2 * beyond.sum().to(z.dtype)


def _check(found: Tensor, truth: Tensor, what: str, which: str, reduction: str) -> None:
    if found.shape != truth.shape:
        raise ValueError(f"{what} {tuple(found.shape)} and {which} {tuple(truth.shape)} differ in shape")
    _check_reduction(reduction)


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}: choose 'mean' or 'sum'")
