# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole network: what it is at first, what it can learn, what its parameters are called."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dofkit import spn as module
from dofkit.metrics import iou
from dofkit.propagation import DIRECTIONS, propagate
from dofkit.spn import GuidanceOnly, SpatialPropagation

NETWORKS = [SpatialPropagation, GuidanceOnly]


def build(network, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(**{"width": 4, "channels": 2} | arguments)


def discs(count, seed=0, side=32):
    """Pictures of a bright disc, and its mask seen in squares of 8 pixels: (image, coarse logits, mask)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre, radius = rng.uniform(10, side - 10, (count, 2, 1, 1)), rng.uniform(6, 11, (count, 1, 1))
    mask = torch.tensor((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < radius**2).float()[:, None]
    colour = torch.tensor(rng.uniform(0.3, 0.5, (count, 3, 1, 1))).float()
    noise = torch.tensor(rng.normal(0, 0.03, (count, 3, side, side))).float()
    squares = F.interpolate(F.avg_pool2d(mask, 8), size=(side, side))
    return (colour + 0.3 * mask + noise).clamp(0, 1), 4 * squares - 2, mask


def test_parameters_keep_their_names_and_shapes():
    found = {name: tuple(value.shape) for name, value in build(SpatialPropagation).state_dict().items()}
    assert {name.split(".")[0] for name in found} == {"guidance", "gates", "into", "out"}
    assert {name: shape for name, shape in found.items() if not name.startswith("guidance")} == {
        "gates.weight": (24, 8, 2, 2), "gates.bias": (24,), "into.weight": (2, 1, 4, 4), "into.bias": (2,),
        "out.0.weight": (2, 2, 3, 3), "out.0.bias": (2,), "out.2.weight": (1, 2, 3, 3), "out.2.bias": (1,),
    }  # fmt: skip
    inner = [name for name in found if name.startswith("guidance")]
    assert len(inner) == 2 * 13 * 6 + 2
    assert inner[0] == "guidance.features.0.weight" and inner[-1] == "guidance.head.bias"
    assert found["guidance.ups.0.0.weight"] == (32, 64, 3, 3) and found["guidance.head.weight"] == (8, 4, 3, 3)
    one_way = build(SpatialPropagation, way="one-way").state_dict()
    assert one_way["gates.weight"].shape == (8, 8, 2, 2) and one_way.keys() == found.keys()
    assert {*build(GuidanceOnly).state_dict()} == {*found, "join.weight", "join.bias"}


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_it_changes_little(network):
    image, coarse, _ = discs(4)
    with torch.no_grad():
        v = build(network, width=8, channels=8)(image, coarse)
    assert 0 < (v - coarse).abs().mean() < 0.25 * coarse.abs().mean()


def learned(network, steps, **arguments):
    """IoU on other discs, of the squares and after some steps."""
    model = build(network, width=8, channels=4, **arguments)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(steps):
        image, coarse, mask = discs(8, seed=step)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(image, coarse), mask).backward()
        optimizer.step()
    image, coarse, mask = discs(32, seed=1000)
    with torch.no_grad():
        v = model.eval()(image, coarse)
    return [
        np.mean([iou(p[0].numpy() > 0, m[0].numpy() > 0.5) for p, m in zip(q, mask, strict=True)]) for q in (coarse, v)
    ]


@pytest.mark.parametrize(("network", "arguments"), [
    (SpatialPropagation, {}), (SpatialPropagation, {"way": "one-way", "rounds": 1, "merge": "mean"}),
    (GuidanceOnly, {}),
])  # fmt: skip
def test_learns_the_edges_of_discs(network, arguments):
    before, after = learned(network, 40, **arguments)
    assert before < 0.65 and after > 0.75  # 0.60 becomes 0.80 to 0.91, as the processor rounds


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (2, 2), (1, 1), (32, 2), (2, 51)])
def test_any_size_will_do(network, size):
    with torch.no_grad():
        v = build(network).eval()(torch.rand(2, 3, *size), torch.zeros(2, 1, *size))
    assert v.shape == (2, 1, *size) and v.isfinite().all()


def test_gates_are_stable_and_of_half_the_size():
    model = build(SpatialPropagation)
    gates = model.affinities(torch.rand(2, 3, 32, 24) * 100)
    assert gates.shape == (2, DIRECTIONS, 3, 2, 16, 12)
    assert gates.abs().sum(2).max() <= 1 + 1e-6


def test_each_round_propagates_what_the_last_one_left():
    image, h = torch.rand(1, 3, 32, 24), torch.randn(1, 2, 16, 12)
    once, twice = (build(SpatialPropagation, rounds=rounds, merge="mean").eval() for rounds in (1, 2))
    with torch.no_grad():
        gates = once.affinities(image)
        assert torch.equal(once.spread(image, h), propagate(h, gates, merge="mean"))
        assert torch.equal(twice.spread(image, h), propagate(propagate(h, gates, merge="mean"), gates, merge="mean"))


def test_guidance_only_does_not_propagate(monkeypatch):
    monkeypatch.setattr(module, "propagate", lambda *_, **__: pytest.fail("propagated"))
    image, coarse, _ = discs(2)
    v = build(GuidanceOnly)(image, coarse)
    v.sum().backward()
    with pytest.raises(pytest.fail.Exception):
        build(SpatialPropagation)(image, coarse)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_parameter_learns(network):
    model = build(network, width=8, channels=4)
    image, coarse, mask = discs(2)
    F.binary_cross_entropy_with_logits(model(image, coarse), mask).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_autocast_propagates_in_float32(monkeypatch):
    seen = []
    monkeypatch.setattr(module, "propagate", lambda h, gates, **_: seen.append((h.dtype, gates.dtype)) or h)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        v = build(SpatialPropagation)(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    assert seen == [(torch.float32, torch.float32)] * 2 and v.dtype == torch.float32


@pytest.mark.parametrize(("arguments", "message"), [
    ({"way": "two-way"}, "'two-way': choose three-way or one-way"), ({"merge": "min"}, "'min': choose max or mean"),
])  # fmt: skip
def test_unknown_words_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(SpatialPropagation, **arguments)


def test_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(32, 32\) and \(16, 16\)"):
        build(SpatialPropagation)(torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 16, 16))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize("network", NETWORKS)
def test_cuda_gives_what_the_cpu_gives(network):
    image, coarse, _ = discs(2)
    model = build(network).eval()
    with torch.no_grad():
        expected = model(image, coarse)
        torch.testing.assert_close(model.cuda()(image.cuda(), coarse.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
