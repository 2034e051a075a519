# SPDX-License-Identifier: GPL-3.0-or-later
"""The guidance network: VGG-16 from conv1 to pool5, and back up through its exact mirror image (section 3.1).

    encoder   2 x conv w | pool | 2 x 2w | pool | 3 x 4w | pool | 3 x 8w | pool | 3 x 8w | pool      w = 64 in VGG-16
    decoder   the same in reverse; each upsampling ends in a concatenation with what went into that pool

Full width takes torchvision's VGG-16 file as it is (`load_vgg16`). Narrow ones start from nothing, and then each
convolution is followed by batch normalisation: without it nothing was learned in hundreds of steps.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from dofkit.weights import WeightsError

BLOCKS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
"""VGG-16's blocks between pools: (convolutions, channels in units of the width)."""

VGG_WIDTH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB, which VGG-16 was trained on


class Guidance(nn.Module):
    """From a picture to `out` maps of the same size.

    Parameters
    ----------
    out : channels of the result.
    width : channels of the first block; 64 is VGG-16.
    inputs : channels of the picture; the first 3 are sRGB in [0, 1], further ones are taken as they are.
    norm : batch normalisation after each convolution; VGG-16's own weights are for False.

    Raises
    ------
    ValueError
        If there are fewer than 3 inputs.

    Examples
    --------
    Any size will do, also one that five pools do not divide:

    >>> Guidance(5, width=4)(torch.zeros(1, 3, 50, 33)).shape
    torch.Size([1, 5, 50, 33])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, out: int, *, width: int = VGG_WIDTH, inputs: int = 3, norm: bool = True) -> None:
        super().__init__()
        if inputs < 3:
            raise ValueError(f"the guidance takes RGB and perhaps more, not {inputs} channels: repeat a grey picture")
        extra = inputs - 3
        self.register_buffer("mean", torch.tensor([*MEAN, *[0.0] * extra]).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([*STD, *[1.0] * extra]).view(-1, 1, 1), persistent=False)
        self.features = encoder(width, inputs, norm=norm)
        self.ups = nn.ModuleList()
        below = width * BLOCKS[-1][1]
        for (convolutions, units), (_, before) in zip(BLOCKS[::-1], (*BLOCKS[-2::-1], BLOCKS[0]), strict=True):
            skip, end = width * units, width * before
            channels = [below + skip, *[skip] * (convolutions - 1), end]
            self.ups.append(nn.Sequential(*_convolutions(channels, norm=norm)))
            below = end
        self.head = nn.Conv2d(below, out, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, out, H, W)."""
        x, skips = (image - self.mean) / self.std, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                skips.append(x)
            x = layer(x)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(torch.cat([F.interpolate(x, size=skip.shape[-2:]), skip], 1))
        features: Tensor = self.head(x)
        return features

    def load_vgg16(self, path: str | os.PathLike[str]) -> None:
        """Take the encoder's weights from torchvision's VGG-16 file (`vgg16-397923af.pth`); the decoder stays.

        Further input channels start at zero: at first the picture alone counts.

        Parameters
        ----------
        path
            A file of torch.save, read as numbers only, or .safetensors; `classifier.*` is ignored.

        Raises
        ------
        WeightsError
            If this guidance is narrower than VGG-16 or normalised, or the file is missing, damaged or not VGG-16's.
        """
        with torch.device("meta"):
            wanted = encoder(VGG_WIDTH, norm=False).state_dict()
        ours = self.features.state_dict()
        if ours.keys() != wanted.keys() or ours["0.bias"].shape != wanted["0.bias"].shape:
            raise WeightsError("VGG-16's weights fit the full width alone: build Guidance(..., width=64, norm=False)")
        given = {name: value for name, value in _read(Path(path)).items() if isinstance(value, Tensor)}
        for name, value in wanted.items():
            found = given.get(f"features.{name}")
            if found is None or found.shape != value.shape:
                is_this = "missing" if found is None else f"of shape {tuple(found.shape)}, not {tuple(value.shape)}"
                remedy = "give torchvision's vgg16-397923af.pth"
                raise WeightsError(f"'{path}' is not VGG-16's: features.{name} is {is_this}; {remedy}")
        ours["0.weight"].zero_()
        for name, value in ours.items():
            found = given[f"features.{name}"]
            (value[:, :3] if name == "0.weight" else value).copy_(found)


def encoder(width: int, inputs: int = 3, *, norm: bool = True) -> nn.Sequential:
    """VGG-16's `features` at a width: without `norm`, layer by layer and name by name those of torchvision.

    >>> [name for name in encoder(64, norm=False).state_dict()][:4]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    layers: list[nn.Module] = []
    before = inputs
    for convolutions, units in BLOCKS:
        layers += _convolutions([before, *[width * units] * convolutions], norm=norm)
        # Halves are rounded up, so that five pools leave something of a picture of any size; VGG-16 rounds down, which
        # is the same wherever 32 divides the sides.
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
        before = width * units
    return nn.Sequential(*layers)


def _read(file: Path) -> dict[str, Any]:
    """The tensors of a file by name."""
    if not file.is_file():
        raise WeightsError(f"there is no file '{file}': give the path of torchvision's vgg16-397923af.pth")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        given = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # readers of damaged files raise nearly anything
        raise WeightsError(f"'{file}' is damaged or no file of weights: get vgg16-397923af.pth once more") from error
    if not isinstance(given, dict):
        raise WeightsError(f"'{file}' holds a {type(given).__name__}, not weights by name: give vgg16-397923af.pth")
    return given


def _convolutions(channels: list[int], *, norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers.append(nn.Conv2d(before, after, 3, padding=1, bias=not norm))
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return layers
