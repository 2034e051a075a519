# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages that run one after the other, each timed, announced, and skipped where nothing has changed.

A stage is a plain function of what came before it. Whoever renders the same photograph again and again, with another
option each time, keeps a `Memo` between the runs: a stage that is given the same once more is not computed once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

Value = TypeVar("Value")


class _Kept(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    value: Any


class Memo:
    """What each stage last computed, and from what: one value a stage, so that memory does not grow.

    Arrays are the same if they are the same object: do not write into an array that went in or came out. Numbers and
    texts are compared by their values.

    Examples
    --------
    >>> memo = Memo()
    >>> Stages(memo=memo)("sum", sum, (1, 2)), memo.news()
    (3, ['sum'])
    >>> Stages(memo=memo)("sum", sum, (1, 2)), memo.news()
    (3, [])
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._computed: list[str] = []

    def news(self) -> list[str]:
        """The stages that were computed since this was last asked, each once, in their order."""
        computed, self._computed = list(dict.fromkeys(self._computed)), []
        return computed

    def recall(self, stage: str, function: Callable[..., Value], arguments: tuple[Any, ...]) -> Value:
        """The value of `function(*arguments)`: the kept one if both are those of the last time."""
        kept = self._kept.get(stage)
        if kept is None or kept.function != function or not _all_same(kept.arguments, arguments):
            self._computed.append(stage)
            kept = self._kept[stage] = _Kept(function, arguments, function(*arguments))
        value: Value = kept.value
        return value


class Stages:
    """Runs stages by name; `times` holds the seconds of each.

    Parameters
    ----------
    progress : called with the name of each stage as it starts.
    memo : of earlier runs; None keeps nothing.
    """

    def __init__(self, progress: Callable[[str], None] | None = None, memo: Memo | None = None) -> None:
        self.times: dict[str, float] = {}
        self._progress, self._memo = progress, Memo() if memo is None else memo

    def __call__(self, stage: str, function: Callable[..., Value], *arguments: Any) -> Value:
        """The value of `function(*arguments)`."""
        if self._progress:
            self._progress(stage)
        start = time.perf_counter()
        value = self._memo.recall(stage, function, arguments)
        self.times[stage] = time.perf_counter() - start
        return value


def _all_same(ones: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return len(ones) == len(others) and all(map(_same, ones, others))


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    by_value = not isinstance(one, np.ndarray) and type(one) is type(other) and type(one).__hash__ is not None
    return by_value and bool(one == other)
