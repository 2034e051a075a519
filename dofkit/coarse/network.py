# SPDX-License-Identifier: GPL-3.0-or-later
"""The kit's own coarse network: a fully convolutional network with the skips of FCN-8s, in the role of [20] and [7].

    picture -> 1/2 -> 1/4 -> 1/8 -> 1/16 -> 1/32 + mean of the whole picture
                              |       |       |
                 map <- 1/8 <-+-------+-------+        then bilinearly back to the picture's size

It knows what a person is, and nothing finer than 8 pixels: that is left to the propagation (`dofkit.spn`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MEAN, _STD = 0.45, 0.23  # of photographs' sRGB values, roughly, all channels alike


class CoarseNetwork(nn.Module):
    """A residual network that gives one coarse map.

    Parameters
    ----------
    width : channels at half the resolution; twice, four and eight times as many below.

    Examples
    --------
    >>> CoarseNetwork(width=4)(torch.zeros(1, 3, 50, 33)).shape
    torch.Size([1, 1, 50, 33])
    """

    def __init__(self, *, width: int = 20) -> None:
        super().__init__()
        w = width
        self.to_2 = _convolution(3, w, stride=2)
        self.to_4 = Residual(w, 2 * w, stride=2)
        self.to_8 = nn.Sequential(Residual(2 * w, 4 * w, stride=2), Residual(4 * w, 4 * w))
        self.to_16 = nn.Sequential(Residual(4 * w, 8 * w, stride=2), Residual(8 * w, 8 * w))
        self.to_32 = nn.Sequential(Residual(8 * w, 8 * w, stride=2), Residual(8 * w, 8 * w))
        self.whole = nn.Linear(8 * w, 8 * w)
        self.join_16 = _convolution(16 * w, 8 * w)
        self.join_8 = _convolution(12 * w, 4 * w)
        self.score = nn.Conv2d(4 * w, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in [0, 1] to (N, 1, H, W): logits of the person, or depth."""
        at_8 = self.to_8(self.to_4(self.to_2((image - _MEAN) / _STD)))
        at_16 = self.to_16(at_8)
        at_32 = self.to_32(at_16)
        at_32 = at_32 + self.whole(at_32.mean((2, 3)))[..., None, None]
        at_16 = self.join_16(torch.cat([_resized(at_32, at_16), at_16], 1))
        at_8 = self.join_8(torch.cat([_resized(at_16, at_8), at_8], 1))
        return _resized(self.score(at_8), image)


class Residual(nn.Module):
    """Two normalised convolutions beside a shortcut (He et al., CVPR 2016)."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(before, after, stride=stride),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        same = stride == 1 and before == after
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


def _convolution(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear")
