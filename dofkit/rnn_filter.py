# SPDX-License-Identifier: GPL-3.0-or-later
"""The RNN filter that learns the whole rendering (section 3.4, Fig. 5), and what it is compared with (section 4.5).

    p = tanh(encoder-decoder(I, m, r))         gates of each pixel, for 2 groups of filters and 2 axes
    h = max over 4 directions of the groups in cascade over the features of I       (`dofkit.propagation.cascade`)
    B = I + conv(h)                            the skip connection: what is learned is the residual

Every filter is called with a picture and its `guides`: the refined mask m, and the refined depth in the unit in which
rendering needs it, the radius r of the blur that Eq. 10 asks for at that depth. A filter that the paper describes as
seeing the picture alone ignores them.

    RNNFilter      ours
    LiuFilter      the same with gates from I alone [21]
    CNNFilter      the encoder-decoder itself, from I, m, r to the residual
    GradientFilter Xu et al. [31]: convolutions say how the gradients change, and a least-squares picture follows
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dofkit.guidance import Guidance
from dofkit.propagation import cascade

GROUPS, AXES = 2, 2

PYRAMID = (2, 4, 8)
"""The features of the picture are taken from it at full size and reduced by these factors, as in [21]."""

GUIDES = 2
"""Mask and blur radius."""

RADIUS_UNIT = 8.0
"""Pixels of radius that count as 1 in the guides."""


class RNNFilter(nn.Module):
    """Recursive filters whose gates are learned from picture, mask and depth.

    Parameters
    ----------
    width : of the encoder-decoder, which sees the picture at half its size; 64 is VGG-16.
    channels : in which the picture is filtered; 16 in [21].
    guides : 0 leaves mask and depth away, which is [21].

    Examples
    --------
    Untrained it changes nothing, and it takes any size:

    >>> image, guides = torch.rand(1, 3, 21, 34), torch.zeros(1, 2, 21, 34)
    >>> bool((RNNFilter(width=4, channels=4)(image, guides) == image).all())
    True
    """

    def __init__(self, *, width: int = 8, channels: int = 16, guides: int = GUIDES) -> None:
        super().__init__()
        self.channels, self.guides = channels, guides
        self.guidance = Guidance(2 * width, width=width, inputs=3 + guides)
        self.near = nn.Sequential(nn.Conv2d(3 + guides, channels, 3, padding=1), nn.ReLU(inplace=True))
        self.gates = nn.Conv2d(2 * width + channels, GROUPS * AXES * channels, 1)
        self.features = nn.Conv2d(3 * (1 + len(PYRAMID)), channels, 3, padding=1)
        self.out = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(2 * channels, 3, 3, padding=1))
        _start_at_zero(self.out[-1])

    def forward(self, image: Tensor, guides: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in [0, 1] and (N, 2, H, W) guides to the filtered picture (N, 3, H, W)."""
        h = cascade(self.features(pyramid(image)), self.affinities(image, guides))
        filtered: Tensor = image + self.out(h)
        return filtered

    def affinities(self, image: Tensor, guides: Tensor) -> Tensor:
        """The gates p in (-1, 1): (N, groups, axes, C, H, W)."""
        told = torch.cat([image, guides[:, : self.guides]], 1)
        wide = self.guidance(F.avg_pool2d(told, 2, ceil_mode=True))
        wide = F.interpolate(wide, size=image.shape[-2:], mode="bilinear")
        raw = self.gates(torch.cat([wide, self.near(told)], 1))
        # Hundreds of steps in a row: never in the half precision of autocast
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        return torch.tanh(raw).unflatten(1, (GROUPS, AXES, self.channels))


class LiuFilter(RNNFilter):
    """The filter of Liu, Pan and Yang [21]: `RNNFilter` with gates from the picture alone."""

    def __init__(self, *, width: int = 8, channels: int = 16) -> None:
        super().__init__(width=width, channels=channels, guides=0)


class CNNFilter(nn.Module):
    """The encoder-decoder of the guidance from picture, mask and depth to the residual, at the picture's full size.

    Parameters
    ----------
    width : as in `RNNFilter`.

    Examples
    --------
    >>> CNNFilter(width=4)(torch.rand(1, 3, 21, 34), torch.zeros(1, 2, 21, 34)).shape
    torch.Size([1, 3, 21, 34])
    """

    def __init__(self, *, width: int = 8) -> None:
        super().__init__()
        self.network = Guidance(3, width=width, inputs=3 + GUIDES)
        _start_at_zero(self.network.head)

    def forward(self, image: Tensor, guides: Tensor) -> Tensor:
        """As `RNNFilter`."""
        filtered: Tensor = image + self.network(torch.cat([image, guides], 1))
        return filtered


