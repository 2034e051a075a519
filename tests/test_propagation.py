# SPDX-License-Identifier: GPL-3.0-or-later
"""The propagation against the sentence that defines it, pixel by pixel in float64."""

import pytest
import torch

from dofkit.propagation import DIRECTIONS, propagate, scan, stable
from tests.benchmarks.propagation import plain

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SIZES = [(5, 7), (1, 1), (1, 6), (6, 1), (2, 2), (8, 8), (9, 4)]
STEPS = [(0, 1), (0, -1), (1, 0), (-1, 0)]  # (rows, columns) that each direction goes at a time


def drawn(*shape, seed=0, scale=1.0, dtype=torch.float64):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def problem(height, width, gates_each=3, n=2, channels=3, **kind):
    gates = drawn(n, DIRECTIONS, gates_each, channels, height, width, seed=1, **kind)
    return drawn(n, channels, height, width, **kind).requires_grad_(), stable(gates).requires_grad_()


def walk(x, g, step):
    """One direction of the recurrence, one pixel at a time: x (N, C, H, W), g (N, K, C, H, W)."""
    height, width = x.shape[2:]
    pixels = sorted(
        ((i, j) for i in range(height) for j in range(width)), key=lambda at: at[0] * step[0] + at[1] * step[1]
    )
    h = {}
    for i, j in pixels:
        before = i - step[0], j - step[1]
        shifts = (-1, 0, 1) if g.shape[1] == 3 else (0,)
        sources = [(before[0] + (step[0] == 0) * s, before[1] + (step[1] == 0) * s) for s in shifts]
        fed = [(g[:, k, :, i, j], h[at]) for k, at in enumerate(sources) if at in h]
        h[i, j] = (1 - sum(gate for gate, _ in fed)) * x[:, :, i, j] + sum(gate * value for gate, value in fed)
    return torch.stack([torch.stack([h[i, j] for j in range(width)], -1) for i in range(height)], -2)


def four_walks(x, gates):
    return torch.stack([walk(x, gates[:, d], step) for d, step in enumerate(STEPS)])


