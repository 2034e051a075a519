# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that follows its sliders, in a notebook.

    explore(scene.photograph, f_number=Slider(1.4, 16.0, 2.8, label="aperture, f/"))

Built on `ipywidgets.Image` and `observe`, which is several times faster from key to picture than a re-drawn
plot, works in Voila, and does nothing at all where no browser is looking. Every slider can be reached with
Tab and moved with the arrow keys. Put a static figure of the same function beside it: paper shows no widgets.
"""

from __future__ import annotations

import html
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

LIVE_SECONDS = 0.15
"""Up to this cost of one picture a slider is followed while it moves, above it when it is let go."""
BUSY = "<i>working ...</i>"


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
        self.function = function
        self.controls = dict(controls)
        self.picture = ipywidgets.Image(format="jpeg", layout=ipywidgets.Layout(max_width="100%"))
        self.status = ipywidgets.HTML("")
        self._draw()
        for control in self.controls.values():
            control.observe(self._changed, names="value")
        super().__init__(children=[*self.controls.values(), self.status, self.picture])

    def values(self) -> dict[str, Any]:
        """What the controls say, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _draw(self) -> None:
        started = time.perf_counter()
        self.picture.value = encode(self.function(**self.values()))
        live = time.perf_counter() - started <= LIVE_SECONDS
        for control in self.controls.values():
            if control.has_trait("continuous_update"):
                control.continuous_update = live

    def _changed(self, _change: Any) -> None:
        self.status.value = BUSY
        try:
            self._draw()
        except Exception as error:  # whatever it is, the page says it and goes on
            self.status.value = f"This did not work: {html.escape(str(error) or type(error).__name__)}"
        else:
            self.status.value = ""


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
    return Explorer(function, {name: _control(name, given) for name, given in controls.items()})


def encode(picture: np.ndarray) -> bytes:
    """A picture as the browser gets it: JPEG of quality 90 without colour subsampling.

    Raises
    ------
    ValueError
        If it is not (H, W, 3) or (H, W) finite floats.
    """
    array = np.asarray(picture)
    shaped = array.ndim in (2, 3) and array.shape[2:] in ((), (3,)) and array.size > 0
    if not shaped or array.dtype.kind != "f":
        raise ValueError(
            f"a picture is (H, W, 3) or (H, W) floats in [0, 1], not {array.shape} {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ValueError("the picture has values that are not finite")
    buffer = io.BytesIO()
    levels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(levels).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _control(name: str, given: Slider | Sequence[str]) -> ipywidgets.DOMWidget:
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
