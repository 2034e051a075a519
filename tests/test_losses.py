# SPDX-License-Identifier: GPL-3.0-or-later
"""Eq. 1 against the formula as it is printed, and where the formula itself fails."""

import pytest
import torch

from dofkit.losses import mask_cross_entropy


def drawn(shape=(2, 1, 5, 7), seed=0):
    generator = torch.Generator().manual_seed(seed)
    v = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return v, (torch.rand(shape, generator=generator) > 0.4).double()


def printed(v, truth):
    """- sum over the person of log m, - sum over the background of log(1 - m)."""
    m = 1 / (1 + torch.exp(-v))
    return -torch.log(m[truth == 1]).sum() - torch.log(1 - m[truth == 0]).sum()


def test_sum_and_mean_are_the_printed_equation():
    v, truth = drawn()
    assert mask_cross_entropy(v, truth, reduction="sum").item() == pytest.approx(printed(v, truth).item(), rel=1e-12)
    assert mask_cross_entropy(v, truth).item() == pytest.approx(printed(v, truth).item() / v.numel(), rel=1e-12)


@pytest.mark.parametrize(("reduction", "count"), [("sum", 1), ("mean", 70)])
def test_the_gradient_is_mask_less_truth(reduction, count):
    v, truth = drawn()
    v.requires_grad_()
    mask_cross_entropy(v, truth, reduction=reduction).backward()
    assert torch.allclose(v.grad, (torch.sigmoid(v.detach()) - truth) / count, rtol=1e-12, atol=0)


def test_however_sure_the_network_is():
    """log(1 - m) of the printed formula is -inf here."""
    v = torch.tensor([1000.0, -1000.0, 1000.0, -1000.0]).view(1, 1, 2, 2).requires_grad_()
    truth = torch.tensor([1.0, 0.0, 0.0, 1.0]).view(1, 1, 2, 2)
    value = mask_cross_entropy(v, truth, reduction="sum")
    value.backward()
    assert value.item() == 2000
    assert v.grad.flatten().tolist() == [0, 0, 1, -1]


def test_masks_may_be_of_any_kind_of_number():
    v, truth = drawn()
    assert mask_cross_entropy(v, truth.bool()) == mask_cross_entropy(v, truth.to(torch.uint8))
    assert mask_cross_entropy(v.float(), truth).dtype == torch.float32


def test_the_reason_for_the_mean():
    """The docstring's example: at 256 x 256 a rate of 1e-4 on the sum is 6.6 on the mean."""
    v, truth = drawn((1, 1, 256, 256))
    total, mean = (mask_cross_entropy(v, truth, reduction=reduction) for reduction in ("sum", "mean"))
    assert (1e-4 * total / mean).item() == pytest.approx(6.55, abs=0.01)


def test_what_would_be_broadcast_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\) and truth \(1, 1, 4, 4\) differ"):
        mask_cross_entropy(torch.zeros(2, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="reduction is 'none': choose 'mean' or 'sum'"):
        mask_cross_entropy(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), reduction="none")
