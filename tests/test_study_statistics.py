# SPDX-License-Identifier: GPL-3.0-or-later
"""The study's statistics: against closed forms, published examples, brute force, and studies whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, boschloo_exact, norm

from dofkit.study.crossed import (
    Variation,
    crossed_difference,
    crossed_differences,
    crossed_share,
    power,
    simulate,
)
from dofkit.study.statistics import difference, p_value, sensitivity, share


@pytest.mark.parametrize(("real", "of"), [(0, 5), (5, 5), (1, 2), (29, 220), (180, 220), (81, 263)])
def test_a_share_has_the_ends_at_which_it_is_just_not_surprising(real, of):
    p, low, high = share(real, of)
    z = norm.ppf(0.975)
    for end in (low, high):
        assert abs(p - end) == pytest.approx(z * np.sqrt(end * (1 - end) / of), abs=1e-9)
    assert 0 <= low <= p <= high <= 1


def test_wilson_covers_what_it_says_in_the_mean_over_shares():
    rates = []
    for p in np.linspace(0.05, 0.95, 19):
        ends = [share(k, 40)[1:] for k in range(41)]
        held = [low <= p <= high for low, high in ends]
        rates.append(binom.pmf(np.arange(41), 40, p)[held].sum())
    assert np.mean(rates) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("counts", "low", "high"), [
    ((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((6, 7, 2, 7), 0.0582, 0.8062),
    ((5, 56, 0, 29), -0.0381, 0.1926), ((0, 10, 0, 20), -0.1611, 0.2775), ((10, 10, 0, 10), 0.6075, 1.0),
])
def test_a_difference_has_the_interval_that_newcombe_prints(counts, low, high):
    """Newcombe 1998, Table II, method 10."""
    found = difference(*counts)
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


def test_the_p_value_is_scipys_and_near_a_count_of_all_outcomes():
    assert p_value(9, 10, 3, 10) == pytest.approx(boschloo_exact([[9, 3], [1, 7]]).pvalue)
    assert p_value(5, 10, 5, 10) > 0.9
    assert p_value(180, 220, 29, 220) < 1e-20
    # at any common share, so small a value comes at most that often
    p = p_value(6, 7, 2, 7)
    small = [(a, b) for a, b in itertools.product(range(8), repeat=2) if p_value(a, 7, b, 7) <= p + 1e-9]
    for common in np.linspace(0.05, 0.95, 10):
        pmf = binom.pmf(range(8), 7, common)
        assert sum(pmf[a] * pmf[b] for a, b in small) <= p + 1e-6


@pytest.mark.parametrize("counts", [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(ValueError, match="is no share"):
        share(*counts)
    with pytest.raises(ValueError, match="is no share"):
        difference(1, 2, *counts)
    with pytest.raises(ValueError, match="is no share"):
        p_value(1, 2, *counts)


def test_sensitivity_is_the_distance_of_two_normals():
    assert sensitivity(float(norm.cdf(0.7)), float(norm.cdf(-0.5))) == pytest.approx(1.2)
    with pytest.raises(ValueError, match="infinite"):
        sensitivity(1.0, 0.5)


# Subjects and pictures


def test_simulated_studies_have_the_shares_asked_for_and_their_variation():
    variation = Variation(subjects=0.8, pictures=0.6)
    votes = simulate((0.8, 0.3), variation, np.random.default_rng(0), subjects=20, pictures=10, studies=3000)
    assert votes.mean((0, 2, 3)) == pytest.approx([0.8, 0.3], abs=0.01)
    by_subject = votes[:, 0].mean(2).var(ddof=1)
    plain = simulate((0.8,), Variation(), np.random.default_rng(0), subjects=20, pictures=10, studies=3000)[:, 0]
    assert by_subject > 2 * plain.mean(2).var(ddof=1)
    # kinds share their subjects, not their pictures
    lean = [votes[:, k].mean(2) - votes[:, k].mean((1, 2))[:, None] for k in range(2)]
    look = [votes[:, k].mean(1) - votes[:, k].mean((1, 2))[:, None] for k in range(2)]
    assert np.corrcoef(lean[0].ravel(), lean[1].ravel())[0, 1] > 0.4
    assert abs(np.corrcoef(look[0].ravel(), look[1].ravel())[0, 1]) < 0.03


def test_the_variance_is_that_of_studies_done_again_and_again():
    """The mean of the estimated variances is the variance of the estimates: that is what makes them unbiased."""
    votes = simulate((0.7, 0.5), Variation(0.6, 0.5), np.random.default_rng(1), studies=6000).astype(float)
    value, low, high = crossed_differences(votes)
    one = votes[:, 0] - 0.0
    S, P = one.shape[1:]
    rows, columns = one.mean(2), one.mean(1)
    rest = one - rows[:, :, None] - columns[:, None] + one.mean((1, 2))[:, None, None]
    v = (rows.var(1, ddof=1) / S + columns.var(1, ddof=1) / P - (rest**2).sum((1, 2)) / ((S - 1) * (P - 1) * S * P))
    assert v.mean() == pytest.approx(one.mean((1, 2)).var(), rel=0.05)
    assert value.std() == pytest.approx(float(np.mean((high - low) / 2)) / 2.1, rel=0.1)  # t of about 20 degrees


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_intervals_hold_the_truth_as_often_as_they_say_where_independent_ones_do_not(spread):
    votes = simulate((0.82, 0.79), Variation(spread, spread), np.random.default_rng(2), studies=1000)
    _, low, high = crossed_differences(votes)
    held = float(((low <= 0.03) & (high >= 0.03)).mean())
    assert 0.93 <= held <= 0.995
    counts = votes.sum((2, 3))
    alone = [difference(int(a), 220, int(b), 220) for a, b in counts]
    naive = np.mean([one.low <= 0.03 <= one.high for one in alone])
    assert naive == pytest.approx({0.0: 0.95, 0.5: 0.75, 1.0: 0.63}[spread], abs=0.04)


def test_a_bootstrap_over_both_is_wider_where_nothing_varies_and_alike_where_much_does():
    """An independent oracle: resample subjects and pictures."""
    def ratio(spread: float) -> float:
        rng = np.random.default_rng(3)
        votes = simulate((0.8, 0.8), Variation(spread, spread), rng, studies=60).astype(float)
        _, low, high = crossed_differences(votes)
        widths = []
        for one, other in votes:
            who = rng.multinomial(22, np.full(22, 1 / 22), 400) / 22
            shares = [((who @ kind) * rng.multinomial(10, np.full(10, 0.1), 400) / 10).sum(1) for kind in (one, other)]
            widths.append(np.ptp(np.quantile(shares[0] - shares[1], (0.025, 0.975))))
        return float(np.mean(widths) / np.mean(high - low))

    assert 1.25 < ratio(0.0) < 1.45
    assert 0.95 < ratio(1.0) < 1.1


def test_many_studies_at_once_are_each_study_alone():
    votes = simulate((0.6, 0.3), Variation(0.3, 0.3), np.random.default_rng(4), subjects=5, pictures=4, studies=6)
    together = np.stack(crossed_differences(votes), 1)
    for one, (first, second) in zip(together, votes, strict=True):
        assert np.allclose(one.clip(-1, 1), crossed_difference(first, second))
    assert crossed_share(votes[0, 0]).value == votes[0, 0].mean()


def test_votes_that_do_not_differ_have_no_width_and_one_subject_is_refused():
    assert crossed_share(np.ones((4, 3), bool)) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="at least 2"):
        crossed_share(np.ones((1, 10), bool))
    with pytest.raises(ValueError, match="at least 2"):
        crossed_difference(np.ones((5, 3), bool), np.ones((5, 1), bool))


def test_power_grows_with_pictures_more_than_with_subjects():
    def found(subjects: int, pictures: int) -> float:
        rng = np.random.default_rng(5)
        return power((0.8, 0.7), Variation(0.5, 0.5), rng, subjects=subjects, pictures=pictures, studies=400)

    usual, people, pictures = found(22, 10), found(88, 10), found(22, 40)
    assert 0.2 < usual < people < pictures
    assert pictures - people > 0.3
    nothing = power((0.8, 0.8), Variation(0.5, 0.5), np.random.default_rng(5), studies=1000)
    assert nothing < 0.07


def test_wrong_shares_and_variations_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        simulate((1.0, 0.5), Variation(), np.random.default_rng(0))
    with pytest.raises(ValueError, match="0 or more"):
        Variation(-1.0)
