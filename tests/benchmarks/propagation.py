# SPDX-License-Identifier: GPL-3.0-or-later
"""The SPN's propagation forth and back: the straightforward loop, the kit, and what memory alone would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dofkit.propagation import DIRECTIONS, propagate, stable
from tests.benchmarks.timing import alternate

SHAPE = (1, 32, 128, 128)
COPY = 1 << 26  # floats: 256 MB, far more than any cache holds


def plain(x: Tensor, gates: Tensor) -> Tensor:
    """`propagate` as one would write it first: column after column under autograd, the picture turned four times."""
    right = _plain_right(x, gates[:, 0])
    left = _plain_right(x.flip(3), gates[:, 1].flip(4)).flip(3)
    x = x.transpose(2, 3)
    down = _plain_right(x, gates[:, 2].transpose(3, 4)).transpose(2, 3)
    up = _plain_right(x.flip(3), gates[:, 3].transpose(3, 4).flip(4)).flip(3).transpose(2, 3)
    return torch.stack([right, left, down, up]).amax(0)


def _plain_right(x: Tensor, g: Tensor) -> Tensor:
    h = [x[..., 0]]
    inside = torch.ones(g.shape[1], x.shape[2], 1, dtype=x.dtype)
    if len(inside) == 3:
        inside[0, 0] = inside[2, -1] = 0
    for t in range(1, x.shape[3]):
        beside = F.pad(h[-1], (1, 1)).unfold(2, x.shape[2], 1).unbind(2) if len(inside) == 3 else [h[-1]]
        gate = [g[:, k, :, :, t] * inside[k, :, 0] for k in range(len(inside))]
        h.append((1 - sum(gate)) * x[..., t] + sum(a * b for a, b in zip(gate, beside, strict=True)))
    return torch.stack(h, 3)


def run() -> list[dict[str, Any]]:
    """A row for each way: seconds of both, their ratio, and the kit's to the time in which its data can be moved."""
    return [_compare("three-way", 3), _compare("one-way", 1)]


def _compare(way: str, gates_each: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator).requires_grad_()
    raw = torch.randn(SHAPE[0], DIRECTIONS, gates_each, *SHAPE[1:], generator=generator)
    gates = stable(raw).requires_grad_()
    source, target = torch.ones(COPY), torch.ones(COPY)

    def forth_and_back(function: Callable[[Tensor, Tensor], Tensor]) -> None:
        x.grad = gates.grad = None
        function(x, gates).sum().backward()

    contenders = {"plain": plain, "kit": propagate}
    times = alternate(
        {name: lambda f=f: forth_and_back(f) for name, f in contenders.items()}
        | {"copy": lambda: target.copy_(source)},
        7,
    )
    # Forth: x and gates in, h out. Back: x, gates and the gradient of h in, those of x and gates out.
    least = (5 * x.numel() + 3 * gates.numel()) * x.element_size()
    limit = least * times["copy"]["cpu_s"] / (2 * COPY * source.element_size())
    return {
        "what": "propagation 1x32x128x128",
        "stage": way,
        "plain_cpu_s": times["plain"]["cpu_s"],
        "plain_wall_s": times["plain"]["wall_s"],
        "kit_cpu_s": times["kit"]["cpu_s"],
        "kit_wall_s": times["kit"]["wall_s"],
        "ratio": times["plain"]["cpu_s"] / times["kit"]["cpu_s"],
        "memory_limit_s": limit,
        "to_memory_limit": times["kit"]["cpu_s"] / limit,
    }
