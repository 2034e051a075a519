# SPDX-License-Identifier: GPL-3.0-or-later
"""Fig. 5 as code: the RNN filter's parts as blocks, with real pictures where pictures go in and come out."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

_GREY, _ORANGE, _GREEN, _BLUE, _INK = "#e6e6e6", "#fde3c8", "#d8efd3", "#cfe3f5", "0.3"
_BLOCKS = {
    "features\nat 4 sizes": (3.6, 4.1, 1.1, _GREY),
    "RNN\ngroup 1": (7.2, 4.1, 1.1, _GREEN),
    "RNN\ngroup 2": (9.6, 4.1, 1.1, _GREEN),
    "max of 4\n+ 2 conv.": (12.0, 4.1, 1.1, _GREY),
    "gates $p_1$": (8.0, 2.0, 0.9, _ORANGE),
    "gates $p_2$": (8.0, 0.6, 0.9, _ORANGE),
}
"""Name: left, bottom, height, colour; all are 1.9 wide."""

_ARROWS = (
    ((1.7, 4.65), (3.6, 4.65)), ((5.5, 4.65), (7.2, 4.65)), ((9.1, 4.65), (9.6, 4.65)), ((11.5, 4.65), (12.0, 4.65)),
    ((13.9, 4.65), (14.75, 4.65)), ((15.25, 4.65), (16.2, 4.65)), ((7.0, 1.7), (8.0, 2.45)), ((7.0, 1.7), (8.0, 1.05)),
    ((8.5, 2.9), (8.5, 4.1)), ((9.9, 1.05), (10.5, 1.05), (10.5, 4.1)), ((3.4, 1.7), (4.0, 1.7)),
    ((1.7, 3.9), (4.0, 2.5)), ((1.7, 5.5), (2.4, 6.3), (15.0, 6.3), (15.0, 4.9)),
)


def draw_rnn_model(photograph: np.ndarray, m: np.ndarray, radius: np.ndarray, result: np.ndarray) -> Figure:
    """The RNN filter of section 3.4 as a drawing.

    Parameters
    ----------
    photograph, result : (H, W, 3) in [0, 1].
    m, radius : (H, W), the guides.

    Examples
    --------
    >>> grey = np.full((6, 4), 0.5)
    >>> figure = draw_rnn_model(np.dstack([grey] * 3), grey, grey, np.dstack([grey] * 3))
    >>> len(figure.axes[0].images)
    4
    >>> plt.close(figure)
    """
    figure = plt.figure(figsize=(9, 3.4))
    figure.set_layout_engine("none")  # the kit's style would arrange what has its place already
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_axis_off()
    for name, x, y, values, colours in (
        ("photograph $I$", 0.2, 3.5, photograph, None), ("mask $m$", 0.2, 0.5, m, "gray"),
        ("depth, as radius $r$", 1.9, 0.5, radius, "magma"), ("result $B$", 16.2, 3.5, result, None),
    ):
        panel.imshow(values, extent=(x, x + 1.5, y, y + 2.3), cmap=colours)
        panel.text(x + 0.75, y - 0.15, name, ha="center", va="top", fontsize=8)
    for corners in (((4, 0.5), (4, 2.9), (5.4, 2.2), (5.4, 1.2)), ((5.6, 1.2), (5.6, 2.2), (7, 2.9), (7, 0.5))):
        panel.add_patch(Polygon(corners, fc=_BLUE, ec=_INK))
    panel.text(5.5, 0.35, "encoder-decoder", ha="center", va="top", fontsize=8)
    for text, (x, y, height, face) in _BLOCKS.items():
        panel.add_patch(Rectangle((x, y), 1.9, height, fc=face, ec=_INK, lw=1))
        panel.text(x + 0.95, y + height / 2, text, ha="center", va="center", fontsize=8)
    for points in _ARROWS:
        _arrow(panel, points)
    panel.text(15, 4.65, "+", ha="center", va="center", fontsize=12, bbox={"boxstyle": "circle", "fc": "w", "ec": _INK})
    panel.text(8.7, 6.4, "skip connection: the rest of the network learns the residual", ha="center", fontsize=8)
    panel.set(xlim=(0, 18), ylim=(0, 6.8), aspect="auto")
    return figure


def _arrow(panel: Axes, points: tuple[tuple[float, float], ...]) -> None:
    """A line through points, with a head at its end."""
    panel.plot(*zip(*points[:-1], strict=True), color=_INK, lw=1)
    head = FancyArrowPatch(*points[-2:], arrowstyle="-|>", mutation_scale=10, color=_INK, shrinkA=0, shrinkB=0)
    panel.add_patch(head)
