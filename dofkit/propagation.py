# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear recurrences that carry a map across the picture: shared by the SPN and the RNN filter.

    SPN [22], top to bottom (section 3.1), with k = 1, 2, 3 for the left, the same and the right column of row t - 1:
        h[t, l] = (1 - sum_k g_k[t, l]) x[t, l] + sum_k g_k[t, l] h[t - 1, l + k - 2]

One-way connections keep g_2 alone. A gate whose neighbour lies outside the picture counts 0 in both sums, so h = x on
the first row. The other three directions are the same on the picture turned; the four results meet by their maximum.
The RNN filter [21] has one-way gates p and starts from h[-1] = 0, so that its first row is (1 - p) x.

All of it rests on one function of autograd that walks over the rows, forth with h and back with its gradient, and
works in place on one row of all pictures and channels at a time. Left alone, autograd would allocate at every step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Merge = Literal["max", "mean"]

DIRECTIONS = 4
"""Left to right, right to left, top to bottom, bottom to top: the order of the gates."""

EVERY, FIRST_ON, LAST_OFF = slice(None), slice(1, None), slice(None, -1)


class _Scan(torch.autograd.Function):
    """The equation above over x (N, C, T, L) and g (N, K, C, T, L)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, reverse: bool, from_zero: bool) -> Tensor:
        x, g = (v if v.stride(-1) == 1 else v.contiguous() for v in (x, g))  # one long run of memory in each row
        steps = range(x.shape[2])[:: -1 if reverse else 1]
        total = _sum_inside(g)
        if not from_zero:
            total[:, :, steps[0]] = 0
        h = torch.addcmul(x, total, x, value=-1, out=torch.empty(x.shape, dtype=x.dtype, device=x.device))
        rows = _rows(h, g)
        for before, now in pairwise(steps):
            for here, gate, there in rows:
                here[now].addcmul_(gate[now], there[before])
        ctx.save_for_backward(x, g, h, total)
        ctx.reverse, ctx.from_zero = reverse, from_zero
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, g, h, total = ctx.saved_tensors
        steps = range(x.shape[2])[:: -1 if ctx.reverse else 1]
        d = torch.empty_like(h).copy_(grad)  # other branches may share this gradient: never write into it
        rows = _rows(d, g)
        for now, before in pairwise(reversed(steps)):
            for here, gate, there in rows:
                there[before].addcmul_(gate[now], here[now])
        grad_g, weight = g.new_zeros(g.shape), -d * x  # weight: what a gate takes away from x
        later, sooner = (LAST_OFF, FIRST_ON) if ctx.reverse else (FIRST_ON, LAST_OFF)
        for k, fed, source in _neighbours(g):
            pair = d[:, :, later, fed], h[:, :, sooner, source]
            torch.addcmul(weight[:, :, later, fed], *pair, out=grad_g[:, k, :, later, fed])
            if ctx.from_zero:
                grad_g[:, k, :, steps[0], fed] = weight[:, :, steps[0], fed]
        return torch.addcmul(d, total, d, value=-1), grad_g, None, None


class _Turn(torch.autograd.Function):
    """Rows to columns, contiguous, and so is the gradient: autograd's own would be gathered with large strides."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.transpose(-1, -2).contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.transpose(-1, -2).contiguous()


def _neighbours(g: Tensor) -> list[tuple[int, slice, slice]]:
    """For each gate: its number, the pixels of a row that have its neighbour, where that is in the row before."""
    shifts = [(EVERY, EVERY)] if g.shape[1] == 1 else [(FIRST_ON, LAST_OFF), (EVERY, EVERY), (LAST_OFF, FIRST_ON)]
    return [(k, *shift) for k, shift in enumerate(shifts)]


def _rows(h: Tensor, g: Tensor) -> list[tuple[tuple[Tensor, ...], ...]]:
    """For each gate the rows of pixels, of gates and of neighbours, as views: to cut them in the loop costs more."""
    cuts = [(h[..., here], g[:, k, ..., here], h[..., there]) for k, here, there in _neighbours(g)]
    return [tuple(cut.unbind(2) for cut in three) for three in cuts]


def _sum_inside(g: Tensor) -> Tensor:
    """sum_k g_k without the gates that reach over the sides: (N, C, T, L)."""
    total = g.sum(1)
    if g.shape[1] == 3:
        total[..., 0] -= g[:, 0, ..., 0]
        total[..., -1] -= g[:, 2, ..., -1]
    return total