def results(function, x, gates, weights):
    y = function(x, gates)
    return y, *torch.autograd.grad((y * weights).sum(), (x, gates), materialize_grads=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gates_each", [1, 3])
@pytest.mark.parametrize("merge", ["max", "mean"])
def test_equals_the_loop_over_pixels(size, gates_each, merge):
    x, gates = problem(*size, gates_each)
    weights = drawn(*x.shape, seed=2)
    merged = {"max": lambda h: h.amax(0), "mean": lambda h: h.mean(0)}[merge]
    expected = results(lambda x, g: merged(four_walks(x, g)), x, gates, weights)
    for ours, true in zip(results(lambda x, g: propagate(x, g, merge=merge), x, gates, weights), expected, strict=True):
        torch.testing.assert_close(ours, true, **EXACT)


@pytest.mark.parametrize("gates_each", [1, 3])
def test_equals_the_plain_version_that_it_is_measured_against(gates_each):
    x, gates = problem(6, 9, gates_each)
    weights = drawn(*x.shape, seed=2)
    for ours, true in zip(results(propagate, x, gates, weights), results(plain, x, gates, weights), strict=True):
        torch.testing.assert_close(ours, true, **EXACT)


@pytest.mark.parametrize("gates_each", [1, 3])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("from_zero", [False, True])
def test_scan_gradcheck(gates_each, reverse, from_zero):
    x = drawn(1, 2, 4, 3).requires_grad_()
    g = drawn(1, gates_each, 2, 4, 3, seed=1, scale=0.4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, g: scan(x, g, reverse=reverse, from_zero=from_zero), (x, g))


@pytest.mark.parametrize("gates_each", [1, 3])
def test_propagate_gradcheck(gates_each):
    x, gates = problem(4, 3, gates_each, n=1, channels=2)
    assert torch.autograd.gradcheck(lambda x, g: propagate(x, g, merge="mean"), (x, gates))
    assert torch.autograd.gradcheck(propagate, (x, gates))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_rnn_filter_is_a_scan_from_zero(reverse):
    x, p = drawn(2, 3, 6, 5).requires_grad_(), torch.tanh(drawn(2, 3, 6, 5, seed=1)).requires_grad_()
    weights = drawn(*x.shape, seed=2)

    def loop(x, p):
        h, rows = torch.zeros_like(x[:, :, 0]), {}
        for t in range(6)[:: -1 if reverse else 1]:
            h = rows[t] = (1 - p[:, :, t]) * x[:, :, t] + p[:, :, t] * h
        return torch.stack([rows[t] for t in range(6)], 2)

    ours = results(lambda x, p: scan(x, p[:, None], reverse=reverse, from_zero=True), x, p, weights)
    for mine, true in zip(ours, results(loop, x, p, weights), strict=True):
        torch.testing.assert_close(mine, true, **EXACT)


def test_first_row_is_the_map_itself():
    x, gates = problem(5, 7)
    for step, at in ((False, 0), (True, -1)):
        assert torch.equal(scan(x, gates[:, 2], reverse=step)[:, :, at], x[:, :, at])


@pytest.mark.parametrize("gates_each", [1, 3])
def test_a_constant_stays_constant(gates_each):
    _, gates = problem(7, 6, gates_each)
    torch.testing.assert_close(
        propagate(torch.full((2, 3, 7, 6), 0.7, dtype=torch.float64), gates),
        torch.full((2, 3, 7, 6), 0.7, dtype=torch.float64),
        **EXACT,
    )


def test_gates_of_neighbours_outside_do_not_count():
    x, gates = problem(5, 6)
    outside = torch.zeros_like(gates, dtype=torch.bool)
    outside[:, 0, ..., 0] = outside[:, 1, ..., -1] = True  # the first column of each direction
    outside[:, 2, ..., 0, :] = outside[:, 3, ..., -1, :] = True
    outside[:, :2, 0, :, 0] = outside[:, :2, 2, :, -1] = True  # over the sides
    outside[:, 2:, 0, ..., 0] = outside[:, 2:, 2, ..., -1] = True
    y = propagate(x, gates, merge="mean")
    (gradient,) = torch.autograd.grad((y * drawn(*x.shape, seed=2)).sum(), gates)
    assert torch.equal(gradient == 0, outside)
    torch.testing.assert_close(propagate(x, torch.where(outside, 1e3, gates), merge="mean"), y, **EXACT)


@pytest.mark.parametrize("function", [lambda x, g: scan(x, g[:, 2]), propagate])
def test_a_gradient_shared_by_two_branches_is_left_alone(function):
    x, gates = problem(4, 5)
    direct = torch.zeros_like(x).requires_grad_()
    given = drawn(*x.shape, seed=2)
    kept = given.clone()
    to_x, to_direct = torch.autograd.grad(function(x, gates) + direct, (x, direct), given)
    alone = torch.autograd.grad(function(x, gates), x, kept.clone())[0]
    assert torch.equal(given, kept) and torch.equal(to_direct, kept) and torch.equal(to_x, alone)


def test_the_map_and_the_gates_are_left_alone():
    x, gates = problem(4, 5)
    before = x.detach().clone(), gates.detach().clone()
    propagate(x, gates).sum().backward()
    scan(x, gates[:, 2], from_zero=True).sum().backward()
    assert torch.equal(x, before[0]) and torch.equal(gates, before[1])


@pytest.mark.parametrize("gates_each", [1, 3])
def test_memory_layout_does_not_matter(gates_each):
    x, gates = (v.detach() for v in problem(6, 5, gates_each))
    weights = drawn(*x.shape, seed=2)
    expected = results(propagate, x.clone().requires_grad_(), gates.clone().requires_grad_(), weights)
    odd_x = x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0).requires_grad_()
    odd_gates = gates.permute(5, 3, 1, 0, 4, 2).contiguous().permute(3, 2, 5, 1, 4, 0).requires_grad_()
    odd_weights = torch.stack([weights, weights], -1)[..., 0]
    assert not (odd_x.is_contiguous() or odd_gates.is_contiguous() or odd_weights.is_contiguous())
    y = propagate(odd_x, odd_gates)
    for ours, true in zip((y, *torch.autograd.grad(y, (odd_x, odd_gates), odd_weights)), expected, strict=True):
        torch.testing.assert_close(ours, true, **EXACT)
    (expanded,) = torch.autograd.grad(propagate(odd_x, gates).sum(), odd_x)  # a gradient of stride 0
    torch.testing.assert_close(expanded, torch.autograd.grad(propagate(odd_x, gates), odd_x, torch.ones_like(x))[0])


