# SPDX-License-Identifier: GPL-3.0-or-later
"""The spatial propagation network [22]: a coarse map in, the same map refined along the picture's edges out.

    gates = guidance(I)      what pixel is like which neighbour, learned from the picture alone (section 3.1)
    h     = max over four directions of the propagation of conv(M), twice over the same gates
    v     = M + conv(h)      refined logits; the mask is m = 1 / (1 + exp(-v))

As in the authors' network the map is propagated at half the resolution in several channels, with a second round
over the result of the first. Added here: the coarse map goes into the sum of the last line, so that an untrained
network changes little and the network learns a correction.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dofkit.guidance import VGG_WIDTH, Guidance
from dofkit.propagation import DIRECTIONS, Merge, propagate, stable

Way = Literal["three-way", "one-way"]


class SpatialPropagation(nn.Module):
    """Guidance and propagation.

    Parameters
    ----------
    width : of the guidance network; 64 is VGG-16.
    channels : in which the map is propagated; 32 in the authors' network.
    way : "three-way" or "one-way" connections to the row or column before.
    rounds : how often the propagation runs, each time over the same gates.
    merge : how the four directions meet, "max" or "mean".
    norm : batch normalisation in the guidance.

    Raises
    ------
    ValueError
        If `way` or `merge` is neither of its words.

    Examples
    --------
    >>> spn = SpatialPropagation(width=4, channels=2)
    >>> spn(torch.zeros(1, 3, 32, 24), torch.zeros(1, 1, 32, 24)).shape
    torch.Size([1, 1, 32, 24])
    """

    def __init__(
        self,
        *,
        width: int = VGG_WIDTH,
        channels: int = 32,
        way: Way = "three-way",
        rounds: int = 2,
        merge: Merge = "max",
        norm: bool = True,
    ) -> None:
        super().__init__()
        for given, words in ((way, get_args(Way)), (merge, get_args(Merge))):
            if given not in words:
                raise ValueError(f"no propagation is '{given}': choose {' or '.join(words)}")
        self.gates_each = 3 if way == "three-way" else 1
        self.channels, self.rounds, self.merge = channels, rounds, merge
        self.guidance = Guidance(2 * width, width=width, norm=norm)
        self.gates = nn.Conv2d(2 * width, DIRECTIONS * self.gates_each * channels, 2, stride=2)
        self.into = nn.Conv2d(1, channels, 4, stride=2, padding=1)
        self.out = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(channels, 1, 3, padding=1)
        )

    def forward(self, image: Tensor, coarse: Tensor) -> Tensor:
        """Refine.

        Parameters
        ----------
        image
            (N, 3, H, W), sRGB in [0, 1].
        coarse
            (N, 1, H, W), logits of the coarse mask, or a coarse depth.

        Returns
        -------
        Tensor
            (N, 1, H, W), v of section 3.1.

        Raises
        ------
        ValueError
            If the two sizes differ.
        """
        if image.shape[-2:] != coarse.shape[-2:]:
            sizes = f"{tuple(image.shape[-2:])} and {tuple(coarse.shape[-2:])}"
            raise ValueError(f"picture and coarse map have different sizes, {sizes}: resize the map")
        height, width = coarse.shape[-2:]
        # Half the resolution needs even sides: odd ones lend their last row or column to one more
        image, padded = (F.pad(x, (0, width % 2, 0, height % 2), mode="replicate") for x in (image, coarse))
        h = self.spread(image, self.into(padded))
        h = F.interpolate(h, scale_factor=2, mode="bilinear")
        return coarse + self.out(h)[..., :height, :width]

    def spread(self, image: Tensor, h: Tensor) -> Tensor:
        """Propagate h (N, C, H / 2, W / 2) along a picture with even sides."""
        gates = self.affinities(image)
        h = h.to(gates.dtype)
        for _ in range(self.rounds):
            h = propagate(h, gates, merge=self.merge)
        return h

    def affinities(self, image: Tensor) -> Tensor:
        """The stable gates of a picture with even sides: (N, 4, K, C, H / 2, W / 2)."""
        raw = self.gates(self.guidance(image))
        # Hundreds of steps in a row: never in the half precision of autocast
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        return stable(raw.unflatten(1, (DIRECTIONS, self.gates_each, self.channels)))


class GuidanceOnly(SpatialPropagation):
    """The same network with everything but the propagation, to tell what the propagation is worth.

    What would be gates are features like any others here: they meet the coarse map in a convolution.

    Parameters
    ----------
    width, channels, norm : as in `SpatialPropagation`.

    Examples
    --------
    It has the convolution more, about 1 % of the parameters:

    >>> alone, spn = (sum(p.numel() for p in net(width=16, channels=16).parameters())
    ...               for net in (GuidanceOnly, SpatialPropagation))
    >>> 1 < alone / spn < 1.02
    True
    """

    def __init__(self, *, width: int = VGG_WIDTH, channels: int = 32, norm: bool = True) -> None:
        super().__init__(width=width, channels=channels, norm=norm)
        self.join = nn.Conv2d(self.gates.out_channels + channels, channels, 3, padding=1)

    def spread(self, image: Tensor, h: Tensor) -> Tensor:
        """Mix h (N, C, H / 2, W / 2) with the features of a picture with even sides."""
        return F.relu(self.join(torch.cat([self.gates(self.guidance(image)), h], 1)))