class GradientFilter(nn.Module):
    """The deep edge-aware filter of Xu et al. [31], narrower: what the gradients become, then the picture.

        v = conv(grad I),    B = argmin |B - I|^2 + beta |grad B - v|^2

    One network serves both axes: the vertical gradients are seen with the picture turned, as in [31].

    Parameters
    ----------
    channels : of the convolutions; 256 in [31].
    beta : weight of the gradients.

    Examples
    --------
    >>> image = torch.rand(1, 3, 21, 34)
    >>> bool((GradientFilter(channels=4)(image, torch.zeros(1, 2, 21, 34)) - image).abs().max() < 1e-5)
    True
    """

    def __init__(self, *, channels: int = 16, beta: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.network = nn.Sequential(
            nn.Conv2d(3, channels, 9, padding=4), nn.Tanh(), nn.Conv2d(channels, channels, 1), nn.Tanh(),
            nn.Conv2d(channels, 3, 5, padding=2))
        _start_at_zero(self.network[-1])

    def forward(self, image: Tensor, guides: Tensor) -> Tensor:
        """As `RNNFilter`; the guides are not used."""
        right = _ahead(image)
        down = _ahead(image.mT)
        return screened_poisson(image, right + self.network(right), (down + self.network(down)).mT, self.beta)


def screened_poisson(image: Tensor, right: Tensor, down: Tensor, beta: float) -> Tensor:
    """The picture with about the values of one and the gradients of another: argmin |B - I|^2 + beta |grad B - v|^2.

    Solved exactly by the Fourier transform of the mirrored picture, as nothing flows over the frame.

    Parameters
    ----------
    image : (N, C, H, W).
    right, down : (N, C, H, W), v: differences to the next column and row, of which the last ones do not count.
    beta : 0 gives the image back.

    Examples
    --------
    >>> step = torch.tensor([0.0, 0, 1, 1]).view(1, 1, 1, 4)
    >>> flat = torch.zeros_like(step)
    >>> bool((screened_poisson(step, flat, flat, 1e6) - 0.5).abs().max() < 1e-3)        # no gradient: the mean
    True
    """
    height, width = image.shape[-2:]
    source = image - beta * (_divergence(right) + _divergence(down.mT).mT)
    mirrored = torch.cat([source, source.flip(-1)], -1)
    mirrored = torch.cat([mirrored, mirrored.flip(-2)], -2)
    spectrum = torch.fft.rfft2(mirrored)
    y, x = (torch.arange(n, device=image.device, dtype=image.dtype) for n in spectrum.shape[-2:])
    laplacian = 4 - 2 * torch.cos(torch.pi * y / height)[:, None] - 2 * torch.cos(torch.pi * x / width)
    solved = torch.fft.irfft2(spectrum / (1 + beta * laplacian), s=mirrored.shape[-2:])
    return solved[..., :height, :width]


FILTERS: dict[str, type[nn.Module]] = {
    "rnn": RNNFilter, "liu": LiuFilter, "cnn": CNNFilter, "gradient": GradientFilter}
"""The filters by the names that their weights have."""


def pyramid(image: Tensor) -> Tensor:
    """The picture and its reductions, brought back to its size: (N, 3, H, W) to (N, 12, H, W)."""
    size = image.shape[-2:]
    reduced = (F.avg_pool2d(image, k, ceil_mode=True) for k in PYRAMID)
    return torch.cat([image, *(F.interpolate(x, size=size, mode="bilinear") for x in reduced)], 1)


def parameters(model: nn.Module) -> int:
    """How many numbers a model learns.

    >>> parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters())


def _ahead(x: Tensor) -> Tensor:
    """The difference to the next column, 0 in the last one."""
    return F.pad(x[..., 1:] - x[..., :-1], (0, 1))


def _divergence(v: Tensor) -> Tensor:
    """Minus the adjoint of `_ahead`."""
    inner = v[..., :-1]
    return F.pad(inner, (0, 1)) - F.pad(inner, (1, 0))


def _start_at_zero(last: nn.Module) -> None:
    """An untrained filter returns the picture."""
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