def test_four_directions_are_one_direction_of_the_picture_turned():
    x, gates = problem(6, 5)
    right = [gates[:, 0], gates[:, 1].flip(-1), gates[:, 2].transpose(-1, -2), gates[:, 3].transpose(-1, -2).flip(-1)]
    turned = [x, x.flip(-1), x.transpose(-1, -2), x.transpose(-1, -2).flip(-1)]
    back = [lambda h: h, lambda h: h.flip(-1), lambda h: h.transpose(-1, -2), lambda h: h.flip(-1).transpose(-1, -2)]
    h = torch.stack([b(walk(v, g, (0, 1))) for v, g, b in zip(turned, right, back, strict=True)])
    torch.testing.assert_close(propagate(x, gates), h.amax(0), **EXACT)


def test_nothing_grows_along_the_way():
    x, _ = problem(40, 30)
    raw = drawn(2, DIRECTIONS, 3, 3, 40, 30, seed=1, scale=5.0)
    positive, signed = stable(raw.abs()), stable(raw)
    assert propagate(x, positive).abs().max() <= x.abs().max() * (1 + 1e-12)
    changed = x.detach().clone()
    changed[:, :, 0] += drawn(2, 3, 30, seed=3)  # in the first row alone
    difference = scan(changed, signed[:, 2]) - scan(x, signed[:, 2])
    largest = difference.abs().amax(-1)
    assert (largest[..., 1:] <= largest[..., :-1] * (1 + 1e-9)).all()


def test_stable_gates():
    raw = drawn(2, DIRECTIONS, 3, 2, 4, 5)
    total = raw.abs().sum(2, keepdim=True)
    ours = stable(raw)
    assert (total > 1).any() and (total < 1).any()
    assert torch.equal(ours[(total <= 1).expand_as(raw)], raw[(total <= 1).expand_as(raw)])
    assert ours.abs().sum(2).max() <= 1 + 1e-12
    torch.testing.assert_close(ours * total.clamp(min=1), raw, **EXACT)


def test_stable_gates_of_zero_are_zero_and_learn():
    zero = torch.zeros(1, DIRECTIONS, 3, 1, 2, 2, requires_grad=True)
    (stable(zero) * 3).sum().backward()
    assert torch.equal(stable(zero), torch.zeros_like(zero)) and torch.equal(zero.grad, torch.full_like(zero, 3))
    x = drawn(1, 1, 2, 2, dtype=torch.float32)
    assert torch.equal(propagate(x, stable(zero)), x)


def test_float32_is_as_exact_as_float32_can_be():
    x, gates = problem(20, 30, dtype=torch.float32)
    y = propagate(x, gates)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y.double(), propagate(x.double(), gates.double()), rtol=1e-5, atol=1e-5)


def test_autocast_does_not_lower_the_precision():
    x, gates = problem(6, 5, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(propagate(x, gates), propagate(x, gates).float())
        inside = propagate(x, gates)
    assert torch.equal(inside, propagate(x, gates))


@pytest.mark.parametrize(
    ("x", "gates"),
    [
        ((1, 2, 3, 4), (1, 3, 3, 2, 3, 4)),
        ((1, 2, 3, 4), (1, 4, 2, 2, 3, 4)),
        ((1, 2, 3, 4), (1, 4, 3, 2, 4, 3)),
        ((1, 2, 3, 4), (2, 4, 3, 2, 3, 4)),
        ((1, 2, 3, 4), (1, 4, 3, 3, 4)),
        ((1, 2, 0, 4), (1, 4, 3, 2, 0, 4)),
    ],
)
def test_what_does_not_fit_is_named(x, gates):
    with pytest.raises(ValueError, match=r"gates \(.* for a map|gates \(.* do not fit a map"):
        propagate(torch.zeros(x), torch.zeros(gates))


def test_two_types_are_refused():
    with pytest.raises(ValueError, match=r"float64 for a map .* of torch\.float32"):
        scan(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 2, 2, dtype=torch.float64))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize("gates_each", [1, 3])
def test_cuda_gives_what_the_cpu_gives(gates_each):
    x, gates = problem(9, 6, gates_each)
    weights = drawn(*x.shape, seed=2)
    expected = results(propagate, x, gates, weights)
    there = [v.detach().cuda().requires_grad_() for v in (x, gates)]
    for ours, true in zip(results(propagate, *there, weights.cuda()), expected, strict=True):
        torch.testing.assert_close(ours.cpu(), true, **EXACT)
