# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures side by side, the one way the notebooks show them: each with its name, none with axes."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

WIDTH = 9.0
"""Inches a row of pictures is wide."""


def picture_row(
    pictures: Mapping[str, np.ndarray], *, columns: int | None = None, maps: Mapping[str, str] | None = None
) -> Figure:
    """Show pictures in rows, titled by their names.

    Parameters
    ----------
    pictures : name to (H, W, 3) colours in [0, 1] or (H, W) values; all about equally tall and wide.
    columns : pictures in a row, default all.
    maps : colour map by name for (H, W) values; default grey from 0 to 1 for masks and mattes. With a colour map the
        values are stretched from their 1st to their 99th percentile; layers (integers) keep their range.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = picture_row({"photograph": np.zeros((4, 6, 3)), "mask": np.eye(4, 6)})
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    height, width = next(iter(pictures.values())).shape[:2]
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (WIDTH / columns * height / width + 0.25)), squeeze=False
    )
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, (name, picture) in zip(axes.flat, pictures.items(), strict=False):
        shown = picture.clip(0, 1) if picture.ndim == 3 else picture
        panel.imshow(shown, **_shading(picture, (maps or {}).get(name)))
        panel.set_title(name)
    return figure


def coloured(values: np.ndarray, cmap: str) -> np.ndarray:
    """A map as a picture: (H, W) values through a colour map, with the ranges of `picture_row`.

    Returns
    -------
    (H, W, 3) float32 in [0, 1].

    Examples
    --------
    >>> coloured(np.array([[0, 1]], np.uint8), "gray")[0, :, 0].tolist()
    [0.0, 1.0]
    """
    low, high = _range(values)
    shares = (values.astype(np.float32) - low) / max(high - low, 1e-12)
    return plt.get_cmap(cmap)(shares.clip(0, 1))[..., :3].astype(np.float32)


def _shading(picture: np.ndarray, cmap: str | None) -> dict[str, object]:
    """Colour map and range of one picture."""
    if picture.ndim == 3:
        return {}
    if cmap is None:
        return {"cmap": "gray", "vmin": 0, "vmax": 1}
    low, high = _range(picture)
    layers = np.issubdtype(picture.dtype, np.integer)
    return {"cmap": cmap, "vmin": low, "vmax": high, **({"interpolation": "nearest"} if layers else {})}


def _range(values: np.ndarray) -> tuple[float, float]:
    """What is darkest and brightest: all layers (integers), else the 1st and the 99th percentile."""
    if np.issubdtype(values.dtype, np.integer):
        return 0, max(int(values.max()), 1)
    low, high = np.percentile(values, (1, 99))
    return low, high