def scan(x: Tensor, g: Tensor, *, reverse: bool = False, from_zero: bool = False) -> Tensor:
    """Run h[t] = (1 - sum_k g_k[t]) x[t] + sum_k g_k[t] h[t - 1] down the rows of a map.

    Parameters
    ----------
    x
        (N, C, T, L): T rows of L pixels.
    g
        (N, K, C, T, L), of x's type, with K = 1 (the pixel above) or 3 (the pixels l - 1, l, l + 1 above).
    reverse
        Run up the rows, from the last one: t + 1 takes the place of t - 1.
    from_zero
        Before the first row stands h = 0, as in the RNN filter; otherwise nothing, as in the SPN, and h = x there.

    Returns
    -------
    Tensor
        h, (N, C, T, L). Differentiable once, in x and g.

    Raises
    ------
    ValueError
        If shapes or types do not fit, or there is no pixel.

    Examples
    --------
    >>> column, half = torch.tensor([8.0, 0, 0]).view(1, 1, 3, 1), torch.full((1, 1, 1, 3, 1), 0.5)
    >>> scan(column, half).flatten().tolist(), scan(column, half, from_zero=True).flatten().tolist()
    ([8.0, 4.0, 2.0], [4.0, 2.0, 1.0])
    """
    fits = x.ndim == 4 and g.ndim == 5 and g.shape[1] in (1, 3) and (len(g), *g.shape[2:]) == tuple(x.shape)
    if not fits or 0 in x.shape[2:] or x.dtype != g.dtype:
        given = f"gates {tuple(g.shape)} of {g.dtype} for a map {tuple(x.shape)} of {x.dtype}"
        raise ValueError(f"{given}: (N, K, C, T, L) and (N, C, T, L) of one type are needed, K = 1 or 3")
    h: Tensor = _Scan.apply(x, g, reverse, from_zero)
    return h


def propagate(x: Tensor, gates: Tensor, *, merge: Merge = "max") -> Tensor:
    """The SPN's linear propagation in four directions, merged pixel by pixel.

    Parameters
    ----------
    x
        (N, C, H, W), what is propagated.
    gates
        (N, 4, K, C, H, W): for each of the `DIRECTIONS` K = 3 gates (three-way) or 1 (one-way), each read at the pixel
        that it feeds, in the order of rising rows (or columns). Meant to have sum_k |g_k| <= 1: see `stable`.
    merge
        "max" as in [22], or "mean".

    Returns
    -------
    Tensor
        (N, C, H, W).

    Raises
    ------
    ValueError
        If shapes or types do not fit.

    Examples
    --------
    A seed in the middle of a row, spread by one-way gates of 1/2 to both sides:

    >>> seed = torch.tensor([0.0, 0, 1, 0, 0]).view(1, 1, 1, 5)
    >>> propagate(seed, torch.full((1, 4, 1, 1, 1, 5), 0.5)).flatten().tolist()
    [0.125, 0.25, 1.0, 0.25, 0.125]
    """
    if gates.ndim != 6 or gates.shape[1] != DIRECTIONS:
        raise ValueError(f"gates {tuple(gates.shape)} do not fit a map {tuple(x.shape)}: (N, 4, K, C, H, W) is needed")
    turn = _Turn.apply
    right, left, down, up = gates.unbind(1)
    turned = turn(x)
    across = [turn(scan(turned, turn(right))), turn(scan(turned, turn(left), reverse=True))]
    h = torch.stack([*across, scan(x, down), scan(x, up, reverse=True)])
    return h.amax(0) if merge == "max" else h.mean(0)


def cascade(x: Tensor, gates: Tensor) -> Tensor:
    """The RNN filter [21]: one-way filters in cascade along each of four directions, merged by their maximum.

        h_0 = x,    h_k[t] = (1 - p_k[t]) h_{k-1}[t] + p_k[t] h_k[t - 1],    k = 1, ..., groups

    Parameters
    ----------
    x
        (N, C, H, W), what is filtered.
    gates
        (N, groups, 2, C, H, W): for each group p along the rows, used to the right and to the left, and p along the
        columns, used down and up. Meant to lie in (-1, 1): nothing grows then.

    Returns
    -------
    Tensor
        (N, C, H, W).

    Raises
    ------
    ValueError
        If shapes or types do not fit.

    Examples
    --------
    With p = 1/2 a point spreads, twice over; the further along a line, the less:

    >>> point = torch.tensor([0.0, 0, 4, 0, 0]).view(1, 1, 1, 5)
    >>> cascade(point, torch.full((1, 2, 2, 1, 1, 5), 0.5)).flatten().tolist()
    [0.75, 1.0, 1.0, 1.0, 0.75]
    """
    if gates.ndim != 6 or gates.shape[2] != 2:
        raise ValueError(f"gates {tuple(gates.shape)} do not fit a map {tuple(x.shape)}: (N, groups, 2, C, H, W)")
    turn = _Turn.apply
    across, along = gates.unbind(2)
    results = []
    for start, filters, back in ((turn(x), turn(across), turn), (x, along, None)):
        for reverse in (False, True):
            h = start
            for p in filters.unbind(1):
                h = scan(h, p[:, None], reverse=reverse, from_zero=True)
            results.append(h if back is None else back(h))
    return torch.stack(results).amax(0)


def stable(gates: Tensor) -> Tensor:
    """Gates with sum_k |g_k| <= 1, so that no change of a pixel grows on its way: divided by that sum where above 1.

    Gates that are also positive make every h a weighted mean of x; negative ones may leave the range of x.

    Parameters
    ----------
    gates
        (N, 4, K, C, H, W), any values.

    Examples
    --------
    >>> stable(torch.tensor([0.5, 0.0, -1.5]).view(1, 1, 3, 1, 1, 1)).flatten().tolist()
    [0.25, 0.0, -0.75]
    """
    return gates / gates.abs().sum(2, keepdim=True).clamp(min=1)
