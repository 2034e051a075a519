# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss functions of the paper.

    Eq. 1    L_1(m) = - sum_{i in F} log m_i - sum_{j in B} log(1 - m_j),   m = 1 / (1 + exp(-v))

All take what the networks give: logits v, not the mask m.
"""

from __future__ import annotations

from typing import Literal

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
    if v.shape != truth.shape:
        raise ValueError(f"logits {tuple(v.shape)} and truth {tuple(truth.shape)} differ in shape")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}: choose 'mean' or 'sum'")
    return F.binary_cross_entropy_with_logits(v, truth.to(v.dtype), reduction=reduction)
