# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes as numbers with intervals, each answer taken as independent of all others: what counts alone can tell.

    share        Wilson's interval of one share                     E. B. Wilson, JASA 22, 1927
    difference   Newcombe's interval of a difference of two shares  R. G. Newcombe, Stat. Med. 17, 1998, method 10
    p_value      Boschloo's exact test of two equal shares          R. D. Boschloo, Stat. Neerl. 24, 1970

The answers of one subject resemble each other, and so do those to one picture: `dofkit.study.crossed` takes that into
account, where the single answers are known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.stats import binomtest, boschloo_exact, norm


class Estimate(NamedTuple):
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """In points of a hundred.

        >>> Estimate(0.818, 0.7618, 0.8636).percent()
        '81.8 (76.2 to 86.4)'
        """
        return "{:.1f} ({:.1f} to {:.1f})".format(*(100 * number + 0.0 for number in self))


def share(real: int, of: int) -> Estimate:
    """The share of votes "real", with Wilson's 95 % interval.

    Parameters
    ----------
    real, of : votes "real" and all votes, 0 <= real <= of, of > 0.

    Raises
    ------
    ValueError
        If these are no counts.

    Examples
    --------
    >>> share(180, 220).percent()
    '81.8 (76.2 to 86.4)'
    """
    _check(real, of)
    interval = binomtest(real, of).proportion_ci(method="wilson")
    return Estimate(real / of, float(interval.low), float(interval.high))


def difference(real: int, of: int, other_real: int, other_of: int) -> Estimate:
    """The share of the first minus that of the other, with Newcombe's 95 % interval, made of two Wilson intervals.

    Raises
    ------
    ValueError
        If these are no counts.

    Examples
    --------
    >>> difference(180, 220, 174, 220).percent()
    '2.7 (-4.7 to 10.1)'
    """
    one, other = share(real, of), share(other_real, other_of)
    gap = one.value - other.value
    return Estimate(gap, gap - math.hypot(one.value - one.low, other.high - other.value),
                    gap + math.hypot(one.high - one.value, other.value - other.low))


def p_value(real: int, of: int, other_real: int, other_of: int) -> float:
    """How often two equal shares would give counts at least so far apart: Boschloo's exact test, two-sided.

    Raises
    ------
    ValueError
        If these are no counts.

    Examples
    --------
    >>> round(p_value(9, 10, 3, 10), 4)
    0.008
    """
    _check(real, of)
    _check(other_real, other_of)
    return float(boschloo_exact([[real, other_real], [of - real, other_of - other_real]]).pvalue)


def sensitivity(hits: float, false_alarms: float) -> float:
    """The d' of signal detection: how far apart two kinds of pictures look, whatever leaning subjects have to "real".

    Parameters
    ----------
    hits, false_alarms : shares of "real" for real pictures and for others, both strictly between 0 and 1.

    Returns
    -------
    float
        0 where they cannot be told apart, about 1 for a visible difference, above 3 where hardly anybody errs.

    Raises
    ------
    ValueError
        If a share is 0 or 1, where the measure is infinite.

    Examples
    --------
    >>> sensitivity(0.5, 0.5), round(sensitivity(0.8413, 0.5), 2)
    (0.0, 1.0)
    """
    if not (0 < hits < 1 and 0 < false_alarms < 1):
        raise ValueError(f"the sensitivity is infinite for shares of {hits} and {false_alarms}")
    return float(norm.ppf(hits) - norm.ppf(false_alarms))


def _check(real: int, of: int) -> None:
    if not 0 <= real <= of or of == 0:
        raise ValueError(f"{real} votes of {of} is no share: needed are 0 <= votes <= all, and at least one vote")
