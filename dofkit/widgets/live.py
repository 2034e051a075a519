# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that is computed anew when a control changes: what all explorers have in common."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets

LIVE_SECONDS = 0.15
"""Up to this cost of one picture a slider is followed while it moves, above it when it is let go."""
BUSY = "<i>working ...</i>"


class Live:
    """Watches controls, and says in a status line that work is going on, or what went wrong.

    Parameters
    ----------
    draw : computes the picture and puts it into the page; what it returns is shown as the status.

    Attributes
    ----------
    started : when the work in hand began, by `time.perf_counter`.
    """

    def __init__(self, draw: Callable[[], str]) -> None:
        self.draw, self.status = draw, ipywidgets.HTML("")
        self._controls: list[ipywidgets.DOMWidget] = []
        self._held = False
        self.started = time.perf_counter()

    def watch(self, controls: Iterable[ipywidgets.DOMWidget], name: str = "value") -> None:
        """Draw whenever one of these changes."""
        for control in controls:
            self._controls.append(control)
            control.observe(self._changed, names=name)

    def now(self) -> None:
        """Draw, and follow the sliders while they move if that was quick; raises what `draw` raises."""
        before = time.perf_counter()
        self.status.value = self.draw()
        quick = time.perf_counter() - before <= LIVE_SECONDS
        for control in self._controls:
            if control.has_trait("continuous_update"):
                control.continuous_update = quick

    def attempt(self, work: Callable[[], Any]) -> bool:
        """Do some work, marked as busy; whatever goes wrong is said in the page. True if nothing did."""
        self.status.value, self.started = BUSY, time.perf_counter()
        try:
            work()
        except Exception as error:  # whatever it is, the page says it and goes on
            self.status.value = f"This did not work: {html.escape(str(error) or type(error).__name__)}"
            return False
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Several controls are set at once: nothing is drawn in between."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before

    def _changed(self, _change: Any) -> None:
        if not self._held:
            self.attempt(self.now)
