# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that follows its sliders, for example explore(photograph, f_number=Slider(1.4, 16.0, 2.8))."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from dofkit.widgets.live import Live
from dofkit.widgets.pictures import encode, plain_picture


@dataclass(frozen=True)
class Slider:
    """One control: a number from `low` to `high`, starting at `value`; whole numbers if all of them are.

    Attributes
    ----------
    low, high, value
        Range and start.
    step
        Of one arrow key; by default 1 for whole numbers, else a fiftieth of the range.
    label
        What stands beside it; by default the argument's name.
    """

    low: float
    high: float
    value: float
    step: float | None = None
    label: str = ""


Picture = Callable[..., np.ndarray]


class Explorer(ipywidgets.VBox):
    """The widget that `explore` makes: `controls` by name, the `picture`, and a `status` line."""

    def __init__(self, function: Picture, controls: Mapping[str, ipywidgets.DOMWidget]) -> None:
        self.function, self.controls, self.picture = function, dict(controls), plain_picture()
        live = Live(self._draw)
        live.watch(self.controls.values())
        self.status = live.status
        live.now()
        super().__init__(children=[*self.controls.values(), self.status, self.picture])

    def values(self) -> dict[str, Any]:
        """What the controls say, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _draw(self) -> str:
        self.picture.value = encode(self.function(**self.values()))
        return ""


def explore(function: Picture, **controls: Slider | Sequence[str]) -> Explorer:
    """Show a picture that follows its controls; the last line of a notebook's cell.

    Parameters
    ----------
    function
        Called with the controls' values by name; returns (H, W, 3) or (H, W) floats, sRGB in [0, 1].
    **controls
        For each argument of `function` a `Slider`, or a sequence of texts to choose from.

    Returns
    -------
    Explorer
        The widget. The first picture is computed here, so that a faulty function fails at once; what goes
        wrong later is said in the page.

    Raises
    ------
    ValueError
        If there is no control, a range is empty, or the function does not return a picture.

    Examples
    --------
    >>> explorer = explore(lambda grey: np.full((4, 6, 3), grey), grey=Slider(0.0, 1.0, 0.5))
    >>> explorer.controls["grey"].value = 0.8  # as if moved by hand
    >>> explorer.values(), explorer.status.value
    ({'grey': 0.8}, '')
    """
    if not controls:
        raise ValueError("explore needs at least one control, for example sigma=Slider(0.0, 5.0, 1.0)")
    return Explorer(function, {name: control(name, given) for name, given in controls.items()})


def control(name: str, given: Slider | Sequence[str]) -> ipywidgets.DOMWidget:
    """The labelled widget of a `Slider`, or of texts to choose from; raises ValueError for an empty range."""
    wide = {"style": {"description_width": "11em"}, "layout": ipywidgets.Layout(width="32em")}
    label = name.rstrip("_").replace("_", " ")
    if not isinstance(given, Slider):
        return ipywidgets.Dropdown(options=list(given), description=label, **wide)
    if not (math.isfinite(given.low) and given.low <= given.value <= given.high and given.low < given.high):
        raise ValueError(f"slider {name!r} starts at {given.value}, outside {given.low} to {given.high}")
    numbers = (given.low, given.high, given.value, *(() if given.step is None else (given.step,)))
    whole = all(isinstance(number, int) for number in numbers)
    step = given.step or (1 if whole else (given.high - given.low) / 50)
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(
        given.value, min=given.low, max=given.high, step=step, description=given.label or label, **wide
    )
