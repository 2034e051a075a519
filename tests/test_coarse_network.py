# SPDX-License-Identifier: GPL-3.0-or-later
"""The coarse network: any size, the whole picture in view, nothing finer than 8 pixels."""

import math

import pytest
import torch
import torch.nn.functional as F

from dofkit.coarse.network import CoarseNetwork
from dofkit.losses import mask_cross_entropy


def network(width: int = 4, seed: int = 0) -> CoarseNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CoarseNetwork(width=width).eval()


def pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (32, 32), (50, 33), (7, 200), (224, 160)])
def test_any_size(size):
    v = network()(pictures(2, 3, *size))
    assert v.shape == (2, 1, *size)
    assert v.isfinite().all()


@pytest.mark.parametrize("size", [(64, 48), (50, 33)])
def test_nothing_is_finer_than_eight_pixels(size):
    net, scores = network(), []
    net.score.register_forward_hook(lambda module, inputs, output: scores.append(output))
    v = net(pictures(1, 3, *size))
    assert scores[0].shape[-2:] == tuple(math.ceil(side / 8) for side in size)
    assert torch.equal(v, F.interpolate(scores[0], size=size, mode="bilinear"))


def test_every_pixel_sees_the_whole_picture():
    image = pictures(1, 3, 32, 1024).requires_grad_()
    network()(image)[0, 0, 0, 0].backward()
    assert image.grad[..., -16:].abs().max() > 0
    net = network()
    torch.nn.init.zeros_(net.whole.weight)  # without the mean it does not
    image.grad = None
    net(image)[0, 0, 0, 0].backward()
    assert image.grad[..., -16:].abs().max() == 0


def test_neighbours_in_a_batch_do_not_matter():
    image, net = pictures(3, 3, 40, 40), network()
    one_by_one = torch.cat([net(image[i : i + 1]) for i in range(3)])
    assert torch.allclose(net(image), one_by_one, atol=1e-5)


def test_four_times_the_parameters_for_twice_the_width():
    small, large = (sum(p.numel() for p in CoarseNetwork(width=width).parameters()) for width in (8, 16))
    assert large / small == pytest.approx(4, rel=0.02)
    shipped = CoarseNetwork()
    assert 2 * sum(p.numel() for p in shipped.parameters()) < 8e6  # bytes in float16


def test_it_learns_where_the_light_is():
    """A bright square in noise, at another place in each picture, also in those it has not seen."""
    def drawn(seed: int):
        generator = torch.Generator().manual_seed(seed)
        mask, image = torch.zeros(4, 1, 64, 64), 0.4 * torch.rand(4, 3, 64, 64, generator=generator)
        for i, (top, left) in enumerate(torch.randint(0, 32, (4, 2), generator=generator).tolist()):
            mask[i, :, top : top + 32, left : left + 32] = 1
        return image + 0.5 * mask, mask

    net = network().train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(50):
        image, mask = drawn(step)
        optimizer.zero_grad()
        mask_cross_entropy(net(image), mask).backward()
        optimizer.step()
    image, mask = drawn(1000)
    with torch.no_grad():
        found = net.eval()(image) > 0
    person = mask > 0.5
    assert (found & person).sum() / (found | person).sum() > 0.8
