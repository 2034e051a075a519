# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters: the cascade against a plain loop, the least-squares picture against a solver, what each may see."""

import numpy as np
import pytest
import torch

from dofkit.propagation import cascade
from dofkit.rnn_filter import (
    FILTERS,
    GUIDES,
    CNNFilter,
    GradientFilter,
    LiuFilter,
    RNNFilter,
    parameters,
    screened_poisson,
)

SMALL = {"rnn": {"width": 4, "channels": 3}, "liu": {"width": 4, "channels": 3}, "cnn": {"width": 4},
         "gradient": {"channels": 3}}


def plain(x, p):
    """One group along one line, as [21] writes it."""
    h, before = [], torch.zeros_like(x[..., 0])
    for t in range(x.shape[-1]):
        before = (1 - p[..., t]) * x[..., t] + p[..., t] * before
        h.append(before)
    return torch.stack(h, -1)


def plain_cascade(x, gates):
    results = []
    for axis in (0, 1):
        for turned in (False, True):
            def line(v, axis=axis, turned=turned):
                v = v if axis == 0 else v.mT
                return v.flip(-1) if turned else v

            h = line(x)
            for k in range(gates.shape[1]):
                h = plain(h, line(gates[:, k, axis]))
            h = h.flip(-1) if turned else h
            results.append(h if axis == 0 else h.mT)
    return torch.stack(results).amax(0)


def random_cascade(height=5, width=7):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, height, width, dtype=torch.float64, generator=generator)
    return x, torch.tanh(torch.randn(2, 2, 2, 3, height, width, dtype=torch.float64, generator=generator))


def test_the_cascade_is_the_plain_loop():
    x, gates = random_cascade()
    assert torch.allclose(cascade(x, gates), plain_cascade(x, gates), atol=1e-12)


def test_the_second_group_filters_the_result_of_the_first():
    x, gates = random_cascade()
    off = gates.clone()
    off[:, 1] = 0
    alone = cascade(x, off[:, :1])
    assert torch.allclose(cascade(x, off), alone)
    assert not torch.allclose(cascade(x, gates), torch.maximum(alone, cascade(x, gates[:, 1:])))  # not side by side


def test_gradients_of_the_cascade():
    x, gates = (v.requires_grad_() for v in random_cascade(3, 4))
    assert torch.autograd.gradcheck(cascade, (x, gates))


def test_gates_of_another_shape_are_refused():
    x, gates = random_cascade()
    with pytest.raises(ValueError, match="do not fit"):
        cascade(x, gates[:, 0])


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size", [(16, 16), (21, 34), (1, 5)])
def test_an_untrained_filter_returns_the_picture_at_any_size(name, size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = FILTERS[name](**SMALL[name]).eval()(image, torch.zeros(1, GUIDES, *size))
    assert made.shape == image.shape and (made - image).abs().max() < 1e-5


def learned(name):
    """A filter with every number disturbed, as after a training."""
    torch.manual_seed(0)
    model = FILTERS[name](**SMALL[name]).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


@pytest.mark.parametrize(("name", "sees"), [("rnn", True), ("cnn", True), ("liu", False), ("gradient", False)])
def test_who_sees_mask_and_depth(name, sees):
    image, model = torch.rand(1, 3, 24, 20), learned(name)
    with torch.no_grad():
        a, b = (model(image, torch.full((1, GUIDES, 24, 20), value)) for value in (0.0, 1.0))
    assert torch.equal(a, b) != sees


def test_every_parameter_learns():
    for name in FILTERS:
        model = learned(name).train()
        model(torch.rand(2, 3, 40, 36), torch.rand(2, GUIDES, 40, 36)).square().mean().backward()
        idle = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert not idle, (name, idle)


def test_what_is_compared_has_about_as_many_parameters():
    counts = [parameters(kind(width=8)) for kind in (RNNFilter, LiuFilter, CNNFilter)]
    assert max(counts) / min(counts) < 1.1


def test_screened_poisson_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    height, width, beta = 5, 6, 3.0
    image, right, down = rng.random((3, height, width))

    def ahead(n):
        d = np.eye(n, k=1) - np.eye(n)
        d[-1] = 0
        return d

    across, along = np.kron(np.eye(height), ahead(width)), np.kron(ahead(height), np.eye(width))
    system = np.eye(height * width) + beta * (across.T @ across + along.T @ along)
    right[:, -1] = down[-1] = 0
    wanted = np.linalg.solve(system, image.ravel() + beta * (across.T @ right.ravel() + along.T @ down.ravel()))
    got = screened_poisson(*(torch.from_numpy(v)[None, None] for v in (image, right, down)), beta)
    assert np.allclose(got[0, 0].numpy().ravel(), wanted, atol=1e-9)


def test_true_gradients_give_the_picture_back():
    image = torch.rand(1, 3, 12, 9)
    assert torch.allclose(GradientFilter(channels=2)(image, torch.zeros(1, 2, 12, 9)), image, atol=1e-5)
