# SPDX-License-Identifier: GPL-3.0-or-later
"""Eq. 1, 2 and 3 against the formulas as they are printed, and where a formula itself fails."""

import pytest
import torch

from dofkit.losses import body_consistency_loss, mask_cross_entropy, ranking_loss


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


# Eq. 2


def ranked(count=40, seed=1):
    """(2, 1, 5, 7) depths and (2, count, 5) pairs between any two of their points."""
    z = drawn(seed=seed)[0]
    generator = torch.Generator().manual_seed(seed)
    y, x = (torch.randint(size, (2, count, 2), generator=generator) for size in (5, 7))
    gamma = 2 * torch.randint(2, (2, count), generator=generator) - 1
    return z, torch.stack([y[..., 0], x[..., 0], y[..., 1], x[..., 1], gamma], -1)


def printed_ranking(z, pairs):
    total = torch.zeros((), dtype=z.dtype)
    for picture, rows in zip(z[:, 0], pairs.tolist(), strict=True):
        for y_i, x_i, y_j, x_j, gamma in rows:
            z_i, z_j = picture[y_i, x_i], picture[y_j, x_j]
            total += torch.log(1 + torch.exp(-z_i + z_j if gamma == 1 else z_i - z_j))
    return total


def test_the_ranking_loss_is_the_printed_equation():
    z, pairs = ranked()
    z.requires_grad_()
    theirs = printed_ranking(z, pairs)
    ours = ranking_loss(z, pairs, reduction="sum")
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    assert ranking_loss(z, pairs).item() == pytest.approx(theirs.item() / 80, rel=1e-12)
    gradients = [torch.autograd.grad(loss, z)[0] for loss in (ours, theirs)]
    assert torch.allclose(*gradients, atol=1e-12)


def test_pairs_may_lie_anywhere_apart():
    """exp overflows in the printed equation; the loss of a wrong pair is its difference, of a right one 0."""
    z = torch.tensor([[[[0.0, 1e4]]]], requires_grad=True)
    pairs = torch.tensor([[[0, 1, 0, 0, -1]], [[0, 1, 0, 0, +1]]])
    wrong, right = (ranking_loss(z, which[None]) for which in pairs)
    assert (wrong.item(), right.item()) == (1e4, 0)
    assert torch.autograd.grad(wrong, z)[0].flatten().tolist() == [-1, 1]
    assert printed_ranking(z.detach(), pairs[:1]).isinf()


def test_rows_of_gamma_0_do_not_count():
    z, pairs = ranked()
    padded = torch.cat([pairs, torch.zeros(2, 9, 5, dtype=torch.int64)], 1)
    for reduction in ("sum", "mean"):
        assert torch.equal(ranking_loss(z, padded, reduction=reduction), ranking_loss(z, pairs, reduction=reduction))
    assert ranking_loss(z, torch.zeros(2, 3, 5, dtype=torch.int64)).item() == 0


@pytest.mark.parametrize(("shape", "pairs"), [((2, 2, 5, 7), (2, 3, 5)), ((2, 1, 5, 7), (1, 3, 5)),
                                              ((2, 1, 5, 7), (2, 3, 4)), ((5, 7), (2, 3, 5))])
def test_pairs_belong_to_pictures(shape, pairs):
    with pytest.raises(ValueError, match="are not"):
        ranking_loss(torch.zeros(shape), torch.zeros(pairs, dtype=torch.int64))
    with pytest.raises(ValueError, match="reduction"):
        ranking_loss(torch.zeros(2, 1, 5, 7), torch.zeros(2, 3, 5, dtype=torch.int64), reduction="none")


# Eq. 3


def printed_consistency(z, mask, delta):
    """All pairs of a body, one body after the other."""
    total = torch.zeros((), dtype=z.dtype)
    for depth, inside in zip(z, mask > 0.5, strict=True):
        body = depth[inside]
        total = total + ((body[:, None] - body[None]) ** 2 - delta).clamp(min=0).sum()
    return total


@pytest.mark.parametrize("delta", [0.0, 0.3, 4.1, 1e4])
def test_sorting_counts_every_pair(delta):
    z, mask = drawn((3, 1, 17, 13))
    z[2] = z[2].round()  # ties
    z = (z + 50).requires_grad_()
    ours, theirs = (loss(z, mask, delta) for loss in (
        lambda *given: body_consistency_loss(*given, reduction="sum"), printed_consistency))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    for a, b in zip(torch.autograd.grad(ours, z), torch.autograd.grad(theirs, z), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-9)


def test_the_consistency_loss_in_single_precision():
    """Sums of squares of 20,000 depths far from 0 lose nothing that matters."""
    generator = torch.Generator().manual_seed(2)
    z = 300 + 0.5 * torch.randn(1, 1, 200, 100, generator=generator)
    double = body_consistency_loss(z.double(), torch.ones_like(z).double(), 0.25).item()
    single = body_consistency_loss(z, torch.ones_like(z), 0.25)
    assert single.dtype == torch.float32 and single.item() == pytest.approx(double, rel=1e-5)


def test_the_mean_is_over_pairs_and_then_over_bodies():
    z, mask = drawn((3, 1, 9, 9))
    mask[1] = 0  # nobody
    each = [printed_consistency(z[i : i + 1], mask[i : i + 1], 0.5) / mask[i].sum() ** 2 for i in (0, 2)]
    assert body_consistency_loss(z, mask, 0.5).item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-12)


def test_without_a_body_nothing_is_inconsistent():
    z = drawn()[0].requires_grad_()
    loss = body_consistency_loss(z, torch.zeros_like(z), 0.5)
    assert loss.item() == 0 and not torch.autograd.grad(loss, z)[0].any()


def test_what_eq_3_refuses():
    z = torch.zeros(1, 1, 4, 4)
    for given, told in (((z, z[..., 1:], 0.5), "differ in shape"), ((z, z, -0.1), "0 or more"),
                        ((z, z, float("nan")), "0 or more")):
        with pytest.raises(ValueError, match=told):
            body_consistency_loss(*given)
